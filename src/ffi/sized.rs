//! Structs that begin with their size: a host and a library compiled years apart read only what both know.
//!
//! Below the 1.0 size or above 4096 nothing else is read or written. Unknown fields a host has set are refused, so
//! that it hears what this library cannot do. `struct_size` is never written.

use std::mem::MaybeUninit;

use crate::error::{Error, Result, Status};

const LARGEST: usize = 4096;

/// # Safety
/// `#[repr(C)]` without padding, begins with `struct_size: u32`, and all bytes zero is a valid value.
pub unsafe trait Versioned: Copy {
    const NAME: &'static str;
    /// Its size in ABI 1.0, for good.
    const FIRST_SIZE: usize;
}

macro_rules! versioned {
    ($($kind:ident $name:literal $size:literal;)*) => {$(
        // SAFETY: the structs of `multipop-abi` are made so; a test compares them with the header.
        unsafe impl Versioned for multipop_abi::$kind {
            const NAME: &'static str = $name;
            const FIRST_SIZE: usize = $size;
        }
    )*};
}

versioned! {
    Error "multipop_error_t" 1680;
    Host "multipop_host_t" 40;
    Query "multipop_query_t" 40;
    Authorize "multipop_authorize_t" 32;
    Callback "multipop_callback_t" 32;
    Fetch "multipop_fetch_t" 32;
    Sink "multipop_sink_t" 64;
    Report "multipop_report_t" 96;
}

/// A copy of a host's struct; fields it does not know are zero.
///
/// # Safety
/// `from` is NULL or points to as many readable bytes as its first four say.
pub unsafe fn read<T: Versioned>(from: *const T) -> Result<T> {
    if from.is_null() {
        return Err(null(T::NAME));
    }
    // SAFETY: the caller's promise.
    let size = unsafe { size_of_host::<T>(from) }?;
    let known = size.min(size_of::<T>());
    let bytes = from.cast::<u8>();
    for at in size_of::<T>()..size {
        // SAFETY: `at` is below the size the host states.
        if unsafe { bytes.add(at).read() } != 0 {
            return Err(abi(format!(
                "{}: the field at byte {at} is not known to this version of the library",
                T::NAME
            )));
        }
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are readable at `from` and fit `copy`; all zero is valid for the rest (`Versioned`).
    unsafe {
        std::ptr::copy_nonoverlapping(bytes, copy.as_mut_ptr().cast::<u8>(), known);
        Ok(copy.assume_init())
    }
}

/// A place of the host's to write a struct to; NULL is none.
pub struct Place<T> {
    at: *mut T,
    size: usize,
}

impl<T: Versioned> Place<T> {
    /// # Safety
    /// `at` is NULL or points to as many writable bytes as its first four say, until the call returns.
    pub unsafe fn new(at: *mut T) -> Result<Place<T>> {
        if at.is_null() {
            return Ok(Place { at, size: 0 });
        }
        // SAFETY: the caller's promise.
        let size = unsafe { size_of_host::<T>(at) }?;
        Ok(Place { at, size })
    }

    pub fn write(&self, value: &T) {
        if self.at.is_null() {
            return;
        }
        let own = size_of::<u32>();
        let known = self.size.min(size_of::<T>());
        // SAFETY: `known` bytes are writable at `at` (`new`) and readable at `value`, and at least the 1.0 size.
        unsafe {
            std::ptr::copy_nonoverlapping(
                std::ptr::from_ref(value).cast::<u8>().add(own),
                self.at.cast::<u8>().add(own),
                known - own,
            );
        }
    }
}

/// # Safety
/// `from` points to four readable bytes; it need not be aligned.
unsafe fn size_of_host<T: Versioned>(from: *const T) -> Result<usize> {
    // SAFETY: the caller's promise.
    let size = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if size < T::FIRST_SIZE {
        return Err(abi(format!(
            "{}: struct_size is {size} and must be at least {}",
            T::NAME,
            T::FIRST_SIZE
        )));
    }
    if size > LARGEST {
        return Err(abi(format!("{}: struct_size is {size}, above {LARGEST}", T::NAME)));
    }
    Ok(size)
}

/// A flag this version does not have is a wish it cannot fulfil.
pub fn known_flags(name: &str, flags: u32, known: u32) -> Result<()> {
    if flags & !known != 0 {
        return Err(abi(format!("{name}: flags {flags:#x} are not known to this version of the library")));
    }
    Ok(())
}

pub fn reserved(name: &str, value: u32) -> Result<()> {
    if value != 0 {
        return Err(abi(format!("{name}: reserved is {value} and must be 0")));
    }
    Ok(())
}

pub fn null(name: &str) -> Error {
    Error::new(Status::Argument, "argument.null", format!("{name} is NULL"))
        .advice("This is a mistake in the program that calls multipop.")
}

fn abi(message: String) -> Error {
    Error::new(Status::Abi, "abi", message).advice(
        "Begin every struct with its _INIT macro, and run the program with a library at least as new as the \
         multipop.h it was compiled with.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use multipop_abi::{Fetch, Report};

    #[repr(C)]
    struct Longer<T> {
        known: T,
        tail: [u8; 16],
    }

    fn longer<T>(known: T, tail: [u8; 16]) -> Longer<T> {
        Longer { known, tail }
    }

    #[test]
    fn a_longer_struct_is_taken_while_its_tail_is_zero() {
        let mut fetch = longer(Fetch::INIT, [0; 16]);
        fetch.known.struct_size += 16;
        fetch.known.deadline_s = 7;
        // SAFETY: the stated size is there.
        let copy = unsafe { read(&raw const fetch.known) }.unwrap();
        assert_eq!(copy.deadline_s, 7);
        fetch.tail[15] = 1;
        // SAFETY: as above.
        let refused = unsafe { read(&raw const fetch.known) }.err().unwrap();
        assert_eq!(refused.status, Status::Abi);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for size in [0, 4, 31, 4097, u32::MAX] {
            let fetch = Fetch { struct_size: size, ..Fetch::INIT };
            // SAFETY: nothing but the size is read.
            assert_eq!(unsafe { read(&fetch) }.err().unwrap().status, Status::Abi);
        }
    }

    #[test]
    fn an_output_keeps_its_size_and_what_only_the_host_knows() {
        let mut report = longer(Report::INIT, [9; 16]);
        report.known.struct_size += 16;
        let size = report.known.struct_size;
        // SAFETY: the stated size is there.
        let place = unsafe { Place::new(&raw mut report.known) }.unwrap();
        place.write(&Report { bytes: 5, ..Report::INIT });
        assert_eq!((report.known.bytes, report.known.struct_size, report.tail), (5, size, [9; 16]));
    }
}
