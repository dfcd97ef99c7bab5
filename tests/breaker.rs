//! A server that says "bad password" to everybody for a while costs nobody his consent (DESIGN.md 6).

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use house::{DAY, House, Recorder, START, cause, fetch};
use multipop::config::Config;
use multipop::engine::settings::Settings;
use multipop::model::EventKind;
use multipop::secret::Secret;
use multipop::store::{Grant, GrantSlot, Store};
use multipop_host::mock::pop3::{At, Fault, Script, Verb, What};
use serde_json::json;

const ACCOUNTS: usize = 30;
const INTERVAL_S: u64 = 300;

/// Thirty accounts that worked at one server, a message each.
fn thirty() -> (House, Vec<String>) {
    let mut house = House::new(Script::exchange());
    house.config["accounts"].as_object_mut().unwrap().remove("alice");
    let server = house.pop.address().to_string();
    let ids: Vec<String> = (0..ACCOUNTS).map(|number| format!("a{number:02}")).collect();
    for id in &ids {
        let user = user(id);
        house.tokens.accept(id, &user);
        house.pop.mailboxes().fill(&user, 1, 500, 1);
        house.config["accounts"][id] = json!({
            "owner": format!("{id}@example.com"), "server": server, "user": user,
            "provider": "p", "deliver_to": id, "interval_s": INTERVAL_S,
        });
    }
    std::fs::write(house.path("secret"), "a-client-secret").unwrap();
    house.config["providers"] = json!({ "p": {
        "profile": "generic", "issuer": "https://id.example.com",
        "authorize_endpoint": "https://id.example.com/authorize", "token_endpoint": "https://id.example.com/token",
        "client_id": "client", "client_secret_files": [house.path("secret")],
        "redirect_uri": "https://mail.example.com/back", "scopes": ["openid", "mail"], "servers": [server],
        "ca_file": house.path("ca.pem"),
    } });
    house.configure().unwrap();
    sign_in(&house, &ids);
    let mut sink = Recorder::default();
    let (status, report) = fetch(&house.instance, &mut sink, None, false);
    assert_eq!(
        (cause(&status), report.accounts_ok as usize, sink.delivered.len()),
        ("ok", ACCOUNTS, ACCOUNTS)
    );
    (house, ids)
}

fn store(house: &House) -> Arc<dyn Store> {
    let config = Config::read(&house.config.to_string()).unwrap();
    Settings::prove(config).unwrap().open_store(START).unwrap()
}

/// Tokens that are old enough for a refusal to mean "sign in again", and live long.
fn sign_in(house: &House, ids: &[String]) {
    let store = store(house);
    for id in ids {
        let grant = Grant {
            provider: "p".to_owned(),
            refresh_token: None,
            access_token: Some(Secret::new(id.clone())),
            renew_at: START + DAY,
            expires_at: START + DAY,
            scope: "mail".to_owned(),
            identity: None,
            obtained_at: START - 3600,
            refreshed_at: START - 3600,
            session: None,
            dead: false,
        };
        store.put_grant(id, GrantSlot::Active, 0, &grant).unwrap().unwrap();
    }
}

fn user(id: &str) -> String {
    format!("{id}@contoso.example")
}

fn bad_password() -> Fault {
    let words = "Authentication failure: unknown user name or bad password.";
    Fault::new(At::Verb(Verb::AuthData), What::Err(words.to_owned()))
}

/// As a host's loop does it: a pass every so often. The outcomes seen, and how many log-ins were tried.
fn pass_for(
    house: &House,
    seconds: u64,
    step: u64,
    sink: &mut Recorder,
) -> (BTreeSet<String>, Vec<serde_json::Value>) {
    let mut notices = Vec::new();
    let mut outcomes = BTreeSet::new();
    for _ in 0..seconds / step {
        house.clock.advance(step);
        assert_eq!(cause(&fetch(&house.instance, sink, None, false).0), "ok");
        let verb = json!({ "verb": "notices" }).to_string();
        let answer = house.instance.act(&mut Recorder::default(), "*", &verb).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        notices.extend(answer["notices"].as_array().unwrap().clone());
        for id in house.config["accounts"].as_object().unwrap().keys() {
            outcomes.insert(house.shown_account(id)["state"]["outcome"].as_str().unwrap().to_owned());
        }
    }
    (outcomes, notices)
}

fn log_ins(house: &House) -> u64 {
    house.pop.journal().count(Verb::AuthData)
}

#[test]
fn bad_password_for_everybody_for_ten_minutes_marks_nobody_and_heals_within_an_interval() {
    let (house, ids) = thirty();
    // All fall due.
    house.clock.advance(INTERVAL_S + 60);
    house.pop.change(|script| script.faults = vec![bad_password()]);
    for id in &ids {
        house.pop.mailboxes().fill(&user(id), 1, 500, 2);
    }
    let before = log_ins(&house);
    let mut sink = Recorder::default();
    let (outcomes, told) = pass_for(&house, 600, 20, &mut sink);
    assert!(told.is_empty(), "{told:#?}");
    assert!(
        outcomes.iter().all(|outcome| ["ok", "ok_more", "transient"].contains(&outcome.as_str())),
        "{outcomes:?}"
    );
    assert!(outcomes.contains("transient"));
    let tried = log_ins(&house) - before;
    assert!((3..=20).contains(&tried), "{tried} log-ins of thirty accounts in ten minutes");
    for event in &sink.events {
        let notice = [EventKind::ConsentNeeded, EventKind::OperatorNeeded, EventKind::Throttled];
        assert!(!notice.contains(&event.kind), "{event:?}");
    }
    assert!(sink.lines.iter().any(|line| line.contains("event=breaker_open")));

    let breaker = |family: &str| store(&house).breaker(&format!("{} {family}", house.pop.address())).unwrap();
    assert!(breaker("ipv4").is_some_and(|breaker| breaker.failures >= 3));
    assert_eq!(breaker("ipv6"), None, "by the other family others may still get in");

    house.pop.change(|script| script.faults.clear());
    let (_, told) = pass_for(&house, INTERVAL_S, 20, &mut sink);
    assert!(told.is_empty(), "{told:#?}");
    for id in &ids {
        assert_eq!(house.shown_account(id)["state"]["outcome"], "ok", "{id}");
    }
    assert_eq!(sink.delivered.len(), ACCOUNTS, "the second message of each");
    assert!(sink.lines.iter().any(|line| line.contains("event=breaker_closed")));
    assert_eq!(breaker("ipv4"), None);
}

#[test]
fn one_that_is_refused_for_its_own_sake_is_told_and_stops_nobody_else() {
    let (house, ids) = thirty();
    house.clock.advance(INTERVAL_S + 60);
    house.pop.change(|script| script.faults = vec![bad_password().of_user(&user("a07"))]);
    let mut sink = Recorder::default();
    // However often its owner presses the button.
    for _ in 0..5 {
        house.clock.advance(5);
        let (status, _) = fetch(&house.instance, &mut sink, Some("a07"), true);
        assert_eq!(cause(&status), "server.refused_for_now");
    }
    pass_for(&house, 2 * INTERVAL_S, 20, &mut sink);
    for id in ids.iter().filter(|id| *id != "a07") {
        assert_eq!(house.shown_account(id)["state"]["outcome"], "ok", "{id}");
    }
    assert!(!sink.lines.iter().any(|line| line.contains("event=breaker_open")));
    let (_, told) = pass_for(&house, 1800, 60, &mut sink);
    let users: BTreeSet<_> = told.iter().filter_map(|notice| notice["account"].as_str()).collect();
    assert_eq!(users, BTreeSet::from(["a07"]), "{told:#?}");
    let shown = house.shown_account("a07");
    assert_eq!(shown["state"]["cause"], "consent.refused_by_server", "{shown}");
    let told = |event: &&multipop::model::Event| event.kind == EventKind::ConsentNeeded;
    assert_eq!(sink.events.iter().filter(told).count(), 1);
}
