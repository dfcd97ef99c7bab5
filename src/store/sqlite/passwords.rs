//! Passwords of accounts without OAuth: sealed, beside the grants, under a slot of their own.

use rusqlite::{Connection, OptionalExtension, params};

use super::keys::Keys;
use super::{accounts, natural, sql, state};
use crate::error::{Error, Result, Status};
use crate::model::{Account, TokenSource};
use crate::secret::Secret;
use crate::store::{PasswordState, StoredPassword, fault};

/// Stands in the store; the grants' are 0 and 1.
const SLOT: u8 = 2;
const COLUMN: &str = "password";

pub(super) fn read(db: &Connection, keys: &Keys, account: &str) -> Result<Option<StoredPassword>> {
    let row = accounts::row_of(db, keys, account)?;
    let (version, Some(sealed)) = slot(db, row)? else {
        return Ok(None);
    };
    let clear = accounts::data_key(db, keys, row)?.open(COLUMN, &[SLOT], &sealed)?;
    let text = str::from_utf8(&clear).map_err(|_| fault::corrupt("a password is no text"))?;
    Ok(Some(StoredPassword { version, password: Secret::new(text.to_owned()) }))
}

/// After its account was written. The same password again writes nothing, and its refusals stay counted.
pub(super) fn put(db: &Connection, keys: &Keys, account: &Account, password: Option<&Secret>) -> Result<()> {
    if !matches!(account.source, TokenSource::Password(_)) {
        return Ok(());
    }
    let stored = read(db, keys, &account.id)?;
    let Some(password) = password else {
        return stored.map(drop).ok_or_else(missing);
    };
    if stored.is_some_and(|stored| stored.password == *password) {
        return Ok(());
    }
    let row = accounts::row_of(db, keys, &account.id)?;
    let version = slot(db, row)?.0 + 1;
    let sealed = accounts::data_key(db, keys, row)?.seal(COLUMN, &[SLOT], password.expose().as_bytes())?;
    db.prepare_cached(
        "INSERT INTO grants (account, slot, version, sealed) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
    )?
    .execute(params![row, SLOT, sql(version), sealed])?;
    state::update(db, keys, &account.id, &mut |state| {
        state.password = PasswordState { version, ..PasswordState::default() };
        state.failures = 0;
        state.next_due = 0;
    })?;
    Ok(())
}

pub(super) fn empty(db: &Connection, row: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE grants SET sealed = NULL, version = version + 1
            WHERE account = ? AND slot = ? AND sealed IS NOT NULL",
    )?
    .execute(params![row, SLOT])?;
    Ok(())
}

fn slot(db: &Connection, row: i64) -> Result<(u64, Option<Vec<u8>>)> {
    let found = db
        .prepare_cached("SELECT version, sealed FROM grants WHERE account = ? AND slot = ?")?
        .query_row(params![row, SLOT], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map_or((0, None), |(version, sealed)| (natural(version), sealed)))
}

fn missing() -> Error {
    Error::new(
        Status::Argument,
        "argument.password",
        "password: this member is missing, and none is stored for this server and user",
    )
    .advice("Enter the mailbox's password; after a change of server or user it must be entered again.")
}
