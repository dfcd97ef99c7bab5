//! `multipop-host` as a person or a script runs it, with the built library and the mock servers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use multipop_host::mock::TokenTable;
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Moment, Place, Script, Server, Verb};
use serde_json::Value;
use tempfile::TempDir;

const USER: &str = "alice@contoso.example";

fn host(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multipop-host"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Cargo puts it beside this test when the whole workspace is built.
fn library() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
    assert!(library.exists(), "build the workspace first: {} is missing", library.display());
    library
}

fn objects(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct House {
    folder: TempDir,
    pop: Server,
}

impl House {
    fn new(messages: usize) -> House {
        let folder = TempDir::new().unwrap();
        let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
        let pop = Server::start(&pki, &tokens, Script::dovecot()).unwrap();
        pop.mailboxes().fill(USER, messages, 4096, 1);
        tokens.accept("let-me-in", USER);
        fs::write(folder.path().join("ca.pem"), pki.ca_pem()).unwrap();
        fs::write(folder.path().join("token"), "let-me-in").unwrap();
        fs::set_permissions(folder.path().join("token"), fs::Permissions::from_mode(0o600)).unwrap();
        House { folder, pop }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn fetch(&self, more: &[&str]) -> Command {
        let library = library();
        let (server, ca, token) = (self.pop.address().to_string(), self.path("ca.pem"), self.path("token"));
        let (maildir, state) = (self.path("Maildir"), self.path("state"));
        let mut command = command(&["fetch", "--library", library.to_str().unwrap(), "--json"]);
        command.args(["--server", &server, "--ca-file", &ca, "--user", USER, "--token-file", &token]);
        command.args(["--maildir", &maildir, "--state", &state]).args(more);
        command
    }

    fn taken(&self, more: &[&str]) -> u64 {
        let output = self.fetch(more).output().unwrap();
        let objects = objects(&output);
        let report = objects.last().unwrap();
        assert_eq!(output.status.code(), Some(0), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(report["type"], "report");
        report["report"]["messages_taken"].as_u64().unwrap()
    }

    /// How often each message is in `new`, by its Message-ID.
    fn stored(&self) -> BTreeMap<String, usize> {
        let mut stored = BTreeMap::new();
        for entry in fs::read_dir(self.folder.path().join("Maildir/new")).unwrap() {
            let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
            let id = text.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned();
            *stored.entry(id).or_default() += 1;
        }
        stored
    }
}

#[test]
fn the_pages_name_commands_and_options_it_has() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = 0;
    for page in ["README.md", "docs/configuration.md", "docs/embedding.md", "docs/architecture.md"] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        for said in text.split("`multipop-host ").skip(1).filter_map(|rest| rest.split('`').next()) {
            let mut words = said.split_whitespace();
            let help = host(&[words.next().unwrap(), "--help"]);
            assert!(help.status.success(), "{page}: {said}");
            let help = String::from_utf8(help.stdout).unwrap();
            for option in words.filter(|word| word.starts_with("--")) {
                assert!(help.contains(&format!("{option} ")), "{page}: {said}: {option}\n{help}");
            }
            found += 1;
        }
    }
    assert!(found > 3, "the pages show the program");
}

#[test]
fn wrong_arguments_are_named_and_answer_1() {
    let wrong: [(&[&str], &str); 8] = [
        (&[], "Usage"),
        (&["collect"], "collect"),
        (&["fetch"], "--config"),
        (&["fetch", "--config", "c", "--maildir", "m", "--lmtp", "l"], "--lmtp"),
        (&["fetch", "--server", "h:1", "--maildir", "m"], "--state"),
        (&["fetch", "--config", "c", "--server", "h:1", "--maildir", "m"], "--server"),
        (&["fetch", "--config", "c", "--maildir", "m", "--operator", "root"], "--notices"),
        (&["accounts", "list"], "--config"),
    ];
    for (arguments, named) in wrong {
        let output = host(arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(words.contains(named), "{arguments:?}: {words}");
    }
    let help = host(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit status"));
}

#[test]
fn a_key_is_made_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    let make = || host(&["key", file.to_str().unwrap()]);
    assert_eq!(make().status.code(), Some(0));
    let key = fs::read_to_string(&file).unwrap();
    assert!(key.trim().len() == 64 && key.trim().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = make();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("never overwritten"));
    assert_eq!(fs::read_to_string(&file).unwrap(), key);
    let nowhere = host(&["key", folder.path().join("no/key").to_str().unwrap()]);
    let words = String::from_utf8_lossy(&nowhere.stderr);
    assert!(nowhere.status.code() == Some(1) && words.contains("a folder that is there"), "{words}");
    assert!(!words.contains("overwritten"), "no key is there: {words}");
}

#[test]
fn a_library_that_is_none_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("libnone.so");
    fs::write(&file, "not a library").unwrap();
    for load in ["raw", "checked"] {
        let config = folder.path().join("c.json");
        let output = host(&[
            "accounts",
            "--config",
            config.to_str().unwrap(),
            "list",
            "--library",
            file.to_str().unwrap(),
            "--load",
            load,
            "--json",
        ]);
        assert_eq!(output.status.code(), Some(1));
        let error = &objects(&output)[0]["error"];
        assert_eq!(error["cause"], "library.load");
        assert!(error["message"].as_str().unwrap().contains("libnone.so"), "{error}");
    }
}

#[test]
fn only_what_is_new_is_fetched_and_nothing_else_is_written() {
    let house = House::new(20);
    assert_eq!(house.taken(&[]), 20);
    assert_eq!(house.taken(&["--load", "checked"]), 0);
    house.pop.mailboxes().fill(USER, 3, 4096, 1000);
    assert_eq!(house.taken(&[]), 3);
    assert!(house.stored().values().all(|count| *count == 1));
    assert_eq!(house.stored().len(), 23);
    assert_eq!(house.pop.mailboxes().uidls(USER).len(), 23, "left at the server");
    let mut there: Vec<_> =
        fs::read_dir(house.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["Maildir", "ca.pem", "state", "token"]);
    assert_eq!(fs::metadata(house.path("state")).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(house.taken(&["--delete"]), 0);
}

#[test]
fn raw_and_checked_loading_give_the_same_transcript() {
    let transcript = |load: &str| {
        let house = House::new(5);
        let output = house.fetch(&["--load", load]).output().unwrap();
        let events: Vec<(String, String)> = objects(&output)
            .iter()
            .filter(|object| object["event"] != "progress")
            .map(|object| {
                (object["type"].to_string() + &object["event"].to_string(), object["outcome"].to_string())
            })
            .collect();
        (events, house.pop.journal().lines(), house.stored())
    };
    let raw = transcript("raw");
    assert_eq!(raw, transcript("checked"));
    assert!(raw.1.iter().any(|line| line.contains("RETR")));
}

#[test]
fn a_kill_in_the_middle_loses_nothing_and_doubles_nothing() {
    for moment in [Place::new(Verb::Retr, Moment::BeforeReply), Place::new(Verb::Quit, Moment::BeforeReply)] {
        let house = House::new(12);
        let stop = house.pop.stop_at(moment);
        let mut child = house.fetch(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        assert!(stop.reached(std::time::Duration::from_secs(60)));
        child.kill().unwrap();
        child.wait().unwrap();
        stop.release();
        house.taken(&[]);
        assert_eq!(house.stored().len(), 12);
        assert!(house.stored().values().all(|count| *count == 1));
    }
}

#[test]
fn an_interrupt_ends_the_fetch_tidily() {
    let house = House::new(12);
    let stop = house.pop.stop_at(Place::new(Verb::Retr, Moment::BeforeReply));
    let child = house.fetch(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(stop.reached(std::time::Duration::from_secs(60)));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    stop.release();
    assert_eq!(output.status.code(), Some(30));
    assert_eq!(objects(&output).last().unwrap()["error"]["status"], -31);
    house.taken(&[]);
    assert_eq!(house.stored().len(), 12);
}

#[test]
fn a_long_first_fetch_is_one_command() {
    let house = House::new(1100);
    assert_eq!(house.taken(&[]), 1100);
    assert_eq!(house.pop.journal().logins(), 3, "sessions of 500");
    assert_eq!(house.taken(&[]), 0);
}

#[test]
fn an_lmtp_server_that_is_not_there_costs_no_download() {
    let house = House::new(3);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (server, state) = (house.pop.address().to_string(), house.path("state"));
    let (ca, token, library) = (house.path("ca.pem"), house.path("token"), library());
    let mut command =
        command(&["fetch", "--json", "--library", library.to_str().unwrap(), "--lmtp", &nowhere]);
    command.args(["--server", &server, "--ca-file", &ca, "--user", USER, "--token-file", &token]);
    let output = command.args(["--state", &state]).output().unwrap();
    assert_eq!(output.status.code(), Some(40), "{}", String::from_utf8_lossy(&output.stderr));
    let report = objects(&output).pop().unwrap();
    assert!(report["stop_reason"].as_str().unwrap().contains(&nowhere), "{report}");
    assert_eq!(house.pop.journal().count(Verb::Retr), 0);
}

#[test]
fn the_demo_ends_with_messages_in_the_maildir_it_names() {
    for load in ["raw", "checked"] {
        let folder = TempDir::new().unwrap();
        let library = library();
        let output = host(&[
            "demo",
            "--json",
            "--load",
            load,
            "--library",
            library.to_str().unwrap(),
            "--dir",
            folder.path().join("demo").to_str().unwrap(),
        ]);
        let last = objects(&output).pop().unwrap();
        assert_eq!(output.status.code(), Some(0), "{last}");
        assert_eq!(last["messages"], 43);
        let maildir = Path::new(last["maildir"].as_str().unwrap()).join("new");
        assert_eq!(fs::read_dir(maildir).unwrap().count(), 43);
    }
}

impl House {
    /// `check` with a configuration of one account, `archive`, at this server.
    fn check(&self, server: &str, more: &[&str]) -> Output {
        let (config, key, library) = (self.path("config.json"), self.path("key"), library());
        if !Path::new(&key).exists() {
            assert!(host(&["key", &key]).status.success());
        }
        let written = serde_json::json!({
            "store": self.path("store.db"), "keys": [key], "hostname": "mail.example.com",
            "ca_file": self.path("ca.pem"), "system_roots": false, "servers": [server],
            "accounts": { "archive": {
                "owner": "alice@example.com", "server": server, "user": USER, "token_file": self.path("token"),
            } },
        });
        fs::write(&config, written.to_string()).unwrap();
        host(&[&["check", "--config", &config, "--library", library.to_str().unwrap()], more].concat())
    }
}

#[test]
fn check_tells_people_and_scripts_what_is_wrong_first() {
    let house = House::new(3);
    let server = house.pop.address().to_string();
    for load in ["raw", "checked"] {
        let well = house.check(&server, &["archive", "--dry-run", "--load", load]);
        let said = String::from_utf8(well.stdout).unwrap();
        assert_eq!(well.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&well.stderr));
        assert_eq!((said.matches('✓').count(), said.matches('✗').count()), (8, 0), "{said}");
        assert!(said.contains("A fetch would take 3 and delete 0 of 3 messages."), "{said}");
    }

    fs::write(house.path("token"), "nobody-knows-me").unwrap();
    let ill = house.check(&server, &[]);
    let said = String::from_utf8(ill.stdout).unwrap();
    assert_eq!(ill.status.code(), Some(10), "{said}");
    let signs = ['✓', '✗', '–'].map(|sign| said.matches(sign).count());
    assert_eq!(signs, [6, 1, 1], "{said}");
    assert!(said.contains("[config.token_file") && said.contains("Who can help: the operator"), "{said}");
    assert!(!said.contains("nobody-knows-me"));

    let ill = house.check(&server, &["--json"]);
    let answer = &objects(&ill)[0];
    assert_eq!((ill.status.code(), &answer["ok"]), (Some(10), &Value::Bool(false)));
    assert_eq!(answer["accounts"][0]["first"], "login");
}

#[test]
fn check_shows_a_refused_configuration_as_its_first_step() {
    let house = House::new(0);
    let refused = house.check("not a server", &["--json"]);
    let answer = &objects(&refused)[0];
    assert_eq!(refused.status.code(), Some(10));
    assert_eq!((&answer["configuration"]["state"], &answer["ok"]), (&"red".into(), &Value::Bool(false)));
    let said = String::from_utf8(house.check("not a server", &[]).stdout).unwrap();
    assert!(said.contains("✗ configuration") && said.contains("servers[0]"), "{said}");
}

#[test]
fn authorize_shows_a_code_for_another_device_and_waits_for_it() {
    use multipop_host::mock::idp;
    use std::io::{BufRead, BufReader};

    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
    let settings =
        idp::Settings { device_interval: std::time::Duration::from_secs(1), ..idp::Settings::generic() };
    let idp = idp::Server::start(&pki, &tokens, settings).unwrap();
    fs::write(at("ca.pem"), pki.ca_pem()).unwrap();
    fs::write(at("secret"), idp::Client::SECRET).unwrap();
    assert!(host(&["key", &at("key")]).status.success());
    let written = serde_json::json!({
        "store": at("store.db"), "keys": [at("key")], "hostname": "mail.example.com",
        "ca_file": at("ca.pem"), "system_roots": false,
        "providers": { "p": {
            "profile": "generic", "issuer": idp.base(), "authorize_endpoint": idp.authorize_url(),
            "token_endpoint": idp.token_url(), "device_endpoint": idp.device_url(),
            "client_id": idp::Client::ID, "client_secret_file": at("secret"),
            "redirect_uri": "https://mail.example.com/back", "servers": ["127.0.0.1:995"],
            "scopes": ["openid", "email", "offline_access", "mail"],
        } },
        "accounts": { "alice": {
            "owner": "alice@example.com", "server": "127.0.0.1:995", "user": USER, "provider": "p",
        } },
    });
    fs::write(at("config.json"), written.to_string()).unwrap();
    let library = library();
    let mut run = command(&["authorize", "alice", "--device", "--json", "--config", &at("config.json")]);
    run.args(["--library", library.to_str().unwrap()]).stdout(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let shown: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let code = shown["device"]["user_code"].as_str().unwrap();
    assert!(idp.enter_code(code, USER, true).unwrap());
    let ended: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&ended["type"], &ended["status"]), (&"callback".into(), &0.into()), "{ended}");
    assert_eq!(run.wait().unwrap().code(), Some(0));
}
