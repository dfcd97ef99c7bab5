//! Databases that are not ours, newer than we are, damaged, held or closed to us: refused with a sentence, left alone.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use multipop::error::{Error, Status};
use multipop::store::*;
use rusqlite::Connection;

use crate::sqlite::open;
use crate::suite::*;

fn refused(path: &Path) -> Error {
    let error = SqliteStore::open(path, &keys(), NOW).err().expect("refused");
    assert_eq!(error.status, Status::Store);
    assert!(!error.advice.is_empty() && error.message.contains(path.to_str().unwrap()));
    error
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
        .args(["--exact", "refused::a_store_one_may_only_read_is_refused", "--nocapture"])
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
