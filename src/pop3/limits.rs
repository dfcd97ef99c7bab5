//! What a hostile server can make us hold at the most, each a named constant.

/// The limits that are configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub listing_entries: u32,
    /// Octets of one message; beyond it `next` goes on, and the engine decides by the count.
    pub message_bytes: u64,
}
