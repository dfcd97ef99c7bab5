//! One instance beside the mock provider: a store of its own, a clock that is given, a host that remembers.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use multipop::engine::call::{self, Call, Clock};
use multipop::engine::line::Logger;
use multipop::engine::pump::{Cookie, Host};
use multipop::engine::settings::Settings;
use multipop::error::Result;
use multipop::model::{Answer, Event, Message, Reply};
use multipop::service::Instance;
use multipop::service::consent::{AuthorizeRequest, CallbackRequest};
use multipop::store::{AccountRow, GrantSlot, Store, StoredGrant};
use multipop_host::mock::idp::{self, Server};
use multipop_host::mock::{TokenTable, pki::Pki};
use serde_json::{Value, json};

pub const ALICE: &str = "alice@contoso.example";
pub const BOB: &str = "bob@contoso.example";
pub const SESSION: &str = "session-of-alice-0123456789";
pub const OTHER_SESSION: &str = "session-of-someone-else-0123";
pub const REDIRECT: &str = "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365";

/// The system's time, and what a test added to it.
#[derive(Default)]
pub struct GivenClock(AtomicU64);

impl GivenClock {
    pub fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for GivenClock {
    fn now(&self) -> u64 {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        system + self.0.load(Ordering::Relaxed)
    }
}

/// A host without a sink.
#[derive(Default)]
pub struct Listener {
    pub lines: Vec<String>,
    pub events: Vec<Event>,
}

impl Host for Listener {
    fn log(&mut self, _level: log::Level, line: &str) {
        self.lines.push(line.to_owned());
    }
    fn event(&mut self, event: &Event) {
        self.events.push(event.clone());
    }
    fn has_offer(&self) -> bool {
        false
    }
    fn has_flush(&self) -> bool {
        false
    }
    fn offer(&mut self, _: &Message) -> Reply {
        no_mail()
    }
    fn begin(&mut self, _: &Message) -> (Reply, Cookie) {
        (no_mail(), Cookie::default())
    }
    fn data(&mut self, _: Cookie, _: &[u8]) -> Reply {
        no_mail()
    }
    fn end(&mut self, _: Cookie) -> Reply {
        no_mail()
    }
    fn abort(&mut self, _: Cookie) {}
    fn flush(&mut self) -> Reply {
        no_mail()
    }
}

fn no_mail() -> Reply {
    Reply { answer: Answer::Stop, reason: "no mail in these tests".into() }
}

pub struct World {
    pub idp: Server,
    /// What the provider gave, for a mail server to look at.
    pub tokens: TokenTable,
    pub pki: Pki,
    pub clock: Arc<GivenClock>,
    pub folder: tempfile::TempDir,
    /// As configured; a test that changes it configures again.
    pub json: Value,
    pub instance: Instance,
}

impl World {
    pub fn entra() -> World {
        World::new(idp::Settings::entra(), |base| json!({ "profile": "microsoft365", "authority": base }))
    }

    pub fn generic() -> World {
        World::new(idp::Settings::generic(), |base| {
            json!({
                "profile": "generic", "issuer": base,
                "authorize_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
                "device_endpoint": format!("{base}/devicecode"),
                "scopes": ["openid", "email", "offline_access", "mail"],
            })
        })
    }

    fn new(settings: idp::Settings, provider: impl FnOnce(&str) -> Value) -> World {
        // Once for all tests of this program.
        if log::set_logger(&Logger).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        let pki = Pki::new().unwrap();
        let tokens = TokenTable::new();
        let idp = Server::start(&pki, &tokens, settings).unwrap();
        for (name, oid) in
            [(ALICE, "aaaaaaaa-0000-4000-8000-000000000001"), (BOB, "bbbbbbbb-0000-4000-8000-000000000002")]
        {
            let oid = oid.to_owned();
            let user = idp::User { oid, ..idp::User::named(name) };
            idp.change(|s| drop(s.users.insert(name.to_owned(), user)));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| write(&folder, name, text);
        let mut p = provider(idp.base());
        p["client_id"] = json!(idp::Client::ID);
        p["client_secret_files"] = json!([file("secret", idp::Client::SECRET)]);
        p["redirect_uri"] = json!(REDIRECT);
        p["servers"] = json!(["127.0.0.1:995"]);
        p["ca_file"] = json!(file("ca.pem", pki.ca_pem()));
        let account = |owner: &str, deliver_to: &str| {
            json!({
                "owner": owner, "user": owner, "provider": "p", "server": "127.0.0.1:995",
                "deliver_to": deliver_to,
            })
        };
        let json = json!({
            "store": folder.path().join("store.db"),
            "keys": [file("key", &"5a".repeat(32))],
            "hostname": "mail.example.com",
            "system_roots": false,
            "timeouts": { "https_s": 2 },
            "providers": { "p": p },
            "accounts": { "a": account(ALICE, "alice"), "b": account(BOB, "bob") },
        });
        let clock = Arc::new(GivenClock::default());
        let instance = Instance::new("test", clock.clone());
        let world = World { idp, tokens, pki, clock, folder, json, instance };
        world.configure();
        world
    }

    pub fn configure(&self) {
        self.try_configure().0.unwrap();
    }

    /// With the lines of the log.
    pub fn try_configure(&self) -> (Result<()>, Vec<String>) {
        let mut listener = Listener::default();
        let done = self.instance.configure(&mut listener, &self.json.to_string());
        (done, listener.lines)
    }

    /// The only provider, as configured.
    pub fn provider(&mut self) -> &mut Value {
        &mut self.json["providers"]["p"]
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        write(&self.folder, name, text)
    }

    /// Another process on the same store.
    pub fn another(&self) -> Instance {
        let instance = Instance::new("another", self.clock.clone());
        instance.configure(&mut Listener::default(), &self.json.to_string()).unwrap();
        instance
    }

    pub fn ask(&self) -> AuthorizeRequest<'static> {
        AuthorizeRequest {
            actor: ALICE,
            account: "a",
            session: SESSION,
            choose_account: false,
            force_consent: false,
            admin_consent: false,
        }
    }

    pub fn begin(&self, request: &AuthorizeRequest<'_>) -> Result<String> {
        self.instance.authorize_url(&mut Listener::default(), request)
    }

    /// From the authorization URL to the address the browser ends at.
    pub fn sign_in(&self, name: &str) -> String {
        let url = self.begin(&self.ask()).unwrap();
        self.idp.consent(&url, name).unwrap()
    }

    pub fn bring(&self, uri: &str, session: &str) -> Brought {
        self.bring_form(uri, None, session)
    }

    pub fn bring_form(&self, uri: &str, form: Option<&str>, session: &str) -> Brought {
        bring(&self.instance, uri, form, session)
    }

    /// Alice signs in and is connected.
    pub fn connect(&self) {
        let brought = self.bring(&self.sign_in(ALICE), SESSION);
        brought.result.unwrap_or_else(|e| panic!("{e} {e:?}"));
    }

    pub fn settings(&self) -> Arc<Settings> {
        let config = multipop::config::Config::read(&self.json.to_string()).unwrap();
        Arc::new(Settings::prove(config).unwrap())
    }

    pub fn store(&self) -> Arc<dyn Store> {
        self.settings().open_store(self.clock.now()).unwrap()
    }

    pub fn row(&self, id: &str) -> AccountRow {
        self.store().account(id).unwrap().unwrap()
    }

    pub fn grant(&self, slot: GrantSlot) -> Option<StoredGrant> {
        self.store().grant("a", slot).unwrap()
    }

    /// Runs engine code as a call of its own.
    pub fn call<T: Send, F: Future<Output = Result<T>>>(
        &self,
        work: impl FnOnce(Call) -> F + Send,
    ) -> Result<T> {
        call(&self.settings(), self.clock.clone(), work)
    }
}

/// A file only its owner may read.
fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Runs engine code as a call of its own.
pub fn call<T: Send, F: Future<Output = Result<T>>>(
    settings: &Arc<Settings>,
    clock: Arc<GivenClock>,
    work: impl FnOnce(Call) -> F + Send,
) -> Result<T> {
    let clock: Arc<dyn Clock> = clock;
    let limit = std::time::Duration::from_secs(60);
    let cancel = Arc::default();
    call::run(&mut Listener::default(), settings, &clock, &cancel, limit, work)
}

/// What a callback was answered.
pub struct Brought {
    pub result: Result<()>,
    pub json: Value,
    pub text: String,
    pub listener: Listener,
}

impl Brought {
    pub fn cause(&self) -> &'static str {
        self.result.as_ref().err().map_or("", |error| error.cause)
    }
}

pub fn bring(instance: &Instance, uri: &str, form: Option<&str>, session: &str) -> Brought {
    let mut listener = Listener::default();
    let (result, json) = instance.handle_callback(&mut listener, &CallbackRequest { uri, form, session });
    let text = json.unwrap_or_default();
    Brought { result, json: serde_json::from_str(&text).unwrap_or(Value::Null), text, listener }
}
