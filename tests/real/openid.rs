//! The independent OpenID provider (`provider.mjs`), seen from a test.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::server::{end, free_port, program, write_secret};
use super::{Pki, REDIRECT_URI};

pub const CLIENT_ID: &str = "multipop";
pub const CLIENT_SECRET: &str = "Kq7~tests.only+a/secret=with.odd~signs";
/// What Dovecot asks about tokens with.
pub const INTROSPECTION_SECRET: &str = "introspection-of-the-tests-only";

/// For sign-in on another device, and for tokens of its own.
pub const DEVICE_CLIENT_ID: &str = "multipop-device";
/// What the token of this client's own opens.
pub const APP_MAILBOX: &str = "alice@contoso.example";
/// RFC 8628 §3.4
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub struct OpenIdProvider {
    pub issuer: String,
    pub client_secret_file: PathBuf,
    pub log_file: PathBuf,
    config_file: PathBuf,
    state_file: PathBuf,
    running: Option<Running>,
}

struct Running {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl OpenIdProvider {
    pub fn start(dir: &Path, pki: &Pki, access_token_life_s: u32) -> OpenIdProvider {
        OpenIdProvider::start_with(dir, pki, access_token_life_s, None)
    }

    /// With one more client registered.
    pub fn start_with(
        dir: &Path,
        pki: &Pki,
        access_token_life_s: u32,
        client: Option<Value>,
    ) -> OpenIdProvider {
        let port = free_port();
        let state_file = dir.join("provider-state.json");
        let mut config = json!({
            "port": port,
            "certificate_file": pki.certificate_file,
            "key_file": pki.key_file,
            "state_file": state_file,
            "access_token_life_s": access_token_life_s,
            "scopes": ["mail", "POP.AccessAsUser.All"],
            "app_mailboxes": { DEVICE_CLIENT_ID: APP_MAILBOX },
            "clients": [{
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "token_endpoint_auth_method": "client_secret_post",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": [REDIRECT_URI, "https://127.0.0.1:8443/multipop/callback"],
                "subject_type": "pairwise",
            }, {
                // Pairwise subjects would need a document of the client's there.
                "client_id": DEVICE_CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "token_endpoint_auth_method": "client_secret_post",
                "grant_types": ["refresh_token", "client_credentials", DEVICE_GRANT],
                "response_types": [],
                "redirect_uris": [],
                "subject_type": "public",
            }, {
                "client_id": "dovecot",
                "client_secret": INTROSPECTION_SECRET,
                "grant_types": [],
                "response_types": [],
                "redirect_uris": [],
            }],
        });
        config["clients"].as_array_mut().expect("a list").extend(client);
        let config_file = dir.join("provider.json");
        write_secret(&config_file, config.to_string().as_bytes());
        let client_secret_file = dir.join("client-secret");
        write_secret(&client_secret_file, CLIENT_SECRET.as_bytes());
        let mut provider = OpenIdProvider {
            issuer: format!("https://127.0.0.1:{port}"),
            client_secret_file,
            log_file: dir.join("provider.log"),
            config_file,
            state_file,
            running: None,
        };
        provider.restart();
        provider
    }

    pub fn authorize_endpoint(&self) -> String {
        format!("{}/auth", self.issuer)
    }

    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.issuer)
    }

    pub fn introspection_endpoint(&self) -> String {
        format!("{}/token/introspection", self.issuer)
    }

    /// The user withdraws every consent: his tokens of all kinds are worth nothing from now on.
    pub fn revoke(&mut self, login: &str) {
        let answer = self.command(&format!("revoke {login}"));
        assert_ne!(answer["revoked"], 0, "{login} had granted nothing");
    }

    /// His access tokens end now; refresh tokens stay.
    pub fn expire(&mut self, login: &str) {
        let answer = self.command(&format!("expire {login}"));
        assert_ne!(answer["expired"], 0, "{login} had no access token");
    }

    /// How often the token endpoint answered so: a grant type that succeeded, or an error code.
    pub fn count(&mut self, what: &str) -> u64 {
        self.command("counts")[what].as_u64().unwrap_or(0)
    }

    /// Every code and token it gave and still knows of, with its kind. It must be stopped: only then it tells.
    pub fn given(&self) -> Vec<(String, String)> {
        assert!(self.running.is_none(), "the provider still runs");
        let state = std::fs::read(&self.state_file).expect("what the provider kept");
        let rows: Vec<(String, Value)> = serde_json::from_slice(&state).expect("what the provider kept");
        rows.into_iter()
            .filter_map(|(key, _)| {
                key.split_once(':').map(|(kind, token)| (kind.to_owned(), token.to_owned()))
            })
            .filter(|(kind, _)| matches!(kind.as_str(), "AuthorizationCode" | "AccessToken" | "RefreshToken"))
            .collect()
    }

    /// Nobody answers at the issuer's port until `restart`; what was granted is kept.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            end(&mut running.child);
        }
    }

    pub fn restart(&mut self) {
        self.stop();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real");
        assert!(
            folder.join("node_modules/oidc-provider").exists(),
            "the npm package oidc-provider is missing: run tests/real/install"
        );
        let log = File::options().create(true).append(true).open(&self.log_file).expect("the log file");
        let mut child = Command::new(program("node"))
            .arg(folder.join("provider.mjs"))
            .arg(&self.config_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("node starts");
        let commands = child.stdin.take().expect("a piped stream");
        let answers = BufReader::new(child.stdout.take().expect("a piped stream"));
        let running = self.running.insert(Running { child, commands, answers });
        let first = running.answer(&self.log_file);
        assert_eq!(first["ready"], self.issuer, "the provider's first line");
    }

    fn command(&mut self, line: &str) -> Value {
        let running = self.running.as_mut().expect("the provider is stopped");
        writeln!(running.commands, "{line}").expect("the provider listens");
        running.answer(&self.log_file)
    }
}

impl Running {
    fn answer(&mut self, log: &Path) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the provider's standard output");
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            panic!("the provider said {line:?}; its log says:\n{log}")
        })
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        self.stop();
    }
}
