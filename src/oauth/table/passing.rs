//! What time heals (class T of PROTOCOL.md A.12).

use super::{Class, Row};

const NOTHING: &str = "Nothing needs to be done; multipop tries again by itself.";

const fn row(cause: &'static str, for_operator: &'static str, wait_s: u32) -> Row {
    Row::new(Class::Time, cause, NOTHING, for_operator).wait(wait_s)
}

pub static ROWS: &[Row] = &[
    row(
        "provider.no_token_issued",
        "multipop tries again; if it stays, open a ticket: Entra admin center, Help + support > New support request, \
         with the trace and correlation of the log line.",
        0,
    )
    .numbers(&[50000]),
    row(
        "provider.retryable",
        "Microsoft asks for another try, which multipop makes; nothing needs to be done.",
        0,
    )
    .numbers(&[50033, 50087, 50088]),
    row(
        "provider.personal_trouble",
        "Microsoft's service of personal accounts has trouble; multipop tries again by itself.",
        0,
    )
    .numbers(&[70012]),
    row(
        "provider.trouble",
        "Microsoft's sign-in has trouble (Microsoft 365 admin center, Health > Service health); multipop tries again.",
        0,
    )
    .numbers(&[90006, 90012, 90024, 90033, 90090, 90091]),
    row("provider.pending", "The person has not entered the code yet; multipop keeps asking.", 5)
        .numbers(&[70016])
        .errors(&["authorization_pending"]),
    row(
        "provider.on_premises",
        "multipop tries again; if it stays, look at the agents: Entra admin center, Identity > Hybrid management > \
         Microsoft Entra Connect > Pass-through authentication.",
        300,
    )
    .numbers(&[80001, 80002, 80005, 80007, 80014]),
    row(
        "provider.logon_hours",
        "The account may not sign in at this hour: Active Directory Users and Computers, the user > Account > Logon \
         Hours.",
        1800,
    )
    .numbers(&[80012]),
    row(
        "provider.locked",
        "multipop waits an hour; if it stays, Entra admin center, Identity > Users > the user > Sign-in logs shows \
         the attempts, and Protection > Authentication methods > Password protection the lock-out.",
        3600,
    )
    .numbers(&[50053]),
    row(
        "provider.loop",
        "Microsoft slows down repeated requests; multipop waits. If it stays, another program uses the same \
         registration: Entra admin center, App registrations > the application > Sign-in logs.",
        900,
    )
    .numbers(&[50196]),
    row(
        "provider.throttled",
        "Microsoft limits the whole organisation's requests; multipop waits. Entra admin center, Monitoring > Sign-in \
         logs shows who makes them.",
        1800,
    )
    .numbers(&[90055]),
    row("provider.trouble", "The identity provider has trouble; multipop tries again by itself.", 0)
        .errors(&["temporarily_unavailable", "server_error", "slow_down"]),
];
