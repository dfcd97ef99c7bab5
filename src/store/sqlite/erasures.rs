//! Erasing accounts: first the data key and what leads to it, then the rows it had sealed, then the log.
//!
//! The first step is the erasure, whatever follows: no row can be read or written any more, by whoever it was begun,
//! and the number of the row never comes again. The other steps are remembered until they are done, and every later
//! opening goes on with them: killed at any point, or held up by somebody who reads, nothing of an account stays.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ToSql};

use super::accounts::{self, IDS, Origin};
use super::keys::{self, Hash, Keys};
use super::{Durability, PATIENCE as USUAL, SqliteStore, consents, grants, leases, revocations};
use crate::error::{Error, Result, Status};
use crate::model::{Identity, UnixTime};
use crate::store::{Erased, Erasure, Person, Revocation, TakesBack, ToRevoke, UnderWay, Whose};

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
const AT_ONCE: [&str; 8] =
    ["leases", "grants", "consents", "links", "passes", "traces", "standings", "notices"];

/// What may be much, and its key; gone piece by piece.
const PIECEMEAL: [(&str, &str); 4] = [
    ("ledger", "account, generation, key"),
    ("listings", "account"),
    ("happenings", "account, number"),
    ("trace_lines", "account, number"),
];

/// Rows of one transaction, so that nobody waits long to write.
const PIECE: usize = 4096;

/// Accounts of one transaction.
const BATCH: u32 = 256;
/// How long visitors are waited for; they look for their lease more often (`engine::hold`).
const VISITORS: Duration = Duration::from_secs(3);

impl Erasure for SqliteStore {
    fn erase(
        &self,
        whose: &Whose,
        takes_back: &dyn Fn(&str) -> Option<TakesBack>,
        now: UnixTime,
    ) -> Result<Erased> {
        let mut erased = Erased::default();
        let mut rows = Vec::new();
        loop {
            let begun = self.write(Durability::Full, |db| {
                let begin = Begin { db, keys: &self.keys, takes_back, now };
                begin.some(whose, rows.is_empty(), &mut erased)
            })?;
            let is_last = begun.len() < BATCH as usize;
            rows.extend(begun);
            if is_last {
                break;
            }
        }
        erased.accounts = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.see_off_visitors(&rows);
        erased.complete = self.finish_erasures(&Effort::FULL);
        Ok(erased)
    }

    fn consents_of(&self, account: &str) -> Result<Vec<UnderWay>> {
        self.read(|db| consents::of_account(db, &self.keys, account))
    }

    fn revoke_later(&self, token: &ToRevoke, now: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| revocations::put(db, &self.keys, token, now))
    }

    fn person(&self, identity: Option<&Identity>, sign_in_name: &str) -> Person {
        Person(self.keys.person(identity, sign_in_name))
    }

    fn living_grants_of(&self, person: &Person) -> Result<Vec<String>> {
        self.read(|db| grants::providers_of(db, &self.keys, person))
    }

    fn take_revocations(&self, now: UnixTime, limit: u32) -> Result<Vec<Revocation>> {
        // Nothing is written where there is none, as nearly always.
        if self.read(revocations::next)?.is_none_or(|at| at > now) {
            return Ok(Vec::new());
        }
        self.write(Durability::Relaxed, |db| revocations::take(db, &self.keys, now, limit))
    }

    fn next_revocation(&self) -> Result<Option<UnixTime>> {
        self.read(revocations::next)
    }

    fn put_off_revocation(&self, number: i64, at: UnixTime) -> Result<()> {
        self.write(Durability::Relaxed, |db| revocations::put_off(db, number, at))
    }

    fn end_revocation(&self, number: i64) -> Result<()> {
        self.write(Durability::Full, |db| {
            if revocations::end(db, number)? {
                note(db, -number)?;
            }
            Ok(())
        })
    }
}

/// The first step.
struct Begin<'a> {
    db: &'a Connection,
    keys: &'a Keys,
    takes_back: &'a dyn Fn(&str) -> Option<TakesBack>,
    now: UnixTime,
}

/// Nothing of it is sealed: one that was damaged is erased as any other.
struct Doomed {
    row: i64,
    slot: i64,
    owner: Hash,
}

impl Begin<'_> {
    /// Some of the accounts, by row; with the first ones none of the configuration may stand.
    fn some(&self, whose: &Whose, is_first: bool, erased: &mut Erased) -> Result<Vec<i64>> {
        let db = self.db;
        let (of, value): (&str, &dyn ToSql) = match whose {
            Whose::Account { id, .. } => ("id = ?", &self.keys.id(id)),
            Whose::Owner(owner) => ("owner = ?", &self.keys.owner(owner)),
            Whose::Realm(realm) => ("realm = ?", realm),
        };
        if is_first {
            self.prove_not_configured(whose, of, value)?;
        }
        let mut statement = db.prepare(&format!(
            "SELECT row, slot, owner FROM accounts WHERE {of} AND origin <> {CONFIGURED} LIMIT {BATCH}"
        ))?;
        let doomed: Vec<Doomed> = statement
            .query_map([value], |row| Ok(Doomed { row: row.get(0)?, slot: row.get(1)?, owner: row.get(2)? }))?
            .collect::<rusqlite::Result<_>>()?;
        for one in &doomed {
            erased.revocations += self.keep_tokens(one.row)?;
            keys::destroy(db, one.slot)?;
            db.prepare_cached("DELETE FROM accounts WHERE row = ?")?.execute([one.row])?;
            for table in AT_ONCE {
                db.prepare_cached(&format!("DELETE FROM {table} WHERE account = ?"))?.execute([one.row])?;
            }
            note(db, one.row)?;
        }
        match whose {
            Whose::Account { forget_realm, .. } => {
                for one in doomed.iter().filter(|_| *forget_realm) {
                    accounts::forget_realm(db, &one.owner)?;
                }
            }
            Whose::Owner(owner) => accounts::forget_realm(db, &self.keys.owner(owner))?,
            Whose::Realm(_) if doomed.len() == BATCH as usize => {
                for one in &doomed {
                    accounts::forget_realm(db, &one.owner)?;
                }
            }
            // With the last ones those owners too who have no account.
            Whose::Realm(realm) => {
                db.execute(
                    "DELETE FROM owners
                        WHERE realm = ? AND NOT EXISTS (SELECT 1 FROM accounts WHERE owner = owners.name)",
                    [realm],
                )?;
                for table in OF_A_REALM {
                    db.execute(&format!("DELETE FROM {table} WHERE realm = ?"), [realm])?;
                }
            }
        }
        Ok(doomed.into_iter().map(|one| one.row).collect())
    }

    fn prove_not_configured(&self, whose: &Whose, of: &str, value: &dyn ToSql) -> Result<()> {
        let mut statement =
            self.db.prepare(&format!("{IDS} WHERE {of} AND origin = {CONFIGURED} LIMIT 100"))?;
        let configured = accounts::ids(self.keys, &mut statement, [value])?;
        match (whose, &configured[..]) {
            (_, []) => Ok(()),
            (Whose::Account { id, .. }, _) => Err(accounts::of_configuration(id)),
            (_, ids) => Err(still_configured(ids)),
        }
    }

    /// How many. What does not open any more cannot be given back, and is erased nevertheless.
    fn keep_tokens(&self, row: i64) -> Result<u32> {
        let mut kept = 0;
        for (person, grant) in grants::of_row(self.db, self.keys, row) {
            let (Some(to), Some(refresh_token)) = ((self.takes_back)(&grant.provider), grant.refresh_token)
            else {
                continue;
            };
            let token = ToRevoke { provider: grant.provider, to, person, refresh_token };
            revocations::put(self.db, self.keys, &token, self.now)?;
            kept += 1;
        }
        Ok(kept)
    }
}

const CONFIGURED: i64 = Origin::Configuration as i64;
/// What is known of a realm itself.
const OF_A_REALM: [&str; 3] = ["budgets", "breakers", "counters"];

fn note(db: &Connection, account: i64) -> Result<()> {
    db.prepare_cached("INSERT INTO erasures (account) VALUES (?)")?.execute([account])?;
    Ok(())
}

fn still_configured(ids: &[String]) -> Error {
    Error::new(
        Status::Rights,
        "rights.configured",
        format!("of the configuration, and not erased: {}", ids.join(", ")),
    )
    .advice(
        "Nothing was erased. Take these accounts out of the configuration first, apply it, and ask again.",
    )
}

impl SqliteStore {
    /// Whoever visits an account holds its byte until he has noticed that it is gone. One who does not notice in time,
    /// or who is this very store, finds his fence when he writes.
    fn see_off_visitors(&self, rows: &[i64]) {
        let give_up = Instant::now() + VISITORS;
        for row in rows {
            let byte = leases::visit_byte(*row);
            while !self.locks.is_held_here(byte) && matches!(self.locks.take(byte), Ok(None)) {
                if Instant::now() >= give_up {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

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
        // Many accounts at once: one transaction for each of them is most of the time a realm takes.
        for accounts in begun.chunks(BATCH as usize) {
            for (table, key) in PIECEMEAL {
                loop {
                    let deleted =
                        self.write(Durability::Relaxed, |db| delete_piece(db, table, key, accounts))?;
                    // What is there no more costs nothing, or a short effort would never come past it.
                    pieces = pieces.saturating_sub(deleted.min(1));
                    if pieces == 0 {
                        return Ok(false);
                    }
                    if deleted < PIECE {
                        break;
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
                db.prepare_cached("DELETE FROM erasures WHERE account = ?")?.execute([account])?;
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

fn delete_piece(db: &Connection, table: &str, key: &str, accounts: &[i64]) -> Result<usize> {
    let places = vec!["?"; accounts.len()].join(", ");
    let statement = format!(
        "DELETE FROM {table}
            WHERE ({key}) IN (SELECT {key} FROM {table} WHERE account IN ({places}) LIMIT {PIECE})"
    );
    Ok(db.prepare_cached(&statement)?.execute(rusqlite::params_from_iter(accounts))?)
}
