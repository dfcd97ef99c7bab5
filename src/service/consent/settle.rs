//! What a sign-in leaves in the store: a grant that works, or one that waits for the owner; never half of it.

use super::answer::Answered;
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::error::{Error, Result, Status};
use crate::model::{Identity, UnixTime};
use crate::store::{AccountRow, Consent, Grant, GrantSlot, Known, Store};

pub fn activate(
    store: &dyn Store,
    account: &Known,
    mut grant: Grant,
    needs_refresh_token: bool,
    now: UnixTime,
) -> Result<()> {
    if grant.refresh_token.is_none() {
        // Some providers give one with the first consent only, and it still lives.
        grant.refresh_token = store
            .grant(&account.id, GrantSlot::Active)?
            .map(|before| before.grant)
            .filter(|before| !before.dead && before.provider == grant.provider)
            .filter(|before| match (&before.identity, &grant.identity) {
                (Some(before), Some(now)) => before.is_same(now),
                _ => false,
            })
            .and_then(|before| before.refresh_token);
    }
    if needs_refresh_token && grant.refresh_token.is_none() {
        return Err(no_refresh_token());
    }
    put(store, account, GrantSlot::Active, &grant)?;
    store.drop_grant_of(account, GrantSlot::Pending)?;
    show_connected(store, account, grant.identity.as_ref(), now)
}

fn put(store: &dyn Store, account: &Known, slot: GrantSlot, grant: &Grant) -> Result<()> {
    // A refresh may write between; a new consent wins over it.
    for _ in 0..8 {
        let version = store.grant(&account.id, slot)?.map_or(0, |before| before.version);
        if store.put_grant_of(account, slot, version, grant)?.is_some() {
            return Ok(());
        }
    }
    Err(Error::new(
        Status::Transient,
        "grant.busy",
        "the account's sign-in is being written by somebody else",
    )
    .advice("Please start the sign-in again."))
}

pub fn show_connected(
    store: &dyn Store,
    account: &Known,
    identity: Option<&Identity>,
    now: UnixTime,
) -> Result<()> {
    store.update_state_of(account, &mut |state| {
        if identity.is_some() {
            state.identity = identity.cloned();
        }
        state.claims = None;
        state.failed_sign_in = None;
        state.next_due = 0;
        state.failures = 0;
        state.aside_until = 0;
        state.outcome = None;
        // He is told of it by who asks for this.
        state.called.user = false;
        state.status = 0;
        state.cause.clear();
        state.provider_code.clear();
        state.message.clear();
        state.advice.clear();
        state.for_user.clear();
        state.for_operator.clear();
        state.since = now;
    })?;
    Ok(())
}

/// For a repetition of the same answer, and for whoever looks why nobody is signed in.
pub async fn remember(call: &Call, consent: &Consent, answered: &Answered) {
    let (state, text) = (consent.state, answered.to_text());
    let account = Known { id: consent.account.clone(), number: consent.number };
    // Of an administrator's answer no account is told.
    let failure = answered.failure(&consent.provider, call.now()).filter(|_| !consent.admin);
    let kept = call.with_store(move |store| {
        store.answer_consent(&state, &text)?;
        let Some(failure) = failure else {
            return Ok(false);
        };
        store.update_state_of(&account, &mut |state| state.failed_sign_in = Some(failure.clone()))
    });
    if let Err(error) = kept.await {
        // Nothing else hangs on it.
        Line::new("consent_answer_lost").field("error", &error).warn();
    }
}

fn no_refresh_token() -> Error {
    Error::new(
        Status::Consent,
        "consent.no_refresh_token",
        "the provider gave nothing to renew the sign-in with",
    )
    .advice(
        "Start the sign-in again and let the consent page be shown. If it stays, the operator must add \
         offline_access to the scopes.",
    )
}

/// Nothing of it is used before the owner said yes.
pub fn keep_pending(
    store: &dyn Store,
    account: &Known,
    grant: &Grant,
    needs_refresh_token: bool,
) -> Result<()> {
    if needs_refresh_token && grant.refresh_token.is_none() {
        return Err(no_refresh_token());
    }
    put(store, account, GrantSlot::Pending, grant)
}

/// The provider took its time: whose mail it is must not have changed meanwhile.
pub fn is_unchanged(store: &dyn Store, row: &AccountRow) -> Result<()> {
    let same = store.account(&row.account.id)?.is_some_and(|now| {
        now.number == row.number
            && now.account.owner == row.account.owner
            && now.account.source == row.account.source
            && now.account.sign_in_name() == row.account.sign_in_name()
    });
    if same {
        return Ok(());
    }
    Err(Error::new(
        Status::Callback,
        "callback.changed",
        "the account was changed while the sign-in was under way",
    )
    .advice("Please start the sign-in again."))
}
