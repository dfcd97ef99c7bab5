//! Refresh tokens that are to be given back to their providers: what is left of an erased account, for a week.
//!
//! Each is sealed under a data key of its own, which is destroyed with it.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::grants::wiped_json;
use super::keys::{self, Keys};
use super::{natural, sql};
use crate::error::Result;
use crate::model::UnixTime;
use crate::secret::Secret;
use crate::store::{Person, Revocation, TakesBack, ToRevoke, fault};

/// No longer is it tried.
const WEEK_S: u64 = 7 * 86_400;
/// Whoever takes one and dies holds up the others so long.
const TAKEN_S: u64 = 300;
const COLUMN: &str = "revocation";

pub(super) fn put(db: &Connection, keys: &Keys, token: &ToRevoke, now: UnixTime) -> Result<()> {
    let (slot, key) = keys.draw(db, now)?;
    let refresh_token = token.refresh_token.expose();
    let endpoint = token.to.endpoint.as_deref();
    let clear = wiped_json(
        2 * refresh_token.len(),
        &Borrowed {
            provider: &token.provider,
            issuer: &token.to.issuer,
            endpoint,
            person: token.person.0,
            refresh_token,
        },
    )?;
    db.prepare_cached(
        "INSERT INTO revocations (slot, sealed, attempts, next_at, until) VALUES (?, ?, 0, ?, ?)",
    )?
    .execute(params![slot, key.seal(COLUMN, b"", &clear)?, sql(now), sql(now + WEEK_S)])?;
    Ok(())
}

pub(super) fn take(db: &Connection, keys: &Keys, now: UnixTime, limit: u32) -> Result<Vec<Revocation>> {
    let mut statement = db.prepare_cached(
        "UPDATE revocations SET attempts = attempts + 1, next_at = min(until, ?1)
            WHERE number IN (SELECT number FROM revocations WHERE next_at <= ?2 ORDER BY next_at LIMIT ?3)
            RETURNING number, attempts, until, sealed,
                (SELECT number FROM data_keys WHERE slot = revocations.slot),
                (SELECT data_key FROM data_keys WHERE slot = revocations.slot)",
    )?;
    let mut rows = statement.query(params![sql(now + TAKEN_S), sql(now), limit])?;
    let (mut taken, mut over) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (number, until) = (row.get(0)?, natural(row.get(2)?));
        match open(keys, row.get(4)?, &row.get::<_, Vec<u8>>(5)?, &row.get::<_, Vec<u8>>(3)?) {
            Ok(token) => taken.push(Revocation { number, token, attempts: row.get(1)?, until }),
            // Damaged, or sealed with a key that is not at hand: the others do not wait for it, and it has its week.
            Err(_) if until <= now => over.push(number),
            Err(_) => {}
        }
    }
    for number in over {
        end(db, number)?;
    }
    Ok(taken)
}

fn open(keys: &Keys, number: [u8; 16], data_key: &[u8], sealed: &[u8]) -> Result<ToRevoke> {
    let clear = keys.unwrap(number, data_key)?.open(COLUMN, b"", sealed)?;
    let clear: Clear =
        serde_json::from_slice(&clear).map_err(|_| fault::corrupt("a revocation does not parse"))?;
    let to = TakesBack { issuer: clear.issuer, endpoint: clear.endpoint };
    let (person, refresh_token) = (Person(clear.person), Secret::new(clear.refresh_token));
    Ok(ToRevoke { provider: clear.provider, to, person, refresh_token })
}

pub(super) fn next(db: &Connection) -> Result<Option<UnixTime>> {
    let at: Option<i64> = db
        .prepare_cached("SELECT next_at FROM revocations ORDER BY next_at LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(at.map(natural))
}

pub(super) fn put_off(db: &Connection, number: i64, at: UnixTime) -> Result<()> {
    db.prepare_cached("UPDATE revocations SET next_at = min(until, ?) WHERE number = ?")?
        .execute(params![sql(at), number])?;
    Ok(())
}

/// `false`: somebody else ended it.
pub(super) fn end(db: &Connection, number: i64) -> Result<bool> {
    let slot: Option<i64> = db
        .prepare_cached("DELETE FROM revocations WHERE number = ? RETURNING slot")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    match slot {
        Some(slot) => keys::destroy(db, slot).map(|()| true),
        None => Ok(false),
    }
}

#[derive(Serialize)]
struct Borrowed<'a> {
    provider: &'a str,
    issuer: &'a str,
    endpoint: Option<&'a str>,
    person: [u8; 16],
    refresh_token: &'a str,
}

#[derive(Deserialize)]
struct Clear {
    provider: String,
    issuer: String,
    endpoint: Option<String>,
    person: [u8; 16],
    refresh_token: String,
}
