//! Gives the grants of erased accounts back to their providers (RFC 7009), for at most a week.
//!
//! Nobody waits for it: an erasure is local, and the next passes of any instance do this beside their visits. A token
//! goes to nobody but the issuer it came from.

use super::call::Call;
use super::deadline::Halt;
use super::line::Line;
use super::{ask, discovery};
use crate::error::{Error, Result, Status};
use crate::model::{Account, Identity};
use crate::oauth::provider::Provider;
use crate::oauth::revocation;
use crate::secret::Secret;
use crate::store::{Revocation, Store, TakesBack, ToRevoke};

/// One after the other, so many of one look into the store.
const AT_ONCE: u32 = 16;
const FIRST_WAIT_S: u64 = 60;
const LONGEST_WAIT_S: u64 = 6 * 3600;

/// What a provider is known to do, without asking anybody.
pub fn takes_back(provider: &Provider) -> Option<TakesBack> {
    let endpoint = provider.revocation_endpoint.as_ref().map(ToString::to_string);
    (endpoint.is_some() || provider.is_to_be_discovered())
        .then(|| TakesBack { issuer: provider.issuer_text(), endpoint })
}

pub async fn give_back(call: &Call) -> Result<()> {
    loop {
        let now = call.now();
        let due = call.with_store(move |store| store.take_revocations(now, AT_ONCE)).await?;
        if due.is_empty() {
            return Ok(());
        }
        for one in due {
            // What was taken and not tried comes again in some minutes.
            if call.deadline.halt() != Halt::Go || call.pump.stopped() {
                return Ok(());
            }
            give_one_back(call, one).await?;
        }
    }
}

/// A token that came in when its account was gone already.
pub async fn later(
    call: &Call,
    provider: &str,
    account: &Account,
    identity: Option<Identity>,
    refresh_token: Option<Secret>,
) {
    // As configured, whatever was discovered of it by now.
    let to = call.provider(provider).ok().and_then(|provider| takes_back(&provider));
    let (Some(to), Some(refresh_token)) = (to, refresh_token) else {
        return;
    };
    let (id, name) = (provider.to_owned(), account.sign_in_name().to_owned());
    let now = call.now();
    let write = move |store: &dyn Store| {
        let person = store.person(identity.as_ref(), &name);
        store.revoke_later(&ToRevoke { provider: id, to, person, refresh_token }, now)
    };
    if let Err(error) = call.with_store(write).await {
        Line::new("revocation_lost").field("provider", provider).field("error", error).warn();
    }
}

async fn give_one_back(call: &Call, one: Revocation) -> Result<()> {
    let line = |event| Line::new(event).field("provider", &one.token.provider);
    let number = one.number;
    let tried = match call.now() >= one.until {
        true => Ok("revocation_given_up"),
        false => try_once(call, &one).await,
    };
    let what = match tried {
        Ok(what) => what,
        Err(error) if matches!(error.status, Status::Cancelled | Status::Deadline) => return Ok(()),
        Err(error) => {
            let wait = (FIRST_WAIT_S << (one.attempts - 1).min(16)).min(LONGEST_WAIT_S);
            let wait = wait.max(error.retry_after_s.into());
            line("revocation_failed").field("again_in_s", wait).field("error", &error).warn();
            let at = call.now() + wait;
            return call.with_store(move |store| store.put_off_revocation(number, at)).await;
        }
    };
    call.with_store(move |store| store.end_revocation(number)).await?;
    line(what).field("attempts", one.attempts).info();
    Ok(())
}

/// What is to be told of it, where it is over.
async fn try_once(call: &Call, one: &Revocation) -> Result<&'static str> {
    let TakesBack { issuer, endpoint } = &one.token.to;
    let provider = call.provider(&one.token.provider)?;
    let known = takes_back(&provider);
    let is_the_same = known.is_some_and(|known| known.issuer == *issuer && known.endpoint == *endpoint);
    if !is_the_same {
        return Err(Error::new(
            Status::Config,
            "config.other_provider",
            format!("the provider {:?} is another one now than the one the grant is of", provider.id),
        ));
    }
    // At Google giving back one grant ends every one of the person to the same client, this household's others too.
    let person = one.token.person;
    let living = call.with_store(move |store| store.living_grants_of(&person)).await?;
    let is_same_client = |other: &Provider| {
        other.client_id == provider.client_id && other.issuer_text() == provider.issuer_text()
    };
    if living.iter().any(|id| call.provider(id).is_ok_and(|other| is_same_client(&other))) {
        return Ok("revocation_dropped");
    }
    if discovery::located(call, &provider).await?.revocation_endpoint.is_none() {
        return Ok("not_revocable");
    }
    let request =
        |provider: &Provider, proof: &_| revocation::request(provider, proof, &one.token.refresh_token);
    match ask::of(call, &provider, request, revocation::read).await {
        Ok(()) => Ok("grant_revoked"),
        Err(refusal) => Err(refusal.error),
    }
}
