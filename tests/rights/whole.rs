//! All or nothing: what a refused configuration or account leaves as it was (I12).

use std::fs;

use multipop::error::{Error, Status};
use serde_json::{Value, json};

use crate::setup::{ALICE, BOB, House, Onlooker, and, instance, mailbox, refused};

#[test]
fn i12_a_refused_account_changes_nothing() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", and(json!({ "interval_s": 1200 }))).unwrap();
    let before = house.all();
    for json in [
        json!({}),
        json!([]),
        and(json!({ "owner": BOB })),
        and(json!({ "id": "b" })),
        and(json!({ "intervall_s": 600 })),
        and(json!({ "interval_s": "600" })),
        and(json!({ "use_oauth": false })),
        and(json!({ "delete": "sometimes" })),
        and(json!({ "user": "a\u{1}b" })),
    ] {
        refused(&house, house.put(ALICE, ALICE, "a", json), Status::Argument, "argument.json", &before);
    }
    let twice = r#"{"provider": "one", "user": "x", "user": "y"}"#;
    let put = house.instance.account_put(&mut Onlooker, ALICE, ALICE, "a", twice);
    refused(&house, put, Status::Argument, "argument.json", &before);
}

#[test]
fn i12_a_refused_configuration_changes_nothing() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    house.write("open-key", &"cd".repeat(32), 0o644);
    house.write("short-key", "cd", 0o600);
    house.write("other-key", &"cd".repeat(32), 0o600);
    house.write("empty", "", 0o600);
    house.write("no-cert", "hello", 0o600);
    let change = |pointer: &str, value: Value| {
        let mut config = house.config();
        // What would be seen if a part of it were applied.
        config["accounts"] = json!({});
        *config.pointer_mut(pointer).unwrap() = value;
        config
    };
    for (config, status, cause, words) in [
        (change("/hostname", json!(7)), Status::Config, "config.invalid", "hostname"),
        (change("/keys", json!([house.path("gone")])), Status::Key, "key.unreadable", "keys[0]: "),
        (change("/keys", json!([house.path("open-key")])), Status::Key, "key.too_open", "mode 0644"),
        (change("/keys", json!([house.path("short-key")])), Status::Key, "key.malformed", "64 hexadecimal"),
        (change("/keys", json!([house.path("other-key")])), Status::Key, "key.unknown", "sealed"),
        (
            change("/keys", json!([house.path("key"), house.path("key")])),
            Status::Key,
            "key.twice",
            "keys[1]: ",
        ),
        (change("/ca_file", json!(house.path("gone"))), Status::Config, "config.file", "ca_file: "),
        (change("/ca_file", json!(house.path("no-cert"))), Status::Config, "config.file", "ca_file: "),
        (
            change("/providers/one/client_secret_file", json!(house.path("empty"))),
            Status::Config,
            "config.file",
            "providers.one.client_secret_files[0]: ",
        ),
        (
            change("/providers/one/redirect_uri", json!("http://mail.example.com/cb")),
            Status::Config,
            "config.provider",
            "providers.one.redirect_uri: ",
        ),
        (
            change("/store", json!(house.path("no/such/directory/store.db"))),
            Status::Store,
            "store.open",
            "no/such/directory",
        ),
    ] {
        let error = refused_as(&house, house.configure(&config), status, cause, &before);
        assert!(error.message.contains(words), "{words}: {}", error.message);
        assert!(!error.advice.is_empty(), "{error}");
    }
    // An id that a call took already is found last of all, inside the store's transaction.
    let mut config = house.config();
    config["accounts"] = json!({
        "0-written-before-it": { "owner": ALICE, "provider": "one", "user": "u" },
        "a": { "owner": ALICE, "provider": "one", "user": "u" },
    });
    refused(&house, house.configure(&config), Status::Config, "config.account_taken", &before);
    // The former configuration is still in force.
    house.put(BOB, BOB, "b", mailbox()).unwrap();
}

/// As `refused`; the store words its own causes.
fn refused_as(
    house: &House,
    done: Result<(), Error>,
    status: Status,
    cause: &str,
    before: &[Value],
) -> Error {
    let error = done.expect_err(cause);
    assert_eq!(error.status, status, "{error}");
    if status != Status::Store {
        assert_eq!(error.cause, cause, "{error}");
    }
    assert_eq!(house.all(), before, "{cause}");
    error
}

#[test]
fn i12_an_unchanged_configuration_writes_nothing() {
    let house = House::new();
    let files = || -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(house.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .filter(|(name, _)| name.starts_with("store"))
            .collect();
        files.sort();
        files
    };
    let before = files();
    house.configure(&house.config()).unwrap();
    // The same, said in another order and from a file.
    house.write("config.json", &serde_json::to_string_pretty(&house.config()).unwrap(), 0o600);
    house.configure(&json!({ "file": house.path("config.json") })).unwrap();
    assert!(files() == before);
    // The content of a file it names is part of it.
    house.write("secret", "another", 0o600);
    house.configure(&house.config()).unwrap();
    assert!(files() != before);
}

#[test]
fn i12_an_instance_whose_configuration_was_replaced_changes_nothing() {
    let house = House::new();
    let second = instance();
    let mut later = house.config();
    later["accounts"] = json!({ "later": { "owner": BOB, "provider": "one", "user": "u" } });
    second.configure(&mut Onlooker, &later.to_string()).unwrap();
    let before = house.all();
    house.configure(&house.config()).unwrap();
    assert_eq!(house.all(), before);
    // A new one is a new one.
    let mut newest = house.config();
    newest["accounts"] = json!({ "newest": { "owner": BOB, "provider": "one", "user": "u" } });
    house.configure(&newest).unwrap();
    assert!(house.one("newest")["enabled"].as_bool().unwrap());
    assert!(!house.one("later")["enabled"].as_bool().unwrap());
}

#[test]
fn a_fault_in_a_file_is_named_with_its_line_and_a_cancel_is_consumed() {
    let house = House::unconfigured();
    assert_eq!(house.put(ALICE, ALICE, "a", mailbox()).unwrap_err().status, Status::State);
    house.write("config.json", "{\n  \"store\": \"/s\",\n  \"keys\": []\n}\n", 0o600);
    let error = house.configure(&json!({ "file": house.path("config.json") })).unwrap_err();
    assert!(error.message.contains("config.json:3: keys: "), "{}", error.message);
    let error = house.configure(&json!({ "file": house.path("gone.json") })).unwrap_err();
    assert!(error.message.starts_with("file: "), "{}", error.message);
    house.instance.cancel();
    assert_eq!(house.configure(&house.config()).unwrap_err().status, Status::Cancelled);
    assert!(!house.path("store.db").exists());
    house.configure(&house.config()).unwrap();
}
