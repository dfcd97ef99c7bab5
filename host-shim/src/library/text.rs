//! Text across the door: NUL-terminated UTF-8 both ways.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use multipop_abi as abi;

use super::failure::Failure;

/// For an argument; a NUL inside is refused here, since C could not see what follows it.
pub(super) fn argument(name: &str, text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| {
        Failure::here(
            abi::E_ARGUMENT,
            "argument.nul",
            format!("{name}: holds a NUL byte"),
            "Remove the NUL byte.",
        )
    })
}

pub(super) fn optional(name: &str, text: Option<&str>) -> Result<Option<CString>, Failure> {
    text.map(|text| argument(name, text)).transpose()
}

pub(super) fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

/// What the library shows a callback. NULL reads as empty, and what is not UTF-8 is shown, not refused.
///
/// # Safety
/// `text` is NULL or NUL-terminated and lives for `'a`.
pub(super) unsafe fn shown<'a>(text: *const c_char) -> &'a str {
    // SAFETY: the caller's promise.
    unsafe { given(text) }.unwrap_or("")
}

/// # Safety
/// As `shown`.
pub(super) unsafe fn given<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, and the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_str().unwrap_or("(not UTF-8)"))
}
