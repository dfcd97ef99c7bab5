//! What a hostile server can make us hold at the most, each a named constant (I7).

/// The limits that are configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub listing_entries: u32,
    /// Octets of one message; beyond it `next` goes on, and the engine decides by the count.
    pub message_bytes: u64,
}

/// A status line or SASL challenge; RFC 2449 §4 allows 512, refusal challenges are longer.
pub const STATUS_LINE_BYTES: usize = 8 * 1024;

/// A line of CAPA's answer; RFC 2449 §3 allows 512.
pub const CAPABILITY_LINE_BYTES: usize = 4 * 1024;

/// Lines of CAPA's answer; known servers send under thirty.
pub const CAPABILITY_LINES: usize = 256;

/// SASL mechanisms remembered from CAPA; more are read and forgotten.
pub const SASL_MECHANISMS: usize = 64;

/// Length of a mechanism's name worth remembering; RFC 4422 §3.1 allows 20.
pub const SASL_MECHANISM_BYTES: usize = 64;

/// A UIDL; RFC 1939 §7 allows 70, servers that use file names send more.
pub const UIDL_BYTES: usize = 1024;

/// A line of UIDL's or LIST's answer: the longest UIDL, the longest number, and spaces too many.
pub const LISTING_LINE_BYTES: usize = UIDL_BYTES + 128;

/// All UIDLs of one listing together: a million of the RFC's longest.
pub const LISTING_BYTES: usize = 70 * 1000 * 1000;

/// SASL challenges answered after the credentials: the refusal, `*`, and one `*` more; the next ends the session.
pub const CHALLENGES: u8 = 3;

/// What SCRAM's server may ask for: RFC 7677 §4 wants 4096 at least, and beyond this it would keep the others waiting.
pub const SCRAM_ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=600_000;

/// Characters kept of the server's own words in a refusal.
pub const REFUSAL_TEXT_CHARS: usize = 200;

/// Characters kept of a response code, a SASL status, or a line quoted in an error.
pub const QUOTE_CHARS: usize = 80;
