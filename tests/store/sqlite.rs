//! SQLite: every promise, then its files and what a poll costs.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use multipop::model::*;
use multipop::store::*;
use rusqlite::Connection;

use crate::suite::*;

mod promises {
    every_promise!(crate::sqlite::with_fresh_store);
}

pub fn with_fresh_store(promise: fn(Open)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    promise(&|| open(&path));
}

pub fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path, &keys(), NOW).unwrap())
}

pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn files_are_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let is_root = nix::unistd::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(directory.path(), Some(12345), Some(23456)).unwrap();
    }
    let store = open(&path);
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let names: Vec<_> = files(directory.path());
    assert_eq!(names.len(), 4, "store, lock, log, shared memory: {names:?}");
    for file in names {
        let meta = file.metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{file:?}");
        if is_root {
            assert_eq!((meta.uid(), meta.gid()), (12345, 23456), "{file:?}");
        }
    }
    drop((lease, store));
    assert_eq!(files(directory.path()).len(), 2);
}

#[test]
fn i06_no_descriptor_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let held = || {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        links
            .filter_map(|link| std::fs::read_link(link.unwrap().path()).ok())
            .filter(|target| target.starts_with(directory.path()))
            .count()
    };
    let store = open(&path);
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    assert!(held() >= 2);
    drop(lease);
    drop(store);
    assert_eq!(held(), 0);
}

#[test]
fn opening_and_an_unchanged_configuration_write_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let desired = Desired { digest: [1; 32], accounts: Some(vec![account("a", "alice")]) };
    open(&path).apply(&desired, None, NOW).unwrap();
    let seen = || {
        let meta = path.metadata().unwrap();
        (meta.mtime(), meta.mtime_nsec(), std::fs::read(&path).unwrap())
    };
    let before = seen();
    let store = open(&path);
    assert_eq!(store.apply(&desired, Some(1), NOW + 9).unwrap().change, Change::Unchanged);
    let log = directory.path().join("store.db-wal");
    assert_eq!(log.metadata().unwrap().len(), 0, "nothing in the log");
    drop(store);
    assert!(seen() == before, "the file was written");
}

/// A process that starts, as Exim does for every connection, must not pay for everybody's accounts.
#[test]
fn an_unchanged_configuration_costs_the_same_for_many_accounts() {
    let cost = |count: u32| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let accounts = (0..count).map(|number| account(&format!("a{number}"), "alice")).collect();
        let desired = Desired { digest: [1; 32], accounts: Some(accounts) };
        open(&path).apply(&desired, None, NOW).unwrap();
        let unchanged = Desired { digest: [1; 32], accounts: None };
        let before = octets_read();
        let applied = open(&path).apply(&unchanged, Some(1), NOW).unwrap();
        assert_eq!(applied.change, Change::Unchanged);
        octets_read() - before
    };
    let (few, many) = (cost(3), cost(3000));
    assert!(many < few + 40_000, "{few} and {many} octets");
}

/// As the kernel counts them for this thread.
fn octets_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_poll_reads_by_index_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    drop(open(&path));
    let connection = Connection::open(&path).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(|line| line.unwrap()).collect::<Vec<_>>().join("; ")
    };
    let ledger = "SELECT key FROM ledger WHERE account = 1 AND generation = 1";
    for (sql, index) in [
        (format!("{ledger} AND turn IS NOT NULL ORDER BY turn"), "ledger_open"),
        (
            format!("{ledger} AND state = 2 AND delete_at IS NOT NULL AND delete_at <= 5 ORDER BY delete_at"),
            "ledger_delete",
        ),
        (
            "SELECT data_key, meant FROM accounts JOIN data_keys USING (slot)
                WHERE due_at IS NOT NULL AND due_at <= 5 ORDER BY due_at, ready_at, row LIMIT 9"
                .into(),
            "accounts_due",
        ),
        (
            "SELECT due_at FROM accounts WHERE due_at IS NOT NULL AND owner = x'0a' ORDER BY due_at LIMIT 1"
                .into(),
            "accounts_owner_due",
        ),
    ] {
        let plan = plan(&sql);
        assert!(plan.contains(index), "{sql}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

#[test]
fn a_poll_of_many_rows_with_nothing_new_reads_few_pages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let rows: Vec<_> = (0..20_000_u32)
        .map(|number| {
            let mut row = row(0, RowState::Durable);
            row.key[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            row
        })
        .collect();
    store.write_rows(&lease, 1, &rows, NOW).unwrap();
    drop((lease, store));

    let read = |work: &dyn Fn(&dyn Store)| {
        let store = open(&path);
        let before = octets_read();
        work(&*store);
        octets_read() - before
    };
    let poll = read(&|store| {
        let lease = visit(store, "inbox");
        let head = store.ledger("inbox").unwrap();
        assert!(store.open_rows("inbox", head.generation).unwrap().is_empty());
        assert!(store.rows_to_delete("inbox", head.generation, NOW).unwrap().is_empty());
        assert!(store.rows("inbox", head.generation, &[[1; 16]]).unwrap()[0].is_none());
        store.release(&lease, true).unwrap();
    });
    let everything = read(&|store| assert_eq!(store.all_rows("inbox", 1).unwrap().len(), 20_000));
    assert!(poll < 400_000 && everything > 1_000_000, "{poll} and {everything} octets");
}
