//! The main job on real servers: a C host written from the header alone, consent by the code flow at an
//! independent OpenID provider, messages from a real Dovecot into a durable Maildir, run after run.

#[path = "real/mod.rs"]
mod rig;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use rig::openid::{CLIENT_ID, CLIENT_SECRET};
use rig::{Options, REDIRECT_URI, Rig, server};

const ALICE: &str = "alice@contoso.example";
const SESSION: &str = "the-browser-session-of-alice";

const OK: i32 = 0;
const E_CALLBACK: i32 = -21;
const E_CONFIRM: i32 = -22;
const E_CONSENT: i32 = -20;
const E_TRANSIENT: i32 = -30;

#[test]
fn mail_travels_from_consent_to_maildir_and_only_what_is_new_follows() {
    let mut host = Host::new("xoauth2");
    let sent = [
        &b"From: bob@contoso.example\r\nSubject: plain\r\n\r\nHello.\r\n"[..],
        b"Subject: dots\r\n\r\n.\r\n..\r\n.leading\r\n",
        b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\xc3\xb6\xc3\xbc\r\n",
    ];
    for message in sent {
        host.rig.dovecot.deliver(ALICE, message);
    }
    host.connect();

    let first = host.fetch();
    assert_eq!((first.status(), first.number("taken")), (OK, 3), "{first:?}");
    let mut bodies = host.delivered();
    for message in sent {
        let place = bodies
            .iter()
            .position(|found| found.ends_with(message))
            .expect("the message arrived whole");
        let found = bodies.remove(place);
        assert!(
            found.starts_with(b"Received: from "),
            "{}",
            String::from_utf8_lossy(&found)
        );
    }
    assert!(bodies.is_empty(), "more arrived than was sent");

    let second = host.fetch();
    assert_eq!((second.status(), second.number("taken")), (OK, 0), "{second:?}");

    for number in 0..3 {
        host.rig
            .dovecot
            .deliver(ALICE, format!("Subject: new {number}\r\n\r\nnew\r\n").as_bytes());
    }
    let third = host.fetch();
    assert_eq!((third.status(), third.number("taken")), (OK, 3), "{third:?}");
    assert_eq!(host.delivered().len(), 6);
    assert_eq!(
        host.rig.dovecot.messages(ALICE),
        6,
        "the default leaves mail on the server"
    );
    host.no_secret_was_shown();
}

#[test]
fn oauthbearer_opens_the_mailbox_too() {
    let mut host = Host::new("oauthbearer");
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.connect();
    let fetched = host.fetch();
    assert_eq!(
        (fetched.status(), fetched.number("taken")),
        (OK, 1),
        "{fetched:?}"
    );
}

#[test]
fn an_expired_access_token_is_refreshed_and_a_rotated_one_kept() {
    let mut host = Host::new("xoauth2");
    host.connect();
    let mut refreshed = host.rig.provider.count("refresh_token");
    // Twice: the second refresh needs the token the first one was answered with.
    for round in 1..=2 {
        host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
        host.rig.provider.expire(ALICE);
        let fetched = host.fetch();
        assert_eq!(
            (fetched.status(), fetched.number("taken")),
            (OK, 1),
            "round {round}: {fetched:?}"
        );
        let count = host.rig.provider.count("refresh_token");
        assert!(count > refreshed, "round {round}: no refresh");
        refreshed = count;
    }
    assert_eq!(
        host.rig.provider.count("invalid_grant"),
        0,
        "a used refresh token was sent again"
    );
    host.no_secret_was_shown();
}

#[test]
fn a_revoked_grant_asks_for_consent_and_consent_restores_it() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.rig.provider.revoke(ALICE);
    let refused = host.fetch();
    assert_eq!(refused.status(), E_CONSENT, "{refused:?}");
    assert!(
        !refused.text("advice").is_empty() && !refused.text("cause").is_empty(),
        "{refused:?}"
    );
    assert_eq!(host.delivered().len(), 0);

    host.connect();
    let fetched = host.fetch();
    assert_eq!(
        (fetched.status(), fetched.number("taken")),
        (OK, 1),
        "{fetched:?}"
    );
}

#[test]
fn a_stopped_provider_is_transient_and_the_grant_is_kept() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    // Neither the library can refresh nor Dovecot ask about a token.
    host.rig.provider.expire(ALICE);
    host.rig.provider.stop();
    for _ in 0..2 {
        let waiting = host.fetch();
        assert_eq!(waiting.status(), E_TRANSIENT, "{waiting:?}");
    }
    host.rig.provider.restart();
    let fetched = host.fetch();
    assert_eq!(
        (fetched.status(), fetched.number("taken")),
        (OK, 1),
        "{fetched:?}"
    );
}

#[test]
fn a_stopped_mail_server_is_transient() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.rig.dovecot.stop();
    let waiting = host.fetch();
    assert_eq!(waiting.status(), E_TRANSIENT, "{waiting:?}");
    host.rig.dovecot.restart();
    let fetched = host.fetch();
    assert_eq!(
        (fetched.status(), fetched.number("taken")),
        (OK, 1),
        "{fetched:?}"
    );
}

#[test]
fn a_refusal_another_browser_and_another_person_connect_nothing() {
    let host = Host::new("xoauth2");
    let refused = host.rig.browser().refuse(&host.authorize(), ALICE);
    let answer = host.run(&["callback", SESSION, &refused]);
    assert!(
        answer.status() == E_CALLBACK || answer.status() == E_CONSENT,
        "{answer:?}"
    );

    let agreed = host.rig.browser().consent(&host.authorize(), ALICE);
    let answer = host.run(&["callback", "another-browser-session", &agreed]);
    assert_eq!(answer.status(), E_CALLBACK, "{answer:?}");

    let mallory = host
        .rig
        .browser()
        .consent(&host.authorize(), "mallory@contoso.example");
    let answer = host.run(&["callback", SESSION, &mallory]);
    assert_eq!(answer.status(), E_CONFIRM, "{answer:?}");
    let names = answer.text("json");
    assert!(
        names.contains(ALICE) && names.contains("mallory@contoso.example"),
        "{names}"
    );

    assert_eq!(host.fetch().status(), E_CONSENT, "nothing was connected");
}

/// The C host, with a store and a Maildir of its own, against a rig of its own.
struct Host {
    rig: Rig,
    program: PathBuf,
    config_file: PathBuf,
    maildir: PathBuf,
    /// Everything any run printed.
    shown: std::cell::RefCell<String>,
}

impl Host {
    fn new(mechanism: &str) -> Host {
        let rig = Rig::start(&Options::default());
        let dir = rig.folder("host");
        let maildir = dir.join("Maildir");
        for folder in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(maildir.join(folder)).expect("a Maildir");
        }
        server::write_secret(&dir.join("key"), "4b".repeat(32).as_bytes());
        let config_file = dir.join("config.json");
        let config = config(&rig, &dir, mechanism);
        std::fs::write(&config_file, config.to_string()).expect("the configuration");
        let program = compile(&dir);
        Host {
            rig,
            program,
            config_file,
            maildir,
            shown: Default::default(),
        }
    }

    fn authorize(&self) -> String {
        let answer = self.run(&["authorize", "alice", SESSION]);
        assert_eq!(answer.status(), OK, "{answer:?}");
        answer.text("url").to_owned()
    }

    /// The whole consent, as the owner.
    fn connect(&self) {
        let redirect = self.rig.browser().consent(&self.authorize(), ALICE);
        assert!(redirect.starts_with(REDIRECT_URI), "{redirect}");
        let answer = self.run(&["callback", SESSION, &redirect]);
        assert_eq!(answer.status(), OK, "{answer:?}");
    }

    fn fetch(&self) -> Answer {
        let maildir = self.maildir.to_str().expect("a plain path");
        self.run(&["fetch", "alice", maildir])
    }

    fn delivered(&self) -> Vec<Vec<u8>> {
        let new = std::fs::read_dir(self.maildir.join("new")).expect("the Maildir");
        new.flatten()
            .map(|entry| std::fs::read(entry.path()).expect("a message"))
            .collect()
    }

    fn run(&self, step: &[&str]) -> Answer {
        let library = library();
        let output = Command::new(&self.program)
            .arg(library)
            .arg(&self.config_file)
            .args(step)
            .output()
            .expect("the C host starts");
        let (said, log) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{:?}: {}\n{said}{log}",
            step[0],
            output.status
        );
        self.shown.borrow_mut().push_str(&log);
        let lines = said
            .lines()
            .map(|line| line.split_once(' ').unwrap_or((line, "")));
        Answer {
            lines: lines
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            log: log.into(),
        }
    }

    /// Neither the log nor the store's file has what was secret (I3). Ends the provider, which then tells all it gave.
    fn no_secret_was_shown(&mut self) {
        self.rig.provider.stop();
        let shown = self.shown.borrow();
        assert!(shown.contains("event="), "the log was not captured");
        assert!(
            !shown.contains(CLIENT_SECRET),
            "the client's secret is in the log"
        );
        let bearer = "Bearer ";
        assert!(!shown.contains(bearer), "a bearer token is in the log");
        let given = self.rig.provider.given();
        assert!(
            given.iter().any(|(kind, _)| kind == "RefreshToken"),
            "nothing was given"
        );
        for (kind, token) in given {
            assert!(!shown.contains(&token), "a {kind} is in the log");
            for file in ["store.db", "store.db-wal"] {
                let bytes = std::fs::read(self.rig.folder("host").join(file)).unwrap_or_default();
                let found = memchr::memmem::find(&bytes, token.as_bytes()).is_some();
                assert!(!found, "a {kind} is readable in {file}");
            }
        }
    }
}

/// What a run of the C host printed.
#[derive(Debug)]
struct Answer {
    lines: BTreeMap<String, String>,
    #[allow(dead_code, reason = "shown by Debug when an assertion fails")]
    log: String,
}

impl Answer {
    fn text(&self, name: &str) -> &str {
        self.lines
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name)
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    fn status(&self) -> i32 {
        self.text("status")
            .parse()
            .unwrap_or_else(|_| panic!("no status in {self:?}"))
    }
}

fn config(rig: &Rig, dir: &Path, mechanism: &str) -> Value {
    let server = format!("127.0.0.1:{}", rig.dovecot.pop3s_port);
    json!({
        "store": dir.join("store.db"),
        "keys": [dir.join("key")],
        "hostname": "mail.example.com",
        "ca_file": rig.pki.ca_file,
        "system_roots": false,
        "servers": [server],
        "providers": { "contoso": {
            "profile": "generic",
            "issuer": rig.provider.issuer,
            "authorize_endpoint": rig.provider.authorize_endpoint(),
            "token_endpoint": rig.provider.token_endpoint(),
            "client_id": CLIENT_ID,
            "client_secret_file": rig.provider.client_secret_file,
            "client_authentication": "post",
            "redirect_uri": REDIRECT_URI,
            "scopes": ["openid", "profile", "email", "offline_access", "mail"],
            "authorize_parameters": { "prompt": "consent" },
            "servers": [server],
            "mechanism": mechanism,
        } },
        "accounts": { "alice": {
            "owner": "alice@example.com",
            "deliver_to": "alice@example.com",
            "provider": "contoso",
            "server": server,
            "user": ALICE,
        } },
    })
}

/// Compiled from the header alone, as strictly as compilers go.
fn compile(dir: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = dir.join("collect");
    let output = Command::new(server::program("cc"))
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-O1",
            "-I",
        ])
        .arg(root.join("include"))
        .arg("-o")
        .arg(&program)
        .arg(root.join("tests/real/collect.c"))
        .arg("-ldl")
        .output()
        .expect("the C compiler starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// The library as it was built for this very test run.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let library = test.with_file_name("libmultipop.so");
    assert!(
        library.exists(),
        "the library was not built: {}",
        library.display()
    );
    library
}
