//! `multipop-host` between real servers: from Dovecot into a Maildir without a configuration file, and from one
//! mailbox through LMTP into another, loaded as a C host loads the library and with its layout checked.

#[path = "real/mod.rs"]
mod rig;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use rig::flow::grant;
use rig::{Options, Rig, server};

const ALICE: &str = "alice@contoso.example";
const BOB: &str = "bob@contoso.example";

#[test]
fn a_mailbox_named_on_the_command_line_goes_into_a_maildir() {
    for load in ["raw", "checked"] {
        let rig = rig();
        let dir = rig.folder("host");
        let maildir = dir.join("Maildir");
        let token = token_file(&rig, &dir);
        let address = format!("127.0.0.1:{}", rig.dovecot.pop3s_port);
        let mut fetch = Command::new(multipop_host());
        fetch.args(["--json", "--load", load, "--library"]).arg(library());
        fetch.args(["fetch", "--server", &address, "--user", ALICE, "--token-file"]).arg(&token);
        fetch.arg("--ca-file").arg(&rig.pki.ca_file).arg("--state").arg(dir.join("state"));
        fetch.arg("--maildir").arg(&maildir);
        assert_eq!(taken(&mut fetch), 2, "{load}: the first run");
        assert_eq!(taken(&mut fetch), 0, "{load}: the second run");
        rig.dovecot.deliver(ALICE, b"Subject: three\r\n\r\n3\r\n");
        assert_eq!(taken(&mut fetch), 1, "{load}: after one more");
        let new = std::fs::read_dir(maildir.join("new")).expect("the Maildir");
        assert_eq!(new.count(), 3, "{load}");
    }
}

#[test]
fn mail_goes_through_lmtp_into_another_mailbox() {
    let rig = rig();
    let dir = rig.folder("host");
    server::write_secret(&dir.join("key"), "4b".repeat(32).as_bytes());
    let address = format!("127.0.0.1:{}", rig.dovecot.pop3s_port);
    let config = json!({
        "store": dir.join("store.db"),
        "keys": [dir.join("key")],
        "hostname": "mail.example.com",
        "ca_file": rig.pki.ca_file,
        "system_roots": false,
        "servers": [address],
        "accounts": { "alice": {
            "owner": BOB,
            "deliver_to": BOB,
            "server": address,
            "user": ALICE,
            "token_file": token_file(&rig, &dir),
        } },
    });
    let config_file = dir.join("config.json");
    std::fs::write(&config_file, config.to_string()).expect("the configuration");

    let mut fetch = Command::new(multipop_host());
    fetch.args(["--json", "--library"]).arg(library()).args(["fetch", "--now", "--config"]).arg(&config_file);
    fetch.arg("--lmtp").arg(format!("127.0.0.1:{}", rig.dovecot.lmtp_port));
    assert_eq!(taken(&mut fetch), 2);
    assert_eq!(rig.dovecot.messages(BOB), 2);
    assert_eq!(taken(&mut fetch), 0);
    assert_eq!(rig.dovecot.messages(BOB), 2);
}

/// With two messages for Alice.
fn rig() -> Rig {
    let rig = Rig::start(&Options { access_token_life_s: 600, ..Options::default() });
    rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n1\r\n");
    rig.dovecot.deliver(ALICE, b"Subject: two\r\n\r\n.\r\n");
    rig
}

fn token_file(rig: &Rig, dir: &Path) -> PathBuf {
    let file = dir.join("token");
    server::write_secret(&file, grant(rig, ALICE).access_token.as_bytes());
    file
}

/// Runs a fetch and reads from its last JSON line how many messages were taken.
fn taken(fetch: &mut Command) -> u64 {
    let output = fetch.output().expect("multipop-host starts");
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{log}", output.status);
    let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report =
        lines.rfind(|line| line["type"] == "report").unwrap_or_else(|| panic!("no report in {said}"));
    report["report"]["messages_taken"].as_u64().unwrap_or_else(|| panic!("no count in {report}"))
}

fn library() -> PathBuf {
    std::env::current_exe().expect("this test's own path").with_file_name("libmultipop.so")
}

/// Built beside the tests by `make test`, and by `cargo build --workspace`.
fn multipop_host() -> PathBuf {
    let deps = std::env::current_exe().expect("this test's own path");
    let program = deps.parent().and_then(Path::parent).expect("the profile's folder").join("multipop-host");
    assert!(program.exists(), "{} is missing: cargo build --workspace", program.display());
    program
}
