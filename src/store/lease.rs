//! One byte of `<store>.lock` for each lease, held as an open-file-description lock (fcntl(2)).
//!
//! Such a lock ends with the process that took it, cannot be taken from a stopped one, and knows no clock. It
//! belongs to the open file, not to the process: a child forked meanwhile keeps it held until it execs or ends,
//! so it is given back by unlocking, never by closing alone. The fence in the lease's row is what protects data;
//! this lock only tells who is alive.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use parking_lot::Mutex;

use super::fault;
use crate::error::Result;

/// Byte 0 is held by whoever makes or upgrades the schema.
pub(super) const SCHEMA: u64 = 0;

/// The lock file of one opened store.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
    /// What this open file holds: it never conflicts with itself.
    held: Mutex<HashSet<u64>>,
}

impl LockFile {
    pub fn new(file: File) -> Arc<LockFile> {
        Arc::new(LockFile { file, held: Mutex::default() })
    }

    /// `None`: somebody holds it, here or in another process.
    pub fn take(self: &Arc<LockFile>, byte: u64) -> Result<Option<ByteLock>> {
        let mut held = self.held.lock();
        if held.contains(&byte) {
            return Ok(None);
        }
        match self.set(byte, libc::F_WRLCK) {
            Ok(()) => {
                held.insert(byte);
                Ok(Some(ByteLock { locks: self.clone(), byte, given_back: AtomicBool::new(false) }))
            }
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(fault::of_file(&errno.into(), "locking beside it")),
        }
    }

    pub fn is_held_here(&self, byte: u64) -> bool {
        self.held.lock().contains(&byte)
    }

    fn set(&self, byte: u64, kind: libc::c_int) -> std::result::Result<(), Errno> {
        let range = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: byte as libc::off_t,
            l_len: 1,
            l_pid: 0,
        };
        loop {
            match fcntl(&self.file, FcntlArg::F_OFD_SETLK(&range)) {
                Err(Errno::EINTR) => {}
                other => return other.map(drop),
            }
        }
    }
}

/// A locked byte. Unlocked when dropped.
#[derive(Debug)]
pub struct ByteLock {
    locks: Arc<LockFile>,
    byte: u64,
    given_back: AtomicBool,
}

impl ByteLock {
    /// Gives the byte back, which may be before the lease is dropped. Once only: afterwards another may hold it.
    pub(super) fn unlock(&self) {
        if self.given_back.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut held = self.locks.held.lock();
        // Unlocking a byte of an open file does not fail; were it to, closing the file unlocks it.
        let _ = self.locks.set(self.byte, libc::F_UNLCK);
        held.remove(&self.byte);
    }
}

impl Drop for ByteLock {
    fn drop(&mut self) {
        self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_held_once_within_and_between_open_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || LockFile::new(File::options().read(true).write(true).open(file.path()).unwrap());
        let (one, two) = (open(), open());
        let lock = one.take(5).unwrap().unwrap();
        assert!(one.take(5).unwrap().is_none());
        assert!(two.take(5).unwrap().is_none());
        let other = two.take(6).unwrap().unwrap();
        lock.unlock();
        let again = one.take(5).unwrap().unwrap();
        drop(lock);
        assert!(two.take(5).unwrap().is_none(), "an old lock gave back a new one");
        drop(again);
        let again = two.take(5).unwrap().unwrap();
        assert!(one.take(5).unwrap().is_none());
        assert!(one.take(6).unwrap().is_none());
        drop((again, other));
        assert!(one.take(5).unwrap().is_some());
    }
}
