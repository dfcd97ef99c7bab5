//! One person, several grants, and a provider where giving back one ends them all (Google).

use multipop::error::Status;
use multipop::model::OPERATOR;
use multipop::service::consent::{AuthorizeRequest, CallbackRequest};
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::idp::Client;
use multipop_host::mock::pop3::Script;
use serde_json::json;

use crate::house::signed::{SESSION, Signed};
use crate::house::{Recorder, USER};
use crate::{ID, ask, connect, erase, pass, put, request, signed_in, told, world};

const BOB: &str = "bob@example.com";
const SHARED: &str = "shared";

fn google() -> Signed {
    let signed = world(Script::dovecot(), |_| {});
    signed.idp.change(|settings| settings.revokes_all = true);
    connect(&signed);
    signed
}

/// Another owner collects the same mailbox, by a sign-in of the same person.
fn connect_bob(signed: &Signed, provider: &str) {
    let account = json!({ "provider": provider, "user": USER,
        "server": signed.house.config["providers"]["p"]["servers"][0] });
    let instance = &signed.house.instance;
    let host = &mut Recorder::default();
    instance.account_put(host, OPERATOR, BOB, SHARED, &account.to_string()).unwrap();
    let request = AuthorizeRequest { actor: BOB, account: SHARED, ..request(BOB) };
    let url = instance.authorize_url(host, &request).unwrap();
    let uri = signed.idp.consent(&url, USER).unwrap();
    instance.handle_callback(host, &CallbackRequest { uri: &uri, form: None, session: SESSION }).0.unwrap();
}

fn collects(signed: &Signed, id: &str) {
    signed.house.clock.advance(7200);
    let request = FetchRequest { actor: OPERATOR, account: Some(id), deadline_s: 60, now: true };
    signed.house.instance.fetch_once(&mut Recorder::default(), &request).0.unwrap();
}

#[test]
fn an_account_put_again_keeps_its_new_grant() {
    let signed = google();
    erase(&signed);
    put(&signed);
    connect(&signed);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "revocation_dropped"), "{lines:?}");
    assert_eq!(signed.idp.journal().count("revoke"), 0);
    collects(&signed, ID);
    // Nothing of the former account waits any more; the new one's grant goes when it goes.
    erase(&signed);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "grant_revoked"), "{lines:?}");
    assert_eq!((signed.idp.journal().count("revoke"), signed.idp.live_refresh_tokens()), (1, 0));
}

#[test]
fn another_owners_grant_of_the_same_person_lives_on() {
    let signed = google();
    connect_bob(&signed, "p");
    erase(&signed);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "revocation_dropped"), "{lines:?}");
    collects(&signed, SHARED);
    // With the last one all of them go, the one that was kept back too.
    ask(&signed, OPERATOR, json!({ "verb": "erase", "owner": BOB })).unwrap();
    pass(&signed);
    assert_eq!((signed.idp.journal().count("revoke"), signed.idp.live_refresh_tokens()), (1, 0));
}

#[test]
fn a_grant_of_another_client_holds_nothing_back() {
    let mut signed = google();
    let mut other = signed.house.config["providers"]["p"].clone();
    other["client_id"] = json!("another-client");
    signed.house.config["providers"]["q"] = other;
    signed.house.configure().unwrap();
    signed.idp.change(|settings| {
        settings.clients.insert("another-client".into(), Client::default());
    });
    connect_bob(&signed, "q");
    erase(&signed);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "grant_revoked"), "{lines:?}");
}

#[test]
fn a_person_without_an_identity_is_the_name_he_signs_in_with() {
    let signed = world(Script::dovecot(), |provider| provider["scopes"] = json!(["offline_access", "mail"]));
    signed.idp.change(|settings| settings.revokes_all = true);
    let wait_for_a_yes = || {
        let callback = CallbackRequest { uri: &signed_in(&signed), form: None, session: SESSION };
        let refused = signed.house.instance.handle_callback(&mut Recorder::default(), &callback).0;
        assert_eq!(refused.unwrap_err().status, Status::Confirm);
    };
    wait_for_a_yes();
    assert_eq!(erase(&signed)["revocations"], 1);
    put(&signed);
    wait_for_a_yes();
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "revocation_dropped"), "{lines:?}");
    assert_eq!(signed.idp.live_refresh_tokens(), 2);
}
