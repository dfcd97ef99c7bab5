//! From what was seen to what it means and who can mend it (PROTOCOL.md A.11, A.12, B.6).

use crate::error::{Error, Status};

/// No HTTP answer at all.
pub fn unreachable(what: &str) -> Error {
    Error::new(
        Status::Transient,
        "provider.unreachable",
        format!("the identity provider did not answer: {what}"),
    )
}

/// Exchange refuses some tokens longer than this (PROTOCOL.md B.3).
pub const LONG_TOKEN: usize = 4096;

pub fn pop_refusal(text: &str) -> Error {
    Error::new(Status::Consent, "login.refused", text)
}
