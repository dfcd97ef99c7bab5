//! `multipop-host notices`, end to end: into a Maildir, to a webhook, to a command; each notice once.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Cargo puts it beside this test when the whole workspace is built.
fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
    assert!(library.exists(), "build the workspace first: {} is missing", library.display());
    library
}

/// Alice never signed in, and her operator hears of it the same day.
fn house() -> TempDir {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let config = json!({
        "store": folder.path().join("store.db"),
        "keys": [file("key", &"5a".repeat(32))],
        "hostname": "mail.example.com",
        "notices": { "delay_s": 0, "digest_hour": 0, "page_url": "https://mail.example.com/mailboxes" },
        "providers": { "p": {
            "profile": "microsoft365", "client_id": "c", "client_secret_file": file("secret", "secret"),
            "redirect_uri": "https://mail.example.com/back", "servers": ["127.0.0.1:995"],
        } },
        "accounts": { "alice": {
            "owner": "alice@example.com", "provider": "p", "user": "alice@contoso.example", "deliver_to": "alice@example.com",
        } },
    });
    file("config.json", &config.to_string());
    folder
}

fn run(folder: &TempDir, command: &str, more: &[&str]) -> (Output, Vec<Value>) {
    let mut host = Command::new(env!("CARGO_BIN_EXE_multipop-host"));
    host.args([command, "--library", library().to_str().unwrap(), "--json"]).stdin(Stdio::null());
    host.arg("--config").arg(folder.path().join("config.json")).args(more);
    let output = host.output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let objects = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    (output, objects.filter(|object| object["type"] == "notice").collect())
}

/// In `new` of a Maildir.
fn mail(folder: &TempDir, name: &str) -> Vec<String> {
    let Ok(new) = fs::read_dir(folder.path().join("mail").join(name).join("new")) else {
        return Vec::new();
    };
    new.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

/// Answers one request so, and says what came.
fn webhook(status: &'static str) -> (String, JoinHandle<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let came = std::thread::spawn(move || {
        let mut reading = BufReader::new(listener.accept().unwrap().0);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reading.read_line(&mut line).unwrap();
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reading.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        reading.get_mut().write_all(answer.as_bytes()).unwrap();
        (head, serde_json::from_slice(&body).unwrap())
    });
    (url, came)
}

#[test]
fn after_a_fetch_users_and_operator_find_their_notices_in_their_mailboxes_once() {
    let folder = house();
    let maildir = folder.path().join("mail/%u");
    let with = ["--maildir", maildir.to_str().unwrap(), "--notices", "--operator", "postmaster@example.com"];
    let (output, notices) = run(&folder, "fetch", &with);
    assert_eq!(
        output.status.code(),
        Some(20),
        "a user is needed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kinds: Vec<_> =
        notices.iter().map(|one| (one["notice"]["kind"].as_str(), one["sent"] == true)).collect();
    assert_eq!(kinds, [(Some("consent_needed"), true), (Some("digest"), true)], "{notices:#?}");
    let alices = mail(&folder, "alice@example.com");
    assert_eq!(alices.len(), 1);
    for words in
        ["Auto-Submitted: auto-generated", "Message-ID: <notice-", "https://mail.example.com/mailboxes"]
    {
        assert!(alices[0].contains(words), "{words}\n{}", alices[0]);
    }
    let operators = mail(&folder, "postmaster@example.com");
    assert!(operators.len() == 1 && operators[0].contains("consent.none"), "{operators:?}");
    let (_, again) = run(&folder, "notices", &with[..2]);
    assert!(again.is_empty(), "{again:#?}");
}

#[test]
fn the_operator_has_his_by_webhook_and_command() {
    let folder = house();
    let maildir = folder.path().join("mail/%u");
    let maildir = ["--maildir", maildir.to_str().unwrap()];
    run(&folder, "fetch", &maildir);
    let heard = folder.path().join("heard");
    let (url, came) = webhook("204 No Content");
    // What it prints does not stand among the results.
    let command = format!("cat > '{}'; echo heard", heard.display());
    let more = [&maildir[..], &["--operator-webhook", &url, "--operator-command", &command]].concat();
    let (output, notices) = run(&folder, "notices", &more);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(notices.len(), 2);
    let (head, body) = came.join().unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    assert_eq!((&body["kind"], &body["to"]), (&json!("digest"), &json!("operator")));
    let said: Value = serde_json::from_str(&fs::read_to_string(heard).unwrap()).unwrap();
    assert_eq!(said, body);
    assert_eq!(mail(&folder, "alice@example.com").len(), 1);
    let mut again = Command::new(env!("CARGO_BIN_EXE_multipop-host"));
    again.args(["notices", "--library", library().to_str().unwrap(), "--config"]);
    let output = again.arg(folder.path().join("config.json")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Nothing is to be sent now.\n");
}

#[test]
fn what_did_not_arrive_is_not_called_sent() {
    let folder = house();
    let maildir = folder.path().join("mail/%u");
    run(&folder, "fetch", &["--maildir", maildir.to_str().unwrap()]);
    let (url, came) = webhook("500 Internal Server Error");
    let (output, notices) = run(&folder, "notices", &["--operator-webhook", &url]);
    came.join().unwrap();
    assert_eq!(output.status.code(), Some(40));
    assert_eq!(notices.iter().map(|one| one["sent"] == true).collect::<Vec<_>>(), [false, false]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("the webhook answered 500") && !words.contains("/hook"), "{words}");

    let folder = house();
    run(&folder, "fetch", &["--maildir", maildir.to_str().unwrap()]);
    let (output, notices) = run(&folder, "notices", &["--operator-command", "exit 3"]);
    assert_eq!(output.status.code(), Some(40));
    assert!(notices.iter().all(|one| one["sent"] == false));
    let (output, _) = run(&folder, "notices", &["--operator", "postmaster@example.com"]);
    assert_eq!(output.status.code(), Some(1), "mail needs a way");
}

/// Takes every message on one connection, and says what came.
fn lmtp() -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let came = std::thread::spawn(move || {
        let mut reading = BufReader::new(listener.accept().unwrap().0);
        let (mut lines, mut is_mail) = (Vec::new(), false);
        let mut answer = "220 mail.example.com LMTP\r\n";
        loop {
            // Whoever has his last answer may be gone.
            let _ = reading.get_mut().write_all(answer.as_bytes());
            let mut line = String::new();
            if !reading.read_line(&mut line).is_ok_and(|length| length > 0) {
                return lines;
            }
            let line = line.trim_end().to_owned();
            answer = match (is_mail, line.as_str()) {
                (true, ".") => "250 2.0.0 taken\r\n",
                (true, _) => "",
                (false, "DATA") => "354 go\r\n",
                (false, _) => "250 2.0.0 ok\r\n",
            };
            is_mail = answer.starts_with("354") || is_mail && answer.is_empty();
            lines.push(line);
        }
    });
    (place, came)
}

#[test]
fn by_lmtp_each_comes_to_its_own_recipient() {
    let folder = house();
    run(&folder, "fetch", &["--maildir", folder.path().join("mail/%u").to_str().unwrap()]);
    let (place, came) = lmtp();
    let more = ["--lmtp", &place, "--operator", "postmaster@example.com", "--language", "de"];
    let (output, notices) = run(&folder, "notices", &more);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(notices.len() == 2 && notices.iter().all(|one| one["sent"] == true), "{notices:#?}");
    let lines = came.join().unwrap();
    for to in ["alice@example.com", "postmaster@example.com"] {
        let is_recipient =
            |line: &&String| line.to_ascii_uppercase().starts_with("RCPT TO:") && line.contains(to);
        assert_eq!(lines.iter().filter(is_recipient).count(), 1, "{lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("Autorisieren")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("press Authorise")), "{lines:#?}");
}
