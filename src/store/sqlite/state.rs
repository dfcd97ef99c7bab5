//! What is known and shown of an account, and the two columns that say when it is due.

use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::IDS;
use super::keys::{Hash, Keys};
use super::{accounts, natural, sql, standings};
use crate::error::Result;
use crate::model::UnixTime;
use crate::store::seal::DataKey;
use crate::store::{AccountState, Reach, fault};

/// Reads, changes and writes; the caller's transaction makes it one step. `false`: no such account.
pub(super) fn update(
    db: &Connection,
    keys: &Keys,
    id: &str,
    change: &mut dyn FnMut(&mut AccountState),
) -> Result<bool> {
    let Some(found) = accounts::find(db, keys, id)? else {
        return Ok(false);
    };
    let mut state = found.shown.state.clone();
    change(&mut state);
    if state != found.shown.state {
        let (due_at, ready_at) = schedule(found.shown.account.enabled, &state);
        db.prepare_cached("UPDATE accounts SET state = ?, due_at = ?, ready_at = ? WHERE row = ?")?
            .execute(params![seal(&found.key, &state)?, due_at, ready_at, found.row])?;
        standings::follow(db, keys, found.row, &found.shown.account, &state)?;
    }
    Ok(true)
}

const COLUMN: &str = "state";

pub(super) fn seal(key: &DataKey, state: &AccountState) -> Result<Vec<u8>> {
    key.seal(COLUMN, b"", &to_json(state)?)
}

pub(super) fn open(key: &DataKey, sealed: &[u8]) -> Result<AccountState> {
    from_json(&key.open(COLUMN, b"", sealed)?)
}

/// When the account is due, and when it may be visited on demand; neither while disabled or paused.
pub(super) fn schedule(enabled: bool, state: &AccountState) -> (Option<i64>, Option<i64>) {
    if !enabled || state.paused {
        return (None, None);
    }
    let ready = state.not_before.max(state.aside_until).max(state.password.wait_until);
    (Some(sql(ready.max(state.next_due))), Some(sql(ready)))
}

pub(super) fn due(
    db: &Connection,
    keys: &Keys,
    reach: &Reach,
    now: UnixTime,
    regardless: bool,
    limit: u32,
) -> Result<Vec<String>> {
    let at = if regardless { "ready_at" } else { "due_at" };
    let (of, owner) = owner_of(keys, reach);
    let mut statement = db.prepare_cached(&format!(
        "{IDS} WHERE due_at IS NOT NULL AND {at} <= ?1 {of} ORDER BY due_at, ready_at, row LIMIT ?2"
    ))?;
    match owner {
        Some(owner) => accounts::ids(keys, &mut statement, params![sql(now), limit, owner]),
        None => accounts::ids(keys, &mut statement, params![sql(now), limit]),
    }
}

pub(super) fn next_due(db: &Connection, keys: &Keys, reach: &Reach) -> Result<Option<UnixTime>> {
    let (of, owner) = owner_of(keys, reach);
    let of = of.replace("?3", "?1");
    let mut statement = db.prepare_cached(&format!(
        "SELECT due_at FROM accounts WHERE due_at IS NOT NULL {of} ORDER BY due_at LIMIT 1"
    ))?;
    let at: Option<i64> = match owner {
        Some(owner) => statement.query_row([owner], |row| row.get(0)),
        None => statement.query_row([], |row| row.get(0)),
    }
    .optional()?;
    Ok(at.map(natural))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| crate::error::Error::bug(format!("a record of the store is not JSON: {error}")))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| fault::corrupt(&format!("a record does not parse: {error}")))
}

fn owner_of(keys: &Keys, reach: &Reach) -> (&'static str, Option<Hash>) {
    match reach {
        Reach::All => ("", None),
        Reach::Owner(owner) => ("AND owner = ?3", Some(keys.owner(owner))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_every_member_and_an_older_one_has_defaults() {
        let state = AccountState {
            next_due: 7,
            cause: "mailbox.full".into(),
            reset_answer: Some(false),
            ..AccountState::default()
        };
        assert_eq!(from_json::<AccountState>(&to_json(&state).unwrap()).unwrap(), state);
        assert_eq!(from_json::<AccountState>(b"{}").unwrap(), AccountState::default());
    }

    #[test]
    fn an_account_is_due_when_interval_server_and_quarantine_allow() {
        let mut state =
            AccountState { next_due: 10, not_before: 30, aside_until: 20, ..AccountState::default() };
        assert_eq!(schedule(true, &state), (Some(30), Some(30)));
        state.next_due = 50;
        assert_eq!(schedule(true, &state), (Some(50), Some(30)));
        assert_eq!(schedule(false, &state), (None, None));
        state.paused = true;
        assert_eq!(schedule(true, &state), (None, None));
    }
}
