//! Accounts: finding, putting, replacing, removing; who may, is decided inside the transaction that does it.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::change::Change;
use super::state::{from_json, schedule, to_json};
use super::{passwords, sql};
use crate::error::{Error, Result, Status};
use crate::model::{Account, UnixTime};
use crate::store::seal::{DataKey, KeyRing, random};
use crate::store::{AccountQuery, AccountRow, AccountState, fault};

pub(super) struct Found {
    pub row: i64,
    pub origin: Origin,
    pub shown: AccountRow,
}

/// Where an account comes from. The numbers stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Call = 0,
    Configuration = 1,
    /// The configuration named it once: disabled, kept until it is removed, put, or named again.
    FormerConfiguration = 2,
}

pub(super) fn put(db: &Connection, keys: &KeyRing, account: &Account, cap: u32, now: UnixTime) -> Result<()> {
    let found = find(db, &account.id)?;
    if found.as_ref().is_some_and(|found| found.shown.account.owner != account.owner) {
        return Err(Error::rights());
    }
    if found.as_ref().is_some_and(|found| found.origin == Origin::Configuration) {
        return Err(of_configuration(&account.id));
    }
    if realm_of(db, &account.owner)?.is_some_and(|realm| realm != account.realm) {
        return Err(Error::rights());
    }
    let counted = found.as_ref().is_some_and(|found| found.origin == Origin::Call);
    if !counted && count_of(db, &account.owner)? >= i64::from(cap) {
        return Err(Error::new(
            Status::Rights,
            "rights.cap",
            format!("the owner has {cap} accounts already"),
        )
        .advice(format!(
            "No more than {cap} mailboxes may be collected here for one person. Remove one, or ask the operator."
        )));
    }
    match found {
        Some(found) => replace(db, &found, account, Origin::Call, now),
        None => insert(db, keys, account, Origin::Call, now),
    }
}

/// Account, grant, ledger, consents under way; what seals them first.
pub(super) fn remove(db: &Connection, id: &str, forget_realm: bool) -> Result<bool> {
    let Some(found) = find(db, id)? else {
        return Ok(false);
    };
    if found.origin == Origin::Configuration {
        return Err(of_configuration(id));
    }
    // Freed pages are overwritten too.
    db.execute_batch("PRAGMA secure_delete = ON")?;
    db.execute("UPDATE accounts SET data_key = zeroblob(length(data_key)) WHERE row = ?", [found.row])?;
    for table in ["grants", "consents", "leases", "ledger", "listings", "standings", "notices"] {
        db.execute(&format!("DELETE FROM {table} WHERE account = ?"), [found.row])?;
    }
    db.execute("DELETE FROM accounts WHERE row = ?", [found.row])?;
    if forget_realm {
        self::forget_realm(db, &found.shown.account.owner)?;
    }
    db.execute_batch("PRAGMA secure_delete = OFF")?;
    Ok(true)
}

/// Of an owner who has no account any more.
pub(super) fn forget_realm(db: &Connection, owner: &str) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM owners WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM accounts WHERE owner = ?1)",
    )?
    .execute([owner])?;
    Ok(())
}

pub(super) fn find(db: &Connection, id: &str) -> Result<Option<Found>> {
    let columns = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?"))?
        .query_row([id], Columns::of)
        .optional()?;
    columns.map(Columns::parse).transpose()
}

/// The row of an account that must be there.
pub(super) fn row_of(db: &Connection, id: &str) -> Result<i64> {
    db.prepare_cached("SELECT row FROM accounts WHERE id = ?")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(Error::rights)
}

pub(super) fn list(db: &Connection, query: &AccountQuery) -> Result<Vec<AccountRow>> {
    let mut conditions = vec!["1"];
    let mut values: Vec<&dyn ToSql> = Vec::new();
    for (condition, value) in [
        ("owner = ?", &query.owner),
        ("id = ?", &query.account),
        ("realm = ?", &query.realm),
        ("id > ?", &query.after),
    ] {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    }
    let limit = if query.limit == 0 { DEFAULT_LIMIT } else { query.limit };
    values.push(&limit);
    let conditions = conditions.join(" AND ");
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE {conditions} ORDER BY id LIMIT ?"))?;
    let mut shown = Vec::new();
    for columns in statement.query_map(&*values, Columns::of)? {
        shown.push(columns?.parse()?.shown);
    }
    Ok(shown)
}

pub(super) fn realm_of(db: &Connection, owner: &str) -> Result<Option<String>> {
    Ok(db
        .prepare_cached("SELECT realm FROM owners WHERE name = ?")?
        .query_row([owner], |row| row.get(0))
        .optional()?)
}

pub(super) fn data_key(db: &Connection, keys: &KeyRing, row: i64) -> Result<DataKey> {
    let (number, sealed): ([u8; 16], Vec<u8>) = db
        .prepare_cached("SELECT number, data_key FROM accounts WHERE row = ?")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(Error::rights)?;
    DataKey::unwrap(keys, number, &sealed)
}

pub(super) fn insert(
    db: &Connection,
    keys: &KeyRing,
    account: &Account,
    origin: Origin,
    now: UnixTime,
) -> Result<()> {
    let mut number = [0; 16];
    random(&mut number)?;
    let data_key = DataKey::draw(number)?.wrap(keys)?;
    let state = AccountState { since: now, policy_since: now, ..AccountState::default() };
    let (due_at, ready_at) = schedule(account.enabled, &state);
    db.prepare_cached("INSERT OR IGNORE INTO owners (name, realm) VALUES (?, ?)")?
        .execute([&account.owner, &account.realm])?;
    db.prepare_cached("INSERT OR IGNORE INTO keys (id, since) VALUES (?, ?)")?
        .execute(params![keys.first(), sql(now)])?;
    db.prepare_cached(
        "INSERT INTO accounts (id, owner, realm, origin, number, generation, key_id, data_key, meant, state, due_at,
            ready_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        account.id,
        account.owner,
        account.realm,
        origin as i64,
        number,
        keys.first(),
        data_key,
        to_json(account)?,
        to_json(&state)?,
        due_at,
        ready_at
    ])?;
    let row = db.last_insert_rowid();
    // Fences of two rows never meet, so that a lease outlives no account into another of the same id.
    db.prepare_cached(
        "INSERT INTO leases (account, kind, fence, holder, expires_at, attempts)
            VALUES (?1, 0, ?1 << 32, '', 0, 0), (?1, 1, ?1 << 32, '', 0, 0)",
    )?
    .execute([row])?;
    Ok(())
}

/// Writes what is meant now and what follows from the difference; nothing where there is none.
pub(super) fn replace(
    db: &Connection,
    found: &Found,
    account: &Account,
    origin: Origin,
    now: UnixTime,
) -> Result<()> {
    let old = &found.shown.account;
    if old == account && found.origin == origin {
        return Ok(());
    }
    let change = Change::between(old, account);
    let mut state = found.shown.state.clone();
    change.reset(&mut state, now);
    let (due_at, ready_at) = schedule(account.enabled, &state);
    db.prepare_cached(
        "UPDATE accounts SET owner = ?, realm = ?, origin = ?, generation = generation + ?, meant = ?, state = ?,
            due_at = ?, ready_at = ? WHERE row = ?",
    )?
    .execute(params![
        account.owner,
        account.realm,
        origin as i64,
        change.generation,
        to_json(account)?,
        to_json(&state)?,
        due_at,
        ready_at,
        found.row
    ])?;
    db.prepare_cached("UPDATE leases SET attempts = 0 WHERE account = ?")?.execute([found.row])?;
    if change.generation {
        leave_mailbox(db, found)?;
    }
    if change.password {
        passwords::empty(db, found.row)?;
    }
    if change.grant {
        db.execute("UPDATE grants SET sealed = NULL, version = version + 1 WHERE account = ?", [found.row])?;
        db.execute("DELETE FROM consents WHERE account = ? AND used = 0", [found.row])?;
    }
    Ok(())
}

/// A visit under way is at the mailbox left behind: it is fenced off, and may record nothing as of the new one.
fn leave_mailbox(db: &Connection, found: &Found) -> Result<()> {
    db.execute("UPDATE leases SET fence = fence + 1 WHERE account = ? AND kind = 0", [found.row])?;
    db.execute("DELETE FROM listings WHERE account = ?", [found.row])?;
    db.execute(
        "DELETE FROM ledger WHERE account = ? AND generation < ?",
        params![found.row, found.shown.generation],
    )?;
    Ok(())
}

/// Accounts that count against the owner's cap.
fn count_of(db: &Connection, owner: &str) -> Result<i64> {
    Ok(db.query_row(
        "SELECT count(*) FROM accounts WHERE owner = ? AND origin <> ?",
        params![owner, Origin::FormerConfiguration as i64],
        |row| row.get(0),
    )?)
}

fn of_configuration(id: &str) -> Error {
    Error::new(
        Status::Rights,
        "rights.configured",
        format!("the account {id:?} is one of the configuration"),
    )
    .advice(
        "This mailbox was set up by the operator's configuration and can be changed or removed only there.",
    )
}

const DEFAULT_LIMIT: u32 = 1000;

const COLUMNS: &str = "row, origin, number, generation, meant, state";

struct Columns {
    row: i64,
    origin: i64,
    number: [u8; 16],
    generation: u32,
    meant: String,
    state: String,
}

impl Columns {
    fn of(row: &Row<'_>) -> rusqlite::Result<Columns> {
        Ok(Columns {
            row: row.get(0)?,
            origin: row.get(1)?,
            number: row.get(2)?,
            generation: row.get(3)?,
            meant: row.get(4)?,
            state: row.get(5)?,
        })
    }

    fn parse(self) -> Result<Found> {
        let origin = match self.origin {
            0 => Origin::Call,
            1 => Origin::Configuration,
            2 => Origin::FormerConfiguration,
            other => return Err(fault::corrupt(&format!("an account of origin {other}"))),
        };
        Ok(Found {
            row: self.row,
            origin,
            shown: AccountRow {
                account: from_json(&self.meant)?,
                configured: origin == Origin::Configuration,
                withdrawn: origin == Origin::FormerConfiguration,
                number: self.number,
                generation: self.generation,
                state: from_json(&self.state)?,
            },
        })
    }
}
