//! From what the identity provider said to what it means and who can mend it (PROTOCOL.md A.11, A.12).
//!
//! Decided by HTTP status, `error`, `suberror` and, only to refine, Microsoft's number. A grant is never called dead
//! for trouble that passes or for a wrong configuration.

use serde_json::{Map, Value};

use super::provider::Provider;
use super::retry_after;
use super::table::{self, Class, Known, Step};
use super::token::HttpAnswer;
use crate::error::{Error, Status};
use crate::model::UnixTime;
use crate::secret::{Secret, blacken};

pub use super::causes::known_cause;
pub use super::mailbox::{PopRefusal, is_doubtful, pop_refusal, pop_refused_application};

/// A provider's no.
#[derive(Debug)]
pub struct Refusal {
    pub error: Error,
    /// The grant is over: only a new consent helps. It is kept until that is stored.
    pub dead: bool,
    /// The application's secret or certificate was refused: another one may work.
    pub wrong_credential: bool,
    /// A claims challenge the next authorization request must carry (PROTOCOL.md A.8).
    pub claims: Option<String>,
    /// The provider's own words. They may name the person: for the debug log only.
    pub description: String,
    /// Came in an answer that is no use otherwise: from now on this one renews the grant (RFC 6749 §6).
    pub rotated: Option<Secret>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal {
            error,
            dead: false,
            wrong_credential: false,
            claims: None,
            description: String::new(),
            rotated: None,
        }
    }
}

impl From<Error> for Box<Refusal> {
    fn from(error: Error) -> Box<Refusal> {
        Box::new(error.into())
    }
}

/// Proofs with a time are refused by clocks that far apart (PROTOCOL.md A.12, 500133).
const SKEW_S: u64 = 300;

fn clocks_differ(skew_s: i64) -> String {
    let (length, way) = (skew_s.unsigned_abs(), if skew_s > 0 { "ahead of" } else { "behind" });
    format!(", this machine's clock is {length} s {way} the provider's")
}

/// An id_token out of its time is this machine's fault where the provider's `Date` says so too.
pub fn out_of_time(error: Error, skew_s: i64) -> Error {
    if error.cause != "identity.time" || skew_s.unsigned_abs() < SKEW_S {
        return error;
    }
    match table::rows().find(|row| row.cause == "config.clock") {
        Some(row) => row.error(error.message + &clocks_differ(skew_s)),
        None => error,
    }
}

/// No HTTP answer at all.
pub fn unreachable(what: &str) -> Error {
    Error::new(
        Status::Transient,
        "provider.unreachable",
        format!("the identity provider did not answer: {what}"),
    )
    .advice(DOWN)
    .sentences(NOTHING, DOWN)
}

/// Its certificate does not hold, so nothing was sent. Time may heal it, and no grant suffers.
pub fn untrusted(what: &str) -> Error {
    Error::new(
        Status::Transient,
        "provider.certificate",
        format!("the identity provider's certificate does not hold: {what}"),
    )
    .advice(UNTRUSTED)
    .sentences(NOTHING, UNTRUSTED)
}

/// The token endpoint answered something other than a token.
pub fn token_refused(provider: &Provider, answer: &HttpAnswer, now: UnixTime) -> Box<Refusal> {
    let wait_s = retry_after::seconds(answer, now);
    let trouble = matches!(answer.status, 408 | 429) || answer.status >= 500;
    let mut members = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(members)) if !answer.truncated && !(300..400).contains(&answer.status) => members,
        _ if trouble => return busy(answer.status, wait_s).into(),
        _ => return not_understood(answer.status).into(),
    };
    // Some echo what they could not read.
    for value in members.values_mut() {
        if let Value::String(words) = value {
            *words = blacken(words, answer.confided.iter().map(|secret| secret.expose().as_bytes()));
        }
    }
    let said = Said::of(&members);
    if said.error.is_empty() && !trouble {
        return not_understood(answer.status).into();
    }
    let skew_s = retry_after::skew_s(answer, now);
    let step = if answer.renewing { Step::Renewal } else { Step::Code };
    let known = Known { step, clock_wrong: skew_s.unsigned_abs() >= SKEW_S };
    let mut refusal = if trouble {
        Box::from(busy(answer.status, 0).provider_code(said.code()))
    } else {
        decide(provider, &said, known)
    };
    let error = &mut refusal.error;
    error.retry_after_s = error.retry_after_s.max(wait_s);
    if known.clock_wrong {
        error.message.push_str(&clocks_differ(skew_s));
    }
    // What the provider's support asks for.
    for (name, value) in [("trace", said.trace), ("correlation", said.correlation), ("at", said.timestamp)] {
        if !value.is_empty() {
            error.message.push_str(&format!(", {name} {}", printable(value, 64)));
        }
    }
    refusal
}

/// The authorization endpoint sent the browser back with an error.
pub fn authorization_refused(
    provider: &Provider,
    error: &str,
    description: Option<&str>,
    suberror: Option<&str>,
) -> Refusal {
    let said = Said {
        error,
        suberror: suberror.unwrap_or_default(),
        number: number_in(description.unwrap_or_default()),
        description: description.unwrap_or_default(),
        ..Said::default()
    };
    *decide(provider, &said, Known { step: Step::Browser, clock_wrong: false })
}

/// The token works, but not for POP (PROTOCOL.md A.7).
pub fn pop_not_granted(provider: &Provider, scope: &str) -> Error {
    if provider.profile.is_microsoft()
        && table::is_for_graph(scope)
        && let Some(row) = table::rows().find(|row| row.cause == "config.audience")
    {
        return row.error("the provider gave a token for another service than the mail server".to_owned());
    }
    let message = "the provider gave a token without the permission to collect mail by POP";
    if provider.profile.is_microsoft() {
        return Error::new(Status::Provider, "provider.pop_not_granted", message).advice(NO_POP).sentences(
            "Your organisation's administrator must agree to the access first; then sign in again.",
            NO_POP,
        );
    }
    Error::new(Status::Consent, "consent.pop_not_granted", message)
        .advice("Sign in again and tick the permission to read mail.")
}

const NO_POP: &str = "The application's registration needs the permission POP.AccessAsUser.All (Entra admin center, App \
                      registrations > the application > API permissions), and an administrator must agree to it with \
                      the link for administrators; then sign in again.";

/// An administrator consented: nobody's mailbox is connected by that.
pub fn admin_consented() -> Error {
    Error::new(
        Status::Consent,
        "consent.admin_granted",
        "an administrator agreed for the organisation; no mailbox was connected by that",
    )
    .advice(
        "The administrator's agreement is in place. Please try again: start the sign-in to your mailbox now.",
    )
}

/// The same, for the owner of a mailbox that is not connected.
pub fn administrator_agreed() -> Error {
    Error::new(Status::Consent, "consent.admin_granted", "the organisation's administrator has agreed")
        .advice("Your administrator has agreed: press Authorise to sign in to your mailbox.")
}

/// RFC 6749 §5.2 and Microsoft's additions, as far as they decide anything.
#[derive(Default)]
struct Said<'a> {
    error: &'a str,
    suberror: &'a str,
    number: Option<u32>,
    description: &'a str,
    claims: &'a str,
    trace: &'a str,
    correlation: &'a str,
    timestamp: &'a str,
}

impl<'a> Said<'a> {
    fn of(members: &'a Map<String, Value>) -> Said<'a> {
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let listed = members
            .get("error_codes")
            .and_then(Value::as_array)
            .and_then(|all| all.first())
            .and_then(Value::as_u64)
            .and_then(|code| u32::try_from(code).ok());
        Said {
            error: text("error"),
            suberror: text("suberror"),
            number: listed.or_else(|| number_in(text("error_description"))),
            description: text("error_description"),
            claims: text("claims"),
            trace: text("trace_id"),
            correlation: text("correlation_id"),
            timestamp: text("timestamp"),
        }
    }

    /// As shown to people: Microsoft's number, else the plain error.
    fn code(&self) -> String {
        match self.number {
            Some(number) => format!("AADSTS{number}"),
            None => printable(self.error, 60),
        }
    }
}

/// `AADSTS50173: …`
fn number_in(description: &str) -> Option<u32> {
    let digits = description.trim_start().strip_prefix("AADSTS")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn decide(provider: &Provider, said: &Said<'_>, known: Known) -> Box<Refusal> {
    // Numbers are Microsoft's alone, promised by nobody, and only refine.
    let number = said.number.filter(|_| provider.profile.is_microsoft());
    let row = number
        .and_then(|number| table::by_number(number, known))
        .or_else(|| table::by_suberror(said.suberror))
        .or_else(|| table::by_error(said.error));
    let mut message = format!("the identity provider refused: {}", printable(said.error, 60));
    if !said.suberror.is_empty() {
        message.push_str(&format!(" ({})", printable(said.suberror, 60)));
    }
    if let Some(number) = said.number {
        message.push_str(&format!(", AADSTS{number}"));
    }
    let Some(row) = row else {
        // One row is for every error.
        return Error::bug(message).into();
    };
    Box::new(Refusal {
        error: row.error(message).provider_code(said.code()),
        dead: said.error == "invalid_grant" && row.class == Class::User,
        wrong_credential: said.error == "invalid_client" || row.cause == "config.certificate",
        claims: (!said.claims.is_empty()).then(|| said.claims.to_owned()),
        description: printable(said.description, 400),
        rotated: None,
    })
}

const NOTHING: &str = "Nothing needs to be done; multipop tries again by itself.";
pub(super) const OPERATOR: &str =
    "Nothing is wrong with your mailbox: the operator of this mail server must mend its set-up.";
const DOWN: &str = "multipop tries again by itself. If it stays, check this server's network, proxy and name service, \
                    and the provider's page of service health.";
const UNTRUSTED: &str = "If the provider has a private authority, or a proxy opens TLS, the operator must name that \
                         authority as ca_file; also check this machine's clock.";
const BUSY: &str = "multipop tries again by itself. If it stays, look at the provider's page of service health \
                    (Microsoft 365 admin center, Health > Service health).";

fn busy(status: u16, wait_s: u32) -> Error {
    let (cause, what) = match status {
        429 => ("provider.throttled", "limits requests"),
        408 => ("provider.trouble", "waited too long"),
        _ => ("provider.trouble", "has trouble"),
    };
    Error::new(Status::Transient, cause, format!("the identity provider {what} (HTTP {status})"))
        .advice(NOTHING)
        .sentences(NOTHING, BUSY)
        .retry_after(wait_s)
}

fn not_understood(status: u16) -> Error {
    let (cause, what) = match status {
        300..=399 => ("provider.redirect", "answers with a redirect, which is never followed"),
        404 | 405 | 410 => ("provider.no_endpoint", "is not there"),
        407 => ("provider.proxy", "is behind a proxy that wants credentials"),
        _ => ("provider.not_json", "answers with something that is no OAuth error"),
    };
    no_endpoint_of_ours(cause, format!("the token endpoint {what} (HTTP {status})"))
}

/// What answers is not the endpoint that was meant: the operator is told what was seen, the user that it is not he.
pub(super) fn no_endpoint_of_ours(cause: &'static str, seen: String) -> Error {
    let for_operator = format!("Check the provider's token_endpoint and the proxy between: {seen}.");
    Error::new(Status::Config, cause, seen).advice(&*for_operator).sentences(OPERATOR, for_operator)
}

/// A peer's text in a line of ours.
pub(super) fn printable(text: &str, length: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(length).collect()
}
