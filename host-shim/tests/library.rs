//! The safe wrapper around the built library: panics in callbacks, cancelling from elsewhere, two instances at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::ThreadId;

use multipop_abi as abi;
use multipop_host::library::{
    Api, Begun, Event, EventKind, Found, HostEvents, Instance, Level, Load, Message, No, Query, Sink, Yes,
};
use multipop_host::mock::TokenTable;
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Script, Server, Verb};
use parking_lot::Mutex;
use serde_json::json;
use tempfile::TempDir;

const USER: &str = "alice@contoso.example";

struct House {
    _folder: TempDir,
    api: Api,
    config: String,
    pop: Server,
}

impl House {
    fn new(load: Load, messages: usize) -> House {
        let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
        assert!(library.exists(), "build the workspace first: {} is missing", library.display());
        let api = Api::load(&Found::library(Some(&library)), load).unwrap();
        let folder = TempDir::new().unwrap();
        let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
        let pop = Server::start(&pki, &tokens, Script::dovecot()).unwrap();
        pop.mailboxes().fill(USER, messages, 4096, 1);
        tokens.accept("let-me-in", USER);
        let write = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let server = pop.address().to_string();
        let config = json!({
            "store": folder.path().join("store.sqlite"),
            "keys": [write("key", &"5c".repeat(32))],
            "hostname": "mail.example.com",
            "ca_file": write("ca.pem", pki.ca_pem()),
            "system_roots": false,
            "servers": [server],
            "accounts": {"alice": {
                "owner": "alice@example.com",
                "token_file": write("token", "let-me-in"),
                "server": server,
                "user": USER,
            }},
        });
        House { _folder: folder, api, config: config.to_string(), pop }
    }

    fn instance(&self, events: Box<dyn HostEvents>) -> Instance {
        let mut instance = Instance::init(&self.api, "test", Level::Debug, events).unwrap();
        instance.configure(&self.config).unwrap();
        instance
    }
}

/// Takes everything, and panics where it is told to.
#[derive(Default)]
struct Count {
    panics_at: &'static str,
    taken: usize,
    aborted: usize,
    threads: Vec<ThreadId>,
}

impl Count {
    fn at(&mut self, place: &'static str) {
        self.threads.push(std::thread::current().id());
        assert!(self.panics_at != place, "planted in {place}");
    }
}

impl Sink for Count {
    type Open = u64;

    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<u64>, No> {
        self.at("begin");
        assert!(message.received.starts_with("Received: ") && message.dedupe_key.is_some());
        Ok(Begun::Go(0))
    }
    fn data(&mut self, open: &mut u64, bytes: &[u8]) -> Result<(), No> {
        self.at("data");
        *open += bytes.len() as u64;
        Ok(())
    }
    fn end(&mut self, open: u64) -> Result<Yes, No> {
        self.at("end");
        assert!(open > 4000);
        self.taken += 1;
        Ok(Yes::Taken)
    }
    fn abort(&mut self, _open: u64) {
        self.aborted += 1;
    }
    fn flushes(&self) -> bool {
        true
    }
    fn flush(&mut self) -> Result<(), String> {
        self.at("flush");
        Ok(())
    }
}

#[test]
fn i04_a_panic_in_a_sink_stops_the_call_and_goes_on_after_it() {
    for load in [Load::Raw, Load::Checked] {
        for place in ["begin", "data", "end"] {
            let house = House::new(load, 5);
            let mut instance = house.instance(Box::new(()));
            let mut sink = Count { panics_at: place, ..Count::default() };
            let call = AssertUnwindSafe(|| instance.fetch_once("*", None, 60, true, &mut sink));
            let panic = catch_unwind(call).err().expect("the panic goes on");
            let words = panic.downcast_ref::<String>().unwrap();
            assert_eq!(words, &format!("planted in {place}"));
            assert_eq!(sink.taken, 0);
            // The instance is as good as before.
            let mut sink = Count::default();
            let fetched = instance.fetch_once("*", None, 60, true, &mut sink).unwrap();
            fetched.result.unwrap();
            assert_eq!((fetched.report.messages_taken, sink.taken), (5, 5), "{place}");
        }
    }
}

struct Fragile;

impl HostEvents for Fragile {
    fn event(&mut self, event: &Event<'_>) {
        assert!(event.kind != EventKind::AccountBegin, "planted in event");
    }
}

#[test]
fn i04_a_panic_in_an_event_goes_on_after_the_call_without_stopping_it() {
    let house = House::new(Load::Raw, 5);
    let mut instance = house.instance(Box::new(Fragile));
    let mut sink = Count::default();
    let call = AssertUnwindSafe(|| instance.fetch_once("*", None, 60, true, &mut sink));
    assert!(catch_unwind(call).is_err());
    assert_eq!(sink.taken, 5);
}

/// Which threads are heard from.
struct Listening(Arc<Mutex<Vec<ThreadId>>>);

impl HostEvents for Listening {
    fn log(&mut self, _level: Level, _line: &str) {
        self.0.lock().push(std::thread::current().id());
    }
    fn event(&mut self, _event: &Event<'_>) {
        self.0.lock().push(std::thread::current().id());
    }
}

#[test]
fn i05_every_callback_is_on_the_calling_thread() {
    let house = House::new(Load::Raw, 5);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut instance = house.instance(Box::new(Listening(heard.clone())));
    let mut sink = Count::default();
    instance.fetch_once("*", None, 60, true, &mut sink).unwrap().result.unwrap();
    let here = std::thread::current().id();
    assert!(!heard.lock().is_empty() && heard.lock().iter().all(|thread| *thread == here));
    assert!(!sink.threads.is_empty() && sink.threads.iter().all(|thread| *thread == here));
}

#[test]
fn a_cancel_reaches_the_next_call_and_is_consumed() {
    let house = House::new(Load::Raw, 5);
    let mut instance = house.instance(Box::new(()));
    let canceller = instance.canceller();
    std::thread::spawn(move || canceller.cancel()).join().unwrap();
    let mut sink = Count::default();
    let cancelled = instance.fetch_once("*", None, 60, true, &mut sink).unwrap();
    assert_eq!(cancelled.result.unwrap_err().status, abi::E_CANCELLED);
    assert_eq!(house.pop.journal().count(Verb::Retr), 0);
    let fetched = instance.fetch_once("*", None, 60, true, &mut sink).unwrap();
    assert_eq!(fetched.report.messages_taken, 5);
    let late = instance.canceller();
    drop(instance);
    late.cancel();
}

#[test]
fn two_instances_serve_one_store_in_two_threads() {
    let house = House::new(Load::Raw, 50);
    let (mut fetching, mut serving) = (house.instance(Box::new(())), house.instance(Box::new(())));
    let query = Query { actor: "alice@example.com", ..Query::default() };
    let fetched = std::thread::scope(|scope| {
        let thread = scope.spawn(|| fetching.fetch_once("*", None, 60, true, &mut Count::default()).unwrap());
        assert!(serving.accounts(&query).unwrap().contains("\"alice\""));
        thread.join().unwrap()
    });
    assert_eq!(fetched.report.messages_taken, 50);
}

#[test]
fn text_that_c_cannot_hold_is_refused_here() {
    let house = House::new(Load::Raw, 0);
    let mut instance = house.instance(Box::new(()));
    let failure = instance.account_put("*", "a\0b", "id", "{}").unwrap_err();
    assert_eq!((failure.status, failure.cause.as_str()), (abi::E_ARGUMENT, "argument.nul"));
    let failure = instance.configure("{").unwrap_err();
    assert_eq!(failure.status, abi::E_CONFIG);
    assert!(!failure.message.is_empty() && !failure.advice.is_empty());
}

#[test]
fn many_accounts_at_once_each_into_a_maildir_of_its_own() {
    use multipop_host::sink::maildir::{Address, Maildir};
    let house = House::new(Load::Checked, 0);
    let mut config: serde_json::Value = serde_json::from_str(&house.config).unwrap();
    let mut account = config["accounts"]["alice"].clone();
    for number in 0..8 {
        house.pop.mailboxes().fill(USER, 4, 20_000, 100 * number);
        account["deliver_to"] = format!("user{number}@Example.com").into();
        config["accounts"][format!("a{number}")] = account.clone();
    }
    let mut instance = Instance::init(&house.api, "test", Level::Info, Box::new(())).unwrap();
    instance.configure(&config.to_string()).unwrap();
    let mail = TempDir::new().unwrap();
    let template = format!("{}/%d/%n", mail.path().display());
    let mut sink = Maildir::new(Address::parse(&template).unwrap());
    let fetched = instance.fetch_once("*", None, 60, true, &mut sink).unwrap();
    fetched.result.unwrap();
    assert_eq!((fetched.report.accounts_ok, fetched.report.messages_taken), (9, 9 * 32));
    assert_eq!(sink.delivered(), 9 * 32);
    for number in 0..8 {
        let new = mail.path().join(format!("example.com/user{number}/new"));
        let sizes = std::fs::read_dir(new).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        let sizes: Vec<u64> = sizes.collect();
        assert_eq!(sizes.len(), 32);
        assert!(sizes.iter().all(|size| *size > 19_000), "whole: {sizes:?}");
    }
}
