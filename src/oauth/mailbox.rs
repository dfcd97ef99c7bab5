//! What a mail server's no to a token means (PROTOCOL.md B.6, C.2, D.2).
//!
//! Exchange says the same line for every cause, so what it means follows from what is known of the token.

use super::provider::{Profile, Provider};
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
    pub token_age_s: u64,
    pub token_length: usize,
    /// The granted scope allows POP, as far as is known.
    pub scope_has_pop: bool,
    /// A log-in of this account worked before with this sort of token.
    pub worked_before: bool,
}

/// Above this, Exchange has been seen to break the connection (PROTOCOL.md 0.8).
const LONG_TOKEN: usize = 4096;
/// Younger, a token is not refused for its age.
const FRESH_S: u64 = 300;

/// `provider` is none where the token comes from somebody else's file.
pub fn pop_refusal(provider: Option<&Provider>, seen: &PopRefusal<'_>) -> Error {
    let words = if seen.closed {
        "the mail server closed the connection on the token".to_owned()
    } else {
        format!("the mail server refused the log-in: {}", seen.text)
    };
    let error = |status, cause, advice: &str| {
        let code = match seen.code {
            "" => seen.sasl_status.to_owned(),
            code => format!("[{code}]"),
        };
        Error::new(status, cause, words.clone()).advice(advice).provider_code(code)
    };
    // Gmail says it behind [SYS/PERM], which alone tells less.
    if has(seen.text, "not enabled for pop") {
        return error(
            Status::Policy,
            "mailbox.pop_off",
            "Enable POP in the mailbox's settings (Gmail: Forwarding and POP/IMAP). In an organisation its \
             administrator may have to allow it.",
        );
    }
    if let Some((status, cause, advice, wait_s)) = by_code(seen.code) {
        return error(status, cause, advice).retry_after(wait_s);
    }
    let microsoft = provider.is_some_and(|provider| provider.profile.is_microsoft());
    let broken = seen.closed || has(seen.text, "protocol error");
    if broken && microsoft && seen.token_length > LONG_TOKEN {
        return error(
            Status::Policy,
            "mailbox.token_too_long",
            "Exchange Online breaks the connection on very long tokens. Fewer group claims in the token help: the \
             administrator should remove optional claims from the application's registration.",
        );
    }
    if seen.closed || has(seen.text, "server unavailable") || has(seen.text, "not connected") {
        return error(
            Status::Transient,
            "server.unavailable",
            "The mail server has trouble or limits log-ins; multipop tries again by itself.",
        );
    }
    if has(seen.text, "protocol error") {
        return error(
            Status::Server,
            "protocol.login",
            "The mail server did not understand the log-in. Check initial_response and mechanism of the provider.",
        );
    }
    if !seen.scope_has_pop {
        return error(
            Status::Config,
            "config.scope",
            "The token is not for this mail server: the provider's scopes must name POP at the server's own \
             resource, such as https://outlook.office.com/POP.AccessAsUser.All.",
        );
    }
    // RFC 3206 §6: such a server marks every problem with credentials.
    if seen.auth_resp_code && seen.code.is_empty() && seen.sasl_status.is_empty() {
        return error(
            Status::Transient,
            "server.refused",
            "The mail server refuses for a reason of its own; multipop tries again. If it stays, ask its operator.",
        );
    }
    match provider.map(|provider| provider.profile) {
        None => error(
            Status::Config,
            "config.token_file",
            "The mail server does not take the token of the token file: who keeps that file must renew it; also \
             check the user name.",
        ),
        Some(Profile::Outlook) if !seen.worked_before => error(
            Status::Policy,
            "mailbox.pop_off",
            "Switch on \"Let devices and apps use POP\" in Outlook.com: Settings, Mail, Forwarding and IMAP.",
        ),
        Some(Profile::Microsoft365 | Profile::Outlook) if seen.worked_before => error(
            Status::Policy,
            "mailbox.refused_since",
            "This worked before: POP was switched off for the mailbox, its licence or permission was removed, or a \
             policy now blocks POP. The organisation's administrator should look; signing in again once may help.",
        ),
        Some(Profile::Microsoft365 | Profile::Outlook) => error(
            Status::Policy,
            "mailbox.pop_off",
            "The sign-in is right, the mailbox refuses: POP is off for it (Set-CASMailbox -PopEnabled $true), the \
             user name is another mailbox's, or it is not in Exchange Online. The administrator can see which.",
        ),
        Some(_) if seen.token_age_s < FRESH_S => error(
            Status::Policy,
            "mailbox.refused",
            "A fresh sign-in was refused by the mail server: check the mailbox's user name and that POP is enabled \
             for it.",
        ),
        Some(_) => error(
            Status::Consent,
            "consent.refused_by_server",
            "The mail server no longer takes the sign-in. Sign in again.",
        ),
    }
}

/// The same where nobody signed in: what a person could do by signing in, only the operator can (PROTOCOL.md A.10).
pub fn pop_refused_application(error: Error) -> Error {
    let is_about_access = matches!(
        error.cause,
        "mailbox.pop_off" | "mailbox.refused" | "mailbox.refused_since" | "consent.refused_by_server"
    );
    if !is_about_access {
        return error;
    }
    Error {
        status: Status::Policy,
        cause: "mailbox.app_access",
        advice: "The mail server does not let the application into this mailbox. The organisation's administrator \
                 checks: POP is on for the mailbox; the permission POP.AccessAsApp is agreed to; \
                 New-ServicePrincipal was given the object id of the enterprise application; and \
                 Add-MailboxPermission gives it FullAccess to this mailbox."
            .into(),
        ..error
    }
}

/// PROTOCOL.md D.2; unknown codes and sub-levels say nothing. `[AUTH]` only confirms what is looked into anyway.
fn by_code(code: &str) -> Option<(Status, &'static str, &'static str, u32)> {
    let code = code.to_ascii_uppercase();
    let is =
        |name: &str| code.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is("LOGIN-DELAY") {
        return Some((
            Status::Transient,
            "server.login_delay",
            "The mail server wants a pause between log-ins; multipop waits.",
            0,
        ));
    }
    if is("IN-USE") {
        return Some((
            Status::Transient,
            "server.in_use",
            "Another program is reading the mailbox just now; multipop tries again in a few minutes.",
            120,
        ));
    }
    if is("SYS/TEMP") {
        return Some((
            Status::Transient,
            "server.trouble",
            "The mail server has trouble; multipop tries again by itself.",
            0,
        ));
    }
    if is("SYS/PERM") {
        return Some((
            Status::Policy,
            "mailbox.needs_operator",
            "The mail server says that somebody must act: POP may be switched off for this mailbox. Ask its operator \
             or switch it on in the mailbox's settings.",
            0,
        ));
    }
    None
}

fn has(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(part)
}
