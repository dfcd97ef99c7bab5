//! What an account without a living grant is told.

use crate::error::{Error, Status};
use crate::oauth::diagnosis;
use crate::store::AccountRow;

pub(super) fn nobody(row: &AccountRow) -> Error {
    let agreed = diagnosis::administrator_agreed();
    if row.state.cause == agreed.cause {
        return agreed;
    }
    Error::new(Status::Consent, "consent.none", "nobody signed in for this account yet")
        .advice("Sign in to the mailbox (Authorise), so that its mail can be collected.")
}

/// What ended a grant was said when it ended, and is still shown.
pub(super) fn over(row: &AccountRow) -> Error {
    let error = Error::new(Status::Consent, "consent.revoked", "the provider ended this account's sign-in")
        .advice("Sign in to the mailbox again.");
    match diagnosis::known_cause(&row.state.cause) {
        Some(cause) if row.state.status == Status::Consent.code() => Error {
            cause,
            provider_code: row.state.provider_code.clone(),
            advice: row.state.advice.clone(),
            ..error
        }
        .sentences(&row.state.for_user, &row.state.for_operator),
        _ => error,
    }
}
