//! The C host of `tests/real/collect.c` with a store and a Maildir of its own, against a rig of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::rig::openid::{CLIENT_ID, CLIENT_SECRET};
use crate::rig::{Options, REDIRECT_URI, Rig, server};
use crate::{ALICE, BOB, OK, SESSION};

pub struct Host {
    pub rig: Rig,
    program: PathBuf,
    config_file: PathBuf,
    maildir: PathBuf,
    /// Everything any run printed.
    shown: std::cell::RefCell<String>,
}

impl Host {
    pub fn new(mechanism: &str) -> Host {
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
        Host { rig, program, config_file, maildir, shown: Default::default() }
    }

    pub fn authorize(&self) -> String {
        self.authorize_account("alice")
    }

    fn authorize_account(&self, account: &str) -> String {
        let answer = self.run(&["authorize", account, SESSION]);
        assert_eq!(answer.status(), OK, "{answer:?}");
        answer.text("url").to_owned()
    }

    /// The whole consent, as the owner.
    pub fn connect(&self) {
        self.connect_account("alice", ALICE);
    }

    pub fn connect_account(&self, account: &str, login: &str) {
        let redirect = self.rig.browser().consent(&self.authorize_account(account), login);
        assert!(redirect.starts_with(REDIRECT_URI), "{redirect}");
        let answer = self.run(&["callback", SESSION, &redirect]);
        assert_eq!(answer.status(), OK, "{answer:?}");
    }

    pub fn fetch(&self) -> Answer {
        let maildir = self.maildir.to_str().expect("a plain path");
        self.run(&["fetch", "alice", maildir])
    }

    pub fn delivered(&self) -> Vec<Vec<u8>> {
        let new = std::fs::read_dir(self.maildir.join("new")).expect("the Maildir");
        new.flatten().map(|entry| std::fs::read(entry.path()).expect("a message")).collect()
    }

    pub fn run(&self, step: &[&str]) -> Answer {
        self.finish(self.spawn(step))
    }

    /// The same, not waited for.
    pub fn spawn(&self, step: &[&str]) -> Child {
        Command::new(&self.program)
            .arg(library())
            .arg(&self.config_file)
            .args(step)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the C host starts")
    }

    pub fn finish(&self, child: Child) -> Answer {
        let output = child.wait_with_output().expect("the C host ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{said}{log}", output.status);
        self.shown.borrow_mut().push_str(&log);
        let lines = said.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        Answer {
            lines: lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            log: log.into(),
        }
    }

    /// Neither the log nor the store's file has what was secret (I3). Ends the provider, which then tells all it gave.
    pub fn no_secret_was_shown(&mut self) {
        self.rig.provider.stop();
        let shown = self.shown.borrow();
        assert!(shown.contains("event="), "the log was not captured");
        assert!(!shown.contains(CLIENT_SECRET), "the client's secret is in the log");
        let bearer = "Bearer ";
        assert!(!shown.contains(bearer), "a bearer token is in the log");
        let given = self.rig.provider.given();
        assert!(given.iter().any(|(kind, _)| kind == "RefreshToken"), "nothing was given");
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
pub struct Answer {
    lines: BTreeMap<String, String>,
    #[allow(dead_code, reason = "shown by Debug when an assertion fails")]
    log: String,
}

impl Answer {
    pub fn text(&self, name: &str) -> &str {
        self.lines.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    pub fn status(&self) -> i32 {
        self.text("status").parse().unwrap_or_else(|_| panic!("no status in {self:?}"))
    }
}

fn config(rig: &Rig, dir: &Path, mechanism: &str) -> Value {
    let server = format!("127.0.0.1:{}", rig.dovecot.pop3s_port);
    let account = |owner: &str, user: &str| {
        json!({
            "owner": owner,
            "deliver_to": owner,
            "provider": "contoso",
            "server": server,
            "user": user,
        })
    };
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
        "accounts": {
            "alice": account("alice@example.com", ALICE),
            "bob": account("bob@example.com", BOB),
        },
    })
}

/// Compiled from the header alone, as strictly as compilers go.
fn compile(dir: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = dir.join("collect");
    let output = Command::new(server::program("cc"))
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-I"])
        .arg(root.join("include"))
        .arg("-o")
        .arg(&program)
        .arg(root.join("tests/real/collect.c"))
        .arg("-ldl")
        .output()
        .expect("the C compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// The library as it was built for this very test run.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let library = test.with_file_name("libmultipop.so");
    assert!(library.exists(), "the library was not built: {}", library.display());
    library
}
