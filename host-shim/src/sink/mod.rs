//! Where mail goes: each sink keeps the contract of `multipop_sink_t` for one kind of delivery.

pub mod lmtp;
pub mod maildir;
