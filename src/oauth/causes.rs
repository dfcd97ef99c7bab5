//! The causes a sign-in can end with, so that one read back from the store is the same constant again.

use super::aadsts;

/// The constant with this text. One of an older library, which is no longer known, becomes `consent.repeated`.
pub fn known_cause(text: &str) -> &'static str {
    let rows = aadsts::ROWS.iter().map(|row| row.cause);
    CAUSES
        .iter()
        .copied()
        .chain(rows)
        .find(|cause| *cause == text)
        .unwrap_or("consent.repeated")
}

/// In order. A test compares this list with the code.
const CAUSES: &[&str] = &["bug"];
