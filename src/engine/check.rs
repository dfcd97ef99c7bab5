//! The doctor: the way of a fetch, one step after the other, until one fails or the mailbox was listed.
//!
//! It goes the way the visit goes, over the same code, so that it never finds what a fetch would not meet. Nothing
//! is retrieved or deleted, and no account's state is written; a token is renewed as a visit renews it.

mod course;
mod forecast;
mod shape;

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::grant::{self, Access};
use super::hold::LEASE_S;
use super::login;
use super::visit::Visit;
use crate::error::{Error, Result, Status};
use crate::model::{Classic, TokenSource, UnixTime};
use crate::oauth::diagnosis;
use crate::pop3::Command;
use crate::store::{AccountRow, Lease, LeaseName, StoredPassword};
use course::Course;

pub use course::{State, Step, StepName};
pub use forecast::Forecast;

/// A token renewed so lately is proof enough: asking again and again would only strain the provider.
const RENEWED_LATELY_S: u64 = 300;
/// Nothing depends on the answer to QUIT.
const QUIT_LIMIT: Duration = Duration::from_secs(2);

/// What was found of one account.
#[derive(Debug)]
pub struct Findings {
    pub account: String,
    pub owner: String,
    /// All of them, in order; at most one is red.
    pub steps: Vec<Step>,
    /// What a pass would do; only where it was asked for and the listing was seen.
    pub forecast: Option<Forecast>,
}

impl Findings {
    pub fn red(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.state, State::Red(_)))
    }

    pub fn is_well(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.state, State::Green))
    }
}

/// An error is the store's or the call's own; whatever is wrong with the account stands in the findings.
pub async fn check(call: &Call, row: AccountRow, dry_run: bool) -> Result<Findings> {
    let mut course = Course::default();
    let (account, owner) = (row.account.id.clone(), row.account.owner.clone());
    let forecast = under_lease(call, row, dry_run, &mut course).await?;
    Ok(Findings { account, owner, steps: course.end(), forecast })
}

async fn under_lease(
    call: &Call,
    row: AccountRow,
    dry_run: bool,
    course: &mut Course,
) -> Result<Option<Forecast>> {
    let shape = course.step(StepName::Configuration, async { shape::prove(call, &row) }).await;
    let Some(provider) = shape else {
        return Ok(None);
    };
    let name = LeaseName::Account(row.account.id.clone());
    let now = call.now();
    let Some(lease) = call.with_store(move |store| store.lease(&name, now, LEASE_S)).await? else {
        course.rest_unseen("in use: another process is at this mailbox just now");
        return Ok(None);
    };
    let lease = Arc::new(lease);
    let visit = begin(call, row, lease.clone(), provider).await;
    let walked = match visit {
        Ok(mut visit) => {
            let _held = visit.keep_the_lease();
            walk(&mut visit, dry_run, course).await
        }
        Err(error) => Err(error),
    };
    call.with_store(move |store| store.release(&lease, true)).await?;
    walked
}

type Shape = Option<Arc<crate::oauth::provider::Provider>>;

async fn begin(call: &Call, row: AccountRow, lease: Arc<Lease>, provider: Shape) -> Result<Visit> {
    let account = row.account.id.clone();
    let head = call.with_store(move |store| store.ledger(&account)).await?;
    let mut visit = Visit::new(call, row, lease, head);
    visit.provider = provider;
    Ok(visit)
}

/// From the name to the listing; each step needs the one before.
async fn walk(visit: &mut Visit, dry_run: bool, course: &mut Course) -> Result<Option<Forecast>> {
    let Some(listed) = reach_and_list(visit, course).await else {
        return Ok(None);
    };
    if !dry_run {
        return Ok(None);
    }
    let (listing, retr_is_final) = listed;
    forecast::forecast(visit, &listing, retr_is_final).await.map(Some)
}

async fn reach_and_list(visit: &mut Visit, course: &mut Course) -> Option<(crate::pop3::Listing, bool)> {
    let (call, row) = (visit.call.clone(), visit.row.clone());
    course.step(StepName::Dns, look_up(&call, &row)).await?;
    let dialled = async {
        let stream = login::dial(&call, &row).await.map_err(|error| by_history(&row, error))?;
        Ok((stream, String::new()))
    };
    let stream = course.step(StepName::Tcp, dialled).await?;
    let secured = async {
        let secured = login::secure(&call, &row, stream).await;
        let connection = secured.map_err(|error| by_history(&row, error))?;
        let version = connection.wire.tls_version().to_owned();
        Ok((connection, version))
    };
    let mut connection = course.step(StepName::Tls, secured).await?;
    let introduced = async {
        connection.introduce(&row.account.server).await?;
        Ok(((), format!("log-ins offered: {}", connection.capabilities.sasl.join(" "))))
    };
    course.step(StepName::Greeting, introduced).await?;
    let proof = course.step(StepName::Token, proven(visit)).await?;
    if row.state.not_before > call.now() {
        let wait_s = row.state.not_before - call.now();
        course.rest_unseen(&format!("the server wants a pause between log-ins: {wait_s} s more"));
        return None;
    }
    let logged_in = async {
        let connection = match proof {
            Proven::Token(access) => visit.log_in_with(access, connection).await?,
            Proven::Password(classic, stored) => {
                visit.show_stored_password(classic, &stored, connection).await?
            }
        };
        Ok((connection, String::new()))
    };
    let mut connection = course.step(StepName::Login, logged_in).await?;
    let listed = async {
        let listing = connection.list().await?;
        let note = format!("{} messages", listing.len());
        Ok((listing, note))
    };
    let listing = course.step(StepName::Uidl, listed).await?;
    let retr_is_final = visit.retr_is_final(&connection.capabilities);
    let _ = connection.ask(Command::Quit, QUIT_LIMIT).await;
    Some((listing, retr_is_final))
}

async fn look_up(call: &Call, row: &AccountRow) -> Result<((), String)> {
    let peer = login::peer(call, row);
    if let Some(proxy) = peer.route.network.proxy.as_ref().filter(|proxy| peer.is_resolved_by(proxy)) {
        return Ok(((), format!("left to the proxy {}", proxy.text())));
    }
    // None that is out of reach is shown: whoever chose the name must not learn where it lies in here.
    let found = call.deadline.bound(call.names.addresses(&peer)).await;
    let addresses = found.map_err(|error| by_history(row, error))?;
    let texts: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
    Ok(((), texts.join(" ")))
}

/// Trouble of the network passes where it once worked; where it never did, somebody wrote the wrong server.
fn by_history(row: &AccountRow, error: Error) -> Error {
    if row.state.last_login.is_none() && error.status == Status::Transient {
        return Error { status: Status::Config, ..error };
    }
    error
}

/// Where somebody tried to sign in and was refused, the reason is what must be mended: an owner cannot do it before an
/// administrator agreed, or as somebody else.
fn by_last_sign_in(row: &AccountRow, now: UnixTime, error: Error) -> Error {
    let last = row.state.failed_sign_in.as_ref();
    let last = last.filter(|last| row.account.provider() == Some(&last.provider));
    let last = last.filter(|last| last.until.is_none_or(|until| now <= until));
    let told = last
        .and_then(|last| Some((last, Status::from_code(last.status)?, diagnosis::known_cause(&last.cause)?)));
    let Some((last, status, cause)) = told.filter(|_| error.cause == "consent.none") else {
        return error;
    };
    let failed = format!("nobody is signed in, and the last sign-in, {}, failed", ago(now, last.at));
    let (what, again) = match status {
        Status::Confirm => ("a sign-in waits for the owner's yes".to_owned(), ""),
        Status::Consent => (failed, ""),
        // It was so then: nothing is asked of the provider before somebody signs in.
        _ => (failed, " Then, or if that was done since, the owner signs in again."),
    };
    Error::new(status, cause, format!("{what}: {}", last.message))
        .provider_code(last.provider_code.clone())
        .advice(format!("{}{again}", last.advice))
}

fn ago(now: UnixTime, at: UnixTime) -> String {
    match now.saturating_sub(at) / 60 {
        minutes @ 0..120 => format!("{minutes} minutes ago"),
        minutes @ 120..2880 => format!("{} hours ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1440),
    }
}

/// What the log-in shows.
enum Proven {
    Token(Access),
    Password(Classic, StoredPassword),
}

async fn proven(visit: &Visit) -> Result<(Proven, String)> {
    if let TokenSource::Password(classic) = visit.row.account.source {
        let stored = visit.stored_password().await?;
        return Ok((Proven::Password(classic, stored), "a password is stored".to_owned()));
    }
    let (access, note) = proven_token(visit).await?;
    Ok((Proven::Token(access), note))
}

/// A token, and the proof that the next one can be had too.
async fn proven_token(visit: &Visit) -> Result<(Access, String)> {
    let (call, row) = (&visit.call, &visit.row);
    let mut access =
        grant::access(call, row).await.map_err(|error| by_last_sign_in(row, call.now(), error))?;
    if call.now().saturating_sub(access.obtained_at) > RENEWED_LATELY_S
        && let Some(renewed) = grant::renew_after_refusal(call, row, &access).await?
    {
        access = renewed;
    }
    // What the application's own token is kept with names no permission: only the log-in shows it.
    if let Some(provider) = &visit.provider
        && !row.account.app_only
        && !access.scope.is_empty()
        && !provider.grants_pop(&access.scope)
    {
        return Err(diagnosis::pop_not_granted(provider, &access.scope));
    }
    let age_s = call.now().saturating_sub(access.obtained_at);
    let note = match row.account.source {
        TokenSource::File(_) => format!("from its file, written {age_s} s ago"),
        _ => format!("renewed {age_s} s ago"),
    };
    Ok((access, note))
}
