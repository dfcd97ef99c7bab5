//! Text at the door: NUL-terminated UTF-8 in, copied before anything is done with it; text out from `malloc`.
//!
//! Never reads further than the longest text allowed at that place.

use std::ffi::{CString, c_char};

use nix::libc;
use zeroize::Zeroizing;

use super::sized::null;
use crate::error::{Error, Result, Status};

/// An owner or actor.
pub const NAME_BYTES: usize = 255;
pub const ID_BYTES: usize = 128;
pub const HOST_NAME_BYTES: usize = 64;
pub const CONFIG_BYTES: usize = 64 << 20;
/// The JSON of one account or verb, a callback's URI, a form.
pub const SMALL_BYTES: usize = 64 << 10;
pub const SESSION_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Text that may be empty. Wiped when dropped, since URIs and sessions hold secrets.
///
/// # Safety
/// `from` is NULL or NUL-terminated, or has at least `most` + 1 readable bytes.
pub unsafe fn any(from: *const c_char, name: &str, most: usize) -> Result<Zeroizing<String>> {
    if from.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    let size = unsafe { libc::strnlen(from, most + 1) };
    if size > most {
        return Err(refused(name, format!("is longer than {most} bytes")));
    }
    // SAFETY: `strnlen` has read these bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) };
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(e) => Err(refused(name, format!("is not UTF-8 at byte {}", e.valid_up_to()))),
    }
}

/// Text that must say something.
///
/// # Safety
/// As `any`.
pub unsafe fn required(from: *const c_char, name: &str, most: usize) -> Result<Zeroizing<String>> {
    // SAFETY: the caller's promise.
    let text = unsafe { any(from, name, most) }?;
    if text.is_empty() {
        return Err(refused(name, "is empty".into()));
    }
    Ok(text)
}

/// Text that may be NULL, but not empty: an empty one is more likely a look-up that failed.
///
/// # Safety
/// As `any`.
pub unsafe fn optional(from: *const c_char, name: &str, most: usize) -> Result<Option<Zeroizing<String>>> {
    if from.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { required(from, name, most) }.map(Some)
}

/// The host's browser-session token.
///
/// # Safety
/// As `any`.
pub unsafe fn session(from: *const c_char) -> Result<Zeroizing<String>> {
    // SAFETY: the caller's promise.
    let text = unsafe { any(from, "session", *SESSION_BYTES.end()) }?;
    if !SESSION_BYTES.contains(&text.len()) {
        return Err(refused("session", format!("is shorter than {} bytes", SESSION_BYTES.start())));
    }
    Ok(text)
}

fn refused(name: &str, what: String) -> Error {
    Error::new(Status::Argument, "argument.text", format!("{name} {what}"))
        .advice("This is a mistake in the program that calls multipop.")
}

/// Writes `text` for the host, who gives it back with `multipop_free`.
///
/// # Safety
/// `out` is writable.
pub unsafe fn give(out: *mut *mut c_char, text: &str) -> Result<()> {
    // SAFETY: `malloc` answers NULL or `len + 1` bytes of its own, and `out` is writable.
    unsafe {
        let copy = libc::malloc(text.len() + 1).cast::<c_char>();
        if copy.is_null() {
            return Err(Error::new(Status::Resources, "resources.memory", "no memory for the answer"));
        }
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), copy, text.len());
        copy.add(text.len()).write(0);
        out.write(copy);
    }
    Ok(())
}

/// # Safety
/// `text` is NULL or came from `give` and was not freed yet.
pub unsafe fn free(text: *mut c_char) {
    // SAFETY: `give` used `malloc`, and `free` takes NULL.
    unsafe { libc::free(text.cast()) }
}

/// Text for a callback. What cannot stand in it becomes a space, so that a log line stays one line.
pub fn c_text(text: &str) -> CString {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // NUL is a control character.
    CString::new(one_line).unwrap_or_default()
}

/// Text of several lines for a callback; no part of it holds NUL, and what follows one would be lost.
pub fn c_lines(text: &str) -> CString {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// Fills a fixed field: NUL-terminated, cut at a character.
pub fn fill(field: &mut [c_char], text: &str) {
    let mut end = text.len().min(field.len() - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    field.fill(0);
    for (place, byte) in field.iter_mut().zip(text[..end].bytes()) {
        *place = if byte == 0 { b' ' } else { byte } as c_char;
    }
}

/// What a host left in a fixed field, whether it is terminated or valid or not.
pub fn taken(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|c| *c as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_cut_at_a_character_and_terminated() {
        let mut field: [c_char; 6] = [1; 6];
        fill(&mut field, "aääää");
        assert_eq!(taken(&field), "aää");
        assert_eq!(field[5], 0);
        fill(&mut field, "aaaaä");
        assert_eq!(taken(&field), "aaaa");
    }

    #[test]
    fn what_a_host_leaves_in_a_field_is_taken_as_one_line() {
        assert_eq!(taken(&[b'a' as c_char; 4]), "aaaa");
        assert_eq!(taken(&[b'a', b'\r', b'\n', 0xff, b'b'].map(|b| b as c_char)), "a  \u{fffd}b");
    }

    #[test]
    fn bad_text_is_refused() {
        let status = |bytes: &[u8]| {
            // SAFETY: terminated by the caller.
            unsafe { required(bytes.as_ptr().cast(), "x", 4) }.map(|text| text.len()).map_err(|e| e.status)
        };
        assert_eq!(status(b"abcd\0"), Ok(4));
        assert_eq!(status(b"abcde\0"), Err(Status::Argument));
        assert_eq!(status(b"\0"), Err(Status::Argument));
        assert_eq!(status(b"a\xff\0"), Err(Status::Argument));
    }
}
