//! Bad input from the network, the disk and the operator: a clear status and a sentence, no credential sent where it
//! must not go (I8), no message lost, no grant lost.

mod house;
#[path = "badinput/placed.rs"]
mod placed;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use house::signed::Signed;
use house::{House, Recorder, USER, cause, write_key};
use multipop::error::{Error, Result};
use multipop::service::Instance;
use multipop_host::mock::idp;
use multipop_host::mock::pki::Identity;
use multipop_host::mock::pop3::{At, Fault, Script, Server, Transport, Verb, What};
use placed::Placed;
use serde_json::{Value, json};

/// What an error must have, whoever reads it.
fn clear(result: Result<()>, wanted: &str) -> Error {
    let error = result.expect_err(wanted);
    assert_eq!(error.cause, wanted, "{error:?}");
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error:?}");
    assert!(!error.advice.is_empty(), "{error:?}");
    error
}

fn nothing_was_told(house: &House, server: &Server) {
    let journal = server.journal();
    assert_eq!(journal.tokens_seen().len() + journal.sasl_lines_seen().len(), 0);
    let said = journal.lines().iter().any(|line| line.contains("AUTH") || line.contains("USER"));
    assert!(!said, "{:?}", journal.lines());
    assert_eq!(house.shown()["state"]["outcome"], "protocol_error");
}

#[test]
fn i08_no_credential_goes_to_a_certificate_that_does_not_hold() {
    let house = House::new(Script::dovecot());
    house.fill(3, 700, 1);
    let bad: [(&Identity, &str); 3] = [
        (&house.pki.other_ca, "tls.unknown_issuer"),
        (&house.pki.wrong_name, "tls.wrong_name"),
        (&house.pki.expired, "tls.expired"),
    ];
    for (identity, wanted) in bad {
        house.pop.show(identity).unwrap();
        let error = clear(house.fetch(&mut Recorder::default()).0, wanted);
        assert_eq!(error.status.code(), -14);
        nothing_was_told(&house, &house.pop);
    }
    house.pop.show(&house.pki.good).unwrap();
    assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 3);
}

/// The same behind STLS, and every way a server, or somebody before it, can keep a session in clear.
#[test]
fn i08_no_credential_goes_out_in_clear() {
    let mut house = House::new(Script::dovecot());
    let start = |house: &House, transport, script| {
        Server::builder(&house.tokens, script)
            .identity(&house.pki.good)
            .mailboxes(house.pop.mailboxes())
            .transport(transport)
            .start()
            .unwrap()
    };
    house.fill(3, 700, 1);
    let stls = |fault: Option<What>, change: fn(&mut Script)| {
        let mut script = Script::dovecot();
        change(&mut script);
        script.faults.extend(fault.map(|what| Fault::new(At::Verb(Verb::Stls), what)));
        script
    };
    let cases = [
        (Transport::Clear, "implicit", stls(None, |_| {}), "tls.handshake"),
        (Transport::Clear, "stls", stls(None, |_| {}), "tls.stls_refused"),
        (Transport::Stls, "stls", stls(None, |script| script.announce_stls = false), "tls.stls_refused"),
        (Transport::Stls, "stls", stls(Some(What::Err("not now".into())), |_| {}), "tls.stls_refused"),
        (
            Transport::Stls,
            "stls",
            stls(None, |script| script.stls_injection = b"+OK Logged in.\r\n".to_vec()),
            "protocol",
        ),
        (
            Transport::Stls,
            "stls",
            stls(Some(What::Raw(b"+OK begin\r\nplain\r\n".to_vec())), |_| {}),
            "protocol",
        ),
    ];
    for (transport, security, script, wanted) in cases {
        let server = start(&house, transport, script);
        let address = server.address().to_string();
        house.config["servers"] = json!([address]);
        house.config["accounts"]["alice"]["server"] = json!(address);
        house.config["accounts"]["alice"]["security"] = json!(security);
        house.configure().unwrap();
        let error = house.fetch(&mut Recorder::default()).0.expect_err(wanted);
        assert!(error.cause.starts_with(wanted), "{wanted}: {error:?}");
        clear(Err(error.clone()), error.cause);
        nothing_was_told(&house, &server);
    }
    let server = start(&house, Transport::Stls, Script::dovecot());
    house.config["servers"] = json!([server.address().to_string()]);
    house.config["accounts"]["alice"]["server"] = json!(server.address().to_string());
    house.configure().unwrap();
    for (identity, wanted) in
        [(&house.pki.other_ca, "tls.unknown_issuer"), (&house.pki.wrong_name, "tls.wrong_name")]
    {
        server.show(identity).unwrap();
        clear(house.fetch(&mut Recorder::default()).0, wanted);
        nothing_was_told(&house, &server);
    }
    server.show(&house.pki.good).unwrap();
    assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 3);
}

/// Servers that know nothing newer than TLS 1.1: one answers in it, one refuses ours.
#[test]
fn i08_nothing_older_than_tls_1_2_is_spoken() {
    let mut hello = vec![0x03, 0x02];
    hello.extend([0x5a; 32]);
    // No session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0x00, 0x2f, 0]);
    let handshake = [&[0x02, 0, 0, u8::try_from(hello.len()).unwrap()], hello.as_slice()].concat();
    let record =
        [&[0x16, 0x03, 0x02, 0, u8::try_from(handshake.len()).unwrap()], handshake.as_slice()].concat();
    let protocol_version_alert = vec![0x15, 0x03, 0x02, 0, 2, 2, 70];
    for answer in [record, protocol_version_alert] {
        let mut house = House::new(Script::dovecot());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = vec![0; 4096];
            let count = stream.read(&mut seen).unwrap();
            seen.truncate(count);
            stream.write_all(&answer).unwrap();
            // Reset or closed: there is no more.
            let _ = stream.read_to_end(&mut seen);
            let _ = tell.send(seen);
        });
        house.config["servers"] = json!([address]);
        house.config["accounts"]["alice"]["server"] = json!(address);
        house.configure().unwrap();
        let error = clear(house.fetch(&mut Recorder::default()).0, "tls.handshake");
        assert_eq!(error.status.code(), -14);
        let seen = told.recv_timeout(Duration::from_secs(10)).unwrap();
        let has = |text: &[u8]| memchr::memmem::find(&seen, text).is_some();
        assert!(!has(house::TOKEN.as_bytes()) && !has(b"AUTH") && !has(b"CAPA"));
    }
}

#[test]
fn a_connection_dropped_anywhere_is_told_and_loses_nothing() {
    for (verb, what, wanted) in [
        (Verb::Greeting, What::Close, "connection.no_greeting"),
        (Verb::Capa, What::Close, "connection.no_reply"),
        (Verb::Uidl, What::Close, "connection.no_reply"),
        (Verb::Uidl, What::DropAfter(9), "connection.no_reply"),
        (Verb::Retr, What::Close, "connection.no_reply"),
        (Verb::Retr, What::DropAfter(300), "connection.in_message"),
        (Verb::Retr, What::CloseAfterReply, ""),
    ] {
        let house = House::with(Script::dovecot(), |config| {
            config["accounts"]["alice"]["delete"] = json!("now");
        });
        house.fill(3, 900, 1);
        house.pop.change(|script| script.faults.push(Fault::new(At::Verb(verb), what.clone()).times(1)));
        let mut sink = Recorder::batching();
        let (status, _) = house.fetch(&mut sink);
        let error = status.expect_err("a dropped connection");
        let wanted = if wanted.is_empty() { error.cause } else { wanted };
        assert_eq!(clear(Err(error), wanted).status.code(), -30, "{verb:?} {what:?}");
        house.fetch_ok(&mut sink);
        let mut got = sink.uidls();
        got.sort();
        got.dedup();
        assert_eq!(got.len(), 3, "{verb:?} {what:?}");
        assert!(house.pop.mailboxes().uidls(USER).is_empty());
    }
}

/// A store that cannot be used, and the one of before put back: grant and ledger are what they were.
#[test]
fn a_store_that_is_not_ours_is_told_and_costs_no_grant() {
    let signed = Signed::new(Script::dovecot(), idp::Settings::generic());
    let house = &signed.house;
    signed.connect();
    house.fill(2, 700, 1);
    let mut sink = Recorder::batching();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 2);
    house.fill(1, 700, 9);
    let (store, aside) = (house.path("store.db"), house.path("aside.db"));
    let version = |number: i64| {
        rusqlite::Connection::open(&store).unwrap().pragma_update(None, "user_version", number).unwrap();
    };
    let known = |house: &House| {
        let configured = house.instance.configure(&mut Recorder::default(), &house.config.to_string());
        let another = Instance::new("another", house.clock.clone());
        let begun = another.configure(&mut Recorder::default(), &house.config.to_string());
        assert_eq!(cause(&configured), cause(&begun));
        (configured, house.fetch(&mut Recorder::default()))
    };
    let refused = |wanted: &str, status: i32| {
        let (configured, (fetched, report)) = known(house);
        assert_eq!(clear(configured, wanted).status.code(), status);
        assert_eq!(clear(fetched, wanted).status.code(), status);
        assert_eq!((report.accounts_tried, report.messages_taken), (0, 0));
    };

    std::fs::rename(&store, &aside).unwrap();
    rusqlite::Connection::open(&store).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
    refused("store.foreign", -11);
    std::fs::write(&store, "From: nobody\r\n".repeat(500)).unwrap();
    refused("store.foreign", -11);
    std::fs::rename(&aside, &store).unwrap();
    version(999);
    refused("store.newer", -11);
    version(1);

    let key = std::fs::read(house.path("key")).unwrap();
    let configured = |wanted: &str, status: i32| {
        let instance = Instance::new("another", house.clock.clone());
        let result = instance.configure(&mut Recorder::default(), &house.config.to_string());
        let error = clear(result, wanted);
        assert_eq!(error.status.code(), status);
        assert!(error.message.contains("key"), "{error:?}");
    };
    write_key(&house.path("key"), 8);
    configured("key.unknown", -12);
    std::fs::write(house.path("key"), "no hex").unwrap();
    let error = house.configure().unwrap_err();
    assert_eq!((error.status.code(), error.advice.is_empty()), (-12, false));
    std::fs::remove_file(house.path("key")).unwrap();
    let error = house.configure().unwrap_err();
    assert_eq!((error.status.code(), error.advice.is_empty()), (-12, false));
    std::fs::write(house.path("key"), &key).unwrap();
    std::fs::set_permissions(house.path("key"), PermissionsExt::from_mode(0o666)).unwrap();
    let error = house.configure().unwrap_err();
    assert_eq!((error.status.code(), error.advice.is_empty()), (-12, false));
    std::fs::set_permissions(house.path("key"), PermissionsExt::from_mode(0o600)).unwrap();

    house.configure().unwrap();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1, "only what is new, with the grant of before");
    assert_eq!(signed.idp.journal().count("authorization_code"), 1);
}

#[test]
fn a_token_file_that_cannot_be_read_is_told_and_loses_nothing() {
    let house = House::new(Script::dovecot());
    house.fill(2, 700, 1);
    let token = house.path("token");
    type Spoil = fn(&Path);
    let spoilt: [(&str, Spoil); 5] = [
        ("does not exist", |path| std::fs::remove_file(path).unwrap()),
        ("empty", |path| std::fs::write(path, "\n").unwrap()),
        ("more than one word", |path| std::fs::write(path, "two words").unwrap()),
        ("no text", |path| std::fs::write(path, b"\xff\xfe\x00").unwrap()),
        ("no regular file", |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }),
    ];
    for (says, spoil) in spoilt {
        spoil(&token);
        let error = clear(house.fetch(&mut Recorder::default()).0, "config.token_file");
        assert!(error.status.code() == -10 && error.message.contains(says), "{error:?}");
        assert_eq!(house.pop.journal().connections(), 0);
    }
    std::fs::remove_dir(&token).unwrap();
    std::fs::write(&token, house::TOKEN).unwrap();
    assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 2);
}

/// The reference host on a Maildir that may not be written, then on a disk that is full: as another user than root,
/// to whom no mode is a bound, with his own limit on a file's size where no small disk can be had.
#[test]
fn a_maildir_that_takes_nothing_is_told_and_everything_arrives_when_it_does() {
    let house = House::new(Script::dovecot());
    house.fill(3, 60_000, 1);
    let folder = house.dir.path();
    let state = Placed::new(folder);
    let mut config = house.config.clone();
    config["store"] = json!(state.0.join("store.db"));
    config["keys"] = json!([state.0.join("key")]);
    config["accounts"]["alice"]["token_file"] = json!(state.0.join("token"));
    config["ca_file"] = json!(state.0.join("ca.pem"));
    state.put("config.json", config.to_string().as_bytes());
    state.put("key", "07".repeat(32).as_bytes());
    state.put("token", house::TOKEN.as_bytes());
    state.put("ca.pem", house.pki.ca_pem().as_bytes());
    for name in ["", "/tmp", "/new", "/cur"] {
        state.folder(&format!("Maildir{name}"));
    }
    let tmp = state.0.join("Maildir/tmp");

    std::fs::set_permissions(&tmp, PermissionsExt::from_mode(0o555)).unwrap();
    let refused = state.fetch(false);
    assert_eq!(refused.0, Some(40), "{}", refused.1);
    std::fs::set_permissions(&tmp, PermissionsExt::from_mode(0o755)).unwrap();
    let full = state.fetch(true);
    assert_eq!(full.0, Some(40), "{}", full.1);
    for (report, wanted) in [(&refused.1, "sink.deferred"), (&full.1, "sink.full")] {
        let report: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
        let error = &report["error"];
        assert_eq!((&error["cause"], &report["report"]["messages_taken"]), (&json!(wanted), &json!(0)));
        assert!(error["message"].as_str().unwrap().contains("cannot "), "the system's words: {error}");
        assert_ne!(error["advice"], "");
    }
    let done = state.fetch(false);
    assert_eq!(done.0, Some(0), "{}", done.1);
    assert_eq!(std::fs::read_dir(state.0.join("Maildir/new")).unwrap().count(), 3);
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "nothing half is left");
}
