//! What a mail server's no to a token means (PROTOCOL.md B.3, B.6, C.2, D.2). The first row that is seen counts.
//!
//! Exchange says the same line for every cause, so what it means follows from what is known of the token.

use super::{Class, Row};
use crate::oauth::mailbox::PopRefusal;
use crate::oauth::provider::Profile;

const NOTHING: &str = "Nothing needs to be done; multipop tries again by itself.";
const OPERATOR: &str =
    "Nothing is wrong with your mailbox: the operator of this mail server must mend its set-up.";
const ADMIN: &str =
    "Your sign-in is right, but the mail server does not let it in: ask your organisation's administrator.";

/// Above this, Exchange has been seen to break the connection (PROTOCOL.md 0.8).
const LONG_TOKEN: usize = 4096;
/// Younger, a token is not refused for its age.
const FRESH_S: u64 = 300;
/// A mailbox that never worked and closes on so many fresh tokens in a row refuses them (PROTOCOL.md B.3).
const CLOSES: u32 = 3;

const fn row(class: Class, cause: &'static str, for_user: &'static str, for_operator: &'static str) -> Row {
    Row::new(class, cause, for_user, for_operator)
}

pub static ROWS: &[Row] = &[
    row(
        Class::Mailbox,
        "mailbox.pop_off",
        "Enable POP in the mailbox's settings (Gmail: Settings > Forwarding and POP/IMAP > Enable POP).",
        "Enable POP in the mailbox's settings (Gmail: Settings > Forwarding and POP/IMAP); in an organisation allow it \
         under Google Admin console, Apps > Google Workspace > Gmail > End User Access > POP and IMAP access.",
    )
    // Gmail says it behind [SYS/PERM], which alone tells less.
    .seen("says that the mailbox is not enabled for POP", |seen, _| seen.says("not enabled for pop")),
    row(
        Class::Time,
        "server.login_delay",
        NOTHING,
        "The mail server wants a pause between log-ins; multipop waits.",
    )
    .seen("`[LOGIN-DELAY]`", |seen, _| seen.is_coded("LOGIN-DELAY")),
    row(
        Class::Time,
        "server.in_use",
        "Another program is reading the mailbox just now; multipop tries again in a few minutes.",
        "Another program is reading the mailbox just now; multipop tries again in a few minutes.",
    )
    .wait(120)
    .seen("`[IN-USE]`", |seen, _| seen.is_coded("IN-USE")),
    row(
        Class::Time,
        "server.trouble",
        NOTHING,
        "The mail server has trouble; multipop tries again by itself.",
    )
    .seen("`[SYS/TEMP]`", |seen, _| seen.is_coded("SYS/TEMP")),
    row(
        Class::Mailbox,
        "mailbox.needs_operator",
        "The mail server says that somebody must act: look whether POP is switched on in the mailbox's settings.",
        "The mail server says that somebody must act: ask its operator, or switch POP on in the mailbox's settings.",
    )
    .seen("`[SYS/PERM]`", |seen, _| seen.is_coded("SYS/PERM")),
    row(
        Class::Mailbox,
        "mailbox.token_too_long",
        ADMIN,
        "Exchange Online breaks the connection on tokens over 4096 characters: take the user out of groups and roles, \
         and remove optional claims under Entra admin center, App registrations > the application > Token \
         configuration.",
    )
    .seen("protocol error or closed, token over 4096 characters, Microsoft", |seen, profile| {
        seen.is_broken() && is_microsoft(profile) && seen.token_length > LONG_TOKEN
    }),
    row(
        Class::Time,
        "server.unavailable",
        NOTHING,
        "The mail server has trouble or limits log-ins; multipop tries again by itself. For Exchange Online see \
         Microsoft 365 admin center, Health > Service health.",
    )
    .seen("closed without a reply, `Server Unavailable` or `not connected`", |seen, _| {
        let given_up = !seen.worked_before && seen.closed_before + 1 >= CLOSES && seen.is_fresh();
        (seen.closed && !given_up) || seen.says("server unavailable") || seen.says("not connected")
    }),
    row(
        Class::Config,
        "protocol.login",
        OPERATOR,
        "The mail server did not understand the log-in: set initial_response to false and check the mechanism of the \
         provider.",
    )
    .seen("protocol error, token not over 4096 characters", |seen, _| seen.says("protocol error")),
    row(
        Class::Config,
        "config.audience",
        OPERATOR,
        "The token is for Microsoft Graph, which Exchange refuses: write \
         https://outlook.office.com/POP.AccessAsUser.All into the provider's scopes, then the users sign in again.",
    )
    .seen("the granted scope is Microsoft Graph's", |seen, profile| {
        is_microsoft(profile) && is_for_graph(seen.scope)
    }),
    row(
        Class::Config,
        "config.scope",
        OPERATOR,
        "The token is not for this mail server: the provider's scopes must name POP at the server's own resource, such \
         as https://outlook.office.com/POP.AccessAsUser.All.",
    )
    .seen("the granted scope lacks POP", |seen, _| !seen.scope_has_pop),
    row(
        Class::Time,
        "server.refused",
        NOTHING,
        "The mail server refuses for a reason of its own; multipop tries again. If it stays, ask its operator.",
    )
    // RFC 3206 §6: such a server marks every problem with credentials.
    .seen("no `[AUTH]` from a server that announces AUTH-RESP-CODE", |seen, _| {
        seen.auth_resp_code && seen.code.is_empty() && seen.sasl_status.is_empty()
    }),
    row(
        Class::Config,
        "config.token_file",
        OPERATOR,
        "The mail server does not take the token of the token file: who keeps that file must renew it; also check the \
         user name.",
    )
    .doubtful()
    .seen("the token comes from a token file", |_, profile| profile.is_none()),
    row(
        Class::Mailbox,
        "mailbox.refused_since",
        "Your mailbox worked before and now refuses: ask your organisation's administrator whether POP was switched \
         off for it; signing in again once may help.",
        "It worked before: look at Get-CASMailbox <mailbox> | fl PopEnabled (Set-CASMailbox <mailbox> -PopEnabled $true \
         switches it on), at its licence, and at Entra admin center, Identity > Users > the user > Sign-in logs > \
         Conditional Access (client app Other clients).",
    )
    .doubtful()
    .seen("Microsoft, worked before", |seen, profile| is_microsoft(profile) && seen.worked_before),
    row(
        Class::User,
        "mailbox.pop_not_allowed",
        "Switch on \"Let devices and apps use POP\" in Outlook.com: Settings > Mail > Forwarding and IMAP.",
        "The owner of the mailbox must switch on \"Let devices and apps use POP\": Outlook.com, Settings > Mail > \
         Forwarding and IMAP.",
    )
    .seen("Outlook.com, first time", |_, profile| profile == Some(Profile::Outlook)),
    row(
        Class::Mailbox,
        "mailbox.no_access",
        "You signed in for a shared mailbox that does not let you in: ask your organisation's administrator for full \
         access.",
        "Give it: Add-MailboxPermission <shared mailbox> -User <who signed in> -AccessRights FullAccess; and look at \
         Get-CASMailbox <shared mailbox> | fl PopEnabled.",
    )
    .seen("Microsoft 365, first time, signed in under another name than the mailbox's", |seen, profile| {
        profile == Some(Profile::Microsoft365) && seen.shared
    }),
    row(
        Class::Mailbox,
        "mailbox.pop_off",
        ADMIN,
        "POP is off for the mailbox: Set-CASMailbox <mailbox> -PopEnabled $true (Exchange admin center, Mailboxes > \
         the mailbox > Manage email apps settings); or the user name is not its primary one, or it has no Exchange \
         Online licence.",
    )
    .seen("Microsoft 365, first time", |_, profile| profile == Some(Profile::Microsoft365)),
    row(
        Class::Mailbox,
        "mailbox.refused",
        "A fresh sign-in was refused by the mail server: check the mailbox's user name and that POP is enabled for it.",
        "A fresh sign-in was refused by the mail server: check the account's user name and that POP is enabled for it.",
    )
    .doubtful()
    .seen("another provider, token younger than 5 minutes", |seen, _| seen.is_fresh()),
    row(
        Class::User,
        "consent.refused_by_server",
        "The mail server no longer takes the sign-in: sign in again.",
        "The mail server's own log says why it refused the token; here nothing is to be changed.",
    )
    .doubtful()
    .seen("another provider, older token", |_, _| true),
];

fn is_microsoft(profile: Option<Profile>) -> bool {
    profile.is_some_and(Profile::is_microsoft)
}

/// A scope of Microsoft Graph is given back with its address or bare (PROTOCOL.md A.7).
pub(in crate::oauth) fn is_for_graph(scope: &str) -> bool {
    let lower = scope.to_ascii_lowercase();
    let mut pop =
        lower.split_ascii_whitespace().filter(|one| one.ends_with("pop.accessasuser.all")).peekable();
    pop.peek().is_some() && pop.all(|one| one == "pop.accessasuser.all" || one.contains("://graph.microsoft"))
}

impl PopRefusal<'_> {
    fn says(&self, part: &str) -> bool {
        self.text.to_ascii_lowercase().contains(part)
    }

    fn is_broken(&self) -> bool {
        self.closed || self.says("protocol error")
    }

    fn is_fresh(&self) -> bool {
        self.token_age_s < FRESH_S
    }

    /// PROTOCOL.md D.2; unknown codes and sub-levels say nothing. `[AUTH]` only confirms what is looked into anyway.
    fn is_coded(&self, name: &str) -> bool {
        let code = self.code.to_ascii_uppercase();
        code.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
