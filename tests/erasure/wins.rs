//! An erasure against whatever another process is doing with the account just then.

use std::time::{Duration, Instant};

use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, What};
use multipop_host::mock::pop3::{Drip, Script};
use serde_json::json;

use crate::house::signed::Signed;
use crate::house::{DAY, Recorder, USER};
use crate::player::{Player, part};
use crate::{
    ID, SLOW, by_issuer_alone, connect, erase, fault, found, pass, put, request, signed_in, traces, world,
};

/// Erased and put again at once: nothing of the former account is in the new one, and nothing in any file.
fn erase_and_put_again(signed: &Signed) {
    assert_eq!(erase(signed)["complete"], true);
    assert_eq!(found(signed.house.dir.path(), &traces(signed)), Vec::<String>::new());
    put(signed);
}

/// After the other process ended.
fn is_untouched(signed: &Signed) {
    let config = multipop::config::Config::read(&signed.house.config.to_string()).unwrap();
    let settings = multipop::engine::settings::Settings::prove(config).unwrap();
    let store = settings.open_store(1_800_000_000).unwrap();
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        assert!(store.grant(ID, slot).unwrap().is_none());
    }
    let row = store.account(ID).unwrap().unwrap();
    assert_eq!((row.state.outcome, row.state.last_try, row.state.claims), (None, None, None));
    assert!(
        row.state.progress.is_none() && row.state.identity.is_none() && row.state.failed_sign_in.is_none()
    );
    assert!(store.all_rows(ID, 1).unwrap().is_empty() && store.consents_of(ID).unwrap().is_empty());
    assert_eq!(found(signed.house.dir.path(), &traces(signed)), Vec::<String>::new());
}

/// The other process's clock is ahead.
fn give_back(signed: &Signed) {
    signed.idp.change(|settings| settings.faults.clear());
    signed.house.clock.advance(DAY);
    pass(signed);
}

#[test]
fn a_message_in_the_hands_of_another_process_is_not_delivered() {
    if part().is_some() {
        return;
    }
    let drip = Drip { octets: 2000, pause: Duration::from_millis(20) };
    let signed = world(Script { drip: Some(drip), ..Script::dovecot() }, |_| {});
    connect(&signed);
    // It would take half a minute.
    signed.house.pop.mailboxes().fill(USER, 2, 3_000_000, 1);
    let test = "wins::a_message_in_the_hands_of_another_process_is_not_delivered";
    let mut player = Player::start(&signed, test, "fetch", "");
    player.wait_until_in_hand();
    let begun = Instant::now();
    erase_and_put_again(&signed);
    assert!(begun.elapsed() < Duration::from_secs(3), "the visitor was waited for in vain");
    assert_eq!(player.end(), "lease.lost delivered=0 aborted=1");
    is_untouched(&signed);
}

#[test]
fn a_refresh_under_way_in_another_process_stores_nothing() {
    if part().is_some() {
        return;
    }
    let signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    fault(&signed, At::Refresh, What::Slow(SLOW));
    let test = "wins::a_refresh_under_way_in_another_process_stores_nothing";
    let mut player = Player::start(&signed, test, "refresh", "");
    assert!(signed.idp.journal().wait_for_count("refresh_token", 1, SLOW));
    erase_and_put_again(&signed);
    assert!(!player.is_over(), "the refresh was to be under way");
    assert_eq!(player.end(), "lease.lost delivered=0 aborted=0");
    is_untouched(&signed);
    // What came in too late is given back as what was stored.
    give_back(&signed);
    assert_eq!((signed.idp.journal().count("revoke"), signed.idp.live_refresh_tokens()), (2, 0));
}

#[test]
fn a_callback_under_way_in_another_process_connects_nothing() {
    if part().is_some() {
        return;
    }
    let signed = world(Script::dovecot(), by_issuer_alone);
    let uri = signed_in(&signed);
    fault(&signed, At::Code, What::Slow(SLOW));
    let test = "wins::a_callback_under_way_in_another_process_connects_nothing";
    let mut player = Player::start(&signed, test, "callback", &uri);
    assert!(signed.idp.journal().wait_for_count("authorization_code", 1, SLOW));
    // The same owner, the same provider, the same name: and yet another account.
    erase_and_put_again(&signed);
    assert!(!player.is_over(), "the callback was to be under way");
    assert_eq!(player.end(), "callback.changed delivered=0 aborted=0");
    is_untouched(&signed);
    give_back(&signed);
    assert_eq!(signed.idp.live_refresh_tokens(), 0, "the grant nobody stored is given back");
}

#[test]
fn a_device_polled_in_another_process_connects_nothing() {
    if part().is_some() {
        return;
    }
    let signed = world(Script::dovecot(), |_| {});
    let begun = signed.house.instance.device_begin(&mut Recorder::default(), &request("*")).unwrap();
    let begun: serde_json::Value = serde_json::from_str(&begun).unwrap();
    assert!(signed.idp.enter_code(begun["user_code"].as_str().unwrap(), USER, true).unwrap());
    fault(&signed, At::DevicePoll, What::Slow(SLOW));
    let test = "wins::a_device_polled_in_another_process_connects_nothing";
    let mut player = Player::start(&signed, test, "device", "");
    assert!(signed.idp.journal().wait_for_count("device_code", 1, SLOW));
    erase_and_put_again(&signed);
    assert!(!player.is_over(), "the poll was to be under way");
    assert_eq!(player.end(), "callback.changed delivered=0 aborted=0");
    is_untouched(&signed);
    give_back(&signed);
    assert_eq!(signed.idp.live_refresh_tokens(), 0);
}

/// The account's realm, and all that is of it.
#[test]
fn a_realm_erased_during_a_fetch_is_gone_for_it() {
    if part().is_some() {
        return;
    }
    let drip = Drip { octets: 2000, pause: Duration::from_millis(20) };
    let signed = world(Script { drip: Some(drip), ..Script::dovecot() }, |_| {});
    connect(&signed);
    signed.house.pop.mailboxes().fill(USER, 1, 3_000_000, 1);
    let test = "wins::a_realm_erased_during_a_fetch_is_gone_for_it";
    let mut player = Player::start(&signed, test, "fetch", "");
    player.wait_until_in_hand();
    let answer = crate::ask(&signed, "*", json!({ "verb": "erase", "realm": "default" })).unwrap();
    assert_eq!((&answer["accounts"], &answer["revocations"]), (&json!(1), &json!(1)));
    assert_eq!(player.end(), "lease.lost delivered=0 aborted=1");
    assert_eq!(found(signed.house.dir.path(), &traces(&signed)), Vec::<String>::new());
}
