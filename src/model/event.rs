//! Events: what the host is told while it waits. Their numbers stand in `multipop.h`.

use super::{Counts, Outcome};

/// What the host is told while it waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    pub account: String,
    pub owner: String,
    pub outcome: Option<Outcome>,
    pub status: i32,
    pub cause: String,
    pub message: String,
    pub advice: String,
    pub retry_after_s: u32,
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    PassBegin = 1,
    PassEnd = 2,
    AccountBegin = 3,
    AccountEnd = 4,
    Progress = 5,
    ConsentNeeded = 6,
    ConsentRestored = 7,
    OperatorNeeded = 8,
    Throttled = 9,
    SetAside = 10,
    /// What the operator was needed for is over.
    Recovered = 11,
}
