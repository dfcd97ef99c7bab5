//! The verb `explain`: what became of a message, each step with its time and the process it happened in.

use serde_json::{Value, json};

use super::verdict;
use super::view::shown;
use crate::config::Wanted;
use crate::engine::call::Call;
use crate::engine::header;
use crate::engine::keys::Keys;
use crate::error::Result;
use crate::model::UidlKey;
use crate::store::{AccountRow, Asked, Became, Happening, Pass};

/// Steps answered at once, the last ones.
pub(super) const MOST: u32 = 1_000;

pub(super) fn explain(call: &Call, row: &AccountRow, wanted: &Wanted) -> Result<Value> {
    let id = row.account.id.as_str();
    let asked = asked(call, row, wanted)?;
    let became = call.store.what_became(id, &asked, call.now(), MOST)?;
    let passes = call.store.passes(id)?;
    let listing = call.store.ledger(id)?.listing;
    let told = verdict::Told {
        asked: &asked,
        became: &became,
        passes: &passes,
        listing: listing.as_ref(),
        now: call.now(),
    };
    let (verdict, sentence) = told.verdict(row);
    let mut answer = json!({
        "verb": "explain",
        "account": id,
        "verdict": verdict,
        "sentence": sentence,
        "happenings": became.happenings.iter().map(|one| happening(one, &became)).collect::<Vec<_>>(),
        "more": became.more,
        "unread": became.unread,
        "passes": { "kept": passes.len() },
    });
    if let Some(first) = passes.first() {
        answer["passes"]["since"] = json!(first.begun);
    }
    if let Some(last) = passes.last() {
        answer["passes"]["last"] = pass(last);
    }
    if let Some(listing) = listing {
        answer["listing"] = json!({ "at": listing.at, "messages": listing.count });
    }
    Ok(answer)
}

/// What a person gives, as the store knows it.
fn asked(call: &Call, row: &AccountRow, wanted: &Wanted) -> Result<Asked> {
    let keys = || -> Result<Keys> {
        let key = call.store.digest_key(&row.account.id)?;
        Ok(Keys::new(&key, row.number, row.generation))
    };
    Ok(match wanted {
        Wanted::All => Asked::All,
        Wanted::Since(since) => Asked::Since(*since),
        Wanted::MessageId(id) => {
            Asked::MessageId(keys()?.message_id_of(header::bare_message_id(id.as_bytes())))
        }
        Wanted::Uidl(uidl) => {
            let (keys, uidl) = (keys()?, uidl.as_bytes());
            Asked::Uidl { uidl: uidl.to_vec(), keys: vec![keys.uidl(uidl), keys.unread(uidl)] }
        }
    })
}

pub(in crate::service) fn happening(one: &Happening, became: &Became) -> Value {
    let mut told = json!({
        "at": one.at,
        "what": one.what.name(),
        "process": one.process,
        "message": short(&one.key),
    });
    // Known of one step, it is known of the message.
    let same = |other: &&Happening| other.key == one.key && other.generation == one.generation;
    let known = || became.happenings.iter().filter(same).find_map(|other| other.uidl.as_deref());
    let row = || became.rows.iter().find(|row| row.key == one.key).and_then(|row| row.uidl.as_deref());
    if let Some(uidl) = one.uidl.as_deref().or_else(known).or_else(row) {
        told["uidl"] = json!(shown(uidl));
    }
    if one.size > 0 {
        told["size"] = json!(one.size);
    }
    if !one.answer.is_empty() {
        told["answer"] = json!(one.answer);
    }
    told
}

/// Tells messages apart, and nothing else of them.
pub(super) fn short(key: &UidlKey) -> String {
    key[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(in crate::service) fn pass(pass: &Pass) -> Value {
    let mut told = json!({
        "begun": pass.begun,
        "ended": pass.ended,
        "process": pass.process,
        "outcome": pass.outcome.name(),
        "new": pass.new,
        "taken": pass.taken,
        "deferred": pass.deferred,
        "refused": pass.refused,
        "deleted": pass.deleted,
        "bytes": pass.bytes,
    });
    if pass.status != 0 {
        told["status"] = json!(pass.status);
        told["cause"] = json!(pass.cause);
    }
    if let Some(listed) = pass.listed {
        told["listed"] = json!(listed);
    }
    told
}
