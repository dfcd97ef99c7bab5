//! SQLite: every promise, then its own dangers (the files, what stands in them, a database that is not ours).

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use multipop::error::{Error, Status};
use multipop::model::*;
use multipop::secret::KeyBytes;
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

fn refused(path: &Path) -> Error {
    let error = SqliteStore::open(path, &keys(), NOW).err().expect("refused");
    assert_eq!(error.status, Status::Store);
    assert!(!error.advice.is_empty() && error.message.contains(path.to_str().unwrap()));
    error
}

fn files(directory: &Path) -> Vec<PathBuf> {
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

#[test]
fn i03_store_holds_no_secret_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        store.put_grant("inbox", slot, 0, &grant("s3cr3t-token")).unwrap();
    }
    store.begin_consent(&consent(1, "inbox")).unwrap();
    store.begin_consent(&consent(2, "inbox")).unwrap();
    store.take_consent(&[2; 32], &[77; 32], NOW).unwrap();
    store.answer_consent(&[2; 32], "signed in as somebody@contoso.example").unwrap();
    let lease = visit(&*store, "inbox");
    let mut refused = row(1, RowState::Refused);
    refused.uidl = Some(b"UIDL-in-clear".to_vec());
    refused.reason = "reason-in-clear".into();
    store.write_rows(&lease, 1, &[refused], NOW).unwrap();

    let digest_key = *store.digest_key("inbox").unwrap().expose();
    let known: [&[u8]; 9] = [
        b"s3cr3t-token",
        b"the-verifier",
        b"the-nonce",
        b"POP.AccessAsUser.All",
        b"somebody@contoso.example",
        b"UIDL-in-clear",
        b"reason-in-clear",
        &digest_key,
        &[42; 32],
    ];
    let search = || {
        for file in files(directory.path()) {
            let bytes = std::fs::read(&file).unwrap();
            for secret in known {
                let found = bytes.windows(secret.len()).any(|part| part == secret);
                assert!(!found, "{} in {file:?}", String::from_utf8_lossy(secret));
            }
        }
    };
    search();
    drop((lease, store));
    search();
    // What was not secret is there: the search looks at the right files.
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(5).any(|part| part == b"inbox"));
}

#[test]
fn removal_takes_the_sealed_values_out_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    store.put_grant("inbox", GrantSlot::Active, 0, &grant("x")).unwrap();
    let sealed: Vec<Vec<u8>> = {
        let connection = Connection::open(&path).unwrap();
        let read = |sql| connection.query_row(sql, [], |row| row.get(0)).unwrap();
        vec![read("SELECT data_key FROM accounts"), read("SELECT sealed FROM grants")]
    };
    store.remove_account("inbox").unwrap();
    for file in files(directory.path()) {
        let bytes = std::fs::read(&file).unwrap();
        for value in &sealed {
            assert!(!bytes.windows(40).any(|part| part == &value[20..60]), "{file:?}");
        }
    }
}

#[test]
fn a_wrong_key_is_named_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    put(&*open(&path), "inbox");
    let ring =
        |keys: &[u8]| KeyRing::new(keys.iter().map(|key| KeyBytes::new([*key; 32])).collect()).unwrap();
    let error = SqliteStore::open(&path, &ring(&[1, 2]), NOW).err().unwrap();
    assert_eq!((error.status, error.cause), (Status::Key, "key.unknown"));
    assert!(error.message.contains("2 key files") && !error.advice.is_empty());
    assert!(open(&path).account("inbox").unwrap().is_some());
}

#[test]
fn keys_roll_over_at_configure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let with = |keys: &[u8]| {
        let ring = KeyRing::new(keys.iter().map(|key| KeyBytes::new([*key; 32])).collect()).unwrap();
        SqliteStore::open(&path, &ring, NOW)
    };
    let desired = Desired { digest: [1; 32], accounts: None };
    let old = with(&[1]).unwrap();
    old.apply(&desired, None, NOW).unwrap();
    put(&old, "inbox");
    old.put_grant("inbox", GrantSlot::Active, 0, &grant("x")).unwrap();
    let digest_key = *old.digest_key("inbox").unwrap().expose();
    drop(old);

    let both = with(&[2, 1]).unwrap();
    assert_eq!(both.apply(&desired, Some(1), NOW).unwrap().change, Change::Unchanged);
    drop(both);
    let new = with(&[2]).unwrap();
    let kept = new.grant("inbox", GrantSlot::Active).unwrap().unwrap();
    assert_eq!(kept.grant.refresh_token.unwrap().expose(), "refresh-x");
    assert_eq!(*new.digest_key("inbox").unwrap().expose(), digest_key);
    assert_eq!(with(&[1]).err().unwrap().cause, "key.unknown");
}

#[test]
fn a_moved_sealed_value_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    for id in ["mine", "yours"] {
        put(&*store, id);
        store.put_grant(id, GrantSlot::Active, 0, &grant(id)).unwrap();
    }
    store.put_grant("mine", GrantSlot::Pending, 0, &grant("pending")).unwrap();
    let swap = |from: &str, to: &str| {
        let connection = Connection::open(&path).unwrap();
        connection
            .execute(
                &format!("UPDATE grants SET sealed = (SELECT sealed FROM grants WHERE {from}) WHERE {to}"),
                [],
            )
            .unwrap();
    };
    swap("account = 2 AND slot = 0", "account = 1 AND slot = 0");
    let error = store.grant("mine", GrantSlot::Active).unwrap_err();
    assert_eq!(error.cause, "store.sealed");
    swap("account = 1 AND slot = 1", "account = 1 AND slot = 0");
    let error = store.grant("mine", GrantSlot::Active).unwrap_err();
    assert_eq!(error.cause, "store.sealed");
    assert!(store.grant("yours", GrantSlot::Active).unwrap().is_some());
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE messages (a); INSERT INTO messages VALUES (1)")
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(refused(&path).cause, "store.foreign");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let path = directory.path().join("mail.txt");
    std::fs::write(&path, "From: alice@contoso.example\r\n".repeat(200)).unwrap();
    assert_eq!(refused(&path).cause, "store.foreign");
    assert_eq!(refused(directory.path()).cause, "store.open");
    assert_eq!(refused(&directory.path().join("missing/store.db")).cause, "store.directory");
}

#[test]
fn an_empty_file_is_made_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    std::fs::write(&path, "").unwrap();
    put(&*open(&path), "inbox");
    assert!(open(&path).account("inbox").unwrap().is_some());
}

#[test]
fn a_newer_schema_is_refused_with_both_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    put(&*open(&path), "inbox");
    let version =
        |number: i64| Connection::open(&path).unwrap().pragma_update(None, "user_version", number).unwrap();
    version(77);
    let error = refused(&path);
    assert_eq!(error.cause, "store.newer");
    assert!(error.message.contains("77") && error.message.contains("up to 1"));
    version(1);
    assert!(open(&path).account("inbox").unwrap().is_some());
}

#[test]
fn a_damaged_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    for number in 0..99 {
        put(&*store, &format!("account-{number}"));
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    // The first page, which says what the file is, stays.
    bytes[4096..end].fill(0xee);
    std::fs::write(&path, bytes).unwrap();
    let error = match SqliteStore::open(&path, &keys(), NOW) {
        Ok(store) => store.accounts(&AccountQuery::default()).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!((error.status, error.cause), (Status::Store, "store.corrupt"));
    assert!(error.message.contains("store.db"));
}

#[test]
fn a_store_that_is_held_too_long_is_busy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    put(&*store, "inbox");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading goes on beside a writer; writing waits for its time and says who to look for.
    assert!(store.account("inbox").unwrap().is_some());
    let error = store.update_state("inbox", &mut |state| state.failures = 1).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Store, "store.busy"));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.update_state("inbox", &mut |state| state.failures = 1).unwrap());
}

/// Root may write whatever the mode says: there, the bound is proved by another user.
#[test]
fn a_store_one_may_only_read_is_refused() {
    const STORE: &str = "MULTIPOP_TEST_READ_ONLY";
    if let Some(path) = std::env::var_os(STORE) {
        let path = PathBuf::from(path);
        // An open directory, a file that may be read only; then a lock file that may not be opened.
        assert_eq!(refused(&path).cause, "store.read_only");
        let lock = path.with_file_name("store.db.lock");
        std::fs::remove_file(&lock).unwrap();
        std::fs::create_dir(&lock).unwrap();
        assert_eq!(refused(&path).status, Status::Store);
        std::fs::remove_dir(&lock).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(0o555)).unwrap();
        assert_eq!(refused(&path).cause, "store.permission");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    put(&*open(&path), "inbox");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    // The binary's own place may be closed to the other user.
    let binary = directory.path().join("binary");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut command = std::process::Command::new(&binary);
    command
        .args(["--exact", "sqlite::a_store_one_may_only_read_is_refused", "--nocapture"])
        .env(STORE, &path)
        .current_dir("/");
    if nix::unistd::geteuid().is_root() {
        for file in [directory.path(), &path, &path.with_file_name("store.db.lock")] {
            std::os::unix::fs::chown(file, Some(65534), Some(65534)).unwrap();
        }
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    let output = command.output().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
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
            "SELECT id FROM accounts WHERE due_at IS NOT NULL AND due_at <= 5 ORDER BY due_at, ready_at, row LIMIT 9"
                .into(),
            "accounts_due",
        ),
        (
            "SELECT due_at FROM accounts WHERE due_at IS NOT NULL AND owner = 'a' ORDER BY due_at LIMIT 1".into(),
            "accounts_owner_due",
        ),
    ] {
        let plan = plan(&sql);
        assert!(plan.contains(index), "{sql}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
