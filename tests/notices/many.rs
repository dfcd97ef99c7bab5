//! One cause that hits many is one incident: one alert, and users only where it does not heal.

use std::collections::BTreeSet;

use multipop::model::Outcome;
use multipop_host::mock::idp::{At, Fault, OAuthError, What};
use serde_json::json;

use crate::house::{DAY, Recorder, cause, fetch};
use crate::setup::{MINUTES_10, Office, kinds};

const HOURS_6: u64 = 6 * 3600;

#[test]
fn an_incident_is_one_alert_and_its_users_are_held_and_dropped_if_it_heals() {
    let office = Office::of(2000);
    office.stop(&office.ids[..41], Outcome::ReauthUser, "consent.expired");
    office.stop(&office.ids[50..51], Outcome::ReauthUser, "consent.wrong_password");
    assert!(office.ask().is_empty());
    office.pass(MINUTES_10);
    let told = office.send();
    assert_eq!(kinds(&told), [("incident", ""), ("consent_needed", "a0050")], "another cause is not held");
    let alert = &told[0];
    assert_eq!(
        (&alert["to"], &alert["accounts"], &alert["cause"]),
        (&json!("operator"), &json!(41), &json!("consent.expired"))
    );
    let german = alert["texts"]["de"].to_string();
    assert!(
        german.contains("Störung") && german.contains("41 Konten") && german.contains("90 Tage"),
        "{german}"
    );
    // More are hit, most heal.
    office.stop(&office.ids[60..100], Outcome::ReauthUser, "consent.expired");
    office.pass(3600);
    office.well(&office.ids[..38]);
    office.well(&office.ids[60..100]);
    let mut passed = MINUTES_10 + 3600;
    while passed + 600 < HOURS_6 {
        assert!(office.ask().is_empty(), "held after {passed} s");
        office.pass(600);
        passed += 600;
    }
    office.pass(1200);
    let told = office.send();
    let expected = ["a0038", "a0039", "a0040"].map(|id| ("consent_needed", id));
    assert_eq!(kinds(&told), expected, "those it did not heal for");
    office.pass(3 * DAY);
    assert!(office.ask().is_empty());
}

#[test]
fn one_that_heals_tells_no_user_and_the_next_is_a_new_one() {
    let office = Office::of(100);
    for _ in 0..2 {
        office.stop(&office.ids[..3], Outcome::ReauthUser, "consent.expired");
        office.pass(MINUTES_10 - 1);
        assert!(office.ask().is_empty(), "it may heal");
        office.pass(1);
        assert_eq!(kinds(&office.send()), [("incident", "")], "more than two per cent of a hundred");
        office.pass(3600);
        office.well(&office.ids[..3]);
        office.pass(DAY);
        assert!(office.ask().is_empty());
    }
}

#[test]
fn a_host_that_asks_once_a_day_alerts_at_once_and_holds_users_until_the_next_day() {
    let office = Office::of(100);
    office.stop(&office.ids[..5], Outcome::ReauthUser, "consent.expired");
    office.stop(&office.ids[5..7], Outcome::ReauthUser, "consent.wrong_password");
    office.pass(DAY / 2);
    assert_eq!(
        kinds(&office.send()),
        [("incident", ""), ("consent_needed", "a0005"), ("consent_needed", "a0006")]
    );
    office.pass(DAY);
    office.well(&office.ids[..3]);
    assert_eq!(kinds(&office.send()), [("consent_needed", "a0003"), ("consent_needed", "a0004")]);
    office.pass(DAY);
    assert!(office.ask().is_empty());
}

#[test]
fn an_incident_that_heals_within_ten_minutes_alerts_nobody() {
    let office = Office::of(100);
    office.stop(&office.ids, Outcome::ReauthUser, "consent.expired");
    assert!(office.ask().is_empty());
    office.pass(MINUTES_10 - 1);
    office.well(&office.ids);
    office.pass(DAY);
    assert!(office.ask().is_empty());
}

#[test]
fn trouble_that_time_heals_alerts_only_where_it_lasts_for_many() {
    let office = Office::of(100);
    office.stop(&office.ids, Outcome::Transient, "server.unavailable");
    for _ in 0..5 {
        assert!(office.ask().is_empty());
        office.pass(MINUTES_10);
    }
    office.pass(MINUTES_10);
    office.ask();
    office.pass(MINUTES_10);
    assert_eq!(kinds(&office.send()), [("incident", "")]);
    office.stop(&office.ids, Outcome::Transient, "server.trouble");
    office.well(&office.ids);
    office.pass(DAY);
    assert!(office.ask().is_empty());
}

/// By real visits: the provider refuses every renewal.
#[test]
fn a_client_secret_that_expires_with_five_thousand_accounts_is_one_alert_and_no_mail_to_users() {
    let office = Office::of(5_000);
    office.sign_in(office.now());
    office
        .idp
        .change(|s| s.faults = vec![Fault::new(At::Refresh, What::Error(OAuthError::aadsts(7_000_222)))]);
    let mut told = Vec::new();
    for _ in 0..4 {
        let mut sink = Recorder::default();
        // However slow the machine: a pass over all of them.
        loop {
            let (status, report) = fetch(&office.house.instance, &mut sink, None, false);
            assert_eq!(cause(&status), "ok");
            if !report.more {
                break;
            }
        }
        told.extend(office.send());
        office.pass(MINUTES_10);
    }
    told.extend(office.send());
    assert_eq!(told.len(), 1, "{told:#?}");
    let alert = &told[0];
    assert_eq!((&alert["kind"], &alert["to"]), (&json!("incident"), &json!("operator")));
    assert_eq!(
        (&alert["cause"], &alert["accounts"]),
        (&json!("config.client_secret_expired"), &json!(5_000))
    );
    let text = alert["texts"]["en"]["text"].as_str().unwrap();
    assert!(text.contains("5000 of 5000 accounts") && text.contains("New client secret"), "{text}");
    office.pass(HOURS_6);
    assert!(office.ask().is_empty());
    let outcomes: BTreeSet<_> = office
        .ids
        .iter()
        .step_by(500)
        .map(|id| office.house.shown_account(id)["state"]["outcome"].to_string())
        .collect();
    assert_eq!(outcomes, BTreeSet::from(["\"config_error\"".to_owned()]));
}
