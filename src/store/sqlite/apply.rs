//! A configuration and its accounts, all or nothing, under a number that only rises.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{self, Origin};
use super::keys::{Hash, Keys};
use super::{passwords, sql};
use crate::error::{Error, Result, Status};
use crate::model::{Account, UnixTime};
use crate::secret::Secret;
use crate::store::{Applied, Change, Desired};

/// The answer where this very configuration stands already, and every data key is sealed with the first key.
pub(super) fn unchanged(db: &Connection, keys: &Keys, desired: &Desired) -> Result<Option<Applied>> {
    Ok(match standing(db)? {
        Some((number, digest)) if digest == desired.digest && !keys.has_older(db)? => {
            Some(Applied { number, change: Change::Unchanged })
        }
        _ => None,
    })
}

pub(super) fn apply(
    db: &Connection,
    keys: &Keys,
    desired: &Desired,
    passwords: &BTreeMap<String, Secret>,
    mine: Option<u64>,
    now: UnixTime,
) -> Result<Applied> {
    let standing = standing(db)?;
    if let (Some(mine), Some((number, digest))) = (mine, &standing)
        && *number > mine
        && *digest != desired.digest
        && digest_of(db, mine)? == Some(desired.digest)
    {
        // Its own number stays the instance's, so that it is superseded the next time too.
        return Ok(Applied { number: mine, change: Change::Superseded });
    }
    keys.seal_with_first(db, now)?;
    if let Some((number, digest)) = standing
        && digest == desired.digest
    {
        return Ok(Applied { number, change: Change::Unchanged });
    }
    if let Some(accounts) = &desired.accounts {
        write_accounts(db, keys, accounts, passwords, now)?;
    }
    // A store restored from a backup may know fewer numbers than the instance.
    let number = standing.map_or(0, |(number, _)| number).max(mine.unwrap_or(0)) + 1;
    db.execute(
        "INSERT INTO configurations (number, digest, applied_at) VALUES (?, ?, ?)",
        params![sql(number), desired.digest, sql(now)],
    )?;
    db.execute("DELETE FROM configurations WHERE number < ?", [sql(number.saturating_sub(REMEMBERED))])?;
    Ok(Applied { number, change: Change::Written })
}

/// Configurations whose instances are told that they were replaced.
const REMEMBERED: u64 = 10_000;

fn write_accounts(
    db: &Connection,
    keys: &Keys,
    meant: &[Account],
    passwords: &BTreeMap<String, Secret>,
    now: UnixTime,
) -> Result<()> {
    write_realms(db, keys, meant)?;
    let mut former_owners = Vec::new();
    for account in meant {
        match accounts::find(db, keys, &account.id)? {
            None => accounts::insert(db, keys, account, Origin::Configuration, now)?,
            Some(found) if found.origin == Origin::Call => return Err(put_by_call(&account.id)),
            Some(found) => {
                accounts::replace(db, keys, &found, account, Origin::Configuration, now)?;
                former_owners.push(found.shown.account.owner);
            }
        }
        passwords::put(db, keys, account, passwords.get(&account.id))?;
    }
    disable_others(db, keys, meant, now)?;
    prove_realms(db, keys)?;
    // Not of owners who removed their last account themselves: they stay in their realm.
    for owner in former_owners {
        accounts::forget_realm(db, &keys.owner(&owner))?;
    }
    Ok(())
}

/// The operator may move an owner to another realm, with all his accounts at once (`prove_realms`).
fn write_realms(db: &Connection, keys: &Keys, meant: &[Account]) -> Result<()> {
    let mut realms: HashMap<&str, &str> = HashMap::new();
    for account in meant {
        let realm = *realms.entry(&account.owner).or_insert(&account.realm);
        if realm != account.realm {
            return Err(two_realms(&account.owner, realm, &account.realm));
        }
        db.prepare_cached(
            "INSERT INTO owners (name, realm) VALUES (?, ?) ON CONFLICT DO UPDATE SET realm = excluded.realm
                WHERE realm <> excluded.realm",
        )?
        .execute(params![keys.owner(&account.owner), account.realm])?;
    }
    Ok(())
}

fn prove_realms(db: &Connection, keys: &Keys) -> Result<()> {
    let torn: Option<(i64, String, String)> = db
        .query_row(
            "SELECT row, owners.realm, accounts.realm FROM accounts JOIN owners ON name = owner
                WHERE accounts.realm <> owners.realm LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    match torn {
        Some((row, one, two)) => {
            let owner = accounts::at(db, keys, row)?.shown.account.owner;
            Err(two_realms(&owner, &one, &two))
        }
        None => Ok(()),
    }
}

/// Configured accounts the configuration names no more: disabled; grant and ledger stay.
fn disable_others(db: &Connection, keys: &Keys, meant: &[Account], now: UnixTime) -> Result<()> {
    let named: HashSet<Hash> = meant.iter().map(|account| keys.id(&account.id)).collect();
    let mut statement = db.prepare("SELECT id, row FROM accounts WHERE origin = ?")?;
    let standing: Vec<(Hash, i64)> = statement
        .query_map([Origin::Configuration as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (_, row) in standing.iter().filter(|(id, _)| !named.contains(id)) {
        let found = accounts::at(db, keys, *row)?;
        let mut disabled = found.shown.account.clone();
        disabled.enabled = false;
        accounts::replace(db, keys, &found, &disabled, Origin::FormerConfiguration, now)?;
    }
    Ok(())
}

fn standing(db: &Connection) -> Result<Option<(u64, [u8; 32])>> {
    let row = db
        .query_row("SELECT number, digest FROM configurations ORDER BY number DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(row.map(|(number, digest)| (super::natural(number), digest)))
}

fn digest_of(db: &Connection, number: u64) -> Result<Option<[u8; 32]>> {
    Ok(db
        .query_row("SELECT digest FROM configurations WHERE number = ?", [sql(number)], |row| row.get(0))
        .optional()?)
}

fn put_by_call(id: &str) -> Error {
    Error::new(
        Status::Config,
        "config.account_taken",
        format!("accounts.{id}: an account of this id was put by a call"),
    )
    .advice(
        "Ids of the configuration and of accounts put by calls are one set. Give the configured account another id, \
         or remove the other one first.",
    )
}

fn two_realms(owner: &str, one: &str, two: &str) -> Error {
    Error::new(
        Status::Config,
        "config.owner_realm",
        format!("accounts: the owner {owner:?} would belong to the realms {one:?} and {two:?}"),
    )
    .advice(
        "An owner belongs to one realm. Name the same realm in each of his accounts; accounts put by calls, or named \
         by an earlier configuration, must be removed before he can move.",
    )
}
