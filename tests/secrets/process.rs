//! The reference host with the shared library, in a process of its own, as talkative as it can be made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use multipop_host::mock::idp::{self, Client};
use multipop_host::mock::pop3::{At, Fault, Script, Verb, What};

use super::KEY;
use super::house::signed::{SESSION, Signed};
use super::search::Seen;

#[test]
fn i03_no_secret_leaves_a_host_s_process() {
    let signed = Signed::new(Script::dovecot(), idp::Settings::generic());
    signed.house.fill(4, 3000, 1);
    signed.connect();
    let config = signed.house.path("config.json");
    std::fs::write(&config, signed.house.config.to_string()).unwrap();
    let mut seen = Seen::default();
    let mut fetch = |expected: &[i32]| {
        let mut command = Command::new(multipop_host());
        command.args(["-vvv", "--json", "--library"]).arg(library()).args([
            "fetch",
            "--now",
            "--account",
            "alice",
        ]);
        command.arg("--config").arg(&config).arg("--maildir").arg(signed.house.path("Maildir"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        seen.add("stdout", &output.stdout);
        seen.add("stderr", &output.stderr);
        seen.store(signed.house.dir.path());
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code().is_some_and(|code| expected.contains(&code)),
            "{:?} {words}",
            output.status
        );
    };
    fetch(&[0]);
    // The access token is refused, renewed, refused again, in the server's own words.
    for said in ["-ERR [AUTH] {line}\r\n", "-ERR {token}\r\n", "{line} {token}\r\n"] {
        let echo = What::Echo(said.to_owned());
        signed.house.pop.change(|script| script.faults = vec![Fault::new(At::Verb(Verb::AuthData), echo)]);
        fetch(&[10, 20, 30]);
    }
    signed.house.pop.change(|script| script.faults.clear());
    signed.house.tokens.expire_all();
    signed.idp.change(|s| s.faults = vec![idp::Fault::new(idp::At::Refresh, idp::What::Echo(400))]);
    fetch(&[10, 20]);
    assert!(seen.text("stderr").contains("event=auth "), "the trace was not captured");
    let (journal, pop) = (signed.idp.journal(), signed.house.pop.journal());
    let lists = [journal.secrets_issued(), journal.secrets_shown(), pop.tokens_seen(), pop.sasl_lines_seen()]
        .concat();
    let mut secrets: BTreeMap<String, Vec<u8>> = lists
        .into_iter()
        .filter(|secret| secret.len() > 8)
        .enumerate()
        .map(|(number, secret)| (format!("secret {number}"), secret.into_bytes()))
        .collect();
    secrets.insert("client secret".to_owned(), Client::SECRET.into());
    secrets.insert("session".to_owned(), SESSION.into());
    secrets.insert("key".to_owned(), KEY.to_vec());
    assert_eq!(seen.leaks(&secrets), Vec::<String>::new());
}

fn library() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("libmultipop.so")
}

/// Built beside the tests by `make test`, and by `cargo build --workspace`.
fn multipop_host() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let program = deps.parent().and_then(Path::parent).unwrap().join("multipop-host");
    assert!(program.exists(), "{} is missing: cargo build --workspace", program.display());
    program
}
