//! No secret leaves (I3): everything a whole run says, writes and answers is searched for every secret it had.

mod house;
#[path = "secrets/process.rs"]
mod process;
#[path = "secrets/search.rs"]
mod search;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use house::signed::{REDIRECT, SESSION, Signed};
use house::{OWNER, Recorder, TOKEN, USER, cause, planted};
use multipop::error::Error;
use multipop::model::Answer;
use multipop::service::accounts::AccountsRequest;
use multipop_host::mock::idp::{self, Client, OAuthError, Rotation};
use multipop_host::mock::pop3::{At, Fault, Script, Verb, What};
use search::Seen;
use serde_json::json;

const OTHER_SESSION: &str = "browser-session-of-a-stranger-98765";
const KEY: [u8; 32] = [7; 32];

/// A whole run, and what it gave away.
struct Run {
    signed: Signed,
    seen: Rc<RefCell<Seen>>,
    /// Of consents: they stand in the URL, and nowhere else.
    of_urls: BTreeMap<String, Vec<u8>>,
}

impl Run {
    fn new() -> Run {
        planted::install();
        let settings = idp::Settings { rotation: Rotation::Rotates, ..idp::Settings::generic() };
        let signed = Signed::new(Script::dovecot(), settings);
        Run { signed, seen: Rc::default(), of_urls: BTreeMap::new() }
    }

    fn told(&self, what: &str, error: &Error) {
        self.seen.borrow_mut().add("error", format!("{what}: {error} {error:?}"));
    }

    /// What a host saw during a call, and what the call left in the store.
    fn heard(&self, host: &Recorder) {
        let mut seen = self.seen.borrow_mut();
        for line in &host.lines {
            assert!(!line.starts_with("event=lines_dropped"), "{line}");
            seen.add("log", line);
        }
        for event in &host.events {
            seen.add("event", format!("{event:?}"));
        }
        seen.store(self.signed.house.dir.path());
    }

    /// A visit, during which the store's files are looked at as well.
    fn fetch(&self) -> &'static str {
        let mut host = Recorder::batching();
        let (seen, folder) = (self.seen.clone(), self.signed.house.dir.path().to_owned());
        host.on_begin = Some(Box::new(move |message| {
            seen.borrow_mut().add("message", format!("{message:?}"));
            seen.borrow_mut().store(&folder);
            Answer::Go
        }));
        let act = |json| self.signed.house.act("alice", json).unwrap().to_string();
        act(json!({ "verb": "trace", "minutes": 60 }));
        let (status, report) = self.signed.house.fetch(&mut host);
        if let Err(error) = &status {
            self.told("fetch", error);
        }
        for verb in ["trace_read", "support_bundle", "explain"] {
            self.seen.borrow_mut().add(verb, act(json!({ "verb": verb })));
        }
        self.seen.borrow_mut().add("report", format!("{report:?}"));
        self.heard(&host);
        self.shown();
        cause(&status)
    }

    fn shown(&self) {
        for actor in ["*", OWNER] {
            let request = AccountsRequest { actor, account: None, realm: None, after: None, limit: 0 };
            let mut host = Recorder::default();
            let json = self.signed.house.instance.accounts(&mut host, &request).unwrap();
            self.seen.borrow_mut().add("accounts", json);
            self.heard(&host);
        }
    }

    /// The address a consent ends at.
    fn consent(&mut self) -> String {
        let mut host = Recorder::default();
        let url = self.signed.begin(&mut host).unwrap();
        self.heard(&host);
        for name in ["state", "nonce"] {
            let value = parameter(&url, name);
            self.of_urls.insert(format!("{name} {}", self.of_urls.len()), value.into_bytes());
        }
        self.signed.idp.consent(&url, USER).unwrap()
    }

    fn bring(&self, uri: &str, session: &str) -> &'static str {
        let mut host = Recorder::default();
        let (status, json) = self.signed.bring(&mut host, uri, session);
        if let Err(error) = &status {
            self.told("callback", error);
        }
        self.seen.borrow_mut().add("callback", json.unwrap_or_default());
        self.heard(&host);
        cause(&status)
    }

    fn at_provider(&self, at: idp::At, what: idp::What) {
        self.signed.idp.change(|s| s.faults = vec![idp::Fault::new(at, what)]);
    }

    fn provider_is_well(&self) {
        self.signed.idp.change(|s| s.faults.clear());
    }

    /// Every secret there was.
    fn secrets(&self) -> BTreeMap<String, Vec<u8>> {
        let (idp, pop) = (self.signed.idp.journal(), self.signed.house.pop.journal());
        let mut secrets = self.of_urls.clone();
        let lists = [
            ("issued", idp.secrets_issued()),
            ("shown", idp.secrets_shown()),
            ("token at the mailbox", pop.tokens_seen()),
            ("line at the mailbox", pop.sasl_lines_seen()),
        ];
        for (name, list) in lists {
            assert!(!list.is_empty(), "no secret was {name}");
            for (number, secret) in list.into_iter().enumerate() {
                // A `*` or an empty line is no credential.
                if secret.len() > 8 {
                    secrets.insert(format!("{name} {number}"), secret.into_bytes());
                }
            }
        }
        for (name, secret) in [
            ("client secret", Client::SECRET.as_bytes()),
            ("token file", TOKEN.as_bytes()),
            ("session", SESSION.as_bytes()),
            ("other session", OTHER_SESSION.as_bytes()),
            ("key", &KEY),
        ] {
            secrets.insert(name.to_owned(), secret.to_vec());
        }
        secrets
    }
}

fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned()
}

/// A provider that fails in every way, and tells in its answers what it was told.
fn consents(run: &mut Run) {
    let uri = run.consent();
    assert_eq!(run.bring(&uri, OTHER_SESSION), "callback.unknown");
    assert_eq!(run.bring(&uri, "short"), "argument.session");
    for status in [400, 401, 500, 503] {
        let uri = run.consent();
        run.at_provider(idp::At::Code, idp::What::Echo(status));
        assert_ne!(run.bring(&uri, SESSION), "ok", "{status}");
    }
    for what in [
        idp::What::HalfAnswer,
        idp::What::RightBodyWithStatus(500),
        idp::What::RightBodyWithStatus(400),
        idp::What::Huge(100_000),
        idp::What::Redirect("https://127.0.0.1:1/".to_owned()),
        idp::What::Error(OAuthError::new("invalid_grant")),
    ] {
        let uri = run.consent();
        run.at_provider(idp::At::Code, what.clone());
        assert_ne!(run.bring(&uri, SESSION), "ok", "{what:?}");
    }
    run.provider_is_well();
    let uri = run.consent();
    let state = parameter(&uri, "state");
    let echoed = format!("{REDIRECT}?state={state}&error=x{state}&error_description=what+is+{state}");
    assert_ne!(run.bring(&echoed, SESSION), "ok");
    let doubled = run.consent();
    assert_ne!(run.bring(&format!("{doubled}&error=denied"), SESSION), "ok");
    run.signed.idp.change(|s| s.id_token = idp::IdToken::WrongAudience);
    let uri = run.consent();
    assert_ne!(run.bring(&uri, SESSION), "ok");
    run.signed.idp.change(|s| s.id_token = idp::IdToken::Good);
    let uri = run.consent();
    assert_eq!(run.bring(&uri, SESSION), "ok");
    assert_eq!(run.bring(&uri, SESSION), "ok", "repeated");
}

/// The mailbox says no, and repeats what it was told.
fn refusals(run: &Run) {
    let pop = &run.signed.house.pop;
    let long = "x".repeat(150);
    for secret in ["{line}", "{token}"] {
        for said in [
            format!("-ERR [AUTH] no {secret} here"),
            format!("-ERR {secret}"),
            format!("-ERR [X/{secret}] no"),
            format!("-ERR {long} {secret}"),
            format!("+ {secret}\r\n-ERR {secret}"),
            format!("{secret} what"),
            format!("{} {secret}", &long[..70]),
            format!("+OK {secret}\r\n{secret}"),
        ] {
            let echo = What::Echo(format!("{said}\r\n"));
            pop.change(|script| script.faults = vec![Fault::new(At::Verb(Verb::AuthData), echo)]);
            run.fetch();
        }
    }
    pop.change(|script| script.faults.clear());
    run.signed.house.tokens.expire_all();
    run.fetch();
}

/// Renewal, in every way that fails, each time with the next rotated token.
fn renewals(run: &Run) {
    let due = || run.signed.house.clock.advance(3700);
    due();
    assert_eq!(run.fetch(), "ok");
    // The old token stays good where the answer with the new one is lost.
    run.signed.idp.change(|s| s.rotation = Rotation::KeepsOld);
    for what in [
        idp::What::Echo(500),
        idp::What::Echo(400),
        idp::What::Echo(401),
        idp::What::html(502),
        idp::What::HalfAnswer,
        idp::What::RightBodyWithStatus(503),
        idp::What::too_many(5),
    ] {
        due();
        run.at_provider(idp::At::Refresh, what.clone());
        assert_ne!(run.fetch(), "ok", "{what:?}");
        run.provider_is_well();
        run.fetch();
    }
}

/// What an operator does in a hurry: the secret in place of its file.
fn wrong_configurations(run: &Run) {
    let hex = "07".repeat(32);
    let config = &run.signed.house.config;
    let mut wrong = Vec::new();
    for (pointer, value) in [
        ("/keys", json!([hex])),
        ("/keys", json!({ "key": hex })),
        ("/providers/p/client_secret_files", json!([Client::SECRET])),
        ("/providers/p/client_secret_files", json!(Client::SECRET)),
        ("/accounts/bob/token_file", json!(TOKEN)),
        ("/accounts/bob/token_file", json!({ "token": TOKEN })),
    ] {
        let mut config = config.clone();
        *config.pointer_mut(pointer).unwrap() = value;
        wrong.push(config.to_string());
    }
    for (pointer, name, value) in [
        ("/providers/p", "client_secret", Client::SECRET),
        ("/accounts/bob", "token", TOKEN),
        ("", "key", hex.as_str()),
    ] {
        let mut config = config.clone();
        config.pointer_mut(pointer).unwrap()[name] = json!(value);
        wrong.push(config.to_string());
    }
    wrong.push(format!("{{\"keys\": [{hex}]}}"));
    wrong.push(format!("{{\"keys\": [\"{hex}\", \"{hex}]}}"));
    let secret = run.signed.house.path("client-secret");
    for content in [format!("{}\n{}\n", Client::SECRET, TOKEN), format!("\u{1}{}", Client::SECRET)] {
        std::fs::write(&secret, content).unwrap();
        let mut config = config.clone();
        config["keys"] = json!([run.signed.house.path("client-secret")]);
        wrong.push(config.to_string());
        wrong_configuration(run, &run.signed.house.config.to_string());
    }
    for json in wrong {
        wrong_configuration(run, &json);
    }
    std::fs::write(&secret, Client::SECRET).unwrap();
    run.signed.house.configure().unwrap();
}

fn wrong_configuration(run: &Run, json: &str) {
    let mut host = Recorder::default();
    let error = run.signed.house.instance.configure(&mut host, json).expect_err("refused");
    assert!(!error.advice.is_empty() || error.message.contains("expected"), "{error:?}");
    run.told("configure", &error);
    run.heard(&host);
}

#[test]
fn i03_no_secret_leaves() {
    let mut run = Run::new();
    let server = run.signed.house.pop.address().to_string();
    let token_file = run.signed.house.path("token");
    run.signed.house.config["accounts"]["bob"] = json!({
        "owner": OWNER, "server": server, "user": USER, "token_file": token_file, "deliver_to": "bob@example.com",
        "enabled": false,
    });
    let mut host = Recorder::default();
    run.signed.house.instance.configure(&mut host, &run.signed.house.config.to_string()).unwrap();
    run.heard(&host);
    run.signed.house.fill(6, 2000, 1);

    consents(&mut run);
    assert_eq!(run.fetch(), "ok");
    renewals(&run);
    run.signed.house.fill(3, 500, 9);
    planted::plant("event=message_begin account=alice number=8");
    assert_eq!(run.fetch(), "bug");
    planted::clear("event=message_begin account=alice number=8");
    assert_eq!(run.fetch(), "ok");
    refusals(&run);
    for verb in ["pause", "resume", "offer_again"] {
        if let Ok(json) = run.signed.house.act("alice", json!({ "do": verb })) {
            run.seen.borrow_mut().add("act", json.to_string());
        }
    }
    wrong_configurations(&run);

    let seen = run.seen.borrow();
    let places =
        ["log", "event", "error", "accounts", "callback", "store.db", "store.db-wal", "store.db.lock"];
    for place in places.into_iter().chain(["trace_read", "support_bundle", "explain"]) {
        assert!(seen.places().contains(&place), "{place} was not looked at: {:?}", seen.places());
    }
    assert!(seen.text("trace_read").contains("C: AUTH ") && seen.text("support_bundle").contains("C: AUTH "));
    let log = seen.text("log");
    for event in ["auth", "consent_end", "token_refreshed", "token_refused_words", "panic", "account_end"] {
        assert!(log.contains(&format!("event={event} ")), "no line {event}");
    }
    let secrets = run.secrets();
    assert!(secrets.len() > 30, "{} secrets", secrets.len());
    assert_eq!(seen.leaks(&secrets), Vec::<String>::new(), "of {} secrets", secrets.len());
}

/// Without this a search that finds nothing would prove nothing.
#[test]
fn the_search_finds_what_left() {
    let secrets = BTreeMap::from([("s".to_owned(), b"a secret/with+odd=characters".to_vec())]);
    use base64::Engine;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for left in [
        "so a secret/with+odd=characters left".to_owned(),
        base64("user=x\u{1}auth=a secret/with+odd=characters\u{1}\u{1}"),
        base64("1a secret/with+odd=characters"),
        base64("12a secret/with+odd=characters"),
        "x=a+secret%2Fwith%2Bodd%3Dcharacters".to_owned(),
        "x=a%20secret%2Fwith%2Bodd%3Dcharacters".to_owned(),
        "cut: a secret/with+od".to_owned(),
        "6120736563726574".to_owned() + "2f776974682b6f64643d63686172616374657273",
    ] {
        let mut seen = Seen::default();
        seen.add("log", &left);
        assert!(!seen.leaks(&secrets).is_empty(), "{left}");
    }
    let mut seen = Seen::default();
    seen.add("log", "nothing of that sort");
    assert!(seen.leaks(&secrets).is_empty());
}
