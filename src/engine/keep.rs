//! Keeps grants alive that no visit uses: paused collection, long intervals, long back-off (PROTOCOL.md A.8).
//!
//! Nothing is fetched here, and a disabled account is left alone.

use super::call::Call;
use super::deadline::Halt;
use super::events;
use super::grant;
use super::line::Line;
use super::outcome;
use crate::error::{Error, Result, Status};
use crate::model::{Event, EventKind, KEEP_GRANT_S, Outcome};
use crate::store::{AccountRow, Reach};

const AT_ONCE: u32 = 64;
const AGAIN_S: u64 = 3600;

/// Refreshes what was idle for a week, one after the other.
pub async fn keep_grants(call: &Call, reach: &Reach) -> Result<()> {
    loop {
        let (reach, now) = (reach.clone(), call.now());
        let ids = call.with_store(move |store| store.grants_to_keep(&reach, now, AT_ONCE)).await?;
        if ids.is_empty() {
            return Ok(());
        }
        for id in ids {
            if call.deadline.halt() != Halt::Go || call.pump.stopped() {
                return Ok(());
            }
            keep(call, id).await?;
        }
    }
}

async fn keep(call: &Call, id: String) -> Result<()> {
    let account = id.clone();
    let row = call.with_store(move |store| store.account(&account)).await?;
    let Some(row) = row else { return Ok(()) };
    let kept = match row.account.enabled && is_kept(call, &row) {
        true => grant::access(call, &row).await.map(|_| ()),
        false => Ok(()),
    };
    let again = match &kept {
        // What was refreshed has its own time again; this is for what needed none.
        Ok(()) => KEEP_GRANT_S,
        Err(e) => AGAIN_S.max(e.retry_after_s.into()),
    };
    let line = Line::new("grant_kept").field("account", &id);
    match &kept {
        Ok(()) => line.debug(),
        Err(e) => line.field("error", e).warn(),
    }
    let at = call.now() + again;
    call.with_store(move |store| store.put_off_keeping(&id, at)).await?;
    match kept {
        Err(e) if e.status == Status::Consent => tell_owner(call, row, e).await,
        _ => Ok(()),
    }
}

/// Not where the operator switched it off, which loses grants that no visit uses.
fn is_kept(call: &Call, row: &AccountRow) -> bool {
    let provider = row.account.provider();
    provider.is_some_and(|id| call.provider(id).map_or(true, |provider| provider.keep_alive))
}

/// The grant is over although nobody collects: its owner hears it now and not when he misses his mail.
async fn tell_owner(call: &Call, row: AccountRow, error: Error) -> Result<()> {
    if row.state.outcome == Some(Outcome::ReauthUser) {
        return Ok(());
    }
    let (account, now, shown) = (row.known(), call.now(), error.clone());
    call.with_store(move |store| {
        store.update_state_of(&account, &mut |state| {
            outcome::settle(state, Outcome::ReauthUser, Some(&shown), now);
            state.called.user = true;
        })
    })
    .await?;
    if row.state.called.user {
        return Ok(());
    }
    let outcome = Some(Outcome::ReauthUser);
    let event = events::of(&row.account, EventKind::ConsentNeeded, outcome, Some(&error));
    call.pump.event(Event { retry_after_s: 0, ..event }).await;
    Ok(())
}
