//! Accounts: finding, putting, replacing; who may, is decided inside the transaction that does it.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Params, Row, Statement, params};
use serde::Deserialize;

use super::change::Change;
use super::keys::{Hash, Keys};
use super::state::{self, from_json, schedule, to_json};
use super::{grants, history, links, passwords};
use crate::error::{Error, Result, Status};
use crate::model::{Account, UnixTime};
use crate::store::seal::DataKey;
use crate::store::{AccountQuery, AccountRow, AccountState, GrantSlot, Known, fault};

pub(super) struct Found {
    pub row: i64,
    pub origin: Origin,
    pub shown: AccountRow,
    pub key: DataKey,
}

/// Where an account comes from. The numbers stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Call = 0,
    Configuration = 1,
    /// The configuration named it once: disabled, kept until it is removed, put, or named again.
    FormerConfiguration = 2,
}

pub(super) fn put(db: &Connection, keys: &Keys, account: &Account, cap: u32, now: UnixTime) -> Result<()> {
    let found = find(db, keys, &account.id)?;
    if found.as_ref().is_some_and(|found| found.shown.account.owner != account.owner) {
        return Err(Error::rights());
    }
    if found.as_ref().is_some_and(|found| found.origin == Origin::Configuration) {
        return Err(of_configuration(&account.id));
    }
    if realm_of(db, keys, &account.owner)?.is_some_and(|realm| realm != account.realm) {
        return Err(Error::rights());
    }
    let counted = found.as_ref().is_some_and(|found| found.origin == Origin::Call);
    if !counted && count_of(db, keys, &account.owner)? >= i64::from(cap) {
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
        Some(found) => replace(db, keys, &found, account, Origin::Call, now),
        None => insert(db, keys, account, Origin::Call, now),
    }
}

/// Of an owner who has no account any more.
pub(super) fn forget_realm(db: &Connection, owner: &Hash) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM owners WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM accounts WHERE owner = ?1)",
    )?
    .execute([owner])?;
    Ok(())
}

pub(super) fn find(db: &Connection, keys: &Keys, id: &str) -> Result<Option<Found>> {
    let columns = db
        .prepare_cached(&format!("{SELECT} WHERE id = ?"))?
        .query_row([keys.id(id)], Columns::of)
        .optional()?;
    columns.map(|columns| columns.open(keys)).transpose()
}

/// Whether it is there, and the same.
pub(super) fn is_known(db: &Connection, keys: &Keys, account: &Known) -> Result<bool> {
    let number: Option<[u8; 16]> = db
        .prepare_cached("SELECT number FROM accounts JOIN data_keys USING (slot) WHERE id = ?")?
        .query_row([keys.id(&account.id)], |row| row.get(0))
        .optional()?;
    Ok(number.is_some_and(|number| account.number.is_none_or(|known| known == number)))
}

pub(super) fn prove_known(db: &Connection, keys: &Keys, account: &Known) -> Result<()> {
    if is_known(db, keys, account)? { Ok(()) } else { Err(Error::rights()) }
}

/// What stands in a row that is there.
pub(super) fn at(db: &Connection, keys: &Keys, row: i64) -> Result<Found> {
    let columns = db.prepare_cached(&format!("{SELECT} WHERE row = ?"))?.query_row([row], Columns::of)?;
    columns.open(keys)
}

/// The row of an account that must be there.
pub(super) fn row_of(db: &Connection, keys: &Keys, id: &str) -> Result<i64> {
    db.prepare_cached("SELECT row FROM accounts WHERE id = ?")?
        .query_row([keys.id(id)], |row| row.get(0))
        .optional()?
        .ok_or_else(Error::rights)
}

/// In the order of the ids' hashes: a total one, that of no person's name, in which a page is turned at any id.
pub(super) fn list(db: &Connection, keys: &Keys, query: &AccountQuery) -> Result<Vec<AccountRow>> {
    let id = |id: &Option<String>| id.as_deref().map(|id| keys.id(id));
    let (owner, account, after) =
        (query.owner.as_deref().map(|owner| keys.owner(owner)), id(&query.account), id(&query.after));
    let mut conditions = vec!["1"];
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let hashes = [("owner = ?", &owner), ("id = ?", &account), ("id > ?", &after)];
    for (condition, hash) in hashes {
        if let Some(hash) = hash {
            conditions.push(condition);
            values.push(hash);
        }
    }
    if let Some(realm) = &query.realm {
        conditions.push("realm = ?");
        values.push(realm);
    }
    let limit = if query.limit == 0 { DEFAULT_LIMIT } else { query.limit };
    values.push(&limit);
    let conditions = conditions.join(" AND ");
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE {conditions} ORDER BY id LIMIT ?"))?;
    let mut shown = Vec::new();
    for columns in statement.query_map(&*values, Columns::of)? {
        shown.push(columns?.open(keys)?.shown);
    }
    Ok(shown)
}

/// Ids in the order of `statement`, which begins with `IDS` and tells nothing else of the accounts.
pub(super) fn ids(keys: &Keys, statement: &mut Statement<'_>, values: impl Params) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for sealed in
        statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))?
    {
        let (number, data_key, meant): ([u8; 16], Vec<u8>, _) = sealed?;
        let clear = keys.unwrap(number, &data_key)?.open(MEANT, b"", &meant)?;
        ids.push(from_json::<OnlyId>(&clear)?.id);
    }
    Ok(ids)
}

pub(super) const IDS: &str =
    "SELECT data_keys.number, data_key, meant FROM accounts JOIN data_keys USING (slot)";

#[derive(Deserialize)]
struct OnlyId {
    id: String,
}

pub(super) fn realm_of(db: &Connection, keys: &Keys, owner: &str) -> Result<Option<String>> {
    Ok(db
        .prepare_cached("SELECT realm FROM owners WHERE name = ?")?
        .query_row([keys.owner(owner)], |row| row.get(0))
        .optional()?)
}

pub(super) fn data_key(db: &Connection, keys: &Keys, row: i64) -> Result<DataKey> {
    let (number, sealed): ([u8; 16], Vec<u8>) = db
        .prepare_cached("SELECT number, data_key FROM accounts JOIN data_keys USING (slot) WHERE row = ?")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(Error::rights)?;
    keys.unwrap(number, &sealed)
}

pub(super) fn insert(
    db: &Connection,
    keys: &Keys,
    account: &Account,
    origin: Origin,
    now: UnixTime,
) -> Result<()> {
    let (slot, key) = keys.draw(db, now)?;
    let state = AccountState { since: now, policy_since: now, ..AccountState::default() };
    let (due_at, ready_at) = schedule(account.enabled, &state);
    db.prepare_cached("INSERT OR IGNORE INTO owners (name, realm) VALUES (?, ?)")?
        .execute(params![keys.owner(&account.owner), account.realm])?;
    db.prepare_cached(
        "INSERT INTO accounts (id, owner, realm, origin, slot, generation, meant, state, due_at, ready_at)
            VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)",
    )?
    .execute(params![
        keys.id(&account.id),
        keys.owner(&account.owner),
        account.realm,
        origin as i64,
        slot,
        meant(&key, account)?,
        state::seal(&key, &state)?,
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
    keys: &Keys,
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
        keys.owner(&account.owner),
        account.realm,
        origin as i64,
        change.generation,
        meant(&found.key, account)?,
        state::seal(&found.key, &state)?,
        due_at,
        ready_at,
        found.row
    ])?;
    db.prepare_cached("UPDATE leases SET attempts = 0 WHERE account = ?")?.execute([found.row])?;
    if change.generation {
        leave_mailbox(db, found)?;
    }
    if old.owner != account.owner {
        history::forget(db, found.row)?;
    }
    if change.password {
        passwords::empty(db, found.row)?;
    }
    if change.grant {
        // An empty slot too: who has read it is about to write what belongs to the account as it was.
        db.execute("UPDATE grants SET version = version + 1 WHERE account = ? AND slot < 2", [found.row])?;
        for which in [GrantSlot::Active, GrantSlot::Pending] {
            grants::empty(db, found.row, which)?;
        }
        db.execute("DELETE FROM consents WHERE account = ? AND used = 0", [found.row])?;
        links::void(db, found.row)?;
    }
    Ok(())
}

/// A visit under way is at the mailbox left behind: it is fenced off, and may record nothing as of the new one.
fn leave_mailbox(db: &Connection, found: &Found) -> Result<()> {
    db.execute(
        "UPDATE leases SET fence = fence + 1, holder = '' WHERE account = ? AND kind = 0",
        [found.row],
    )?;
    db.execute("DELETE FROM listings WHERE account = ?", [found.row])?;
    db.execute(
        "DELETE FROM ledger WHERE account = ? AND generation < ?",
        params![found.row, found.shown.generation],
    )?;
    Ok(())
}

/// Accounts that count against the owner's cap.
fn count_of(db: &Connection, keys: &Keys, owner: &str) -> Result<i64> {
    Ok(db.query_row(
        "SELECT count(*) FROM accounts WHERE owner = ? AND origin <> ?",
        params![keys.owner(owner), Origin::FormerConfiguration as i64],
        |row| row.get(0),
    )?)
}

pub(super) fn of_configuration(id: &str) -> Error {
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

const SELECT: &str = "SELECT row, origin, generation, meant, state, data_keys.number, data_key
    FROM accounts JOIN data_keys USING (slot)";

struct Columns {
    row: i64,
    origin: i64,
    generation: u32,
    meant: Vec<u8>,
    state: Vec<u8>,
    number: [u8; 16],
    data_key: Vec<u8>,
}

impl Columns {
    fn of(row: &Row<'_>) -> rusqlite::Result<Columns> {
        Ok(Columns {
            row: row.get(0)?,
            origin: row.get(1)?,
            generation: row.get(2)?,
            meant: row.get(3)?,
            state: row.get(4)?,
            number: row.get(5)?,
            data_key: row.get(6)?,
        })
    }

    fn open(self, keys: &Keys) -> Result<Found> {
        let origin = match self.origin {
            0 => Origin::Call,
            1 => Origin::Configuration,
            2 => Origin::FormerConfiguration,
            other => return Err(fault::corrupt(&format!("an account of origin {other}"))),
        };
        let key = keys.unwrap(self.number, &self.data_key)?;
        Ok(Found {
            row: self.row,
            origin,
            shown: AccountRow {
                account: from_json(&key.open(MEANT, b"", &self.meant)?)?,
                configured: origin == Origin::Configuration,
                withdrawn: origin == Origin::FormerConfiguration,
                number: self.number,
                generation: self.generation,
                state: state::open(&key, &self.state)?,
            },
            key,
        })
    }
}

const MEANT: &str = "meant";

fn meant(key: &DataKey, account: &Account) -> Result<Vec<u8>> {
    key.seal(MEANT, b"", &to_json(account)?)
}
