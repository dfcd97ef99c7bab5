//! Peak memory of a process that fetches: no more than the prefetch pool above one that finds nothing.

use std::process::Command;
use std::time::Duration;

use multipop::engine::call::SystemClock;
use multipop::engine::pump::{Cookie, Host};
use multipop::error::Status;
use multipop::model::{Answer, Event, Message, Reply};
use multipop::service::Instance;
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::pop3::{At, Fault, Script, Verb, What};
use serde_json::{Value, json};

use super::house::House;

/// `prefetch_bytes` where nothing is configured, and what a session may hold.
const POOL_KIB: u64 = 4 * 1024;
const SESSION_KIB: u64 = 256;
/// What an allocator keeps and a first message touches: pages, not messages.
const SLACK_KIB: u64 = 1536;

const CHILD: &str = "MULTIPOP_TEST_CONFIG";

#[test]
fn i07_a_50_mib_message_costs_no_more_than_the_pool() {
    if let Some(config) = std::env::var_os(CHILD) {
        return child(&std::fs::read_to_string(config).unwrap());
    }
    let empty = run(&House::new(Script::dovecot()));
    assert_eq!((empty.cause.as_str(), empty.octets), ("ok", 0));

    let house = House::new(Script::dovecot());
    house.fill(1, 50 << 20, 1);
    let large = run(&house);
    assert_eq!((large.cause.as_str(), large.octets), ("ok", 50 << 20));
    assert!(large.kib <= empty.kib + POOL_KIB + SESSION_KIB + SLACK_KIB, "{empty:?} {large:?}");

    let house = House::new(Script::dovecot());
    house.fill(200, 1 << 20, 1);
    let many = run(&house);
    assert_eq!((many.cause.as_str(), many.octets), ("ok", 200 << 20));
    assert!(many.kib <= empty.kib + POOL_KIB + SESSION_KIB + SLACK_KIB, "{empty:?} {many:?}");
}

#[test]
fn i07_a_hostile_server_ends_with_a_clear_status_and_costs_nothing() {
    if let Some(config) = std::env::var_os(CHILD) {
        return child(&std::fs::read_to_string(config).unwrap());
    }
    let empty = run(&House::new(Script::dovecot()));
    let endless = |prefix: &str, unit: &str| What::Endless { prefix: prefix.into(), unit: unit.into() };
    let line = "x".repeat(76) + "\r\n";
    let long_uidl = "u".repeat(1000);
    // Where; what; how it ends; what may be held for it beside a session.
    let cases = [
        (Verb::Greeting, endless("+OK ", "welcome "), "protocol", 0),
        (Verb::Greeting, endless("", "\r\n"), "protocol", 0),
        (Verb::Capa, endless("+OK\r\n", "X-THING\r\n"), "protocol", 0),
        (Verb::Capa, endless("+OK\r\n", "SASL X "), "protocol", 0),
        (Verb::AuthData, endless("", "+ \r\n"), "server.unavailable", 0),
        (Verb::AuthData, endless("+ ", "e30g"), "server.unavailable", 0),
        (Verb::AuthData, endless("-ERR ", "no "), "server.unavailable", 0),
        (Verb::Uidl, endless("+OK\r\n", "1 x"), "protocol", 0),
        (Verb::Uidl, What::EndlessListing, "protocol", LISTED * 64 / 1024),
        (Verb::Uidl, endless(&format!("+OK\r\n1 {long_uidl}\r\n2 {long_uidl}"), ""), "protocol", 0),
        (Verb::List, What::EndlessListing, "protocol", LISTED * 64 / 1024),
        (Verb::Retr, endless("+OK\r\nA: b\r\n\r\n", &line), "ok", POOL_KIB),
        (Verb::Retr, endless("+OK\r\nA: ", "xxxxxxxx"), "ok", POOL_KIB),
        (Verb::Retr, endless("+OK\r\n", "A: b\r\n"), "ok", POOL_KIB),
        (Verb::Retr, endless("+OK ", "octets "), "protocol", POOL_KIB),
        (Verb::Quit, endless("+OK ", "bye "), "ok", POOL_KIB),
    ];
    for (verb, what, cause, more) in cases {
        let case = format!("{verb:?} {}", format!("{what:?}").chars().take(60).collect::<String>());
        let house = House::with(Script::dovecot(), |config| {
            config["limits"] = json!({ "listing_entries": LISTED });
            config["accounts"]["alice"]["limits"] = json!({ "max_message_bytes": 8 << 20 });
        });
        house.fill(1, 500, 1);
        // An unending line of nothing is a server that fell silent.
        let what = match what {
            What::Endless { prefix, unit } if unit.is_empty() => What::Raw(prefix),
            what => what,
        };
        house.pop.change(|script| script.faults.push(Fault::new(At::Verb(verb), what.clone())));
        let ended = run(&house);
        let silent = matches!(what, What::Raw(_));
        assert_eq!(ended.cause, if silent { "timeout.reply" } else { cause }, "{case}: {ended:?}");
        assert!(ended.kib <= empty.kib + more + SESSION_KIB + SLACK_KIB, "{case}: {empty:?} {ended:?}");
        assert!(ended.octets <= (8 << 20) + 64 * 1024, "{case}: {ended:?}");
    }
}

/// Entries of a listing in these tests.
const LISTED: u64 = 20_000;

#[test]
fn i07_a_listing_is_held_once() {
    if let Some(config) = std::env::var_os(CHILD) {
        return child(&std::fs::read_to_string(config).unwrap());
    }
    let empty = run(&House::new(Script::dovecot()));
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(20_000, 400, 1);
    let first = run(&house);
    assert_eq!((first.cause.as_str(), first.octets), ("ok", 0));
    // UIDLs, keys, rows and what is written of them: a few hundred bytes each.
    assert!(first.kib <= empty.kib + 20_000 * 700 / 1024 + SLACK_KIB, "{empty:?} {first:?}");
    let again = run(&house);
    assert!(again.kib <= empty.kib + 20_000 * 100 / 1024 + SLACK_KIB, "{empty:?} {again:?}");
}

#[derive(Debug)]
struct Ended {
    cause: String,
    octets: u64,
    kib: u64,
}

/// A process of its own fetches, and tells its peak.
fn run(house: &House) -> Ended {
    let config = house.path("config.json");
    std::fs::write(&config, house.config.to_string()).unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, &config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find_map(|line| line.split_once("peak: ").map(|(_, told)| told));
    let told: Value = serde_json::from_str(told.unwrap_or_else(|| panic!("{said}"))).unwrap();
    Ended {
        cause: told["cause"].as_str().unwrap().to_owned(),
        octets: told["octets"].as_u64().unwrap(),
        kib: told["kib"].as_u64().unwrap(),
    }
}

fn child(config: &str) {
    let instance = Instance::new("bounded", std::sync::Arc::new(SystemClock));
    let mut sink = Slow::default();
    instance.configure(&mut sink, config).unwrap();
    let what = FetchRequest { actor: "*", account: Some("alice"), deadline_s: 60, now: true };
    let (status, _) = instance.fetch_once(&mut sink, &what);
    let cause = match &status {
        Ok(()) => "ok",
        Err(error) => {
            assert!(!error.message.is_empty() && !error.advice.is_empty(), "{error:?}");
            assert_ne!(error.status, Status::Internal, "{error:?}");
            error.cause
        }
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak: {}", json!({ "cause": cause, "octets": sink.octets, "kib": kib }));
}

/// A host that drops everything, and is slow at first so that what may be fetched ahead is.
#[derive(Default)]
struct Slow {
    octets: u64,
    begun: bool,
}

impl Host for Slow {
    fn log_level(&self) -> log::LevelFilter {
        log::LevelFilter::Info
    }
    fn log(&mut self, _: log::Level, _: &str) {}
    fn event(&mut self, _: &Event) {}
    fn has_offer(&self) -> bool {
        false
    }
    fn has_flush(&self) -> bool {
        false
    }
    fn offer(&mut self, _: &Message) -> Reply {
        go()
    }
    fn begin(&mut self, _: &Message) -> (Reply, Cookie) {
        (go(), Cookie(1))
    }
    fn data(&mut self, _: Cookie, bytes: &[u8]) -> Reply {
        self.octets += bytes.len() as u64;
        // The second message: from there on several are under way.
        if self.octets > 1 << 20 && !self.begun {
            self.begun = true;
            std::thread::sleep(Duration::from_millis(800));
        }
        go()
    }
    fn end(&mut self, _: Cookie) -> Reply {
        Reply { answer: Answer::Taken, reason: String::new() }
    }
    fn abort(&mut self, _: Cookie) {}
    fn flush(&mut self) -> Reply {
        go()
    }
}

fn go() -> Reply {
    Reply { answer: Answer::Go, reason: String::new() }
}
