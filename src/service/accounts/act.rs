//! The verbs of `multipop_account_act` but those of a consent: what each writes, and what it answers.
//!
//! Deleting older mail is the one that cannot be undone: it needs the count that was shown, and begins after
//! `delete_grace_s`, until when `keep_older` takes it back.

use serde_json::{Value, json};

use super::view::{Viewer, is_older, uidl_text};
use super::{bundle, explain};
use crate::config::Act;
use crate::engine::call::Call;
use crate::error::{Error, Result, Status};
use crate::model::{Actor, LedgerRow, RowState};
use crate::service::rights;
use crate::store::{AccountRow, AccountState, LeaseName};

/// Longer than the local steps of a verb take.
const LEASE_S: u32 = 60;

pub(super) fn perform(call: &Call, actor: &Actor, row: &AccountRow, act: &Act) -> Result<Value> {
    let id = row.account.id.as_str();
    let mut answer = json!({ "verb": act.verb() });
    match act {
        // Told apart before: they belong to a consent.
        Act::Confirm | Act::OfferLink { .. } | Act::RedeemLink { .. } => {
            return Err(Error::bug(format!("{} is not a verb of the store", act.verb())));
        }
        Act::Pause => change(call, row, |state| {
            state.paused = true;
            state.held |= *actor == Actor::Operator;
        })?,
        Act::Resume => {
            rights::resume(actor, row)?;
            change(call, row, resume)?;
        }
        Act::OfferAgain { uidl } => {
            answer["messages"] = json!(offer_again(call, row, uidl.as_deref())?);
        }
        Act::DeleteOlder { count } => {
            rights::delete(&call.settings.config, actor)?;
            delete_older(call, actor, row, *count, &mut answer)?;
        }
        Act::KeepOlder => {
            rights::delete(&call.settings.config, actor)?;
            change(call, row, |state| state.delete_older_from = None)?;
        }
        Act::UidlReset { same_mail } => {
            rights::operator(actor)?;
            uidl_reset(call, row, *same_mail)?;
        }
        Act::Explain(wanted) => return explain::explain(call, row, wanted),
        Act::Trace { minutes } => {
            rights::operator(actor)?;
            return bundle::trace(call, row, *minutes);
        }
        Act::TraceRead => {
            rights::operator(actor)?;
            return bundle::trace_read(call, row);
        }
        Act::SupportBundle => {
            rights::operator(actor)?;
            return bundle::support_bundle(call, row);
        }
    }
    let viewer = Viewer { call, actor };
    answer["account"] = viewer.brief(&rights::visible(&*call.store, actor, id)?)?;
    Ok(answer)
}

fn change(call: &Call, row: &AccountRow, mut change: impl FnMut(&mut AccountState)) -> Result<()> {
    if call.store.update_state_of(&row.known(), &mut change)? {
        return Ok(());
    }
    // Removed meanwhile.
    Err(Error::rights())
}

/// At once and from the beginning; what the mail server asked for (LOGIN-DELAY) stays.
fn resume(state: &mut AccountState) {
    state.paused = false;
    state.held = false;
    state.failures = 0;
    state.deferrals = 0;
    state.deferral = None;
    state.aside_until = 0;
    state.next_due = 0;
}

/// How many messages come again.
fn offer_again(call: &Call, row: &AccountRow, uidl: Option<&str>) -> Result<usize> {
    let id = row.account.id.as_str();
    let now = call.now();
    let Some(lease) = call.store.lease(&LeaseName::Account(id.to_owned()), now, LEASE_S)? else {
        return Err(Error::new(
            Status::Transient,
            "account.busy",
            "this account is being collected just now",
        )
        .advice("Try again in a moment.")
        .retry_after(10));
    };
    let offered = || -> Result<usize> {
        let rows: Vec<LedgerRow> = call
            .store
            .open_rows(id, row.generation)?
            .into_iter()
            .filter(|row| uidl.is_none_or(|wanted| uidl_text(row) == wanted))
            .filter_map(again)
            .collect();
        if rows.is_empty() && uidl.is_some() {
            return Err(Error::new(
                Status::Argument,
                "argument.uidl",
                "no refused, deferred or set-aside message has this UIDL",
            )
            .advice("Take the UIDL from the list `attention` of this account."));
        }
        if !rows.is_empty() {
            call.store.write_rows(&lease, row.generation, &rows, now)?;
        }
        Ok(rows.len())
    };
    let offered = offered();
    call.store.release(&lease, true)?;
    let offered = offered?;
    if offered > 0 {
        change(call, row, |state| state.next_due = 0)?;
    }
    Ok(offered)
}

/// The row as it is to be tried now. A size limit is not lifted by asking.
fn again(mut row: LedgerRow) -> Option<LedgerRow> {
    match row.state {
        RowState::Refused | RowState::Deferred => row.state = RowState::Deferred,
        RowState::SetAside => {}
        RowState::InHand | RowState::Oversize | RowState::Durable | RowState::Imported | RowState::Gone => {
            return None;
        }
    }
    row.not_before = 0;
    Some(row)
}

fn delete_older(
    call: &Call,
    actor: &Actor,
    row: &AccountRow,
    shown: Option<u64>,
    answer: &mut Value,
) -> Result<()> {
    let id = row.account.id.as_str();
    if !(Viewer { call, actor }).deletes(row) {
        return Err(Error::new(
            Status::Argument,
            "argument.delete_policy",
            "this account leaves all mail at the server",
        )
        .advice("Give the account a delete policy first; then older mail can be included."));
    }
    let all = call.store.all_rows(id, row.generation)?;
    let count = all.iter().filter(|row| is_older(row)).count() as u64;
    answer["count"] = json!(count);
    let Some(shown) = shown else {
        return Ok(());
    };
    if shown != count {
        return Err(Error::new(
            Status::Argument,
            "argument.count",
            format!("{count} older messages would be deleted, not {shown}"),
        )
        .advice("Show the new count and ask again."));
    }
    let from = call.now() + u64::from(call.settings.config.delete_grace_s);
    answer["from"] = json!(from);
    change(call, row, |state| state.delete_older_from = Some(from))
}

fn uidl_reset(call: &Call, row: &AccountRow, same_mail: bool) -> Result<()> {
    if !row.state.reset_question {
        return Err(Error::new(
            Status::Argument,
            "argument.no_question",
            "this account has no open question about its UIDLs",
        )
        .advice(
            "Nothing needs to be answered: `needs` of an account's state names uidl_reset where it does.",
        ));
    }
    change(call, row, |state| {
        state.reset_answer = Some(same_mail);
        state.next_due = 0;
    })
}
