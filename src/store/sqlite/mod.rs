//! The store in one SQLite file (WAL), for one machine: the default.
//!
//! Opened in a call and closed before it returns. Every write begins as a writer, so that no transaction fails half
//! way for another's sake. The file is never opened but through SQLite while anybody may have it open: closing any
//! descriptor of a file drops all locks this process has on it (fcntl(2)).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};

use super::lease::{self, LockFile};
use super::schema::{self, Standing};
use super::seal::KeyRing;
use super::*;

mod accounts;
mod apply;
mod breakers;
mod change;
mod consents;
mod erasures;
mod files;
mod grants;
mod history;
mod keys;
mod leases;
mod ledger;
mod ledger_rows;
mod links;
mod notices;
mod passwords;
mod promises;
mod revocations;
mod standings;
mod state;
mod traces;

pub struct SqliteStore {
    path: PathBuf,
    keys: keys::Keys,
    locks: Arc<LockFile>,
    opened: Mutex<Opened>,
}

struct Opened {
    connection: Connection,
    durability: Durability,
}

/// What a transaction survives once it returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// A power cut.
    Full,
    /// The death of the process, and a power cut only if a later full one had returned. For what no visit outlives
    /// (leases) or the next visit finds again: a poll that finds nothing then waits for no disk.
    Relaxed,
}

/// How long another writer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl SqliteStore {
    /// Opens the store, makes it where there is none, upgrades an older one. Writes nothing to one up to date.
    pub fn open(path: &Path, ring: &KeyRing, now: UnixTime) -> Result<SqliteStore> {
        SqliteStore::open_at(path, ring, now).map_err(|error| fault::at(path, error))
    }

    fn open_at(path: &Path, ring: &KeyRing, now: UnixTime) -> Result<SqliteStore> {
        let locks = LockFile::new(files::lock_file(path)?);
        files::make_if_missing(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        if connection.is_readonly(MAIN_DB)? {
            return Err(fault::read_only("only reading is allowed"));
        }
        // Nothing goes to files of its own in a directory for temporary ones; a schema runs no code; what is deleted is
        // overwritten.
        connection.execute_batch(
            "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON",
        )?;
        connection.set_prepared_statement_cache_capacity(64);
        if schema::standing(&connection)? != Standing::Current {
            let _alone = files::wait_for(&locks, lease::SCHEMA, PATIENCE)?;
            write_ahead(&connection)?;
            schema::bring_up(&mut connection, now)?;
        }
        let keys = keys::Keys::open(&mut connection, ring, now)?;
        let opened = Mutex::new(Opened { connection, durability: Durability::Full });
        let store = SqliteStore { path: path.to_owned(), keys, locks, opened };
        store.finish_erasures(&erasures::Effort::SMALL);
        Ok(store)
    }

    /// Reads one state of the store, however many statements it takes.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut opened = self.opened.lock();
        let run = || work(&*opened.connection.transaction()?);
        run().map_err(|error| fault::at(&self.path, error))
    }

    /// Runs `work` in one transaction, which is undone if it fails.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut opened = self.opened.lock();
        let run = || {
            opened.survive(durability)?;
            let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        run().map_err(|error| fault::at(&self.path, error))
    }
}

impl Opened {
    fn survive(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            self.connection.execute_batch(match durability {
                Durability::Full => "PRAGMA synchronous = FULL",
                Durability::Relaxed => "PRAGMA synchronous = NORMAL",
            })?;
            self.durability = durability;
        }
        Ok(())
    }
}

fn write_ahead(connection: &Connection) -> Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Error::new(
        Status::Store,
        "store.file_system",
        format!("cannot use a write-ahead log, its journal mode stays {mode:?}"),
    )
    .advice("The store must lie on a local file system with shared memory and locks."))
}

/// SQLite's integers are signed; no time, size or count of ours comes near the end.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::KeyBytes;

    #[test]
    fn a_full_disk_says_so_and_keeps_what_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let keys = KeyRing::new(vec![KeyBytes::new([1; 32])]).unwrap();
        let store = SqliteStore::open(&path, &keys, 1).unwrap();
        store.apply(&desired(1), None, 1).unwrap();
        // SQLite's bound on pages stands in for the disk's.
        let pages = |most: u32| {
            let opened = store.opened.lock();
            opened.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(())).unwrap();
        };
        pages(1);
        let full = store.write(Durability::Full, |db| {
            db.execute("DELETE FROM configurations", [])?;
            db.execute_batch("CREATE TABLE big AS SELECT zeroblob(4000000) AS filler")?;
            Ok(())
        });
        let error = full.unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Store, "store.full"));
        assert!(error.message.contains("store.db"));
        pages(1 << 20);
        let again = store.apply(&desired(1), None, 1).unwrap();
        assert_eq!((again.number, again.change), (1, Change::Unchanged));
    }

    #[test]
    fn a_panic_inside_a_transaction_undoes_it_and_locks_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let keys = KeyRing::new(vec![KeyBytes::new([1; 32])]).unwrap();
        let store = SqliteStore::open(&path, &keys, 1).unwrap();
        store.apply(&desired(1), None, 1).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(Durability::Full, |db| -> Result<()> {
                db.execute("DELETE FROM configurations", [])?;
                panic!("as a fault of ours would");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.apply(&desired(1), None, 1).unwrap().change, Change::Unchanged);
        assert_eq!(store.apply(&desired(2), None, 1).unwrap().number, 2);
    }

    fn desired(digest: u8) -> Desired {
        Desired { digest: [digest; 32], accounts: None }
    }
}
