//! Several processes on one store, killed and stopped at the worst moment.
//!
//! A test starts this very binary again, for itself alone, with a part to play in the environment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use multipop::model::*;
use multipop::store::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sqlite::open;
use crate::suite::*;

const STORE: &str = "MULTIPOP_TEST_STORE";

/// The store of the test this process plays a part in; `None` in the test itself.
fn part() -> Option<PathBuf> {
    std::env::var_os(STORE).map(PathBuf::from)
}

struct Player(Child);

impl Player {
    /// Starts `test` in another process and waits for its word that it is ready.
    fn start(test: &str, store: &Path) -> Player {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("processes::{test}"), "--nocapture"])
            .env(STORE, store)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with(READY)), "the other process ended");
        Player(child)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    fn end(mut self) {
        self.signal(Signal::SIGKILL);
        self.0.wait().unwrap();
    }
}

const READY: &str = "ready: the part begins";

fn wait_to_be_killed() -> ! {
    println!("\n{READY}");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_holder_frees_its_lease_and_a_stopped_one_does_not() {
    if let Some(path) = part() {
        let store = open(&path);
        let _lease = visit(&*store, "inbox");
        wait_to_be_killed();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    let other = Player::start("a_killed_holder_frees_its_lease_and_a_stopped_one_does_not", &path);
    let name = LeaseName::Account("inbox".into());
    assert!(store.lease(&name, NOW, 60).unwrap().is_none());
    other.signal(Signal::SIGSTOP);
    // Long expired by any clock: whoever is stopped may go on, and still holds it.
    assert!(store.lease(&name, NOW + 1_000_000, 60).unwrap().is_none());
    other.end();
    let lease = store.lease(&name, NOW + 1, 60).unwrap().unwrap();
    assert_eq!(lease.attempts, 1);
}

#[test]
fn i01_a_killed_writer_leaves_whole_batches() {
    const BATCH: u8 = 16;
    if let Some(path) = part() {
        let store = open(&path);
        let lease = visit(&*store, "inbox");
        println!("\n{READY}");
        for round in 0..=u8::MAX {
            let rows: Vec<_> = (0..BATCH)
                .map(|place| {
                    let mut row = row(place, RowState::Durable);
                    row.key[15] = round;
                    row
                })
                .collect();
            let deliveries: Vec<_> =
                rows.iter().map(|row| Delivery { lease: &lease, generation: 1, row: row.clone() }).collect();
            assert!(store.record(&deliveries, NOW).unwrap().iter().all(|recorded| *recorded));
        }
        wait_to_be_killed();
    }
    for delay in [0, 3, 9, 27] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        put(&*open(&path), "inbox");
        let writer = Player::start("i01_a_killed_writer_leaves_whole_batches", &path);
        let begun = Instant::now();
        while open(&path).all_rows("inbox", 1).unwrap().is_empty()
            || begun.elapsed() < Duration::from_millis(delay)
        {
            std::thread::yield_now();
        }
        writer.end();
        let store = open(&path);
        let rows = store.all_rows("inbox", 1).unwrap();
        assert!(!rows.is_empty());
        for round in 0..=u8::MAX {
            let count = rows.iter().filter(|row| row.key[15] == round).count();
            assert!(count == 0 || count == usize::from(BATCH), "half a batch: {count}");
        }
        let lease = visit(&*store, "inbox");
        // Recording alone clears no attempts: it is the visit that says it got on (`clear_attempts`).
        assert_eq!(lease.attempts, 1);
        let state: String = rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(state, "ok");
    }
}

#[test]
fn an_erasure_killed_at_any_point_is_none_or_finished_by_whoever_comes() {
    if let Some(path) = part() {
        let store = open(&path);
        println!("\n{READY}");
        store.remove_account("inbox", true).unwrap();
        wait_to_be_killed();
    }
    let mut kept = 0;
    for delay in [0, 1, 2, 4, 8, 16, 32, 64] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let store = open(&path);
        put(&*store, "inbox");
        store.put_grant("inbox", GrantSlot::Active, 0, &grant("x")).unwrap();
        let lease = visit(&*store, "inbox");
        let rows: Vec<_> = (0..9000_u32)
            .map(|number| {
                let mut row = row(0, RowState::Durable);
                row.key[..4].copy_from_slice(&number.to_be_bytes());
                row
            })
            .collect();
        store.write_rows(&lease, 1, &rows, NOW).unwrap();
        store.release(&lease, true).unwrap();
        drop((lease, store));
        let test = "an_erasure_killed_at_any_point_is_none_or_finished_by_whoever_comes";
        let eraser = Player::start(test, &path);
        std::thread::sleep(Duration::from_millis(delay));
        eraser.end();
        let store = open(&path);
        if store.account("inbox").unwrap().is_some() {
            kept += 1;
            assert_eq!(store.all_rows("inbox", 1).unwrap().len(), 9000);
            assert!(store.grant("inbox", GrantSlot::Active).unwrap().is_some());
            continue;
        }
        let connection = rusqlite::Connection::open(&path).unwrap();
        for table in ["ledger", "grants", "leases", "erasures"] {
            let count = format!("SELECT count(*) FROM {table}");
            let left: i64 = connection.query_row(&count, [], |row| row.get(0)).unwrap();
            assert_eq!(left, 0, "{table} after {delay} ms");
        }
        let used: i64 = connection
            .query_row("SELECT count(*) FROM data_keys WHERE used = 1", [], |row| row.get(0))
            .unwrap();
        assert_eq!(used, 1, "the store's own");
    }
    assert!(kept < 8, "no erasure was begun in time");
}

#[test]
fn many_processes_make_one_store() {
    if let Some(path) = part() {
        let store = open(&path);
        let id = format!("account-{}", std::process::id());
        put(&*store, &id);
        wait_to_be_killed();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let players: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Player::start("many_processes_make_one_store", &path))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(open(&path).accounts(&AccountQuery::default()).unwrap().len(), 4);
    for player in players {
        player.end();
    }
    assert_eq!(open(&path).accounts(&AccountQuery::default()).unwrap().len(), 4);
}
