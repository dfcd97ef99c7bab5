//! Calls a host's function so that nothing unwinds out of it.
//!
//! The header forbids exceptions to leave a callback. One that does all the same ends the process here, before it has
//! gone through frames of ours that other threads rely on. To the compiler an `extern "C"` function cannot unwind, and
//! an exception out of one may slip through optimised code; so it is called as what it might be.

use std::mem::{forget, transmute};

/// A C function, called as one that may unwind.
pub trait Unwinding {
    type Unwinding;
    fn unwinding(self) -> Self::Unwinding;
}

macro_rules! unwinding {
    ($($argument:ident)*) => {
        impl<R, $($argument),*> Unwinding for unsafe extern "C" fn($($argument),*) -> R {
            type Unwinding = unsafe extern "C-unwind" fn($($argument),*) -> R;

            fn unwinding(self) -> Self::Unwinding {
                // SAFETY: the two differ in nothing but what the caller expects of them.
                unsafe { transmute::<Self, Self::Unwinding>(self) }
            }
        }
    };
}

unwinding!(A B);
unwinding!(A B C);
unwinding!(A B C D);
unwinding!(A B C D E);

/// Runs a call of the host's; whatever unwinds out of it ends the process.
pub fn sealed<T>(call: impl FnOnce() -> T) -> T {
    let seal = Seal;
    let answer = call();
    forget(seal);
    answer
}

struct Seal;

impl Drop for Seal {
    fn drop(&mut self) {
        std::process::abort();
    }
}
