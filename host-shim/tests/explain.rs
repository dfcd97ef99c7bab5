//! "My mail of Tuesday is missing": answered from the terminal, by the Message-ID alone, and what else helps then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use multipop_host::mock::TokenTable;
use multipop_host::mock::mail::Body;
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Message, Script, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

const USER: &str = "alice@contoso.example";
const TOKEN: &str = "let-me-in-4711-let-me-in";
const TUESDAY: &str = "<tuesday.4711@friend.example>";

struct House {
    folder: TempDir,
    pop: Server,
}

impl House {
    fn new() -> House {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
        let pop = Server::start(&pki, &tokens, Script::exchange()).unwrap();
        pop.mailboxes().fill(USER, 4, 2048, 1);
        tokens.accept(TOKEN, USER);
        fs::write(at("ca.pem"), pki.ca_pem()).unwrap();
        fs::write(at("token"), TOKEN).unwrap();
        let server = pop.address().to_string();
        let config = json!({
            "store": at("store.db"), "keys": [at("key")], "hostname": "mail.example.com",
            "ca_file": at("ca.pem"), "system_roots": false, "servers": [server],
            "accounts": { "archive": {
                "owner": "alice@example.com", "server": server, "user": USER, "token_file": at("token"),
                "interval_s": 10,
            } },
        });
        fs::write(at("config.json"), config.to_string()).unwrap();
        let house = House { folder, pop };
        let made =
            Command::new(env!("CARGO_BIN_EXE_multipop-host")).args(["key", &house.path("key")]).output();
        assert!(made.unwrap().status.success());
        house
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Each command is a process of its own.
    fn host(&self, command: &str, more: &[&str]) -> Output {
        let (config, library) = (self.path("config.json"), library());
        let mut run = Command::new(env!("CARGO_BIN_EXE_multipop-host"));
        run.args([command, "--config", &config, "--library", library.to_str().unwrap()]);
        run.args(more).stdin(Stdio::null()).output().unwrap()
    }

    fn fetch(&self) {
        let done = self.host("fetch", &["--now", "--maildir", &self.path("Maildir")]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    }

    fn asked(&self, command: &str, more: &[&str]) -> Value {
        let output = self.host(command, &[&["archive", "--json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn told(&self, command: &str, more: &[&str]) -> String {
        let output = self.host(command, &[&["archive"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
    assert!(library.exists(), "build the workspace first: {} is missing", library.display());
    library
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_missing_mail_of_tuesday_is_found_by_its_message_id_alone() {
    let house = House::new();
    house.fetch();
    // The owner complains before it was ever there.
    let told = house.told("explain", &["--message-id", TUESDAY]);
    assert!(
        told.starts_with("archive: No message with this Message-ID is known here. 1 visit since "),
        "{told}"
    );
    assert!(told.contains("had 4 messages"), "{told}");

    let text = format!("From: f@friend.example\r\nMessage-ID: {TUESDAY}\r\nSubject: x\r\n\r\nbody\r\n");
    house.pop.mailboxes().push(USER, Message::new("uidl-of-tuesday", Body::from_bytes(text)));
    house.fetch();
    house.fetch();
    let answer = house.asked("explain", &["--message-id", "tuesday.4711@friend.example"]);
    assert_eq!(answer["verdict"], "taken", "{answer:#}");
    let steps = answer["happenings"].as_array().unwrap();
    assert_eq!(
        steps.iter().map(|step| step["what"].as_str().unwrap()).collect::<Vec<_>>(),
        ["seen", "taken"]
    );
    // The answer leads to the very file.
    let file = Path::new(&house.path("Maildir/new")).join(steps[1]["answer"].as_str().unwrap());
    assert!(fs::read_to_string(&file).unwrap().contains(TUESDAY), "{file:?}");
    assert_eq!(steps[0]["uidl"], "uidl-of-tuesday");
    assert_eq!((&steps[0]["process"], &answer["passes"]["kept"]), (&steps[1]["process"], &json!(3)));

    let told = house.told("explain", &["--message-id", TUESDAY]);
    assert!(told.contains("Taken by the mail server here at 20") && told.contains(" seen "), "{told}");
    for more in [&["--uidl", "uidl-of-tuesday"][..], &["--since", "1h"], &["--as", "alice@example.com"]] {
        assert!(house.told("explain", more).contains(steps[1]["answer"].as_str().unwrap()), "{more:?}");
    }
    let stranger = house.host("explain", &["archive", "--as", "mallory@example.com"]);
    assert_eq!(stranger.status.code(), Some(20), "{}", said(&stranger));
    let wrong = house.host("explain", &["archive", "--since", "tuesday"]);
    assert!(wrong.status.code() == Some(1) && said(&wrong).contains("2026-11-24"), "{}", said(&wrong));
    let both = house.host("explain", &["archive", "--uidl", "u", "--since", "1h"]);
    assert_eq!(both.status.code(), Some(1), "{}", said(&both));
}

#[test]
fn a_trace_and_a_bundle_of_one_process_are_read_by_another() {
    let house = House::new();
    let off = house.told("trace", &[]);
    assert!(off.starts_with("archive: not traced."), "{off}");
    let on = house.told("trace", &["--minutes", "15"]);
    assert!(on.contains("sessions are traced until 20"), "{on}");
    house.fetch();
    let trace = house.told("trace", &[]);
    assert!(trace.contains("C: AUTH") && trace.contains("C: RETR 4") && trace.contains("C: QUIT"), "{trace}");

    let bundle = house.asked("support-bundle", &[]);
    assert_eq!((&bundle["ledger"]["taken"], &bundle["passes"][0]["taken"]), (&json!(4), &json!(4)));
    assert!(bundle["trace"]["lines"].as_array().unwrap().len() > 10);
    let file = house.path("bundle.json");
    house.told("support-bundle", &["--out", &file]);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap()["passes"], bundle["passes"]);
    assert_eq!(
        house.host("support-bundle", &["archive", "--out", &file]).status.code(),
        Some(1),
        "never over a file"
    );
    for secret in [TOKEN, "alice", "u0000", "contoso"] {
        assert!(!written.contains(secret) && !trace.contains(secret), "{secret} in {written} {trace}");
    }

    assert!(house.told("trace", &["--minutes", "0"]).contains("no trace is kept any more"));
    assert_eq!(house.host("trace", &["archive", "--minutes", "61"]).status.code(), Some(1));
    let owner = house.host("trace", &["archive", "--minutes", "1", "--as", "alice@example.com"]);
    assert_eq!(owner.status.code(), Some(20), "{}", said(&owner));
}

/// What is kept of a visit rides in what a visit writes anyway.
#[test]
fn a_poll_with_nothing_new_waits_for_the_disk_no_oftener() {
    let house = House::new();
    house.fetch();
    let (config, library, maildir) = (house.path("config.json"), library(), house.path("Maildir"));
    let syncs = |minutes: &str| {
        house.told("trace", &["--minutes", minutes]);
        let log = house.path("strace");
        let mut run = Command::new("strace");
        run.args(["-f", "-o", &log, "-e", "trace=fsync,fdatasync", "--"])
            .arg(env!("CARGO_BIN_EXE_multipop-host"));
        run.args(["fetch", "--now", "--config", &config, "--maildir", &maildir]);
        run.args(["--library", library.to_str().unwrap()]);
        let done = run.stdin(Stdio::null()).output().expect("strace is installed");
        assert!(done.status.success(), "{}", said(&done));
        let calls = fs::read_to_string(log).unwrap();
        calls.lines().filter(|line| line.contains("sync(") && !line.contains("resumed")).count()
    };
    let before = house.asked("explain", &[])["passes"]["kept"].clone();
    let all = (syncs("0"), syncs("15"));
    // As many as without a history: closing the store's last connection brings its log into the file.
    assert_eq!(all, (4, 4), "a poll that is traced and one that is not");
    assert_eq!(house.asked("explain", &[])["passes"]["kept"], before.as_u64().unwrap() + 2);
}
