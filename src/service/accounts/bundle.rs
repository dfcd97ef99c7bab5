//! The verbs `trace`, `trace_read` and `support_bundle`: what may leave the house for whoever helps.
//!
//! No address, no name, no UIDL, nothing of a message and no secret is in it: times, causes, counts, and words with
//! the names taken out. Messages are told apart by the beginning of a keyed digest.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::explain::{MOST, pass, short};
use super::view::shown;
use crate::config::to_json;
use crate::engine::call::Call;
use crate::engine::trace::Redaction;
use crate::error::Result;
use crate::model::{RowState, UnixTime};
use crate::store::{AccountRow, Asked, Happening};

pub(super) fn trace(call: &Call, row: &AccountRow, minutes: u32) -> Result<Value> {
    let until: UnixTime = match minutes {
        0 => 0,
        minutes => call.now() + 60 * u64::from(minutes),
    };
    call.store.trace_until(&row.account.id, until)?;
    Ok(json!({ "verb": "trace", "account": row.account.id, "until": until }))
}

pub(super) fn trace_read(call: &Call, row: &AccountRow) -> Result<Value> {
    let mut answer = lines(call, &row.account.id)?;
    answer["verb"] = json!("trace_read");
    answer["account"] = json!(row.account.id);
    Ok(answer)
}

pub(in crate::service) fn lines(call: &Call, id: &str) -> Result<Value> {
    let trace = call.store.trace(id)?;
    let lines = trace.lines.iter().map(
        |(process, line)| json!({ "at": line.at, "ms": line.ms, "process": process, "line": line.text }),
    );
    Ok(json!({ "on": trace.until > call.now(), "until": trace.until, "lines": lines.collect::<Vec<_>>() }))
}

pub(super) fn support_bundle(call: &Call, row: &AccountRow) -> Result<Value> {
    let id = row.account.id.as_str();
    let became = call.store.what_became(id, &Asked::All, call.now(), MOST)?;
    let redaction = redaction(row, &became.happenings);
    let passes = call.store.passes(id)?;
    let mut trace = lines(call, &row.account.id)?;
    if let Some(lines) = trace["lines"].as_array_mut() {
        for line in lines {
            line["line"] = json!(redaction.apply(line["line"].as_str().unwrap_or_default()));
        }
    }
    let ledger = call.store.ledger(id)?;
    let all = call.store.all_rows(id, row.generation)?;
    let count = |state: RowState| all.iter().filter(|row| row.state == state).count();
    Ok(json!({
        "verb": "support_bundle",
        "version": env!("CARGO_PKG_VERSION"),
        "at": call.now(),
        "account": account(row, &redaction),
        "state": state(row, &redaction),
        "ledger": {
            "generation": row.generation,
            "in_hand": count(RowState::InHand),
            "taken": count(RowState::Durable),
            "deferred": count(RowState::Deferred),
            "refused": count(RowState::Refused),
            "oversize": count(RowState::Oversize),
            "set_aside": count(RowState::SetAside),
            "left": count(RowState::Imported),
            "deleted": count(RowState::Gone),
            "unread": became.unread,
            "listing": ledger.listing.map(|mark| json!({ "at": mark.at, "messages": mark.count })),
        },
        "passes": passes.iter().map(pass).collect::<Vec<_>>(),
        "happenings": became.happenings.iter().map(|one| happening(one, &redaction)).collect::<Vec<_>>(),
        "more": became.more,
        "trace": trace,
    }))
}

/// The names of the account, and every UIDL that is kept: a word of the sink or the server may hold one.
fn redaction(row: &AccountRow, happenings: &[Happening]) -> Redaction {
    let account = &row.account;
    let uidls: BTreeSet<String> =
        happenings.iter().filter_map(|one| one.uidl.as_deref()).map(shown).collect();
    let identity = row.state.identity.iter().flat_map(|identity| {
        [Some(identity.subject.clone()), identity.name.clone(), identity.object.clone()].into_iter().flatten()
    });
    Redaction::of(account).and(uidls.into_iter().chain(identity))
}

/// As it is meant, without who and where to.
fn account(row: &AccountRow, redaction: &Redaction) -> Value {
    let mut shown = to_json(&row.account, false);
    for member in ["user", "sign_in", "deliver_to", "owner"] {
        if shown.contains_key(member) {
            shown.insert(member.to_owned(), json!("<name>"));
        }
    }
    shown.insert("configured".to_owned(), json!(row.configured));
    redacted(Value::Object(shown), redaction)
}

fn state(row: &AccountRow, redaction: &Redaction) -> Value {
    let Ok(Value::Object(state)) = serde_json::to_value(&row.state) else {
        return Value::Null;
    };
    // What is not named here stays at home, whatever a later version knows of an account.
    let named = [
        "next_due",
        "paused",
        "outcome",
        "status",
        "cause",
        "provider_code",
        "message",
        "advice",
        "since",
        "failures",
        "last_try",
        "last_ok",
        "last_login",
        "refused_since",
        "not_before",
        "deferrals",
        "deferral",
        "aside_until",
        "first_done",
        "resetting",
        "reset_question",
        "delete_older_from",
        "policy_since",
        "last_clock",
        "taken_total",
        "bytes_total",
    ];
    let kept: Map<String, Value> =
        state.into_iter().filter(|(name, _)| named.contains(&name.as_str())).collect();
    redacted(Value::Object(kept), redaction)
}

fn happening(one: &Happening, redaction: &Redaction) -> Value {
    let mut told = json!({
        "at": one.at,
        "what": one.what.name(),
        "process": one.process,
        "message": short(&one.key),
        "size": one.size,
    });
    if !one.answer.is_empty() {
        told["answer"] = json!(redaction.apply(&one.answer));
    }
    told
}

/// Every text in it.
fn redacted(value: Value, redaction: &Redaction) -> Value {
    match value {
        Value::String(text) => Value::String(redaction.apply(&text)),
        Value::Array(list) => list.into_iter().map(|value| redacted(value, redaction)).collect(),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, value)| (name, redacted(value, redaction))).collect(),
        ),
        plain => plain,
    }
}
