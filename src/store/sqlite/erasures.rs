//! Erasing accounts: first the data key and what leads to it, then the rows it had sealed, then the log.
//!
//! The first step is the erasure, whatever follows: no row can be read or written any more, by whoever it was begun,
//! and the number of the row never comes again. The other steps are remembered until they are done, and every later
//! opening goes on with them: killed at any point, or held up by somebody who reads, nothing of an account stays.

use std::time::Duration;

use rusqlite::Connection;

use super::accounts::{self, Origin};
use super::keys::{self, Keys};
use super::{Durability, PATIENCE as USUAL, SqliteStore};
use crate::error::Result;

/// What one attempt at the later steps may cost.
pub(super) struct Effort {
    /// Waiting for those who read or write.
    patience: Duration,
    pieces: usize,
}

impl Effort {
    /// Of whoever erases: he wants it done.
    pub const FULL: Effort = Effort { patience: Duration::from_secs(2), pieces: usize::MAX };
    /// Of whoever opens the store for something else.
    pub const SMALL: Effort = Effort { patience: Duration::ZERO, pieces: 8 };
}

/// What leads to an account, or lets somebody write: gone with its key.
const AT_ONCE: [&str; 6] = ["leases", "grants", "consents", "links", "standings", "notices"];

/// What may be much, and its key; gone piece by piece.
const PIECEMEAL: [(&str, &str); 2] = [("ledger", "account, generation, key"), ("listings", "account")];

/// Rows of one transaction, so that nobody waits long to write.
const PIECE: usize = 4096;

/// `false`: there is no such account.
pub(super) fn begin(db: &Connection, keys: &Keys, id: &str, forget_realm: bool) -> Result<bool> {
    let Some(found) = accounts::find(db, keys, id)? else {
        return Ok(false);
    };
    if found.origin == Origin::Configuration {
        return Err(accounts::of_configuration(id));
    }
    keys::destroy(db, found.slot)?;
    db.execute("DELETE FROM accounts WHERE row = ?", [found.row])?;
    for table in AT_ONCE {
        db.execute(&format!("DELETE FROM {table} WHERE account = ?"), [found.row])?;
    }
    db.execute("INSERT INTO erasures (account) VALUES (?)", [found.row])?;
    if forget_realm {
        accounts::forget_realm(db, keys, &found.shown.account.owner)?;
    }
    Ok(true)
}

impl SqliteStore {
    /// `false`: something is left, and is tried again by whoever opens the store next. Whatever stands in the way, the
    /// accounts are erased, and nobody's call fails for it.
    pub(super) fn finish_erasures(&self, effort: &Effort) -> bool {
        let wait = |patience| self.opened.lock().connection.busy_timeout(patience).is_ok();
        match self.read(begun) {
            Ok(begun) if begun.is_empty() => true,
            Ok(begun) => {
                wait(effort.patience) && {
                    let done = self.finish(&begun, effort.pieces);
                    wait(USUAL) && done.unwrap_or(false)
                }
            }
            Err(_) => false,
        }
    }

    fn finish(&self, begun: &[i64], mut pieces: usize) -> Result<bool> {
        for account in begun {
            for (table, key) in PIECEMEAL {
                while self.write(Durability::Relaxed, |db| delete_piece(db, table, key, *account))? == PIECE {
                    pieces -= 1;
                    if pieces == 0 {
                        return Ok(false);
                    }
                }
            }
        }
        if !self.empty_log()? {
            return Ok(false);
        }
        // Not of those begun meanwhile: their pages may stand in the log.
        self.write(Durability::Relaxed, |db| {
            for account in begun {
                db.execute("DELETE FROM erasures WHERE account = ?", [account])?;
            }
            Ok(true)
        })
    }

    /// Old pages in the log hold what was overwritten.
    fn empty_log(&self) -> Result<bool> {
        let opened = self.opened.lock();
        let busy: i64 =
            opened.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }
}

fn begun(db: &Connection) -> Result<Vec<i64>> {
    let mut statement = db.prepare("SELECT account FROM erasures")?;
    let accounts = statement.query_map([], |row| row.get(0))?;
    Ok(accounts.collect::<rusqlite::Result<_>>()?)
}

fn delete_piece(db: &Connection, table: &str, key: &str, account: i64) -> Result<usize> {
    let statement = format!(
        "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE account = ? LIMIT {PIECE})"
    );
    Ok(db.prepare_cached(&statement)?.execute([account])?)
}
