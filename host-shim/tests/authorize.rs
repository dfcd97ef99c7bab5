//! `multipop-host mock` and `authorize`: a consent from the terminal, with the browser coming back to the loopback
//! listener, or its address being pasted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use multipop_host::mock::idp::Browser;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;

const USER: &str = "alice@contoso.example";

/// The mock servers as a process of their own, as a developer runs them.
struct Mock {
    child: Child,
    said: Value,
    folder: TempDir,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mock {
    fn start() -> Mock {
        let folder = TempDir::new().unwrap();
        let dir = folder.path().join("mock");
        let mut command = host(&["mock", "--json", "--messages", "3", "--dir", dir.to_str().unwrap()]);
        let mut child = command.spawn().unwrap();
        let said = line(&mut BufReader::new(child.stdout.take().unwrap()));
        Mock { child, said, folder }
    }

    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }

    fn browser(&self, user: &str) -> Browser {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.text("ca_file")).unwrap()).unwrap();
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_protocol_versions(rustls::ALL_VERSIONS)
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        Browser::new(Arc::new(config), user)
    }

    fn authorize(&self, more: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
        let mut command =
            host(&["authorize", self.text("account"), "--json", "--config", self.text("config")]);
        let mut child = command.args(["--as", self.text("owner")]).args(more).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let url = line(&mut said)["url"].as_str().unwrap().to_owned();
        (child, said, url)
    }

    fn fetched(&self) -> (Option<i32>, u64) {
        let maildir = self.folder.path().join("Maildir");
        let mut command = host(&["fetch", "--json", "--now", "--config", self.text("config")]);
        let output = command.arg("--maildir").arg(maildir).output().unwrap();
        let last = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
        let report: Value = serde_json::from_str(&last).unwrap();
        (output.status.code(), report["report"]["messages_taken"].as_u64().unwrap())
    }
}

fn host(arguments: &[&str]) -> Command {
    let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
    assert!(library.exists(), "build the workspace first: {} is missing", library.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_multipop-host"));
    command.args(arguments).arg("--library").arg(library);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn line(said: &mut impl BufRead) -> Value {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
}

/// What the browser does with the redirect.
fn visit(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn the_browser_comes_back_and_the_account_is_connected() {
    let mock = Mock::start();
    assert_eq!(mock.fetched(), (Some(20), 0), "before consent the user is asked for");
    let (mut child, mut said, url) = mock.authorize(&[]);
    let redirect = mock.browser(USER).consent(&url).unwrap().url;
    assert!(visit(&redirect).contains("<h1>Connected</h1>"));
    assert_eq!(line(&mut said)["callback"]["outcome"], "connected");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(mock.fetched(), (Some(0), 3));
}

#[test]
fn the_address_may_be_pasted() {
    let mock = Mock::start();
    let (mut child, mut said, url) = mock.authorize(&["--paste"]);
    let redirect = mock.browser(USER).consent(&url).unwrap().url;
    writeln!(child.stdin.take().unwrap(), "  {redirect}").unwrap();
    assert_eq!(line(&mut said)["status"], 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(mock.fetched(), (Some(0), 3));
}

#[test]
fn another_name_needs_a_yes() {
    let mock = Mock::start();
    let (mut child, mut said, url) = mock.authorize(&["--paste"]);
    let redirect = mock.browser("bob@contoso.example").consent(&url).unwrap().url;
    let mut terminal = child.stdin.take().unwrap();
    writeln!(terminal, "{redirect}").unwrap();
    writeln!(terminal, "no").unwrap();
    let answer = line(&mut said);
    assert_eq!((&answer["status"], &answer["callback"]["outcome"]), (&(-22).into(), &"confirm".into()));
    assert_eq!(child.wait().unwrap().code(), Some(20));
    assert_eq!(mock.fetched().1, 0, "nothing is active without a yes");

    let (mut child, mut said, url) = mock.authorize(&["--yes"]);
    let redirect = mock.browser("bob@contoso.example").consent(&url).unwrap().url;
    assert!(visit(&redirect).contains("One more question"));
    assert_eq!(line(&mut said)["status"], -22);
    assert_eq!(line(&mut said)["done"], "confirm");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_answer_of_nobody_s_consent_is_refused() {
    let mock = Mock::start();
    let (mut child, mut said, _) = mock.authorize(&["--paste"]);
    writeln!(child.stdin.take().unwrap(), "?code=stolen&state=guessed").unwrap();
    assert_eq!(line(&mut said)["error"]["status"], -21);
    assert_eq!(child.wait().unwrap().code(), Some(20));
}

#[test]
fn a_link_is_redeemed_by_its_owner_once() {
    let mock = Mock::start();
    let linked = |actor: &str, more: &[&str]| {
        let mut command =
            host(&["authorize", mock.text("account"), "--json", "--config", mock.text("config")]);
        let output = command.args(["--as", actor]).args(more).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), serde_json::from_str::<Value>(said.lines().next().unwrap()).unwrap())
    };
    let (code, offered) = linked("*", &["--link"]);
    assert_eq!((code, &offered["type"]), (Some(0), &"link".into()));
    let mut other = host(&["authorize", mock.text("account"), "--config", mock.text("config"), "--link"]);
    let said = String::from_utf8(other.output().unwrap().stdout).unwrap();
    let to_be_typed = format!("--config {} --as {} --redeem ", mock.text("config"), mock.text("owner"));
    assert!(said.contains(&to_be_typed), "{said}");
    // A newer one took its place.
    let (_, offered) = linked("*", &["--link"]);
    let token = offered["link"]["token"].as_str().unwrap();
    for stranger in ["*", "eve@example.com"] {
        let (code, said) = linked(stranger, &["--redeem", token]);
        assert_eq!((code, &said["error"]["status"]), (Some(20), &(-23).into()), "{said}");
    }
    let (mut child, mut said, url) = mock.authorize(&["--redeem", token]);
    let redirect = mock.browser(USER).consent(&url).unwrap().url;
    assert!(visit(&redirect).contains("<h1>Connected</h1>"));
    assert_eq!(line(&mut said)["callback"]["outcome"], "connected");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (code, said) = linked(mock.text("owner"), &["--redeem", token]);
    assert_eq!((code, &said["error"]["status"]), (Some(20), &(-21).into()), "{said}");
}

#[test]
fn accounts_are_listed_put_paused_and_removed() {
    let mock = Mock::start();
    let accounts = |arguments: &[&str]| {
        let output =
            host(&["accounts", "--json", "--config", mock.text("config")]).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), serde_json::from_str(said.lines().next().unwrap()).unwrap_or(Value::Null))
    };
    let listed = accounts(&["list"]);
    assert_eq!(listed.0, Some(0));
    assert!(listed.1.to_string().contains("alice-contoso"), "{}", listed.1);
    let put = r#"{"provider": "contoso", "user": "bob@contoso.example"}"#;
    assert_eq!(accounts(&["put", "bob-contoso", "--owner", "bob@example.com", put]).0, Some(0));
    assert_eq!(accounts(&["act", "bob-contoso", "pause"]).0, Some(0));
    let listed = accounts(&["list", "--account", "bob-contoso"]).1.to_string();
    assert!(listed.contains("bob@example.com"), "{listed}");
    for arguments in [["--as", "eve@example.com", "list"], ["list", "--as", "eve@example.com"]] {
        let foreign = accounts(&[&arguments[..], &["--account", "bob-contoso"]].concat());
        assert_eq!((foreign.0, &foreign.1["error"]["status"]), (Some(20), &(-23).into()));
    }
    let removed = accounts(&["remove", "bob-contoso"]);
    assert_eq!((removed.0, &removed.1["withdraw"]["provider"]), (Some(0), &"contoso".into()));
    let wrong = accounts(&["put", "bob-contoso", "--owner", "bob@example.com", "{"]);
    assert_eq!((wrong.0, &wrong.1["error"]["status"]), (Some(1), &(-1).into()));
}

#[test]
fn an_owner_is_told_of_and_erased() {
    let mock = Mock::start();
    let config = mock.text("config");
    let run = |arguments: &[&str]| {
        let (command, rest) = arguments.split_first().unwrap();
        let output = host(&[command, "--config", config]).args(rest).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let put = r#"{"provider": "contoso", "user": "bob@contoso.example"}"#;
    assert_eq!(run(&["accounts", "put", "bob-contoso", put, "--owner", "bob@example.com"]).0, Some(0));
    let (status, said) = run(&["export", "--owner", "bob@example.com"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &told["accounts"][0]["user"]), (Some(0), &"bob@contoso.example".into()));
    // He may not, and what is configured is not.
    assert_eq!(run(&["erase", "--owner", "bob@example.com", "--as", "bob@example.com"]).0, Some(20));
    let (status, said) = run(&["erase", "--json", "--realm", "default"]);
    assert!(status == Some(20) && said.contains("alice-contoso"), "{said}");
    let (status, said) = run(&["erase", "--owner", "bob@example.com"]);
    assert!(status == Some(0) && said.starts_with("1 accounts erased"), "{said}");
    assert!(said.contains("contoso: "), "where he withdraws: {said}");
    let (_, said) = run(&["export", "--json", "--owner", "bob@example.com"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["accounts"], serde_json::json!([]));
    assert_eq!(run(&["erase"]).0, Some(1));
}
