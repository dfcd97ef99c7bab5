//! `multipop_device_begin` and `_poll`: consent on another device (RFC 8628; PROTOCOL.md A.10, E.6), bound to account,
//! actor and session like any other (I11).
//!
//! Who types a code in tells nothing of who began: so by default only the operator may begin, and what comes of it is
//! judged as a callback is (I14). A poll takes the consent and puts it back, so that one code is never asked about
//! twice at once and never used twice.

use std::time::Duration;

use super::answer::{Answered, Names};
use super::connect::{admit, is_as_begun, keep_claims, tell_connected};
use super::{AuthorizeRequest, provider_of, session_key, settle, visible};
use crate::config::words;
use crate::engine::ask;
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::{Error, Result, Status};
use crate::model::{Actor, UnixTime};
use crate::oauth::authorize::look_up_key;
use crate::oauth::device::{self, Polled, SLOWER_BY_S, SLOWEST_S};
use crate::oauth::diagnosis::Refusal;
use crate::oauth::identity;
use crate::oauth::provider::{DeviceFlow, Provider};
use crate::oauth::token::Token;
use crate::secret::Secret;
use crate::service::Instance;
use crate::store::{AccountRow, Consent, DeviceCode, TakenConsent};

/// A provider that is slower has not answered.
const LIMIT: Duration = Duration::from_secs(300);

impl Instance {
    /// The answer is JSON, see `$defs/device`.
    pub fn device_begin(&self, host: &mut dyn Host, request: &AuthorizeRequest<'_>) -> Result<String> {
        let asked = Asked::read(request)?;
        self.run_long(host, LIMIT, |call| async move { begin(&call, &asked).await })
    }

    /// Asks the provider once, or not at all before the interval is over. The JSON is the callback's, there whenever
    /// the arguments were accepted.
    pub fn device_poll(
        &self,
        host: &mut dyn Host,
        request: &AuthorizeRequest<'_>,
    ) -> (Result<()>, Option<String>) {
        let asked = match self.settings().and_then(|_| Asked::read(request)) {
            Ok(asked) => asked,
            Err(error) => return (Err(error), None),
        };
        let answered = self.run_long(host, LIMIT, |call| async move { Ok(poll(&call, &asked).await) });
        let (result, json) = answered.unwrap_or_else(Answered::failed).into_parts();
        (result, Some(json))
    }
}

/// Who asks, proved.
struct Asked {
    actor: Actor,
    account: String,
    session: [u8; 32],
    /// What the consent is found by: nothing else leads to it, and there is one of each.
    state: [u8; 32],
}

impl Asked {
    fn read(request: &AuthorizeRequest<'_>) -> Result<Asked> {
        let actor = words::actor(request.actor)?;
        let account = words::account_id(request.account)?.to_owned();
        let session = session_key(request.session)?;
        if request.admin_consent {
            return Err(Error::new(
                Status::Argument,
                "argument.admin_consent",
                "an administrator's consent needs a browser; there is none for a whole organisation by a code",
            ));
        }
        // An account id holds no newline, so no two requests write the same.
        let mut state = look_up_key(&format!("device\n{account}\n{}\n{}", request.session, request.actor));
        // The hash of nothing that a browser can bring: its answer would be redeemed without verifier and nonce.
        state[0] ^= 1;
        Ok(Asked { actor, account, session, state })
    }
}

async fn begin(call: &Call, asked: &Asked) -> Result<String> {
    let row = visible(call, &asked.actor, &asked.account).await?;
    let provider = provider_of(call, &row)?;
    may_use_device(&provider, &asked.actor)?;
    let begun = ask::of(call, &provider, device::begin, device::read_begun).await;
    let begun = match begun {
        Ok(begun) => begun,
        Err(refusal) => return Err(keep_claims(call, &row, *refusal).await),
    };
    let now = call.now();
    let nothing = || Secret::new(String::new());
    let consent = Consent {
        state: asked.state,
        session: asked.session,
        account: row.account.id.clone(),
        number: None,
        actor: asked.actor.clone(),
        provider: provider.id.clone(),
        redirect_uri: provider.redirect_uri.clone(),
        verifier: nothing(),
        nonce: nothing(),
        issuer: provider.issuer_text(),
        admin: false,
        device: Some(DeviceCode {
            code: begun.device_code,
            interval_s: begun.interval_s,
            poll_at: now + u64::from(begun.interval_s),
        }),
        created_at: now,
        expires_at: now + u64::from(begun.expires_in_s),
    };
    call.with_store(move |store| {
        store.sweep_consents(now)?;
        store.begin_consent(&consent)
    })
    .await?;
    Line::new("device_begin")
        .field("account", &row.account.id)
        .field("actor", asked.actor.name())
        .field("provider", &provider.id)
        .field("expires_in_s", begun.expires_in_s)
        .info();
    let mut answer = serde_json::json!({
        "user_code": begun.user_code,
        "verification_uri": begun.verification_uri,
        "expires_in_s": begun.expires_in_s,
        "interval_s": begun.interval_s,
        "message": begun.message,
    });
    if let Some(complete) = begun.verification_uri_complete {
        answer["verification_uri_complete"] = complete.into();
    }
    Ok(answer.to_string())
}

/// Whoever could begin one for himself could send the code to another, who signs in believing it is his own (RFC 8628
/// §5.4).
fn may_use_device(provider: &Provider, actor: &Actor) -> Result<()> {
    let refuse = |cause, what: &str, advice: &str| {
        Err(Error::new(Status::Rights, cause, what.to_owned()).advice(advice))
    };
    match (provider.device_flow, actor) {
        (DeviceFlow::Off, _) => refuse(
            "rights.device_off",
            "signing in on another device is switched off for this provider",
            "Sign in with a browser.",
        ),
        (DeviceFlow::Operator, Actor::Owner(_)) => refuse(
            "rights.device",
            "only the operator may begin a sign-in on another device",
            "Sign in with a browser, or ask the operator of the mail server.",
        ),
        _ => Ok(()),
    }
}

/// Everything after the code was used or refused is an answer that is remembered.
async fn poll(call: &Call, asked: &Asked) -> Answered {
    let row = match visible(call, &asked.actor, &asked.account).await {
        Ok(row) => row,
        Err(error) => return Answered::failed(error),
    };
    let mut names = Names { signed_in: None, configured: Some(row.account.sign_in_name().to_owned()) };
    let (state, session, now) = (asked.state, asked.session, call.now());
    let taken = call.with_store(move |store| store.take_consent(&state, &session, now)).await;
    let mut consent = match taken {
        Ok(TakenConsent::Taken(consent)) => consent,
        Ok(TakenConsent::Answered(before)) => return Answered::repeat(&before),
        Ok(other) => return Answered::refused(&row, &names, not_taken(&other)),
        Err(error) => return Answered::refused(&row, &names, error),
    };
    let stop = match ask(call, asked, &row, &mut consent, now).await {
        Ok(Came::Token { provider, token }) => {
            conclude(call, &provider, &consent, &row, *token, call.now(), &mut names).await
        }
        Ok(Came::Later(error)) => {
            let kept = call.with_store(move |store| store.put_back_consent(&consent)).await;
            return Answered::refused(&row, &names, kept.err().unwrap_or(error));
        }
        Err(error) => Err(error),
    };
    let answered = match stop {
        Ok(()) => {
            tell_connected(call, &row).await;
            Answered::connected(&row, &names)
        }
        Err(error) => Answered::refused(&row, &names, error),
    };
    answered.log(&row.account.id);
    settle::remember(call, &consent, &answered).await;
    answered
}

/// What came of one question, where the code still stands or was used.
enum Came {
    Token {
        provider: std::sync::Arc<Provider>,
        token: Box<Token>,
    },
    /// The consent goes back into the store.
    Later(Error),
}

async fn ask(
    call: &Call,
    asked: &Asked,
    row: &AccountRow,
    consent: &mut Consent,
    now: UnixTime,
) -> Result<Came> {
    let provider = provider_of(call, row)?;
    may_use_device(&provider, &asked.actor)?;
    is_as_begun(&provider, consent, row)?;
    let Some(device) = consent.device.as_mut().filter(|_| consent.actor == asked.actor) else {
        return Err(Error::bug("a device's consent without a device"));
    };
    if now < device.poll_at {
        return Ok(Came::Later(pending(device.poll_at - now)));
    }
    let polled = ask::of(
        call,
        &provider,
        |provider, proof| device::poll(provider, proof, &device.code),
        device::read_polled,
    )
    .await;
    let error = match polled {
        Ok(Polled::Token(token)) => return Ok(Came::Token { provider, token }),
        Ok(Polled::Pending) => pending(device.interval_s.into()),
        Ok(Polled::SlowDown) => {
            device.interval_s = slower(device.interval_s + SLOWER_BY_S);
            pending(device.interval_s.into())
        }
        Err(refusal) if is_passing(&refusal) => {
            // RFC 8628 §3.5: ever slower where nobody answers.
            device.interval_s = slower(device.interval_s * 2);
            let wait_s = refusal.error.retry_after_s.max(device.interval_s);
            refusal.error.retry_after(wait_s)
        }
        Err(refusal) => return Err(keep_claims(call, row, *refusal).await),
    };
    device.poll_at = call.now() + u64::from(error.retry_after_s);
    Ok(Came::Later(error))
}

/// The code may be asked about again: nothing was heard that is about it.
fn is_passing(refusal: &Refusal) -> bool {
    matches!(refusal.error.status, Status::Transient | Status::Cancelled | Status::Deadline)
}

fn slower(interval_s: u32) -> u32 {
    interval_s.min(SLOWEST_S)
}

async fn conclude(
    call: &Call,
    provider: &Provider,
    consent: &Consent,
    row: &AccountRow,
    token: Token,
    now: UnixTime,
    names: &mut Names,
) -> Result<()> {
    let identity = match &token.id_token {
        Some(id_token) => Some(identity::read_of_device(provider, id_token, now)?),
        None => None,
    };
    admit(call, provider, consent, row, token, identity, now, names).await
}

fn pending(wait_s: u64) -> Error {
    Error::new(Status::Transient, "device.pending", "nobody has signed in with the code yet")
        .advice("Enter the code at the address shown and sign in there.")
        .retry_after(u32::try_from(wait_s.max(1)).unwrap_or(SLOWEST_S))
}

fn not_taken(taken: &TakenConsent) -> Error {
    match taken {
        TakenConsent::Expired => device::expired(),
        TakenConsent::Unanswered => Error::new(
            Status::Transient,
            "device.busy",
            "this sign-in is being asked about already, or the process that asked ended",
        )
        .advice("Ask again in a moment; if this stays, begin again.")
        .retry_after(5),
        _ => Error::new(
            Status::Callback,
            "device.unknown",
            "no sign-in with a code was begun for this account in this session",
        )
        .advice("Begin the sign-in first; if it was long ago, begin again."),
    }
}
