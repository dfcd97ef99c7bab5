//! What ends is told 30, 7 and 1 days before, and grants do not end of idleness.

use std::time::Duration;

use multipop::engine::call::Clock;
use multipop::model::Outcome;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{ClientKey, Settings};
use multipop_host::mock::pop3::Script;
use serde_json::{Value, json};

use crate::house::signed::Signed;
use crate::house::{DAY, OWNER, Recorder, cause, fetch};
use crate::setup::{MINUTES_10, Office, ask, date, done, kinds};

/// Alice is connected and paused, at a provider that ends what rests for 90 days; her operator's secret ends within the
/// ninety-fifth day. With when she was connected.
fn paused(keep_alive: bool) -> (Signed, u64) {
    let settings = Settings { refresh_idle: Some(Duration::from_secs(90 * DAY)), ..Settings::generic() };
    let mut signed = Signed::new(Script::exchange(), settings);
    let connected = signed.house.clock.now();
    signed.house.config["notices"] = json!({ "digest": "never" });
    let provider = &mut signed.house.config["providers"]["p"];
    provider["client_secret_expires_at"] = json!(date((connected / DAY + 95) * DAY));
    provider["grant_idle_s"] = json!(90 * DAY);
    provider["keep_alive"] = json!(keep_alive);
    signed.house.configure().unwrap();
    signed.connect();
    signed.house.act("alice", json!({ "verb": "pause" })).unwrap();
    (signed, connected)
}

/// A pass each day, to day 100, and what was told on which day.
fn hundred_days(signed: &Signed, connected: u64) -> Vec<(u64, Value)> {
    let mut told = Vec::new();
    for day in 1..=100 {
        signed.house.clock.set(connected + day * DAY);
        signed.idp.change(|s| s.elapsed = Duration::from_secs(day * DAY));
        assert_eq!(cause(&fetch(&signed.house.instance, &mut Recorder::default(), None, false).0), "ok");
        let notices = ask(&signed.house.instance, 100);
        done(&signed.house.instance, &notices);
        told.extend(notices.into_iter().map(|notice| (day, notice)));
    }
    told
}

fn days(told: &[(u64, Value)], kind: &str) -> Vec<u64> {
    told.iter().filter(|(_, notice)| notice["kind"] == kind).map(|(day, _)| *day).collect()
}

fn resume(signed: &Signed) -> Value {
    signed.house.act("alice", json!({ "verb": "resume" })).unwrap();
    let _ = fetch(&signed.house.instance, &mut Recorder::default(), Some("alice"), true);
    signed.house.shown()
}

#[test]
fn a_grant_that_would_die_of_idleness_lives_after_a_hundred_days_and_each_end_is_told_once() {
    let (signed, connected) = paused(true);
    let told = hundred_days(&signed, connected);
    assert_eq!(days(&told, "secret_ends"), [65, 88, 94]);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().all(|(_, notice)| notice["to"] == "operator"));
    assert_eq!(resume(&signed)["state"]["outcome"], "ok");
}

#[test]
fn without_the_weekly_renewal_it_is_lost_and_its_owner_was_told() {
    let (signed, connected) = paused(false);
    let told = hundred_days(&signed, connected);
    assert_eq!(days(&told, "secret_ends"), [65, 88, 94]);
    assert_eq!(days(&told, "consent_ends"), [60, 83, 89]);
    assert_eq!(told.len(), 6, "{told:#?}");
    let (_, first) = told.iter().find(|(_, notice)| notice["kind"] == "consent_ends").unwrap();
    assert_eq!((&first["to"], &first["owner"]), (&json!("owner"), &json!(OWNER)));
    let ends = i64::try_from((connected / DAY + 90) * DAY).unwrap();
    let ends = time::OffsetDateTime::from_unix_timestamp(ends).unwrap();
    let (day, month, year) = (ends.day(), ends.month(), ends.year());
    for (language, words) in [
        ("en", [format!("ends on {day} {month} "), year.to_string()]),
        ("de", [format!("endet am {day}. "), year.to_string()]),
    ] {
        let subject = first["texts"][language]["subject"].as_str().unwrap();
        assert!(words.iter().all(|word| subject.contains(word)), "{words:?}\n{first}");
    }
    let shown = resume(&signed);
    assert_eq!(
        (&shown["state"]["outcome"], &shown["state"]["cause"]),
        (&json!("reauth_user"), &json!("consent.revoked"))
    );
    signed.house.clock.advance(MINUTES_10);
    assert_eq!(kinds(&ask(&signed.house.instance, 100)), [("consent_needed", "alice")]);
}

#[test]
fn a_certificate_is_told_of_as_it_is_read_until_its_successor_stands_beside_it() {
    let mut office = Office::of(1);
    let provider = |names: &[&str], office: &Office| {
        let path = |name: &str| office.house.path(name);
        names
            .iter()
            .map(|name| json!({ "certificate_file": path(&format!("{name}.pem")), "private_key_file": path(&format!("{name}.key")) }))
            .collect::<Vec<_>>()
    };
    for (name, year) in [("old", 2028), ("new", 2030)] {
        let key = ClientKey::until(year).unwrap();
        std::fs::write(office.house.path(&format!("{name}.pem")), &key.certificate_pem).unwrap();
        let file = office.house.path(&format!("{name}.key"));
        std::fs::write(&file, &key.private_key_pem).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    office.house.config["providers"]["p"]["certificates"] = json!(provider(&["old"], &office));
    office.house.configure().unwrap();
    // 2028-01-01
    let ends_at = 1_830_297_600;
    office.house.clock.set(ends_at - 31 * DAY);
    assert!(office.send().is_empty());
    office.house.clock.set(ends_at - 30 * DAY);
    let told = office.send();
    assert_eq!((kinds(&told), &told[0]["ends_at"]), (vec![("certificate_ends", "")], &json!(ends_at)));
    assert!(told[0]["texts"]["de"]["text"].as_str().unwrap().contains("2028-01-01"));
    assert!(office.send().is_empty());
    office.house.config["providers"]["p"]["certificates"] = json!(provider(&["new", "old"], &office));
    office.house.configure().unwrap();
    office.house.clock.set(ends_at - 7 * DAY);
    assert!(office.send().is_empty(), "its successor is there");
}

#[test]
fn grants_that_cannot_be_renewed_for_long_are_the_operators() {
    let office = Office::of(3);
    office.sign_in(office.now());
    let weeks: Vec<u64> = (0..90)
        .filter(|_| {
            office.pass(DAY);
            let told = office.send();
            assert!(
                told.iter().all(|notice| notice["kind"] == "grants_end" && notice["accounts"] == 3),
                "{told:#?}"
            );
            !told.is_empty()
        })
        .collect();
    assert_eq!(weeks, [59, 82, 88], "30, 7 and 1 days before the ninetieth");
}

#[test]
fn the_digest_comes_once_a_day_when_there_is_something_to_say() {
    let mut office = Office::of(200);
    office.house.config["notices"]["digest"] = json!("needed");
    office.house.configure().unwrap();
    let digests = |office: &Office| {
        let told = office.send();
        told.into_iter().filter(|notice| notice["kind"] == "digest").collect::<Vec<_>>()
    };
    assert!(digests(&office).is_empty(), "all is well");
    office.stop(&office.ids[..6], Outcome::ReauthUser, "consent.expired");
    office.stop(&office.ids[6..8], Outcome::MailboxPolicy, "mailbox.pop_off");
    office.stop(&office.ids[8..9], Outcome::Transient, "server.unavailable");
    // To an hour after the operator's next day began.
    office.house.clock.set((office.now() / DAY + 1) * DAY + 7 * 3600);
    let mut seen = Vec::new();
    for hour in 0..30 {
        for digest in digests(&office) {
            seen.push((hour, digest));
        }
        office.pass(3600);
    }
    assert_eq!(seen.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), [0, 23], "{seen:#?}");
    let (_, first) = &seen[0];
    for (language, words) in [
        (
            "en",
            [
                "6 accounts (p): consent.expired",
                "Incidents:",
                "2 accounts (p): mailbox.pop_off",
                "1 account (p): server.unavailable",
            ],
        ),
        (
            "de",
            [
                "6 Konten (p): consent.expired",
                "Störungen:",
                "2 Konten (p): mailbox.pop_off",
                "1 Konto (p): server.unavailable",
            ],
        ),
    ] {
        let text = first["texts"][language]["text"].as_str().unwrap();
        for word in words {
            assert!(text.contains(word), "{word}\n{text}");
        }
    }
    assert_eq!(first["held"], 6);
    office.well(&office.ids[..9]);
    office.pass(DAY);
    let last = digests(&office);
    assert_eq!((last.len(), &last[0]["recovered"]), (1, &json!(9)));
    office.pass(DAY);
    assert!(digests(&office).is_empty());
    office.house.config["notices"]["digest"] = json!("always");
    office.house.configure().unwrap();
    let well = digests(&office);
    assert_eq!(well[0]["texts"]["de"]["text"], "Alle Konten werden abgeholt; nichts endet bald.\n");
    assert!(digests(&office).is_empty());
    // Grants that nobody had stay nobody's.
    assert!(office.store().grant("a0000", GrantSlot::Active).unwrap().is_none());
}
