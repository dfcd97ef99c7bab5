//! The verb `confirm`: the owner's yes, in the session of the consent, to a name that is not the configured one (I14).

use super::answer::{Answered, Names};
use super::connect::{other_subject, tell_connected};
use super::provider_of;
use super::settle::{is_unchanged, show_connected};
use crate::engine::call::Call;
use crate::error::{Error, Result, Status};
use crate::model::Actor;
use crate::store::{AccountRow, GrantSlot};

/// How long the owner may think about it.
pub const CONFIRM_S: u64 = 3600;

/// The owner's yes to what `connect` asked.
pub async fn confirm(call: &Call, actor: &Actor, row: AccountRow, session: [u8; 32]) -> Answered {
    let mut names = Names { signed_in: None, configured: Some(row.account.sign_in_name().to_owned()) };
    match try_confirm(call, actor, &row, session, &mut names).await {
        Ok(()) => {
            tell_connected(call, &row).await;
            Answered::connected(&row, &names)
        }
        Err(error) => Answered::refused(&row, &names, error),
    }
}

async fn try_confirm(
    call: &Call,
    actor: &Actor,
    row: &AccountRow,
    session: [u8; 32],
    names: &mut Names,
) -> Result<()> {
    let provider = provider_of(call, row)?;
    let id = row.account.id.clone();
    let pending = call.with_store(move |store| store.grant(&id, GrantSlot::Pending)).await?;
    let Some(pending) = pending.filter(|pending| {
        pending.grant.provider == provider.id && provider.vouch_for(pending.grant.identity.as_ref()).is_ok()
    }) else {
        return Err(Error::new(
            Status::Callback,
            "confirm.nothing",
            "no sign-in of this account waits for a confirmation",
        )
        .advice("Start the sign-in again if the mailbox is not connected."));
    };
    names.signed_in = pending.grant.identity.as_ref().and_then(|i| i.name.clone());
    // The yes is the owner's own (I14): an operator who could say it for him could join two people's mail.
    if *actor != Actor::Owner(row.account.owner.clone()) {
        return Err(Error::new(
            Status::Rights,
            "confirm.owner_only",
            "only the account's owner may confirm who signed in",
        )
        .advice("The owner must confirm in his own session."));
    }
    // None: the operator began it on another device.
    if pending.grant.session.is_some_and(|begun| begun != session) {
        return Err(Error::new(
            Status::Callback,
            "confirm.session",
            "the confirmation comes from another session than the sign-in",
        )
        .advice("Confirm in the browser you signed in with, or start the sign-in again."));
    }
    let now = call.now();
    if now > pending.grant.obtained_at + CONFIRM_S {
        return Err(Error::new(
            Status::Callback,
            "confirm.expired",
            "the sign-in waited too long for its confirmation",
        )
        .advice("Please start the sign-in again."));
    }
    if let (Some(bound), Some(identity)) = (&row.state.identity, &pending.grant.identity)
        && !bound.is_same(identity)
    {
        return Err(other_subject(bound, names));
    }
    let row = row.clone();
    let confirmed = call
        .with_store(move |store| {
            is_unchanged(store, &row)?;
            let confirmed = store.confirm_grant_of(&row.known(), pending.version)?;
            if confirmed {
                show_connected(store, &row.known(), pending.grant.identity.as_ref(), now)?;
            }
            Ok(confirmed)
        })
        .await?;
    if confirmed {
        return Ok(());
    }
    Err(Error::new(
        Status::Callback,
        "confirm.changed",
        "another sign-in took the place of the one that was to be confirmed",
    )
    .advice("Look at the mailbox's settings; start the sign-in again if it is not connected."))
}
