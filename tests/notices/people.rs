//! Users hear once, soon enough and in their own words; whoever sends, sends it once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use multipop::model::{Event, EventKind, Outcome};
use multipop::oauth::table::{self, Class};
use multipop_host::mock::pop3::{At, Fault, Script, Verb, What};
use serde_json::json;

use crate::house::{DAY, House, Recorder};
use crate::setup::{MINUTES_10, Office, PAGE, ask, done, kinds};

const USERS: Outcome = Outcome::ReauthUser;
const REVOKED: &str = "consent.revoked";

#[test]
fn a_user_is_told_once_after_ten_minutes_and_at_most_once_a_day() {
    let office = Office::of(100);
    let one = &office.ids[7..8];
    office.stop(one, USERS, REVOKED);
    assert!(office.ask().is_empty(), "an incident may be beginning");
    office.pass(MINUTES_10);
    let told = office.send();
    assert_eq!(kinds(&told), [("consent_needed", "a0007")]);
    let notice = &told[0];
    assert_eq!((&notice["to"], &notice["owner"]), (&json!("owner"), &json!("a0007@example.com")));
    assert_eq!(notice["deliver_to"], "a0007@example.com");
    assert_eq!(notice["cause"], REVOKED);
    for language in ["en", "de"] {
        let text = notice["texts"][language]["text"].as_str().unwrap();
        assert!(text.contains("a0007@contoso.example") && text.contains(PAGE), "{text}");
        for technical in [REVOKED, "OAuth", "token", "AADSTS", "reauth"] {
            assert!(!text.contains(technical), "{text}");
        }
    }
    let export = json!({ "verb": "export", "owner": "a0007@example.com" }).to_string();
    let export = office.house.instance.act(&mut Recorder::default(), "*", &export).unwrap();
    assert!(export.contains(r#""kind":"consent_needed""#), "what he was told is about him");
    let german = notice["texts"]["de"]["text"].as_str().unwrap();
    assert!(german.contains("wählen Sie") && german.contains("Autorisieren"), "{german}");
    for _ in 0..60 {
        office.pass(DAY / 2);
        assert!(office.ask().is_empty(), "told once for each time it stops");
    }
    // It works again for a moment, twice a day.
    for expected in [1, 0, 0, 1] {
        office.well(one);
        office.pass(600);
        office.stop(one, USERS, REVOKED);
        office.pass(DAY / 3);
        assert_eq!(office.send().len(), expected);
    }
}

#[test]
fn only_who_must_act_is_written_to() {
    let office = Office::of(400);
    let others = [
        Outcome::AdminAction,
        Outcome::ConfigError,
        Outcome::Transient,
        Outcome::ProtocolError,
        Outcome::MailboxPolicy,
        Outcome::HostFull,
        Outcome::HostRecipient,
        Outcome::Host,
        Outcome::Bug,
    ];
    for (at, outcome) in others.into_iter().enumerate() {
        office.stop(&office.ids[at..=at], outcome, &format!("some.cause_{}", (b'a' + at as u8) as char));
    }
    office.pass(2 * DAY);
    let told = office.send();
    assert!(
        told.iter().all(|notice| notice["to"] == "operator" && notice["kind"] == "operator_needed"),
        "{told:#?}"
    );
    assert_eq!(told.len(), 5, "what time or the host heals is the digest's");
    office.pass(30 * DAY);
    assert!(office.ask().is_empty(), "once as long as it lasts");
}

#[test]
fn every_cause_that_can_reach_a_user_has_its_sentences_in_both_languages() {
    let causes = table::rows().filter(|row| row.class == Class::User).map(|row| row.cause);
    let others = [
        "consent.none",
        "consent.no_refresh_token",
        "consent.other_issuer",
        "consent.pop_not_granted",
        "consent.admin_granted",
        "password.none",
        "password.refused",
    ];
    let causes: BTreeSet<&str> = causes.chain(others).collect();
    let office = Office::of(1);
    let mut german = BTreeSet::new();
    for cause in &causes {
        office.well(&office.ids);
        office.pass(2 * DAY);
        office.stop(&office.ids, USERS, cause);
        office.pass(MINUTES_10);
        let told = office.send();
        assert_eq!(told.len(), 1, "{cause}");
        let text = told[0]["texts"]["de"]["text"].as_str().unwrap();
        assert!(!text.contains("Der Anbieter verlangt, dass Sie sich wieder anmelden."), "{cause}");
        german.insert(text.split("\n\n").nth(2).unwrap().to_owned());
    }
    assert!(causes.len() > 20 && german.len() == causes.len(), "each its own");
}

#[test]
fn a_cause_outside_the_table_tells_the_operator_in_every_language_what_to_do() {
    let office = Office::of(100);
    let advice = "Give the file to the user multipop runs as.";
    office.stop(&office.ids[..1], Outcome::ConfigError, "some.cause");
    office.store().update_state(&office.ids[0], &mut |state| state.advice = advice.into()).unwrap();
    office.pass(MINUTES_10);
    let told = office.send();
    for language in ["en", "de"] {
        assert!(told[0]["texts"][language]["text"].as_str().unwrap().contains(advice), "{told:#?}");
    }
}

#[test]
fn two_processes_never_send_the_same() {
    let office = Office::of(1500);
    // Two a day's trouble, so that nothing is an incident.
    for pair in office.ids.chunks(2).take(15) {
        office.stop(pair, USERS, REVOKED);
        office.pass(3700);
    }
    let neighbour = office.house.neighbour();
    let instances = [&office.house.instance, &neighbour];
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        let asking = instances.map(|instance| {
            scope.spawn(move || {
                let mut mine = Vec::new();
                for _ in 0..8 {
                    let notices = ask(instance, 3);
                    done(instance, &notices);
                    mine.extend(notices);
                }
                mine
            })
        });
        told = asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect();
    });
    let accounts: BTreeSet<_> = told.iter().map(|notice| notice["account"].to_string()).collect();
    assert_eq!((told.len(), accounts.len()), (30, 30));
}

#[test]
fn a_death_between_sending_and_done_sends_again() {
    let office = Office::of(100);
    office.stop(&office.ids[..1], USERS, REVOKED);
    office.pass(MINUTES_10);
    let first = office.ask();
    assert_eq!(first.len(), 1);
    assert!(office.ask().is_empty(), "somebody is sending it");
    office.pass(301);
    let again = office.ask();
    assert_eq!((again.len(), &again[0]["id"]), (1, &first[0]["id"]));
    // The one thought dead sent it too.
    office.done(&first);
    office.done(&again);
    office.pass(2 * DAY);
    assert!(office.ask().is_empty());
}

#[test]
fn nobody_waits_for_an_account_that_is_disabled_or_gone() {
    let mut office = Office::of(100);
    let put = json!({ "provider": "p", "user": "u@contoso.example" });
    let instance = &office.house.instance;
    instance.account_put(&mut Recorder::default(), "*", "bob@example.com", "put", &put.to_string()).unwrap();
    office.ids.push("put".to_owned());
    office.stop(&office.ids[99..], USERS, REVOKED);
    office.house.config["accounts"]["a0099"]["enabled"] = json!(false);
    office.house.configure().unwrap();
    let rows = || {
        let db = rusqlite::Connection::open(office.house.path("store.db")).unwrap();
        let count = |table: &str| -> u32 {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        (count("standings"), count("notices"))
    };
    office.pass(MINUTES_10);
    let told = office.send();
    assert_eq!(kinds(&told), [("consent_needed", "put")]);
    assert_eq!(rows(), (101, 1));
    office.house.instance.account_remove(&mut Recorder::default(), "*", "put").unwrap();
    assert_eq!(rows(), (100, 0));
    // Enabled again and still stopped: its next visit says so.
    office.house.config["accounts"]["a0099"]["enabled"] = json!(true);
    office.house.configure().unwrap();
    assert!(office.ask().is_empty());
    office.pass(60);
    office.stop(&["a0099".to_owned()], USERS, REVOKED);
    office.pass(MINUTES_10);
    assert_eq!(kinds(&office.ask()), [("consent_needed", "a0099")]);
}

#[test]
fn an_owner_neither_asks_for_notices_nor_calls_them_sent() {
    let office = Office::of(2);
    for verb in [json!({ "verb": "notices" }), json!({ "verb": "notices_done", "ids": [] })] {
        let asked =
            office.house.instance.act(&mut Recorder::default(), "a0000@example.com", &verb.to_string());
        assert_eq!(asked.unwrap_err().cause, "rights.operator");
    }
}

#[test]
fn what_the_store_keeps_of_a_notice_names_nobody() {
    let office = Office::of(100);
    office.stop(&office.ids[..1], USERS, REVOKED);
    office.pass(MINUTES_10);
    office.send();
    let db = rusqlite::Connection::open(office.house.path("store.db")).unwrap();
    for table in ["notices", "standings", "incidents"] {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let value: rusqlite::types::Value = row.get(column).unwrap();
                let told = format!("{value:?}");
                assert!(!told.contains("a00") && !told.contains("example"), "{table}: {told}");
            }
        }
    }
}

#[test]
fn what_the_operator_is_needed_for_is_told_by_event_when_it_begins_and_when_it_is_over() {
    let house = House::new(Script::dovecot());
    let mut events = Vec::new();
    for refused in [false, true, true, false, false] {
        let words = "[SYS/PERM] somebody must act".to_owned();
        let faults = refused.then(|| Fault::new(At::Verb(Verb::AuthData), What::Err(words)));
        house.pop.change(|script| script.faults = faults.into_iter().collect());
        let mut sink = Recorder::default();
        let _ = house.fetch(&mut sink);
        let told = [EventKind::OperatorNeeded, EventKind::Recovered];
        events.push(sink.kinds().into_iter().filter(|kind| told.contains(kind)).collect::<Vec<_>>());
        house.clock.advance(DAY);
    }
    assert_eq!(events, [vec![], vec![EventKind::OperatorNeeded], vec![], vec![EventKind::Recovered], vec![]]);
}

/// What kinds of event each visit brought, of those that call somebody or say that it is over.
fn calls(house: &House, clients: impl IntoIterator<Item = Option<&'static str>>) -> Vec<Vec<EventKind>> {
    let told = [
        EventKind::OperatorNeeded,
        EventKind::Recovered,
        EventKind::ConsentNeeded,
        EventKind::ConsentRestored,
    ];
    let mut visits = Vec::new();
    for words in clients {
        let fault = words.map(|words| Fault::new(At::Verb(Verb::AuthData), What::Err(words.to_owned())));
        house.pop.change(|script| script.faults = fault.into_iter().collect());
        let mut sink = Recorder::default();
        let _ = house.fetch(&mut sink);
        visits.push(sink.kinds().into_iter().filter(|kind| told.contains(kind)).collect());
        house.clock.advance(DAY);
    }
    visits
}

#[test]
fn what_time_heals_in_between_neither_ends_a_call_nor_repeats_it() {
    let house = House::new(Script::dovecot());
    let (perm, temp) = (Some("[SYS/PERM] somebody must act"), Some("[SYS/TEMP] later"));
    let needed = vec![EventKind::OperatorNeeded];
    let over = vec![EventKind::Recovered];
    let seen = calls(&house, [None, perm, temp, perm, temp, None, temp, None]);
    assert_eq!(seen, [vec![], needed, vec![], vec![], vec![], over, vec![], vec![]]);
}

#[test]
fn a_visit_cut_off_before_it_was_let_in_says_nothing() {
    let house = House::new(Script::dovecot());
    let perm = Some("[SYS/PERM] somebody must act");
    assert_eq!(calls(&house, [perm]), [[EventKind::OperatorNeeded]]);
    let before = house.shown();
    let stall = Fault::new(At::Verb(Verb::AuthData), What::Stall(Duration::from_secs(60)));
    house.pop.change(|script| script.faults = vec![stall]);
    let cancel = house.instance.cancel_flag();
    let begun = move |event: &Event| {
        if event.kind == EventKind::AccountBegin {
            cancel.store(true, Ordering::Release);
        }
    };
    let mut sink = Recorder::default();
    sink.on_event = Some(Box::new(begun));
    let _ = house.fetch(&mut sink);
    let ended = sink.events.iter().find(|event| event.kind == EventKind::AccountEnd).unwrap();
    assert_eq!(ended.outcome, Some(Outcome::OkMore), "{ended:?}");
    assert!(!sink.kinds().contains(&EventKind::Recovered), "{:?}", sink.kinds());
    let shown = house.shown();
    for member in ["outcome", "cause", "last_ok"] {
        assert_eq!(shown["state"][member], before["state"][member], "{member}");
    }
    house.clock.advance(DAY);
    assert_eq!(calls(&house, [None]), [[EventKind::Recovered]]);
}

#[test]
fn an_account_that_cannot_be_read_silences_nobody_else() {
    let office = Office::of(100);
    office.stop(&office.ids[..2], USERS, REVOKED);
    let db = rusqlite::Connection::open(office.house.path("store.db")).unwrap();
    let first = "(SELECT min(account) FROM standings WHERE needs = 1)";
    assert_eq!(db.execute(&format!("UPDATE accounts SET state = x'00' WHERE row = {first}"), []).unwrap(), 1);
    drop(db);
    office.pass(MINUTES_10);
    assert_eq!(office.send().len(), 1);
}
