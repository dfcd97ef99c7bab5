//! The calls that run in this process, whatever the instance. No lock: one atomic holds the process and their number.
//!
//! A child forked while one of them ran is a copy of a moment in the middle: SQLite's, the resolver's and the C
//! library's own locks may be held there by threads that it does not have, and SQLite would believe to hold file
//! locks that no child inherits. So nothing of ours works in such a child before it execs, a new instance neither.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result, Status};

/// The process that counted last, in the upper half, and how many calls run in it, in the lower.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// One call, until it is dropped.
pub struct Turn(());

impl Turn {
    pub fn begin() -> Result<Turn> {
        let process = u64::from(std::process::id()) << 32;
        RUNNING
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| match seen & u64::from(u32::MAX) {
                0 => Some(process | 1),
                _ if (seen ^ process) >> 32 == 0 => Some(seen + 1),
                _ => None,
            })
            .map(|_| Turn(()))
            .map_err(|_| forked())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}

pub fn forked() -> Error {
    Error::new(Status::Forked, "forked", "this process was forked while a call was running")
        .advice("Fork between calls, or exec in the child before it uses the library.")
}
