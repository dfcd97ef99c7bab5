//! A house to test in: an instance with its store, a mock POP3 server, a clock that is set, a sink that remembers.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use multipop::engine::call::Clock;
use multipop::engine::pump::{Cookie, Host};
use multipop::error::{Error, Result};
use multipop::model::{Answer, Event, EventKind, Message, Reply, Report, UnixTime};
use multipop::service::Instance;
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::TokenTable;
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Script, Server};
use serde_json::{Value, json};

pub mod planted;
pub mod signed;

pub const USER: &str = "alice@contoso.example";
pub const OWNER: &str = "alice@example.com";
pub const TOKEN: &str = "token-of-alice-4711";
pub const START: UnixTime = 1_790_000_000;
pub const DAY: u64 = 86_400;

/// A clock that stands until it is set on.
pub struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> UnixTime {
        self.0.load(Ordering::Relaxed)
    }
}

impl SetClock {
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn set(&self, now: UnixTime) {
        self.0.store(now, Ordering::Relaxed);
    }
}

pub struct House {
    pub dir: tempfile::TempDir,
    pub pki: Pki,
    pub tokens: TokenTable,
    pub pop: Server,
    pub clock: Arc<SetClock>,
    pub config: Value,
    pub instance: Instance,
}

impl House {
    /// One account, `alice`, with a token somebody else keeps in a file.
    pub fn new(script: Script) -> House {
        House::with(script, |_| {})
    }

    pub fn with(script: Script, change: impl FnOnce(&mut Value)) -> House {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new().unwrap();
        let tokens = TokenTable::new();
        tokens.accept(TOKEN, USER);
        let pop = Server::start(&pki, &tokens, script).unwrap();
        pop.mailboxes().add_user(USER);
        std::fs::write(dir.path().join("ca.pem"), pki.ca_pem()).unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        write_key(&dir.path().join("key"), 7);
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let server = pop.address().to_string();
        let mut config = json!({
            "store": at("store.db"),
            "keys": [at("key")],
            "hostname": "mail.example.com",
            "ca_file": at("ca.pem"),
            "system_roots": false,
            "servers": [server],
            "timeouts": { "connect_s": 5, "reply_s": 5, "login_s": 5 },
            "accounts": { "alice": {
                "owner": OWNER,
                "server": server,
                "user": USER,
                "token_file": at("token"),
                "deliver_to": "alice@example.com",
            } },
        });
        change(&mut config);
        // As the shared library does at its door.
        if log::set_logger(&multipop::engine::line::Logger).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        let clock = Arc::new(SetClock(AtomicU64::new(START)));
        let instance = Instance::new("test", clock.clone());
        let house = House { dir, pki, tokens, pop, clock, config, instance };
        house.configure().unwrap();
        house
    }

    pub fn configure(&self) -> Result<()> {
        self.instance.configure(&mut Recorder::default(), &self.config.to_string())
    }

    /// Another instance on the same store, as another process has one.
    pub fn neighbour(&self) -> Instance {
        let instance = Instance::new("neighbour", self.clock.clone());
        instance.configure(&mut Recorder::default(), &self.config.to_string()).unwrap();
        instance
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn fill(&self, count: usize, size: u64, seed: u64) -> Vec<Vec<u8>> {
        let uidls = self.pop.mailboxes().fill(USER, count, size, seed);
        uidls.iter().map(|uidl| uidl.to_vec()).collect()
    }

    /// Fetches the one account, due or not.
    pub fn fetch(&self, sink: &mut Recorder) -> (Result<()>, Report) {
        fetch(&self.instance, sink, Some("alice"), true)
    }

    pub fn fetch_ok(&self, sink: &mut Recorder) -> Report {
        let (status, report) = self.fetch(sink);
        status.unwrap();
        report
    }

    /// The account as `multipop_accounts` shows it.
    pub fn shown(&self) -> Value {
        self.shown_account("alice")
    }

    pub fn shown_account(&self, id: &str) -> Value {
        let request = multipop::service::accounts::AccountsRequest {
            actor: "*",
            account: Some(id),
            realm: None,
            after: None,
            limit: 0,
        };
        let json = self.instance.accounts(&mut Recorder::default(), &request).unwrap();
        serde_json::from_str::<Value>(&json).unwrap()["accounts"][0].clone()
    }

    pub fn act(&self, id: &str, json: Value) -> Result<Value> {
        let out = self.instance.account_act(&mut Recorder::default(), "*", id, None, &json.to_string())?;
        Ok(serde_json::from_str(&out).unwrap())
    }
}

pub fn fetch(
    instance: &Instance,
    sink: &mut Recorder,
    account: Option<&str>,
    now: bool,
) -> (Result<()>, Report) {
    let request = FetchRequest { actor: "*", account, deadline_s: 60, now };
    let (status, report) = instance.fetch_once(sink, &request);
    (status, report.unwrap_or_default())
}

pub fn write_key(path: &std::path::Path, byte: u8) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("{byte:02x}").repeat(32)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[derive(Debug, Clone)]
pub struct Delivered {
    pub account: String,
    pub uidl: Vec<u8>,
    pub key: String,
    pub may_repeat: bool,
    pub received: String,
    pub bytes: Vec<u8>,
}

type Say = Box<dyn FnMut(&Message) -> Answer>;
/// Asked in the midst of a message, with the octets so far.
type SayMidway = Box<dyn FnMut(&Message, u64) -> Answer>;
type Hear = Box<dyn FnMut(&Event)>;

/// A host that keeps everything. What it answers is set by closures.
#[derive(Default)]
pub struct Recorder {
    pub delivered: Vec<Delivered>,
    /// Octets seen by `data`, delivered or not.
    pub octets: u64,
    pub aborted: u32,
    pub flushes: u32,
    pub lines: Vec<String>,
    pub events: Vec<Event>,
    pub offers: u32,
    pub on_offer: Option<Say>,
    pub on_begin: Option<Say>,
    pub on_end: Option<Say>,
    pub on_data: Option<SayMidway>,
    pub on_flush: Option<Box<dyn FnMut(u32) -> Answer>>,
    pub on_event: Option<Hear>,
    /// Answer QUEUED and be asked to flush.
    pub batching: bool,
    /// The host's words, whatever it answers about a message.
    pub words: String,
    open: BTreeMap<usize, (Message, Vec<u8>)>,
    next: usize,
    pub botched: bool,
    pub threads: Vec<std::thread::ThreadId>,
}

impl Recorder {
    pub fn batching() -> Recorder {
        Recorder { batching: true, ..Recorder::default() }
    }

    /// With these words of the host's.
    pub fn saying(self, words: &str) -> Recorder {
        Recorder { words: words.to_owned(), ..self }
    }

    pub fn uidls(&self) -> Vec<Vec<u8>> {
        self.delivered.iter().map(|one| one.uidl.clone()).collect()
    }

    pub fn keys(&self) -> Vec<String> {
        self.delivered.iter().map(|one| one.key.clone()).collect()
    }

    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }

    fn thread(&mut self) {
        let id = std::thread::current().id();
        if !self.threads.contains(&id) {
            self.threads.push(id);
        }
    }
}

impl Recorder {
    fn reply(&self, answer: Answer) -> Reply {
        Reply { answer, reason: self.words.clone() }
    }
}

impl Host for Recorder {
    fn log(&mut self, _level: log::Level, line: &str) {
        self.thread();
        self.lines.push(line.to_owned());
    }

    fn event(&mut self, event: &Event) {
        self.thread();
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
        self.events.push(event.clone());
    }

    fn has_offer(&self) -> bool {
        self.on_offer.is_some()
    }

    fn has_flush(&self) -> bool {
        self.batching
    }

    fn offer(&mut self, message: &Message) -> Reply {
        self.thread();
        self.offers += 1;
        let answer = self.on_offer.as_mut().map_or(Answer::Go, |say| say(message));
        self.reply(answer)
    }

    fn begin(&mut self, message: &Message) -> (Reply, Cookie) {
        self.thread();
        let answer = self.on_begin.as_mut().map_or(Answer::Go, |say| say(message));
        self.next += 1;
        if answer == Answer::Go {
            self.open.insert(self.next, (message.clone(), Vec::new()));
        }
        (self.reply(answer), Cookie(self.next))
    }

    fn data(&mut self, cookie: Cookie, bytes: &[u8]) -> Reply {
        self.thread();
        assert!(bytes.len() <= 64 * 1024 && !bytes.is_empty());
        self.octets += bytes.len() as u64;
        let (message, kept) = self.open.get_mut(&cookie.0).expect("data for an open message");
        kept.extend_from_slice(bytes);
        let so_far = kept.len() as u64;
        let answer = self.on_data.as_mut().map_or(Answer::Go, |say| say(message, so_far));
        self.reply(answer)
    }

    fn end(&mut self, cookie: Cookie) -> Reply {
        self.thread();
        let (message, bytes) = self.open.remove(&cookie.0).expect("end of an open message");
        let default = if self.batching { Answer::Queued } else { Answer::Taken };
        let answer = self.on_end.as_mut().map_or(default, |say| say(&message));
        if matches!(answer, Answer::Taken | Answer::Queued) {
            self.delivered.push(Delivered {
                account: message.account,
                uidl: message.uidl,
                key: message.dedupe_key.expect("a key from begin on"),
                may_repeat: message.may_repeat,
                received: message.received,
                bytes,
            });
        }
        self.reply(answer)
    }

    fn abort(&mut self, cookie: Cookie) {
        self.thread();
        self.open.remove(&cookie.0).expect("abort of an open message");
        self.aborted += 1;
    }

    fn flush(&mut self) -> Reply {
        self.thread();
        self.flushes += 1;
        let flushes = self.flushes;
        let answer = self.on_flush.as_mut().map_or(Answer::Go, |say| say(flushes));
        self.reply(answer)
    }

    fn botched(&mut self) {
        self.botched = true;
    }
}

/// What a failed call said.
pub fn cause(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(Error { cause, .. }) => cause,
    }
}
