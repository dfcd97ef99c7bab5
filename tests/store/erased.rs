//! Erasure in the files of a SQLite store: the key first and in no copy, then everything it had sealed, log included.

use std::path::{Path, PathBuf};

use multipop::model::*;
use multipop::store::*;
use rusqlite::Connection;

use crate::sqlite::{files, open};
use crate::suite::*;

fn beside(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn count(path: &Path, table: &str) -> i64 {
    beside(path).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// What of the key opens anything: without key id and nonce, which may be anybody's.
fn keys_of(path: &Path) -> Vec<(i64, Vec<u8>)> {
    let connection = beside(path);
    let mut statement = connection.prepare("SELECT slot, data_key FROM data_keys WHERE slot > 0").unwrap();
    let keys = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    keys.map(|key| key.unwrap()).map(|(slot, key)| (slot, key[20..].to_vec())).collect()
}

fn holds(directory: &Path, value: &[u8]) -> Option<PathBuf> {
    files(directory).into_iter().find(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(value.len()).any(|part| part == value)
    })
}

/// An account with everything that may stand in a store.
fn full(store: &dyn Store, id: &str, owner: &str) {
    store.put_account(&account(id, owner), 1000, NOW).unwrap();
    store.put_grant(id, GrantSlot::Active, 0, &grant("x")).unwrap();
    let mut begun = consent(id.len() as u8, id);
    begun.state[..8].copy_from_slice(&id.as_bytes()[..8]);
    store.begin_consent(&begun).unwrap();
    let link = Link { token: [3; 32], account: id.into(), owner: owner.into(), expires_at: NOW + 60 };
    store.offer_link(&link, NOW).unwrap();
    let lease = visit(store, id);
    let mut refused = row(1, RowState::Refused);
    refused.uidl = Some(b"a-uidl".to_vec());
    store.write_rows(&lease, 1, &[refused, row(2, RowState::Durable)], NOW).unwrap();
    store.mark_listing(&lease, &ListingMark { count: 2, digest: [1; 32], at: NOW }).unwrap();
    store.trace_until(id, NOW + 60).unwrap();
    store.end_visit(&lease, &history::pass(NOW), &[history::line("C: CAPA")], &mut |_| ()).unwrap();
    store.release(&lease, true).unwrap();
    let idle = Idle { provider: "microsoft".into(), from: 0, to: NOW, lasts_s: 0 };
    let (row, renewed_at) = *store.idle_users_to_tell(&idle, NOW, 1000).unwrap().last().unwrap();
    let about = About { kind: "consent_ends", account: row, topic: String::new(), mark: renewed_at };
    assert!(store.lease_notices(&[about], NOW, 60).unwrap()[0].is_some());
}

/// Rows are moved between pages as they grow and go, and copies stay where they were; of a data key there is none.
#[test]
fn a_destroyed_data_key_stands_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    let name = |number: usize| format!("person-{number:03}@contoso.example");
    for number in 0..80 {
        full(&*store, &name(number), "alice");
        // States grow and shrink, and with them their rows.
        for other in [number / 2, number * 7 % (number + 1)] {
            let message = "no ".repeat(number * 11 % 130);
            store.update_state(&name(other), &mut |state| state.message.clone_from(&message)).unwrap();
        }
    }
    let keys = keys_of(&path);
    assert_eq!(keys.len(), 80);
    beside(&path).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for (slot, key) in &keys {
        assert_eq!(bytes.windows(key.len()).filter(|part| part == key).count(), 1, "{slot}");
    }
    for number in (0..80).filter(|number| number % 3 != 0) {
        assert!(store.remove_account(&name(number), true).unwrap());
    }
    let left: Vec<_> =
        keys_of(&path).into_iter().filter(|(_, key)| key.iter().any(|byte| *byte != 0)).collect();
    assert_eq!(left.len(), 27);
    let everybody = store.person(grant("x").identity.as_ref(), "");
    assert!(holds(directory.path(), &everybody.0).is_some());
    for key in keys.iter().filter(|key| !left.contains(key)) {
        assert_eq!(holds(directory.path(), &key.1), None, "{}", key.0);
    }
    // A slot is used again, for another key.
    full(&*store, &name(500), "alice");
    assert_eq!(count(&path, "data_keys"), 81);
    assert!(store.grant(&name(0), GrantSlot::Active).unwrap().is_some());
}

/// What is left of an account for a week goes the same way.
#[test]
fn a_token_that_was_given_back_stands_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    full(&*store, "person@contoso.example", "alice");
    let takes_back = |_: &str| Some(TakesBack { issuer: "https://login.example".into(), endpoint: None });
    store.erase(&Whose::Owner("alice".into()), &takes_back, NOW).unwrap();
    let key = keys_of(&path).into_iter().find(|(_, key)| key.iter().any(|byte| *byte != 0)).unwrap().1;
    assert!(holds(directory.path(), &key).is_some());
    assert_eq!(holds(directory.path(), b"refresh-x"), None);
    let person = store.person(grant("x").identity.as_ref(), "");
    assert_eq!(holds(directory.path(), &person.0), None, "it is sealed with the token");
    let taken = store.take_revocations(NOW, 9).unwrap().remove(0);
    store.end_revocation(taken.number).unwrap();
    drop(open(&path));
    assert_eq!(holds(directory.path(), &key), None);
    assert_eq!((count(&path, "revocations"), count(&path, "erasures")), (0, 0));
}

/// One that was damaged costs only itself, and no longer than its week.
#[test]
fn i15_a_revocation_that_does_not_open_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    let takes_back = |_: &str| Some(TakesBack { issuer: "https://login.example".into(), endpoint: None });
    for owner in ["alice", "bob"] {
        full(&*store, &format!("{owner}@contoso.example"), owner);
        store.erase(&Whose::Owner(owner.into()), &takes_back, NOW).unwrap();
    }
    beside(&path)
        .execute("UPDATE revocations SET sealed = zeroblob(length(sealed)) WHERE number = 1", [])
        .unwrap();
    let taken = store.take_revocations(NOW, 9).unwrap();
    assert_eq!(taken.iter().map(|one| one.number).collect::<Vec<_>>(), [2]);
    store.end_revocation(2).unwrap();
    assert!(store.take_revocations(NOW + 6 * 86_400, 9).unwrap().is_empty());
    assert_eq!(count(&path, "revocations"), 1);
    assert!(store.take_revocations(NOW + 7 * 86_400, 9).unwrap().is_empty());
    assert_eq!(count(&path, "revocations"), 0);
}

#[test]
fn what_a_reader_holds_up_is_erased_by_a_later_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    full(&*store, "person@contoso.example", "alice");
    let key = keys_of(&path).remove(0).1;
    // A backup, or a shell on the database.
    let reader = beside(&path);
    reader.execute_batch("BEGIN").unwrap();
    let seen: i64 = reader.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0)).unwrap();
    assert_eq!(seen, 1);

    assert!(store.remove_account("person@contoso.example", true).unwrap());
    assert!(store.account("person@contoso.example").unwrap().is_none());
    assert_eq!(count(&path, "erasures"), 1);
    assert!(holds(directory.path(), &key).is_some(), "the reader still needs the page it stood in");
    drop(open(&path));
    assert_eq!(count(&path, "erasures"), 1, "nobody who opens the store waits for the reader");

    reader.execute_batch("COMMIT").unwrap();
    let other = open(&path);
    assert_eq!(count(&path, "erasures"), 0);
    assert_eq!(holds(directory.path(), &key), None);
    drop(other);
}

#[test]
fn an_erasure_that_stopped_half_way_is_complete_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    full(&*store, "person@contoso.example", "alice");
    full(&*store, "neighbour@contoso.example", "bob");
    beside(&path)
        .execute_batch(
            "CREATE TRIGGER planted BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'planted'); END",
        )
        .unwrap();
    assert!(store.remove_account("person@contoso.example", true).unwrap());
    // Nothing of it can be read or written, and one of the same name is another.
    assert_eq!(count(&path, "ledger"), 4);
    assert!(!store.remove_account("person@contoso.example", true).unwrap());
    assert_eq!(store.realm_of("alice").unwrap(), None);
    put(&*store, "person@contoso.example");
    assert!(store.all_rows("person@contoso.example", 1).unwrap().is_empty());
    assert!(open(&path).account("neighbour@contoso.example").unwrap().is_some());

    beside(&path).execute_batch("DROP TRIGGER planted").unwrap();
    drop(open(&path));
    assert_eq!((count(&path, "ledger"), count(&path, "listings"), count(&path, "erasures")), (2, 1, 0));
    assert_eq!(store.all_rows("neighbour@contoso.example", 1).unwrap().len(), 2);
}

/// Many rows go in pieces, so that nobody who writes waits long.
#[test]
fn a_ledger_of_many_rows_is_gone_when_the_removal_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let rows: Vec<_> = (0..10_000_u32)
        .map(|number| {
            let mut row = row(0, RowState::Durable);
            row.key[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            row
        })
        .collect();
    store.write_rows(&lease, 1, &rows, NOW).unwrap();
    store.release(&lease, true).unwrap();
    assert!(store.remove_account("inbox", true).unwrap());
    assert_eq!((count(&path, "ledger"), count(&path, "erasures")), (0, 0));
}

/// A table that speaks of accounts and is not emptied with them would keep what was to be erased.
#[test]
fn every_table_that_speaks_of_an_account_is_emptied() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    full(&*store, "person@contoso.example", "alice");
    let connection = beside(&path);
    let mut statement = connection
        .prepare(
            "SELECT sqlite_schema.name FROM sqlite_schema, pragma_table_info(sqlite_schema.name) AS columns
                WHERE sqlite_schema.type = 'table' AND columns.name = 'account'",
        )
        .unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
    for table in tables.iter().filter(|table| *table != "erasures") {
        assert!(count(&path, table) > 0, "nothing stands in {table}: let `full` write something there");
    }
    store.remove_account("person@contoso.example", true).unwrap();
    for table in tables.iter().map(String::as_str).chain(["accounts", "owners"]) {
        assert_eq!(count(&path, table), 0, "{table}");
    }
}
