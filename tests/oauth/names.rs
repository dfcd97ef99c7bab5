//! Who signed in and whose mail it is: nothing active before the two agree or the owner said yes.

use multipop::error::Status;
use multipop::service::consent::AuthorizeRequest;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::IdToken;
use serde_json::json;

use super::world::{ALICE, BOB, Listener, OTHER_SESSION, SESSION, World};

#[test]
fn i14_another_name_waits_for_the_owner_s_yes_in_the_same_session() {
    let world = World::entra();
    let brought = world.bring(&world.sign_in(BOB), SESSION);
    let error = brought.result.clone().unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Confirm, "confirm.needed"));
    assert_eq!(error.advice.matches("Mail of bob@contoso.example will be delivered to alice").count(), 1);
    assert_eq!(brought.json["outcome"], "confirm");
    assert_eq!(brought.json["names"], json!({ "signed_in": BOB, "configured": ALICE }));
    assert!(world.grant(GrantSlot::Active).is_none());
    assert!(brought.listener.events.is_empty());

    let confirm = |actor: &str, session: Option<&str>| {
        let mut listener = Listener::default();
        let answer = world.instance.account_act(&mut listener, actor, "a", session, r#"{"verb":"confirm"}"#);
        answer.map(|json| (json, listener.events.len()))
    };
    assert_eq!(confirm(ALICE, Some(OTHER_SESSION)).unwrap_err().cause, "confirm.session");
    assert_eq!(confirm(ALICE, None).unwrap_err().status, Status::Argument);
    assert_eq!(confirm(BOB, Some(SESSION)).unwrap_err().cause, "rights");
    assert_eq!(confirm("*", Some(SESSION)).unwrap_err().cause, "confirm.owner_only");
    assert!(world.grant(GrantSlot::Active).is_none());

    let (json, events) = confirm(ALICE, Some(SESSION)).unwrap();
    assert!(json.contains(r#""outcome":"connected""#) && events == 1, "{json}");
    assert!(world.grant(GrantSlot::Pending).is_none());
    let bound = world.row("a").state.identity.unwrap();
    assert_eq!(bound.name.as_deref(), Some(BOB));
    assert_eq!(confirm(ALICE, Some(SESSION)).unwrap_err().cause, "confirm.nothing");
    // Confirmed once, he may come again; the configured name may not any more.
    assert_eq!(world.bring(&world.sign_in(BOB), SESSION).result, Ok(()));
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "consent.other_subject");
}

#[test]
fn i14_a_yes_that_comes_too_late_is_none() {
    let world = World::entra();
    assert_eq!(world.bring(&world.sign_in(BOB), SESSION).cause(), "confirm.needed");
    world.clock.pass(3601);
    let late = world.instance.account_act(
        &mut Listener::default(),
        ALICE,
        "a",
        Some(SESSION),
        r#"{"verb":"confirm"}"#,
    );
    assert_eq!(late.unwrap_err().cause, "confirm.expired");
    assert!(world.grant(GrantSlot::Active).is_none());
}

#[test]
fn i14_without_an_id_token_the_owner_is_always_asked() {
    let world = World::entra();
    world.idp.change(|s| s.id_token = IdToken::Absent);
    let brought = world.bring(&world.sign_in(ALICE), SESSION);
    assert_eq!(brought.cause(), "confirm.needed");
    assert_eq!(brought.json["names"]["signed_in"], json!(null));
    assert!(world.grant(GrantSlot::Active).is_none());
}

#[test]
fn i14_another_subject_is_refused_with_both_names_and_the_old_grant_stays() {
    let world = World::entra();
    world.connect();
    let before = world.grant(GrantSlot::Active).unwrap();
    let brought = world.bring(&world.sign_in(BOB), SESSION);
    let error = brought.result.clone().unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Callback, "consent.other_subject"));
    assert!(error.advice.contains(ALICE) && error.advice.contains(BOB));
    assert_eq!(world.grant(GrantSlot::Active).unwrap().version, before.version);

    // Names do not bind: the same person under a new name is the same person.
    world.idp.change(|s| {
        let alice = s.users.get_mut(ALICE).unwrap();
        alice.preferred_username = Some("alice.new@contoso.example".into());
    });
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).result, Ok(()));
}

#[test]
fn i14_nobody_begins_for_another_s_account() {
    let world = World::entra();
    let refused = |actor: &'static str, account: &'static str| {
        let ask = AuthorizeRequest { actor, account, ..world.ask() };
        world.begin(&ask).unwrap_err()
    };
    assert_eq!(refused(ALICE, "b"), refused(ALICE, "none"));
    assert_eq!(refused(ALICE, "b").status, Status::Rights);
    assert_eq!(refused("", "a").status, Status::Argument);
    // The operator may begin for an owner.
    let ask = AuthorizeRequest { actor: "*", ..world.ask() };
    let uri = world.idp.consent(&world.begin(&ask).unwrap(), ALICE).unwrap();
    assert_eq!(world.bring(&uri, SESSION).result, Ok(()));
}
