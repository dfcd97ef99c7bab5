//! Leases: who visits an account or refreshes its grant. The byte lock tells who is alive, the fence who may write.
//!
//! The expiry is written for whoever looks, and decides nothing here: a lock that is held is never taken away, one
//! that is not held is free at once.

use rusqlite::{Connection, OptionalExtension, params};

use super::{history, sql};
use crate::error::{Error, Result};
use crate::model::UnixTime;
use crate::store::{Lease, LeaseName, Pass, fault};

pub(super) struct Taken {
    pub fence: u64,
    pub attempts: u32,
}

/// How this process is named in what it writes.
pub(super) fn process() -> String {
    format!("pid {}", std::process::id())
}

/// The byte of the lock file: rows begin at 1 and are never used again; bytes 0 and 1 are no lease's.
pub(super) fn byte(row: i64, name: &LeaseName) -> u64 {
    visit_byte(row) + kind(name) as u64
}

pub(super) fn visit_byte(row: i64) -> u64 {
    2 * super::natural(row)
}

pub(super) fn take(db: &Connection, row: i64, name: &LeaseName, now: UnixTime, for_s: u32) -> Result<Taken> {
    let counted = matches!(name, LeaseName::Account(_));
    if counted {
        note_death(db, row, for_s)?;
    }
    let (fence, attempts): (i64, u32) = db
        .prepare_cached(
            "UPDATE leases SET fence = fence + 1, holder = ?, expires_at = ?, attempts = attempts + ?
                WHERE account = ? AND kind = ? RETURNING fence, attempts",
        )?
        .query_row(
            params![process(), sql(now.saturating_add(for_s.into())), counted, row, kind(name)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?
        .ok_or_else(Error::rights)?;
    Ok(Taken { fence: super::natural(fence), attempts: attempts.saturating_sub(counted.into()) })
}

/// Whoever held it last never gave it back, and his visit has no end among the passes: killed, he could not write one.
fn note_death(db: &Connection, row: i64, for_s: u32) -> Result<()> {
    let (holder, expires_at): (String, i64) = db
        .prepare_cached("SELECT holder, expires_at FROM leases WHERE account = ? AND kind = 0")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default();
    if holder.is_empty() {
        return Ok(());
    }
    let last_seen = super::natural(expires_at).saturating_sub(for_s.into());
    history::add_pass(db, row, &holder, &Pass::died(last_seen))
}

/// The end of the last visit of this process is told.
pub(super) fn told(db: &Connection, row: i64) -> Result<()> {
    db.prepare_cached("UPDATE leases SET holder = '' WHERE account = ? AND kind = 0 AND holder = ?")?
        .execute(params![row, process()])?;
    Ok(())
}

pub(super) fn renew(db: &Connection, lease: &Lease, now: UnixTime, for_s: u32) -> Result<bool> {
    let Some(row) = holds(db, lease)? else {
        return Ok(false);
    };
    db.prepare_cached("UPDATE leases SET expires_at = ? WHERE account = ? AND kind = ?")?
        .execute(params![sql(now.saturating_add(for_s.into())), row, kind(&lease.name)])?;
    Ok(true)
}

/// The fence moves on, so that nothing more is written under a lease given back.
pub(super) fn release(db: &Connection, lease: &Lease, clean: bool) -> Result<()> {
    let Some(row) = holds(db, lease)? else {
        return Ok(());
    };
    db.prepare_cached(
        "UPDATE leases SET fence = fence + 1, holder = '', expires_at = 0, attempts = iif(?, 0, attempts)
            WHERE account = ? AND kind = ?",
    )?
    .execute(params![clean, row, kind(&lease.name)])?;
    Ok(())
}

/// Of the visit to this account.
pub(super) fn clear_attempts(db: &Connection, row: i64) -> Result<()> {
    db.prepare_cached("UPDATE leases SET attempts = 0 WHERE account = ? AND kind = 0 AND attempts > 0")?
        .execute(params![row])?;
    Ok(())
}

/// The account's row, if the lease still is the last one given.
pub(super) fn holds(db: &Connection, lease: &Lease) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT account FROM leases WHERE account = ? AND kind = ? AND fence = ?")?
        .query_row(params![lease.row, kind(&lease.name), sql(lease.fence)], |row| row.get(0))
        .optional()?)
}

/// The row of an account whose visit this lease is, or the visit ends.
pub(super) fn must_hold(db: &Connection, lease: &Lease) -> Result<i64> {
    if !matches!(lease.name, LeaseName::Account(_)) {
        return Err(Error::bug("the ledger is written under the lease of a grant"));
    }
    holds(db, lease)?.ok_or_else(fault::lease_lost)
}

fn kind(name: &LeaseName) -> i64 {
    match name {
        LeaseName::Account(_) => 0,
        LeaseName::Grant(_) => 1,
    }
}
