//! One byte of `<store>.lock` for each lease, held as an open-file-description lock.

/// A locked byte. Unlocked when dropped.
#[derive(Debug)]
pub struct ByteLock {}
