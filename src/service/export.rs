//! The verb `export`: everything the store holds about an owner, for whoever asks for access to it; no secret.

use serde_json::{Map, Value, json};

use super::accounts::view::{Viewer, uidl_text};
use super::accounts::{bundle, explain};
use crate::engine::call::Call;
use crate::error::{Error, Result};
use crate::model::{Actor, LedgerRow, RowState, hex};
use crate::store::{AccountQuery, AccountRow, Asked, Grant, GrantSlot, HAPPENINGS, UnderWay};

/// To the operator, and to the owner himself.
pub(super) fn export(call: &Call, actor: &Actor, owner: &str) -> Result<Value> {
    if !actor.reaches(owner) {
        return Err(Error::rights());
    }
    let mut accounts = Vec::new();
    let mut query = AccountQuery { owner: Some(owner.to_owned()), ..AccountQuery::default() };
    loop {
        let page = call.store.accounts(&query)?;
        for row in &page {
            accounts.push(account(call, actor, row)?);
        }
        match page.last() {
            Some(last) => query.after = Some(last.account.id.clone()),
            None => break,
        }
    }
    Ok(json!({
        "owner": owner,
        "realm": call.store.realm_of(owner)?,
        "at": call.now(),
        "accounts": accounts,
    }))
}

fn account(call: &Call, actor: &Actor, row: &AccountRow) -> Result<Value> {
    let id = row.account.id.as_str();
    let store = &call.store;
    let mut told = Viewer { call, actor }.brief(row)?;
    told["number"] = json!(hex(&row.number));
    told["generation"] = json!(row.generation);
    // As it is kept, beyond what is shown of it.
    told["kept"] = serde_json::to_value(&row.state)
        .map_err(|error| Error::bug(format!("a state is not JSON: {error}")))?;
    let mut grants = Vec::new();
    for (slot, which) in [("active", GrantSlot::Active), ("pending", GrantSlot::Pending)] {
        grants.extend(store.grant(id, which)?.map(|stored| grant(slot, &stored.grant)));
    }
    told["grants"] = json!(grants);
    told["password_stored"] = json!(store.password(id)?.is_some());
    told["consents"] = store.consents_of(id)?.iter().map(under_way).collect();
    let notices = store.told_of(id)?.into_iter();
    told["notices"] = notices.map(|(kind, at)| json!({ "kind": kind, "told_at": at })).collect();
    told["ledger"] = ledger(call, row)?;
    told["history"] = history(call, id)?;
    Ok(told)
}

/// The facts; never a token.
fn grant(slot: &str, grant: &Grant) -> Value {
    json!({
        "slot": slot,
        "provider": grant.provider,
        "scope": grant.scope,
        "identity": grant.identity,
        "obtained_at": grant.obtained_at,
        "refreshed_at": grant.refreshed_at,
        "expires_at": grant.expires_at,
        "refresh_token_stored": grant.refresh_token.is_some(),
        "access_token_stored": grant.access_token.is_some(),
        "over": grant.dead,
    })
}

fn under_way(consent: &UnderWay) -> Value {
    json!({
        "begun_by": consent.actor.as_ref().map(Actor::name),
        "provider": consent.provider,
        "begun_at": consent.created_at,
        "kept_until": consent.expires_at,
        "admin": consent.admin,
        "device": consent.device,
        "used": consent.used,
    })
}

/// Of this generation and of the one before, which is kept for whoever must look into a reset.
fn ledger(call: &Call, row: &AccountRow) -> Result<Value> {
    let id = row.account.id.as_str();
    let listing = call.store.ledger(id)?.listing;
    let mut counts = Map::new();
    let mut rows = Vec::new();
    for generation in row.generation.saturating_sub(1).max(1)..=row.generation {
        for one in call.store.all_rows(id, generation)? {
            let count = counts.entry(word(one.state)).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or(0) + 1);
            rows.push(message(generation, &one));
        }
    }
    let listing = listing.map(|mark| json!({ "count": mark.count, "at": mark.at }));
    Ok(json!({ "counts": counts, "messages": rows, "listing": listing }))
}

/// Visits, what became of messages, and the trace where there is one.
fn history(call: &Call, id: &str) -> Result<Value> {
    let became = call.store.what_became(id, &Asked::All, call.now(), HAPPENINGS)?;
    let happenings: Vec<Value> =
        became.happenings.iter().map(|one| explain::happening(one, &became)).collect();
    let passes: Vec<Value> = call.store.passes(id)?.iter().map(explain::pass).collect();
    Ok(json!({ "passes": passes, "happenings": happenings, "trace": bundle::lines(call, id)? }))
}

fn message(generation: u32, row: &LedgerRow) -> Value {
    let mut told = json!({
        "key": hex(&row.key),
        "generation": generation,
        "state": word(row.state),
        "size": row.size,
        "noted_at": row.noted_at,
    });
    for (name, at) in [("recorded_at", row.recorded_at), ("not_before", row.not_before)] {
        if at > 0 {
            told[name] = json!(at);
        }
    }
    if let Some(at) = row.delete_at {
        told["delete_at"] = json!(at);
    }
    if row.uidl.is_some() {
        told["uidl"] = json!(uidl_text(row));
    }
    if !row.reason.is_empty() {
        told["reason"] = json!(row.reason);
    }
    told
}

fn word(state: RowState) -> &'static str {
    match state {
        RowState::InHand => "in_hand",
        RowState::Durable => "durable",
        RowState::Deferred => "deferred",
        RowState::Refused => "refused",
        RowState::Oversize => "oversize",
        RowState::SetAside => "set_aside",
        RowState::Imported => "imported",
        RowState::Gone => "gone",
    }
}
