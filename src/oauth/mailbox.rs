//! What is seen and known where a mail server says no to a token; what it means stands in the table.

use super::provider::Provider;
use super::table;
use crate::error::{Error, Status};

/// What the log-in saw. Plain facts, since the POP3 room knows no provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct PopRefusal<'a> {
    /// The response code without brackets, such as `AUTH` or `SYS/TEMP`; empty where there was none.
    pub code: &'a str,
    /// The server's words, printable.
    pub text: &'a str,
    /// `status` of the SASL challenge, such as `401` or `invalid_token`; empty where there was none.
    pub sasl_status: &'a str,
    /// The server announced AUTH-RESP-CODE: a no without `[AUTH]` is not about credentials (RFC 3206 §6).
    pub auth_resp_code: bool,
    /// The connection was closed, or the protocol broken, in place of an answer to the credentials.
    pub closed: bool,
    /// Visits in a row before this one that ended so.
    pub closed_before: u32,
    pub token_age_s: u64,
    pub token_length: usize,
    /// As granted; empty where nothing is known.
    pub scope: &'a str,
    /// The granted scope allows POP, as far as is known.
    pub scope_has_pop: bool,
    /// Another name signed in than the mailbox's: it is shared.
    pub shared: bool,
    /// A log-in of this account worked before with this sort of token.
    pub worked_before: bool,
}

/// `provider` is none where the token comes from somebody else's file.
pub fn pop_refusal(provider: Option<&Provider>, seen: &PopRefusal<'_>) -> Error {
    let words = if seen.closed {
        "the mail server closed the connection on the token".to_owned()
    } else {
        format!("the mail server refused the log-in: {}", seen.text)
    };
    let code = match seen.code {
        "" => seen.sasl_status.to_owned(),
        code => format!("[{code}]"),
    };
    match table::by_sight(seen, provider.map(|provider| provider.profile)) {
        Some(row) => row.error(words).provider_code(code),
        // The last row is seen in everything.
        None => Error::bug(words),
    }
}

/// A server that throttles has been seen to refuse like this.
pub fn is_doubtful(error: &Error) -> bool {
    table::rows().any(|row| row.doubtful && row.cause == error.cause)
}

/// The same where nobody signed in: what a person could do by signing in, only the operator can (PROTOCOL.md A.10).
pub fn pop_refused_application(error: Error) -> Error {
    const OPERATOR: &str = "The mail server does not let the application into this mailbox. The organisation's \
        administrator checks: POP is on for the mailbox; the permission POP.AccessAsApp is agreed to; \
        New-ServicePrincipal was given the object id of the enterprise application; and Add-MailboxPermission gives it \
        FullAccess to this mailbox.";
    let is_about_access = matches!(
        error.cause,
        "mailbox.pop_off"
            | "mailbox.pop_not_allowed"
            | "mailbox.no_access"
            | "mailbox.refused"
            | "mailbox.refused_since"
            | "consent.refused_by_server"
    );
    if !is_about_access {
        return error;
    }
    Error::new(Status::Policy, "mailbox.app_access", error.message)
        .advice(OPERATOR)
        .sentences("The mailbox does not let this server in; its administrator was told.", OPERATOR)
        .provider_code(error.provider_code)
}
