//! `multipop_authorize_url`, `multipop_handle_callback` and the verb `confirm`: consent, bound to who began it (I11).
//!
//! What a browser brings back is believed only with the session it was begun in, once, from the provider that was
//! asked; and nothing becomes active before the name that signed in is the configured one or the owner said yes (I14).

mod admin;
mod answer;
mod confirm;
mod connect;
mod device;
mod link;
mod settle;

use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroize;

use super::{Instance, SHORT, rights};
use crate::config::words;
use crate::engine::call::Call;
use crate::engine::discovery;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::{Error, Result, Status};
use crate::model::{Actor, TokenSource, UnixTime};
use crate::oauth::authorize::{self, FRESH_BYTES, Fresh, Wish, look_up_key};
use crate::oauth::callback::{self, Callback};
use crate::oauth::provider::Provider;
use crate::store::{AccountRow, Consent, Store, TakenConsent};
use answer::Answered;

pub struct AuthorizeRequest<'a> {
    pub actor: &'a str,
    pub account: &'a str,
    pub session: &'a str,
    pub choose_account: bool,
    pub force_consent: bool,
    pub admin_consent: bool,
}

pub struct CallbackRequest<'a> {
    pub uri: &'a str,
    pub form: Option<&'a str>,
    pub session: &'a str,
}

/// From the first page to the last answer (PROTOCOL.md E 3).
const CONSENT_S: u64 = 15 * 60;
const POLL: Duration = Duration::from_millis(100);
/// A provider that is slower has not answered.
const CALLBACK_LIMIT: Duration = Duration::from_secs(300);

impl Instance {
    pub fn authorize_url(&self, host: &mut dyn Host, request: &AuthorizeRequest<'_>) -> Result<String> {
        let actor = words::actor(request.actor)?;
        words::account_id(request.account)?;
        let session = session_key(request.session)?;
        let work = |call| async move { begin(&call, &actor, session, request).await };
        // Only where it may have to ask an issuer for its endpoints does it wait for the network.
        if self.settings()?.discovers() {
            return self.run_long(host, SHORT, work);
        }
        self.run(host, work)
    }

    /// The JSON is there whenever the arguments were accepted, whatever the status.
    pub fn handle_callback(
        &self,
        host: &mut dyn Host,
        request: &CallbackRequest<'_>,
    ) -> (Result<()>, Option<String>) {
        let accepted = self.settings().and_then(|_| session_key(request.session));
        let session = match accepted {
            Ok(session) => session,
            Err(error) => return (Err(error), None),
        };
        let answered = self
            .run_long(host, CALLBACK_LIMIT, |call| async move { Ok(finish(&call, session, request).await) });
        let (result, json) = answered.unwrap_or_else(Answered::failed).into_parts();
        (result, Some(json))
    }

    /// The owner's yes, in the session of the consent. The answer is the callback's JSON.
    pub(super) fn confirm(
        &self,
        host: &mut dyn Host,
        actor: &str,
        id: &str,
        session: Option<&str>,
    ) -> Result<String> {
        let actor = words::actor(actor)?;
        words::account_id(id)?;
        let session = session_key(session.unwrap_or_default())?;
        self.run(host, |call| async move {
            let row = visible(&call, &actor, id).await?;
            let answered = confirm::confirm(&call, &actor, row, session).await;
            answered.log(id);
            let (result, json) = answered.into_parts();
            result.map(|()| json)
        })
    }
}

/// A browser session's token, of which only a hash is kept.
fn session_key(session: &str) -> Result<[u8; 32]> {
    if (16..=1024).contains(&session.len()) {
        return Ok(look_up_key(session));
    }
    Err(Error::new(
        Status::Argument,
        "argument.session",
        format!("the session token has {} bytes instead of 16 to 1024", session.len()),
    )
    .advice("The host must pass the unguessable token of the browser's session."))
}

async fn visible(call: &Call, actor: &Actor, id: &str) -> Result<AccountRow> {
    let (actor, id) = (actor.clone(), id.to_owned());
    call.with_store(move |store| rights::visible(store, &actor, &id)).await
}

/// The provider this account may sign in at now.
fn provider_of(call: &Call, row: &AccountRow) -> Result<std::sync::Arc<Provider>> {
    let off = |cause, what: &str, advice: &str| {
        Err(Error::new(Status::Rights, cause, what.to_owned()).advice(advice))
    };
    if !call.settings.config.enabled {
        return off(
            "rights.disabled",
            "collecting mail is switched off on this server",
            "The operator has switched collecting off for everybody; ask him.",
        );
    }
    if !row.account.enabled {
        return off(
            "rights.account_disabled",
            "the account is disabled",
            "Enable the account first, then sign in.",
        );
    }
    if row.account.app_only {
        return off(
            "rights.app_only",
            "the application itself has access to this mailbox; nobody signs in for it",
            "Nothing is to be done: the operator gave this server access to the mailbox.",
        );
    }
    let id = match &row.account.source {
        TokenSource::Provider(id) => id,
        TokenSource::Password(_) => {
            let what = "this account logs in with a password; nobody signs in for it";
            return Err(Error::new(Status::Config, "consent.password", what).advice(
                "Give the password in the mailbox settings, or a provider in its place to sign in.",
            ));
        }
        TokenSource::File(_) => {
            let what = "this account's token comes from a file; nobody signs in for it";
            return Err(Error::new(Status::Config, "consent.token_file", what).advice(
                "To sign in here, the operator must give the account a provider in place of token_file.",
            ));
        }
    };
    let provider = call.provider(id)?;
    let server = &row.account.server;
    if provider.realm != row.account.realm || !provider.allows(&server.host, server.port) {
        return Err(Error::new(
            Status::Config,
            "config.provider_server",
            format!(
                "the provider {id:?} may not send tokens to {}:{} for realm {:?}",
                server.host, server.port, row.account.realm
            ),
        )
        .advice("The operator must list the server at the provider, or the account must name another one."));
    }
    Ok(provider)
}

async fn begin(
    call: &Call,
    actor: &Actor,
    session: [u8; 32],
    request: &AuthorizeRequest<'_>,
) -> Result<String> {
    let row = visible(call, actor, request.account).await?;
    let Begun { url, consent } = prepare(call, actor, session, request, &row).await?;
    let now = call.now();
    call.with_store(move |store| {
        store.sweep_consents(now)?;
        store.begin_consent(&consent)
    })
    .await?;
    log_begun(&row, actor, request);
    Ok(url)
}

/// Where to send the browser, and what must be in the store before it goes there.
struct Begun {
    url: String,
    consent: Consent,
}

async fn prepare(
    call: &Call,
    actor: &Actor,
    session: [u8; 32],
    request: &AuthorizeRequest<'_>,
    row: &AccountRow,
) -> Result<Begun> {
    let provider = provider_of(call, row)?;
    let fresh = fresh()?;
    let url = if request.admin_consent {
        authorize::admin_consent_url(&provider, &fresh.state)?
    } else {
        let wish = Wish {
            sign_in_name: row.account.sign_in_name(),
            choose_account: request.choose_account,
            force_consent: request.force_consent,
            claims: row.state.claims.as_deref(),
        };
        authorize::url(&*discovery::located(call, &provider).await?, &wish, &fresh)?
    };
    let now = call.now();
    let consent = Consent {
        state: look_up_key(fresh.state.expose()),
        session: if request.admin_consent { admin::no_session() } else { session },
        account: row.account.id.clone(),
        number: None,
        actor: actor.clone(),
        provider: provider.id.clone(),
        redirect_uri: provider.redirect_uri.clone(),
        verifier: fresh.verifier,
        nonce: fresh.nonce,
        issuer: provider.issuer_text(),
        admin: request.admin_consent,
        device: None,
        created_at: now,
        expires_at: now + if request.admin_consent { admin::ADMIN_CONSENT_S } else { CONSENT_S },
    };
    Ok(Begun { url, consent })
}

fn log_begun(row: &AccountRow, actor: &Actor, request: &AuthorizeRequest<'_>) {
    Line::new("consent_begin")
        .field("account", &row.account.id)
        .field("actor", actor.name())
        .field("provider", row.account.provider().unwrap_or_default())
        .field("admin", request.admin_consent)
        .info();
}

fn fresh() -> Result<Fresh> {
    let mut random = [0; FRESH_BYTES];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(Status::Resources, "resources.random", e.to_string()))?;
    let fresh = Fresh::new(&random);
    random.zeroize();
    Ok(fresh)
}

/// Everything after the state was consumed is an answer that is remembered.
async fn finish(call: &Call, session: [u8; 32], request: &CallbackRequest<'_>) -> Answered {
    let callback = match callback::read(request.uri, request.form) {
        Ok(callback) => callback,
        Err(error) => return Answered::failed(error),
    };
    let state = look_up_key(callback.state().expose());
    let now = call.now();
    let consent = match take(call, state, session, now).await {
        Ok((TakenConsent::Taken(consent), _)) => consent,
        Ok((TakenConsent::Answered(before), _)) => return Answered::repeat(&before),
        Ok((other, limit)) => return Answered::failed(not_taken(&other, limit)),
        Err(error) => return Answered::failed(error),
    };
    let answered = conclude(call, &consent, &callback, now).await;
    answered.log(&consent.account);
    settle::remember(call, &consent, &answered).await;
    answered
}

/// A browser that sends the same answer twice at once waits with the second one for what comes of the first. With how
/// long such a consent lives.
async fn take(
    call: &Call,
    state: [u8; 32],
    session: [u8; 32],
    now: UnixTime,
) -> Result<(TakenConsent, &'static str)> {
    let patience = Duration::from_secs(u64::from(call.settings.config.timeouts.https_s) + 5);
    let give_up = Instant::now() + patience;
    loop {
        let taken = call.with_store(move |store| take_now(store, &state, &session, now)).await?;
        if !matches!(taken.0, TakenConsent::Unanswered) || Instant::now() >= give_up {
            return Ok(taken);
        }
        call.deadline
            .bound(async {
                tokio::time::sleep(POLL).await;
                Ok(())
            })
            .await?;
    }
}

/// Bound to its session; an administrator's consent to nothing but its state.
fn take_now(
    store: &dyn Store,
    state: &[u8; 32],
    session: &[u8; 32],
    now: UnixTime,
) -> Result<(TakenConsent, &'static str)> {
    match store.take_consent(state, session, now)? {
        TakenConsent::Unknown => Ok((store.take_consent(state, &admin::no_session(), now)?, "seven days")),
        taken => Ok((taken, "15 minutes")),
    }
}

async fn conclude(call: &Call, consent: &Consent, callback: &Callback, now: UnixTime) -> Answered {
    let row = match visible(call, &consent.actor, &consent.account).await {
        Ok(row) => row,
        Err(error) => return Answered::failed(error),
    };
    connect::connect(call, consent, callback, row, now).await
}

/// A stranger is told the same whatever is wrong with his session or state.
fn not_taken(taken: &TakenConsent, limit: &str) -> Error {
    let refuse = |cause, what: &str, advice: &str| Error::new(Status::Callback, cause, what).advice(advice);
    match taken {
        TakenConsent::Expired => refuse(
            "callback.expired",
            &format!("the sign-in took longer than {limit}"),
            "Please start the sign-in again from your mailbox settings.",
        ),
        TakenConsent::Unanswered => refuse(
            "callback.unanswered",
            "this answer was used before, and what came of it was not kept",
            "Look whether the mailbox is connected; if not, start the sign-in again.",
        ),
        _ => refuse(
            "callback.unknown",
            "no sign-in that waits for this answer was begun in this browser session",
            "Please start the sign-in again from your mailbox settings, and finish it in the same browser. If you \
             did not start one, close this page: nothing was changed.",
        ),
    }
}
