//! Bytes to be written, wiped as soon as they are written: a SASL line is among them.
//!
//! Never grows in place, for that would leave an unwiped copy behind.

use zeroize::{Zeroize, Zeroizing};

#[derive(Default)]
pub(super) struct Output {
    bytes: Zeroizing<Vec<u8>>,
    written: usize,
}

impl Output {
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// The first `count` octets of `pending` are written.
    pub fn advance(&mut self, count: usize) {
        let end = (self.written + count).min(self.bytes.len());
        self.bytes[self.written..end].zeroize();
        self.written = end;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
    }

    /// All that is pending, to be written by the caller.
    pub fn take(&mut self) -> Zeroizing<Vec<u8>> {
        if self.written > 0 {
            self.reserve(0);
        }
        std::mem::take(&mut self.bytes)
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.reserve(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub fn wipe(&mut self) {
        self.bytes.zeroize();
        self.written = 0;
    }

    fn reserve(&mut self, more: usize) {
        let pending = self.pending();
        let mut grown = Vec::with_capacity((pending.len() + more).next_power_of_two().max(256));
        grown.extend_from_slice(pending);
        self.bytes = Zeroizing::new(grown);
        self.written = 0;
    }
}

impl std::io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
