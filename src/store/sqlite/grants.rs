//! Grants: what a consent gave, sealed as a whole; a writer names the version he has read.
//!
//! A slot's version only rises, also when it is emptied: who refreshed an older grant never overwrites a newer one.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::accounts::IDS;
use super::keys::{Hash, Keys};
use super::{accounts, natural, sql, standings};
use crate::error::{Error, Result};
use crate::model::{Identity, KEEP_GRANT_S, UnixTime};
use crate::secret::Secret;
use crate::store::{Grant, GrantSlot, Person, Reach, StoredGrant, fault};

pub(super) fn read(
    db: &Connection,
    keys: &Keys,
    account: &str,
    which: GrantSlot,
) -> Result<Option<StoredGrant>> {
    read_row(db, keys, accounts::row_of(db, keys, account)?, which)
}

/// Both slots' living grants, as far as they open.
pub(super) fn of_row(db: &Connection, keys: &Keys, row: i64) -> impl Iterator<Item = (Person, Grant)> {
    let of = |which| {
        let grant = read_row(db, keys, row, which).ok()??.grant;
        let mut statement =
            db.prepare_cached("SELECT person FROM grants WHERE account = ? AND slot = ?").ok()?;
        let person: Option<Hash> = statement.query_row(params![row, number(which)], |row| row.get(0)).ok()?;
        Some((Person(person?), grant))
    };
    [GrantSlot::Active, GrantSlot::Pending].into_iter().filter_map(of).collect::<Vec<_>>().into_iter()
}

/// Of the living ones that this person gave.
pub(super) fn providers_of(db: &Connection, keys: &Keys, person: &Person) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached("SELECT account, slot FROM grants WHERE person = ?")?;
    let found: Vec<(i64, u8)> = statement
        .query_map([person.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // One that does not open is nobody's use.
    let of = |(row, slot)| {
        let which =
            [GrantSlot::Active, GrantSlot::Pending].into_iter().find(|which| number(*which) == slot)?;
        Some(read_row(db, keys, row, which).ok()??.grant.provider)
    };
    Ok(found.into_iter().filter_map(of).collect())
}

fn read_row(db: &Connection, keys: &Keys, row: i64, which: GrantSlot) -> Result<Option<StoredGrant>> {
    let (version, Some(sealed)) = slot(db, row, which)? else {
        return Ok(None);
    };
    let clear = accounts::data_key(db, keys, row)?.open("grant", &[number(which)], &sealed)?;
    let grant: Clear = serde_json::from_slice(&clear)
        .map_err(|error| fault::corrupt(&format!("a grant does not parse (column {})", error.column())))?;
    Ok(Some(StoredGrant { version, grant: grant.into() }))
}

pub(super) fn put(
    db: &Connection,
    keys: &Keys,
    account: &str,
    which: GrantSlot,
    expected: u64,
    grant: &Grant,
) -> Result<Option<u64>> {
    let row = accounts::row_of(db, keys, account)?;
    let (version, sealed) = slot(db, row, which)?;
    let found = if sealed.is_some() { version } else { 0 };
    if found != expected {
        return Ok(None);
    }
    let found = accounts::at(db, keys, row)?;
    let sealed = found.key.seal("grant", &[number(which)], &to_clear(grant)?)?;
    let name = found.shown.account.sign_in_name();
    let person = last_renewed(grant).map(|_| keys.person(grant.identity.as_ref(), name));
    let keep_at = keep_at(which, grant).map(sql);
    db.prepare_cached(
        "INSERT INTO grants (account, slot, version, sealed, keep_at, person) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
                keep_at = excluded.keep_at, person = excluded.person",
    )?
    .execute(params![row, number(which), sql(version + 1), sealed, keep_at, person])?;
    if which == GrantSlot::Active {
        standings::renewed(db, row, &grant.provider, last_renewed(grant))?;
    }
    Ok(Some(version + 1))
}

pub(super) fn empty(db: &Connection, row: i64, which: GrantSlot) -> Result<()> {
    db.prepare_cached(
        "UPDATE grants SET sealed = NULL, keep_at = NULL, person = NULL, version = version + 1
            WHERE account = ? AND slot = ? AND sealed IS NOT NULL",
    )?
    .execute(params![row, number(which)])?;
    if which == GrantSlot::Active {
        standings::grant_gone(db, row)?;
    }
    Ok(())
}

pub(super) fn confirm(db: &Connection, keys: &Keys, account: &str, expected_pending: u64) -> Result<bool> {
    let Some(pending) = read(db, keys, account, GrantSlot::Pending)? else {
        return Ok(false);
    };
    if pending.version != expected_pending {
        return Ok(false);
    }
    let row = accounts::row_of(db, keys, account)?;
    let active = match slot(db, row, GrantSlot::Active)? {
        (version, Some(_)) => version,
        (_, None) => 0,
    };
    let mut grant = pending.grant;
    grant.session = None;
    put(db, keys, account, GrantSlot::Active, active, &grant)?
        .ok_or_else(|| Error::bug("a grant changed inside a transaction"))?;
    empty(db, row, GrantSlot::Pending)?;
    Ok(true)
}

/// Idle grants die at the provider, after 90 days at Microsoft (PROTOCOL.md A.8).
fn keep_at(which: GrantSlot, grant: &Grant) -> Option<UnixTime> {
    last_renewed(grant).filter(|_| which == GrantSlot::Active).map(|at| at + KEEP_GRANT_S)
}

/// `None`: it has nothing that dies of idleness.
fn last_renewed(grant: &Grant) -> Option<UnixTime> {
    let living = grant.refresh_token.is_some() && !grant.dead;
    living.then(|| grant.refreshed_at.max(grant.obtained_at))
}

pub(super) fn to_keep(
    db: &Connection,
    keys: &Keys,
    reach: &Reach,
    now: UnixTime,
    limit: u32,
) -> Result<Vec<String>> {
    let owner = match reach {
        Reach::All => None,
        Reach::Owner(owner) => Some(keys.owner(owner)),
    };
    let mut statement = db.prepare_cached(&format!(
        "{IDS} JOIN grants ON grants.account = accounts.row
            WHERE grants.keep_at IS NOT NULL AND grants.keep_at <= ?1 AND (?2 IS NULL OR accounts.owner = ?2)
            ORDER BY grants.keep_at LIMIT ?3"
    ))?;
    accounts::ids(keys, &mut statement, params![sql(now), owner, limit])
}

pub(super) fn put_off_keeping(db: &Connection, keys: &Keys, account: &str, at: UnixTime) -> Result<()> {
    let row = accounts::row_of(db, keys, account)?;
    db.prepare_cached("UPDATE grants SET keep_at = ? WHERE account = ? AND keep_at IS NOT NULL")?
        .execute(params![sql(at), row])?;
    Ok(())
}

fn slot(db: &Connection, row: i64, which: GrantSlot) -> Result<(u64, Option<Vec<u8>>)> {
    let found = db
        .prepare_cached("SELECT version, sealed FROM grants WHERE account = ? AND slot = ?")?
        .query_row(params![row, number(which)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map_or((0, None), |(version, sealed)| (natural(version), sealed)))
}

/// Stands in the store.
fn number(which: GrantSlot) -> u8 {
    match which {
        GrantSlot::Active => 0,
        GrantSlot::Pending => 1,
    }
}

/// The grant as it is sealed. Members are only added, each with a default.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Clear {
    provider: String,
    refresh_token: Option<String>,
    access_token: Option<String>,
    renew_at: UnixTime,
    expires_at: UnixTime,
    scope: String,
    identity: Option<Identity>,
    obtained_at: UnixTime,
    refreshed_at: UnixTime,
    session: Option<[u8; 32]>,
    dead: bool,
}

#[derive(Serialize)]
struct Borrowed<'a> {
    provider: &'a str,
    refresh_token: Option<&'a str>,
    access_token: Option<&'a str>,
    renew_at: UnixTime,
    expires_at: UnixTime,
    scope: &'a str,
    identity: Option<&'a Identity>,
    obtained_at: UnixTime,
    refreshed_at: UnixTime,
    session: Option<[u8; 32]>,
    dead: bool,
}

impl From<Clear> for Grant {
    fn from(clear: Clear) -> Grant {
        Grant {
            provider: clear.provider,
            refresh_token: clear.refresh_token.map(Secret::new),
            access_token: clear.access_token.map(Secret::new),
            renew_at: clear.renew_at,
            expires_at: clear.expires_at,
            scope: clear.scope,
            identity: clear.identity,
            obtained_at: clear.obtained_at,
            refreshed_at: clear.refreshed_at,
            session: clear.session,
            dead: clear.dead,
        }
    }
}

fn to_clear(grant: &Grant) -> Result<Zeroizing<Vec<u8>>> {
    let refresh_token = grant.refresh_token.as_ref().map(Secret::expose);
    let access_token = grant.access_token.as_ref().map(Secret::expose);
    let tokens = refresh_token.map_or(0, str::len) + access_token.map_or(0, str::len);
    wiped_json(
        2 * tokens + grant.scope.len(),
        &Borrowed {
            provider: &grant.provider,
            refresh_token,
            access_token,
            renew_at: grant.renew_at,
            expires_at: grant.expires_at,
            scope: &grant.scope,
            identity: grant.identity.as_ref(),
            obtained_at: grant.obtained_at,
            refreshed_at: grant.refreshed_at,
            session: grant.session,
            dead: grant.dead,
        },
    )
}

/// JSON in a buffer that is wiped, and large enough that it does not move and leave a copy behind.
pub(super) fn wiped_json<T: Serialize>(most: usize, value: &T) -> Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(most + 4096));
    serde_json::to_writer(&mut *buffer, value)
        .map_err(|_| Error::bug("a sealed record of the store is not JSON"))?;
    Ok(buffer)
}
