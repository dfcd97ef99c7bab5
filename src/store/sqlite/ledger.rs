//! The ledger: what became of each message. Reads for a poll touch open rows only; every write is fenced.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::keys::Keys;
use super::ledger_rows::{COLUMNS, Opener, Writer, opened};
use super::{accounts, leases, natural, sql};
use crate::error::{Error, Result};
use crate::model::{LedgerRow, RowState, UidlKey, UnixTime};
use crate::store::{Delivery, Lease, LedgerHead, ListingMark, NewRow, What};

pub(super) fn head(db: &Connection, keys: &Keys, account: &str) -> Result<LedgerHead> {
    let found = accounts::find(db, keys, account)?.ok_or_else(Error::rights)?;
    let listing = db
        .prepare_cached("SELECT count, digest, seen_at FROM listings WHERE account = ? AND generation = ?")?
        .query_row(params![found.row, found.shown.generation], |row| {
            Ok(ListingMark { count: row.get(0)?, digest: row.get(1)?, at: natural(row.get(2)?) })
        })
        .optional()?;
    Ok(LedgerHead { number: found.shown.number, generation: found.shown.generation, listing })
}

pub(super) fn open_rows(
    db: &Connection,
    keys: &Keys,
    account: &str,
    generation: u32,
) -> Result<Vec<LedgerRow>> {
    let row = accounts::row_of(db, keys, account)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE account = ? AND generation = ? AND turn IS NOT NULL ORDER BY turn"
    ))?;
    opened(db, keys, row, statement.query(params![row, generation])?)
}

pub(super) fn rows_to_delete(
    db: &Connection,
    keys: &Keys,
    account: &str,
    generation: u32,
    now: UnixTime,
) -> Result<Vec<LedgerRow>> {
    let row = accounts::row_of(db, keys, account)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE account = ? AND generation = ? AND state = 2 AND delete_at IS NOT NULL
            AND delete_at <= ? ORDER BY delete_at"
    ))?;
    opened(db, keys, row, statement.query(params![row, generation, sql(now)])?)
}

pub(super) fn all_rows(
    db: &Connection,
    keys: &Keys,
    account: &str,
    generation: u32,
) -> Result<Vec<LedgerRow>> {
    let row = accounts::row_of(db, keys, account)?;
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM ledger WHERE account = ? AND generation = ?"))?;
    opened(db, keys, row, statement.query(params![row, generation])?)
}

pub(super) fn rows(
    db: &Connection,
    keys: &Keys,
    account: &str,
    generation: u32,
    wanted: &[UidlKey],
) -> Result<Vec<Option<LedgerRow>>> {
    let row = accounts::row_of(db, keys, account)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE account = ? AND generation = ? AND key = ?"
    ))?;
    let mut opener = Opener::new(db, keys, row);
    let mut found = Vec::with_capacity(wanted.len());
    for key in wanted {
        let mut rows = statement.query(params![row, generation, key])?;
        found.push(match rows.next()? {
            Some(columns) => Some(opener.open(columns)?),
            None => None,
        });
    }
    Ok(found)
}

/// A message that was recorded as durable meanwhile stays so.
pub(super) fn note_in_hand(
    db: &Connection,
    keys: &Keys,
    lease: &Lease,
    generation: u32,
    rows: &[NewRow],
    now: UnixTime,
) -> Result<()> {
    let account = leases::must_hold(db, lease)?;
    let mut writer = Writer::new(db, keys, account, generation, now)?;
    for row in rows {
        let before = writer.state_of(&row.key)?;
        if before != Some(RowState::Durable) {
            writer.write(row, RowState::InHand, before.is_none().then_some(What::Seen))?;
        }
    }
    writer.finish()
}

pub(super) fn record(
    db: &Connection,
    keys: &Keys,
    deliveries: &[Delivery<'_>],
    now: UnixTime,
) -> Result<Vec<bool>> {
    let mut recorded = Vec::with_capacity(deliveries.len());
    let mut writers: HashMap<i64, Writer<'_>> = HashMap::new();
    for delivery in deliveries {
        let account = leases::holds(db, delivery.lease)?;
        recorded.push(account.is_some());
        let Some(account) = account else { continue };
        let mut writer = match writers.remove(&account) {
            Some(writer) if writer.is_of(delivery.generation) => writer,
            other => {
                other.map_or(Ok(()), Writer::finish)?;
                Writer::new(db, keys, account, delivery.generation, now)?
            }
        };
        writer.write(&delivery.row, RowState::Durable, Some(What::Taken))?;
        writers.insert(account, writer);
    }
    for writer in writers.into_values() {
        writer.finish()?;
    }
    Ok(recorded)
}

pub(super) fn write_rows(
    db: &Connection,
    keys: &Keys,
    lease: &Lease,
    generation: u32,
    rows: &[NewRow],
    now: UnixTime,
) -> Result<()> {
    let account = leases::must_hold(db, lease)?;
    let mut writer = Writer::new(db, keys, account, generation, now)?;
    for row in rows {
        let before = writer.state_of(&row.key)?;
        writer.write(row, row.state, What::of(before, row))?;
    }
    writer.finish()
}

pub(super) fn forget(
    db: &Connection,
    keys: &Keys,
    lease: &Lease,
    generation: u32,
    forgotten: &[UidlKey],
    now: UnixTime,
) -> Result<()> {
    let account = leases::must_hold(db, lease)?;
    let mut writer = Writer::new(db, keys, account, generation, now)?;
    for key in forgotten {
        writer.forget(key)?;
    }
    writer.finish()?;
    // A mark says that every entry it covers has its row; it may cover one of these.
    db.execute("DELETE FROM listings WHERE account = ?", [account])?;
    Ok(())
}

pub(super) fn mark_listing(db: &Connection, lease: &Lease, mark: &ListingMark) -> Result<()> {
    let account = leases::must_hold(db, lease)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO listings (account, generation, count, digest, seen_at)
            SELECT row, generation, ?, ?, ? FROM accounts WHERE row = ?",
    )?
    .execute(params![mark.count, mark.digest, sql(mark.at), account])?;
    Ok(())
}

/// The generation before stays until the next one, for whoever must look into what happened.
pub(super) fn begin_generation(
    db: &Connection,
    keys: &Keys,
    lease: &Lease,
    rows: &[NewRow],
    now: UnixTime,
) -> Result<u32> {
    let account = leases::must_hold(db, lease)?;
    let generation: u32 = db.query_row(
        "UPDATE accounts SET generation = generation + 1 WHERE row = ? RETURNING generation",
        [account],
        |row| row.get(0),
    )?;
    db.execute("DELETE FROM listings WHERE account = ?", [account])?;
    db.execute("DELETE FROM ledger WHERE account = ? AND generation < ?", params![account, generation - 1])?;
    let mut writer = Writer::new(db, keys, account, generation, now)?;
    for row in rows {
        // The same mail under other names: nothing happened to it.
        writer.write(row, row.state, None)?;
    }
    Ok(generation)
}
