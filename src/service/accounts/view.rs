//! What an actor is shown of an account: what it means, how it goes, who signed in, what somebody must do.
//!
//! `$defs/account_shown` of `config.schema.json`; members are only added, and one that says nothing is left out.
//! Times are seconds since the Unix epoch. Nothing here is a secret, nor another's.

use serde_json::{Map, Value, json};

use crate::config::to_json;
use crate::engine::call::Call;
use crate::error::Result;
use crate::model::{Actor, Counts, DeletePolicy, Identity, LedgerRow, Outcome, RowState, TokenSource};
use crate::service::erase;
use crate::store::{AccountRow, AccountState, GrantSlot};

/// Messages that wait for somebody, shown of one account.
const ATTENTION: usize = 100;

pub(in crate::service) struct Viewer<'a> {
    pub call: &'a Call,
    pub actor: &'a Actor,
}

impl Viewer<'_> {
    pub fn brief(&self, row: &AccountRow) -> Result<Value> {
        let account = &row.account;
        let mut shown = to_json(account, *self.actor == Actor::Operator);
        shown.insert("id".into(), json!(account.id));
        shown.insert("owner".into(), json!(account.owner));
        shown.insert("configured".into(), json!(row.configured));
        shown.insert("state".into(), self.state(row)?);
        Ok(Value::Object(shown))
    }

    /// With the messages that wait for somebody, and how many older ones a deletion would include.
    pub fn in_full(&self, row: &AccountRow) -> Result<Value> {
        let mut shown = self.brief(row)?;
        let (id, generation) = (&row.account.id, row.generation);
        let open = self.call.store.open_rows(id, generation)?;
        let waiting = open.iter().filter(|row| word(row.state).is_some());
        shown["attention"] = waiting.take(ATTENTION).map(message).collect();
        if self.deletes(row) {
            let all = self.call.store.all_rows(id, generation)?;
            shown["older"] = json!(all.iter().filter(|row| is_older(row)).count());
        }
        if let Some(withdraw) = erase::withdraw(self.call, &row.account) {
            shown["state"]["withdraw"] = withdraw;
        }
        Ok(shown)
    }

    /// Whether mail is deleted at the server after collection.
    pub fn deletes(&self, row: &AccountRow) -> bool {
        self.call.settings.config.always_delete || row.account.delete != DeletePolicy::Never
    }

    fn state(&self, row: &AccountRow) -> Result<Value> {
        let state = &row.state;
        let mut shown = Map::new();
        let mut set = |name: &str, value: Value| {
            let says_nothing = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                _ => false,
            };
            if !says_nothing {
                shown.insert(name.to_owned(), value);
            }
        };
        set("outcome", json!(state.outcome.map(Outcome::name)));
        set("status", json!(state.status));
        set("cause", json!(state.cause));
        set("provider_code", json!(state.provider_code));
        set("message", json!(state.message));
        set("advice", json!(state.advice));
        set("for_user", json!(state.for_user));
        set("for_operator", json!(state.for_operator));
        set("since", json!(state.since));
        set("failures", json!(state.failures));
        set("paused", json!(state.paused));
        set("held", state.held.then_some(true).into());
        set("next_due", json!(self.next_due(row)));
        set("last_try", json!(state.last_try));
        set("last_ok", json!(state.last_ok));
        set("last_login", json!(state.last_login));
        set("delete_older_from", json!(state.delete_older_from));
        set("messages_taken", json!(state.taken_total));
        set("bytes_taken", json!(state.bytes_total));
        if let Some(progress) = &state.progress {
            set("progress", json!({ "at": progress.at, "counts": counts(&progress.counts) }));
        }
        set("signed_in", json!(state.identity.as_ref().and_then(name)));
        let pending = self.pending(row)?;
        if let Some(pending) = &pending {
            let configured = row.account.sign_in_name();
            set("confirm", json!({ "signed_in": pending.as_deref(), "configured": configured }));
        }
        set("needs", json!(self.needs(row, pending.is_some())?));
        Ok(Value::Object(shown))
    }

    fn next_due(&self, row: &AccountRow) -> Option<u64> {
        let AccountState { next_due, not_before, aside_until, paused, password, .. } = row.state;
        let waits = row.account.enabled && !paused && self.call.settings.config.enabled;
        waits.then(|| next_due.max(not_before).max(aside_until).max(password.wait_until).max(self.call.now()))
    }

    /// Who signed in and waits for the owner's yes.
    fn pending(&self, row: &AccountRow) -> Result<Option<Option<String>>> {
        let stored = self.call.store.grant(&row.account.id, GrantSlot::Pending)?;
        Ok(stored.map(|stored| stored.grant.identity.as_ref().and_then(name).map(str::to_owned)))
    }

    /// What goes on only after somebody did something.
    fn needs(&self, row: &AccountRow, pending: bool) -> Result<Vec<&'static str>> {
        let mut needs = Vec::new();
        if pending {
            needs.push("confirm");
        } else if row.account.provider().is_some() && !row.account.app_only {
            let active = self.call.store.grant(&row.account.id, GrantSlot::Active)?;
            let is_over = active.is_none_or(|stored| stored.grant.dead);
            if is_over || row.state.outcome == Some(Outcome::ReauthUser) {
                needs.push("consent");
            }
        }
        if matches!(row.account.source, TokenSource::Password(_))
            && row.state.outcome == Some(Outcome::ReauthUser)
        {
            needs.push("password");
        }
        if row.state.reset_question {
            needs.push("uidl_reset");
        }
        if matches!(row.state.outcome, Some(Outcome::AdminAction | Outcome::ConfigError)) {
            needs.push("operator");
        }
        Ok(needs)
    }
}

fn name(identity: &Identity) -> Option<&str> {
    identity.name.as_deref()
}

fn counts(counts: &Counts) -> Value {
    json!({
        "messages_done": counts.messages_done,
        "messages_total": counts.messages_total,
        "bytes_done": counts.bytes_done,
        "bytes_total": counts.bytes_total,
        "deferred": counts.deferred,
        "refused": counts.refused,
        "deleted": counts.deleted,
    })
}

/// Taken before the present policy, and left at the server by it.
pub(super) fn is_older(row: &LedgerRow) -> bool {
    row.state == RowState::Durable && row.delete_at.is_none()
}

/// The word for a message somebody should know of.
fn word(state: RowState) -> Option<&'static str> {
    match state {
        RowState::Deferred => Some("deferred"),
        RowState::Refused => Some("refused"),
        RowState::Oversize => Some("oversize"),
        RowState::SetAside => Some("set_aside"),
        RowState::InHand | RowState::Durable | RowState::Imported | RowState::Gone => None,
    }
}

fn message(row: &LedgerRow) -> Value {
    let mut shown = json!({
        "uidl": uidl_text(row),
        "what": word(row.state),
        "size": row.size,
        "since": row.noted_at,
    });
    if !row.reason.is_empty() {
        shown["reason"] = json!(row.reason);
    }
    if row.not_before > 0 {
        shown["not_before"] = json!(row.not_before);
    }
    shown
}

/// As people and JSON can carry it; bytes that are no text are shown as one.
pub(in crate::service) fn uidl_text(row: &LedgerRow) -> String {
    shown(row.uidl.as_deref().unwrap_or_default())
}

pub(in crate::service) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
