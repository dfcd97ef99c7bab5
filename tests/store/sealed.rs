//! What stands in the files of a SQLite store: nothing in clear that is secret, nothing that opens elsewhere.

use multipop::error::Status;
use multipop::model::*;
use multipop::secret::KeyBytes;
use multipop::store::*;
use rusqlite::Connection;

use crate::sqlite::{files, open};
use crate::suite::*;

#[test]
fn i03_store_holds_no_secret_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path);
    let mut personal = account("inbox@contoso.example", "alice@contoso.example");
    personal.realm = "a-customer".into();
    store.put_account(&personal, 9, NOW).unwrap();
    let personal = "inbox@contoso.example";
    store
        .update_state(personal, &mut |state| {
            state.message = "what-the-server-said".into();
            state.identity = grant("x").identity;
        })
        .unwrap();
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        store.put_grant(personal, slot, 0, &grant("s3cr3t-token")).unwrap();
    }
    let mut classic = account("classic@contoso.example", "bob@contoso.example");
    classic.source = TokenSource::Password(Classic { apop: false, owners_choice: false });
    let password = multipop::secret::Secret::new("pa55word-in-clear".to_owned());
    store.put_account_with(&classic, Some(&password), 9, NOW).unwrap();
    store.begin_consent(&consent(1, personal)).unwrap();
    store.begin_consent(&consent(2, personal)).unwrap();
    store.take_consent(&[2; 32], &[77; 32], NOW).unwrap();
    store.answer_consent(&[2; 32], "signed in as somebody@contoso.example").unwrap();
    let lease = visit(&*store, personal);
    let mut refused = row(1, RowState::Refused);
    refused.uidl = Some(b"UIDL-in-clear".to_vec());
    refused.reason = "reason-in-clear".into();
    store.write_rows(&lease, 1, &[refused], NOW).unwrap();

    let digest_key = *store.digest_key(personal).unwrap().expose();
    let known: [&[u8]; 13] = [
        b"s3cr3t-token",
        b"pa55word-in-clear",
        b"the-verifier",
        b"the-nonce",
        b"POP.AccessAsUser.All",
        b"contoso.example",
        b"alice@",
        b"deliver_to",
        b"what-the-server-said",
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
    assert!(bytes.windows(10).any(|part| part == b"a-customer"));
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
        vec![read("SELECT data_key FROM data_keys WHERE slot = 1"), read("SELECT sealed FROM grants")]
    };
    store.remove_account("inbox", true).unwrap();
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
