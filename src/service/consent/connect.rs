//! From a consumed consent to a grant: redeem, see who signed in, activate or ask the owner (I14).

use super::answer::{Answered, Names};
use super::settle::{activate, is_unchanged, keep_pending};
use super::{admin, provider_of};
use crate::engine::ask;
use crate::engine::call::Call;
use crate::engine::discovery;
use crate::engine::events;
use crate::engine::line::Line;
use crate::engine::revoke;
use crate::error::{Error, Result, Status};
use crate::model::{Actor, Event, EventKind, Identity, UnixTime};
use crate::oauth::callback::{Answer, Callback};
use crate::oauth::diagnosis::{self, Refusal};
use crate::oauth::identity;
use crate::oauth::provider::Provider;
use crate::oauth::token::{self, Token};
use crate::secret::Secret;
use crate::store::{AccountRow, Consent, Grant};

pub async fn connect(
    call: &Call,
    consent: &Consent,
    callback: &Callback,
    row: AccountRow,
    now: UnixTime,
) -> Answered {
    let mut names = Names { signed_in: None, configured: Some(row.account.sign_in_name().to_owned()) };
    match try_connect(call, consent, callback, &row, now, &mut names).await {
        // An administrator is told of no account: he may be nobody here.
        Err(error) if consent.admin => Answered::failed(error),
        Ok(()) => {
            tell_connected(call, &row).await;
            Answered::connected(&row, &names)
        }
        Err(error) => Answered::refused(&row, &names, error),
    }
}

async fn try_connect(
    call: &Call,
    consent: &Consent,
    callback: &Callback,
    row: &AccountRow,
    now: UnixTime,
    names: &mut Names,
) -> Result<()> {
    let provider = provider_of(call, row)?;
    is_as_begun(&provider, consent, row)?;
    let provider = discovery::located(call, &provider).await?;
    let code = match callback.answer(&provider, &consent.redirect_uri)? {
        Answer::AdminConsented => {
            if consent.admin {
                admin::try_again(call, &provider, row, callback.tenant()).await?;
            }
            return Err(diagnosis::admin_consented());
        }
        Answer::AdminRefused(refusal) => return Err(admin_refused(*refusal)),
        Answer::Refused(refusal) => return Err(keep_claims(call, row, *refusal).await),
        Answer::Code(_) if consent.admin => {
            return Err(Error::new(
                Status::Callback,
                "callback.not_admin",
                "an administrator's consent was asked for and a sign-in came back",
            )
            .advice("Please start the sign-in again."));
        }
        Answer::Code(code) => code,
    };
    let token = redeem(call, &provider, consent, row, &code).await?;
    let identity = match &token.id_token {
        Some(id_token) => Some({
            let read = identity::read(&provider, id_token, &consent.nonce, now);
            read.map_err(|error| diagnosis::out_of_time(error, token.skew_s))?
        }),
        None => None,
    };
    admit(call, &provider, consent, row, token, identity, now, names).await
}

pub(super) fn is_as_begun(provider: &Provider, consent: &Consent, row: &AccountRow) -> Result<()> {
    let is_as_begun = consent.number == Some(row.number)
        && provider.id == consent.provider
        && provider.issuer_text() == consent.issuer
        && provider.redirect_uri == consent.redirect_uri;
    if is_as_begun {
        return Ok(());
    }
    Err(Error::new(
        Status::Callback,
        "callback.changed",
        "the account or its provider was changed while the sign-in was under way",
    )
    .advice("Please start the sign-in again."))
}

/// Whoever signed in, by whatever way: the account's own, or one the owner is asked about.
#[allow(clippy::too_many_arguments)] // One step of one sign-in; a struct would only rename its parts.
pub(super) async fn admit(
    call: &Call,
    provider: &Provider,
    consent: &Consent,
    row: &AccountRow,
    token: Token,
    identity: Option<Identity>,
    now: UnixTime,
    names: &mut Names,
) -> Result<()> {
    names.signed_in = identity.as_ref().and_then(|identity| identity.name.clone());
    let trust = weigh(row, identity.as_ref(), names)?;
    settle(call, provider, consent, row, token, identity, now, trust).await?;
    match trust {
        Trust::Agreed => Ok(()),
        Trust::AskOwner => Err(ask_owner(row, names)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Agreed,
    AskOwner,
}

/// From the first authorisation on the issuer's own ids bind, and names do not; before, the name must be the
/// configured one or the owner is asked. Without an id_token he always is.
fn weigh(row: &AccountRow, identity: Option<&Identity>, names: &Names) -> Result<Trust> {
    let Some(identity) = identity else {
        return Ok(Trust::AskOwner);
    };
    match &row.state.identity {
        Some(bound) if bound.is_same(identity) => Ok(Trust::Agreed),
        Some(bound) => Err(other_subject(bound, names)),
        None if identity::agrees(identity, row.account.sign_in_name()) => Ok(Trust::Agreed),
        None => Ok(Trust::AskOwner),
    }
}

pub(super) fn other_subject(bound: &Identity, names: &Names) -> Error {
    let before = bound.name.as_deref().or(names.configured.as_deref()).unwrap_or("somebody else");
    let now = names.signed_in.as_deref().unwrap_or("somebody else");
    Error::new(
        Status::Callback,
        "consent.other_subject",
        format!("{now} signed in, but this mailbox is connected as {before}"),
    )
    .advice(format!(
        "You signed in as {now}, but this mailbox belongs to {before}. Sign in as {before}; to collect another \
         mailbox, add it as a new one."
    ))
}

fn ask_owner(row: &AccountRow, names: &Names) -> Error {
    let signed_in = names.signed_in.as_deref().unwrap_or("an account that did not give its name");
    let configured = row.account.sign_in_name();
    let target = match row.account.deliver_to.as_str() {
        "" => row.account.owner.as_str(),
        deliver_to => deliver_to,
    };
    Error::new(
        Status::Confirm,
        "confirm.needed",
        format!("{signed_in} signed in, {configured} is configured; the owner must confirm"),
    )
    .advice(format!(
        "Mail of {signed_in} will be delivered to {target}. Confirm this if it is right; until then nothing is \
         collected."
    ))
}

fn admin_refused(refusal: Refusal) -> Error {
    const REFUSED: &str =
        "The administrator did not agree. Without it, mail of this organisation cannot be collected.";
    Error { status: Status::Provider, cause: "consent.admin_refused", ..refusal.error }
        .advice(REFUSED)
        .sentences(REFUSED, REFUSED)
}

async fn redeem(
    call: &Call,
    provider: &Provider,
    consent: &Consent,
    row: &AccountRow,
    code: &Secret,
) -> Result<Token> {
    let asked = ask::for_token(call, provider, |provider, proof| {
        token::redeem(provider, proof, code, &consent.verifier, &consent.redirect_uri)
    })
    .await;
    match asked {
        Ok(token) => Ok(token),
        // The code is too old, was used, or is not ours: nothing is known of a grant yet.
        Err(refusal) if refusal.dead && refusal.error.provider_code == "invalid_grant" => {
            const CODE: &str =
                "The provider no longer takes this sign-in; it was too slow or used before. Start it again.";
            let error = Error { status: Status::Callback, cause: "callback.code", ..refusal.error };
            Err(error.advice(CODE).sentences(CODE, ""))
        }
        Err(refusal) => {
            let error = keep_claims(call, row, *refusal).await;
            if error.status == Status::Transient {
                // The code may be used up (PROTOCOL.md E 5): it is never sent twice.
                const LATER: &str = "Please start the sign-in again in a few minutes.";
                let for_operator = error.for_operator().to_owned();
                return Err(error.advice(LATER).sentences(LATER, for_operator));
            }
            Err(error)
        }
    }
}

pub(super) async fn keep_claims(call: &Call, row: &AccountRow, refusal: Refusal) -> Error {
    Line::new("consent_words").field("account", &row.account.id).field("text", &refusal.description).debug();
    let Some(claims) = refusal.claims else {
        return refusal.error;
    };
    let account = row.known();
    let kept = call
        .with_store(move |store| {
            store.update_state_of(&account, &mut |state| state.claims = Some(claims.clone()))
        })
        .await;
    match kept {
        Ok(_) => refusal.error,
        Err(error) => error,
    }
}

/// Stores what the sign-in gave: as the account's grant, or as one that waits for the owner.
#[allow(clippy::too_many_arguments)] // One step of one sign-in; a struct would only rename its parts.
async fn settle(
    call: &Call,
    provider: &Provider,
    consent: &Consent,
    row: &AccountRow,
    token: Token,
    identity: Option<Identity>,
    now: UnixTime,
    trust: Trust,
) -> Result<()> {
    let needs_refresh_token = provider.expects_refresh_token();
    let grant = Grant {
        provider: provider.id.clone(),
        refresh_token: token.refresh_token,
        access_token: Some(token.access_token),
        renew_at: token.renew_at,
        expires_at: token.expires_at,
        scope: token.scope,
        identity,
        obtained_at: now,
        refreshed_at: now,
        session: (trust == Trust::AskOwner && !is_operators_device(consent)).then_some(consent.session),
        dead: false,
    };
    let (row, account) = (row.clone(), &row.account);
    let unwanted = (grant.identity.clone(), grant.refresh_token.as_ref().map(Secret::duplicate));
    let settled = call
        .with_store(move |store| {
            let settled = is_unchanged(store, &row).and_then(|()| match trust {
                Trust::Agreed => activate(store, &row.known(), grant, needs_refresh_token, now),
                Trust::AskOwner => keep_pending(store, &row.known(), &grant, needs_refresh_token),
            });
            let is_there = settled.is_ok()
                || store.account(&row.account.id)?.is_some_and(|now| now.number == row.number);
            Ok((settled, is_there))
        })
        .await?;
    if !settled.1 {
        // Erased while the person signed in: nobody else knows of this grant.
        revoke::later(call, &provider.id, account, unwanted.0, unwanted.1).await;
    }
    settled.0
}

/// The operator began it for the owner, who was in no session of ours: his yes is bound to his name alone.
fn is_operators_device(consent: &Consent) -> bool {
    consent.device.is_some() && consent.actor == Actor::Operator
}

pub(super) async fn tell_connected(call: &Call, row: &AccountRow) {
    let event = events::of(&row.account, EventKind::ConsentRestored, None, None);
    call.pump.event(Event { message: "the mailbox is connected".into(), ..event }).await;
}
