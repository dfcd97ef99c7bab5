//! An administrator's consent: seven days, once, from any browser; nothing changes but "try again".

use multipop::engine::grant;
use multipop::error::Status;
use multipop::model::{EventKind, Outcome};
use multipop::service::consent::AuthorizeRequest;
use multipop::store::GrantSlot;
use serde_json::json;

use super::TENANT;
use super::world::{OTHER_SESSION, SESSION, World};

const ADMIN: &str = "admin@contoso.example";
const WEEK_S: u64 = 7 * 86_400;

fn link(world: &World) -> String {
    world.begin(&AuthorizeRequest { admin_consent: true, ..world.ask() }).unwrap()
}

fn agreed(world: &World) -> String {
    world.idp.consent(&link(world), ADMIN).unwrap()
}

#[test]
fn it_may_be_answered_in_another_browser_within_seven_days_and_once() {
    let world = World::entra();
    let uri = agreed(&world);
    world.clock.pass(WEEK_S - 60);
    let brought = world.bring(&uri, OTHER_SESSION);
    assert_eq!(brought.cause(), "consent.admin_granted");
    // Who answers may be a stranger here.
    assert_eq!(brought.json["account"], json!(null));
    assert!(!brought.text.contains("alice"), "{}", brought.text);
    // A repetition hears the same and wakes nobody.
    let again = world.bring(&uri, SESSION);
    assert_eq!((again.cause(), again.listener.events.len()), ("consent.admin_granted", 0));
    world.clock.pass(16 * 60);
    let late = world.bring(&uri, SESSION);
    assert!(["callback.expired", "callback.unknown"].contains(&late.cause()), "{}", late.cause());

    let uri = agreed(&world);
    world.clock.pass(WEEK_S + 1);
    let late = world.bring(&uri, OTHER_SESSION).result.unwrap_err();
    assert_eq!(late.cause, "callback.expired");
    assert!(late.message.contains("seven days"), "{}", late.message);
}

#[test]
fn i11_a_sign_in_still_belongs_to_its_session_and_the_link_connects_nobody() {
    let world = World::entra();
    let sign_in = world.begin(&world.ask()).unwrap();
    let uri = world.idp.consent(&sign_in, ADMIN).unwrap();
    assert_eq!(world.bring(&uri, OTHER_SESSION).cause(), "callback.unknown");
    // A code that somebody put to the link's state.
    let state = |uri: &str| {
        let url = url::Url::parse(uri).unwrap();
        url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    };
    let forged = uri.replace(&state(&uri), &state(&link(&world)));
    assert_eq!(world.bring(&forged, OTHER_SESSION).cause(), "callback.not_admin");
    assert!(world.grant(GrantSlot::Active).is_none() && world.grant(GrantSlot::Pending).is_none());
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
}

#[test]
fn accounts_that_had_a_grant_are_due_and_the_others_are_told_once() {
    let world = World::entra();
    world.connect();
    let store = world.store();
    store
        .update_state("a", &mut |state| {
            state.outcome = Some(Outcome::AdminAction);
            state.next_due = world_now(&world) + 86_400;
            state.failures = 5;
        })
        .unwrap();
    let ask = "Ask your administrator to agree.";
    store.update_state("b", &mut |state| state.for_user = ask.into()).unwrap();
    let brought = world.bring(&agreed(&world), OTHER_SESSION);
    let state = world.row("a").state;
    assert_eq!((state.next_due, state.failures), (0, 0));
    let told: Vec<(EventKind, &str, &str)> = brought
        .listener
        .events
        .iter()
        .map(|event| (event.kind, event.account.as_str(), event.cause.as_str()))
        .collect();
    assert_eq!(told, [(EventKind::ConsentNeeded, "b", "consent.admin_granted")]);
    let state = world.row("b").state;
    assert_eq!((state.status, state.cause.as_str()), (Status::Consent.code(), "consent.admin_granted"));
    assert!(state.advice.contains("press Authorise"), "{}", state.advice);
    assert_eq!(state.for_user, "", "what he did already is not asked for");
    // A visit says the same, until somebody signs in.
    let row = world.row("b");
    let error = world.call(|call| async move { grant::access(&call, &row).await.map(drop) }).unwrap_err();
    assert_eq!(error.cause, "consent.admin_granted");
    assert_eq!(world.bring(&agreed(&world), OTHER_SESSION).listener.events, []);
}

#[test]
fn an_account_of_the_application_is_due_and_its_owner_is_told_nothing() {
    let mut world = World::entra();
    world.provider()["tenant"] = json!(TENANT);
    world.json["accounts"]["b"]["app_only"] = json!(true);
    world.configure();
    world
        .store()
        .update_state("b", &mut |state| {
            state.outcome = Some(Outcome::AdminAction);
            state.next_due = world_now(&world) + 86_400;
        })
        .unwrap();
    let brought = world.bring(&agreed(&world), OTHER_SESSION);
    assert!(brought.listener.events.iter().all(|event| event.account != "b"));
    let state = world.row("b").state;
    assert_eq!((state.next_due, state.outcome), (0, Some(Outcome::AdminAction)));
}

#[test]
fn what_works_and_what_is_another_organisation_s_is_left_alone() {
    let mut world = World::entra();
    world.json["accounts"]["b"]["user"] = json!("bob@fabrikam.example");
    world.json["accounts"]["c"] = json!({
        "owner": "carol", "user": "carol@contoso.example", "provider": "p", "server": "127.0.0.1:995",
        "enabled": false,
    });
    world.configure();
    world.connect();
    let ok = |state: &mut multipop::store::AccountState| {
        state.outcome = Some(Outcome::Ok);
        state.next_due = 4_000_000_000;
    };
    world.store().update_state("a", &mut |state| ok(state)).unwrap();
    let before: Vec<_> = ["a", "b", "c"].map(|id| world.row(id).state).into();
    let brought = world.bring(&agreed(&world), OTHER_SESSION);
    assert_eq!((brought.cause(), brought.listener.events.len()), ("consent.admin_granted", 0));
    let after: Vec<_> = ["a", "b", "c"].map(|id| world.row(id).state).into();
    assert_eq!(after, before);
    // Where the provider serves one organisation, everybody is meant.
    world.provider()["tenant"] = json!("contoso.example");
    world.configure();
    let told = world.bring(&agreed(&world), OTHER_SESSION).listener.events;
    assert_eq!(told.iter().map(|event| event.account.as_str()).collect::<Vec<_>>(), ["b"]);
}

fn world_now(world: &World) -> u64 {
    use multipop::engine::call::Clock;
    world.clock.now()
}

#[test]
fn an_answer_that_is_repeated_by_new_links_makes_nobody_try_faster() {
    let world = World::entra();
    world.connect();
    let now = world_now(&world);
    let failed = |state: &mut multipop::store::AccountState| {
        state.outcome = Some(Outcome::AdminAction);
        state.last_try = Some(now);
        state.next_due = now + 86_400;
    };
    world.store().update_state("a", &mut |state| failed(state)).unwrap();
    for _ in 0..2 {
        world.bring(&agreed(&world), OTHER_SESSION);
        assert_eq!(world.row("a").state.next_due, now + 30);
    }
}
