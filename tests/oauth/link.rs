//! A one-time link for an owner whose browser is elsewhere: his alone, once, and in the session he signs in with.

use multipop::error::{Error, Result, Status};
use multipop_host::mock::idp::{At, Fault, What};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, Listener, OTHER_SESSION, SESSION, World};

const DAY: u64 = 86_400;

fn act(world: &World, actor: &str, id: &str, session: Option<&str>, act: Value) -> Result<Value> {
    let mut listener = Listener::default();
    let answer = world.instance.account_act(&mut listener, actor, id, session, &act.to_string());
    let answer = answer.map(|json| serde_json::from_str::<Value>(&json).unwrap());
    let told = format!("{:?} {:?}", listener.lines, answer.as_ref().err());
    for token in [&act["token"], answer.as_ref().map_or(&Value::Null, |answer| &answer["token"])] {
        assert!(!told.contains(token.as_str().unwrap_or("no token")), "{told}");
    }
    answer.iter().for_each(fits_the_schema);
    answer
}

fn fits_the_schema(answer: &Value) {
    let mut schema: Value = serde_json::from_str(include_str!("../../include/config.schema.json")).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!("#/$defs/link");
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(answer), "{answer:#}");
}

fn offer(world: &World, actor: &str, id: &str) -> String {
    let offered = act(world, actor, id, None, json!({ "verb": "offer_link" })).unwrap();
    offered["token"].as_str().unwrap().to_owned()
}

fn redeem(world: &World, actor: &str, id: &str, session: &str, token: &str) -> Result<String> {
    let redeemed = act(world, actor, id, Some(session), json!({ "verb": "redeem_link", "token": token }))?;
    Ok(redeemed["url"].as_str().unwrap().to_owned())
}

fn refused(result: Result<String>) -> (Status, &'static str) {
    let Error { status, cause, .. } = result.unwrap_err();
    (status, cause)
}

#[test]
fn a_link_is_redeemed_once_and_connects_in_the_session_it_is_redeemed_in() {
    for begun_by in [ALICE, "*"] {
        let world = World::entra();
        let token = offer(&world, begun_by, "a");
        let url = redeem(&world, ALICE, "a", SESSION, &token).unwrap();
        assert!(url.starts_with(&world.idp.authorize_url()[..20]), "{url}");
        let again = redeem(&world, ALICE, "a", OTHER_SESSION, &token);
        assert_eq!(refused(again), (Status::Callback, "link.unknown"));
        let uri = world.idp.consent(&url, ALICE).unwrap();
        assert_eq!(world.bring(&uri, OTHER_SESSION).cause(), "callback.unknown");
        assert_eq!(world.bring(&uri, SESSION).result, Ok(()));
        let store = std::fs::read(world.folder.path().join("store.db")).unwrap();
        assert!(!store.windows(token.len()).any(|part| part == token.as_bytes()), "kept in clear");
    }
}

#[test]
fn i11_only_the_owner_signed_in_as_himself_redeems_it_and_others_use_nothing_up() {
    let world = World::entra();
    let token = offer(&world, ALICE, "a");
    assert_eq!(refused(redeem(&world, BOB, "a", SESSION, &token)), (Status::Rights, "rights"));
    assert_eq!(refused(redeem(&world, "*", "a", SESSION, &token)), (Status::Rights, "link.owner_only"));
    assert_eq!(refused(redeem(&world, ALICE, "a", "short", &token)), (Status::Argument, "argument.session"));
    assert_eq!(refused(redeem(&world, ALICE, "a", SESSION, "guessed")), (Status::Callback, "link.unknown"));
    assert_eq!(world.idp.journal().count("authorize"), 0);
    redeem(&world, ALICE, "a", SESSION, &token).unwrap();
}

#[test]
fn i11_who_starts_it_for_himself_cannot_have_another_finish_it() {
    let world = World::entra();
    // Bob sends Alice the link of his account: she is asked to sign in at the host, and is not Bob.
    let token = offer(&world, BOB, "b");
    assert_eq!(refused(redeem(&world, ALICE, "b", SESSION, &token)), (Status::Rights, "rights"));
    // Nor does it open hers.
    assert_eq!(refused(redeem(&world, ALICE, "a", SESSION, &token)), (Status::Callback, "link.unknown"));
    // He redeems it himself and sends her where it leads: her browser has not his session.
    let url = redeem(&world, BOB, "b", OTHER_SESSION, &token).unwrap();
    let uri = world.idp.consent(&url, ALICE).unwrap();
    assert_eq!(world.bring(&uri, SESSION).cause(), "callback.unknown");
    let grants = ["a", "b"].map(|id| world.store().grant(id, multipop::store::GrantSlot::Active).unwrap());
    assert!(grants.iter().all(Option::is_none));
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
}

#[test]
fn a_link_lasts_a_day_or_as_long_as_was_asked_and_the_next_one_ends_it() {
    let world = World::entra();
    let token = offer(&world, ALICE, "a");
    world.clock.pass(DAY + 1);
    assert_eq!(refused(redeem(&world, ALICE, "a", SESSION, &token)), (Status::Callback, "link.expired"));
    let short = act(&world, ALICE, "a", None, json!({ "verb": "offer_link", "lasts_s": 300 })).unwrap();
    world.clock.pass(301);
    let late = redeem(&world, ALICE, "a", SESSION, short["token"].as_str().unwrap());
    assert_eq!(refused(late), (Status::Callback, "link.expired"));
    for lasts_s in [json!(299), json!(604_801), json!("long")] {
        let error = act(&world, ALICE, "a", None, json!({ "verb": "offer_link", "lasts_s": lasts_s }));
        assert_eq!(error.unwrap_err().status, Status::Argument);
    }
    let (first, second) = (offer(&world, ALICE, "a"), offer(&world, "*", "a"));
    assert_eq!(refused(redeem(&world, ALICE, "a", SESSION, &first)), (Status::Callback, "link.unknown"));
    redeem(&world, ALICE, "a", SESSION, &second).unwrap();
}

#[test]
fn a_provider_that_is_down_uses_no_link_up() {
    let mut world = World::generic();
    let p = world.provider().as_object_mut().unwrap();
    p.remove("authorize_endpoint");
    p.remove("token_endpoint");
    world.configure();
    let token = offer(&world, ALICE, "a");
    world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, What::Close)]);
    let down = redeem(&world, ALICE, "a", SESSION, &token);
    assert_eq!(refused(down), (Status::Transient, "provider.unreachable"));
    world.idp.change(|s| s.faults.clear());
    world.clock.pass(31);
    redeem(&world, ALICE, "a", SESSION, &token).unwrap();
}

#[test]
fn whoever_may_sign_in_may_have_a_link_and_nobody_else() {
    let mut world = World::entra();
    world.json["owners"] = json!({ "edit": false });
    world.configure();
    let token = offer(&world, ALICE, "a");
    redeem(&world, ALICE, "a", SESSION, &token).unwrap();
    let offered = |world: &World, actor| act(world, actor, "a", None, json!({ "verb": "offer_link" }));
    assert_eq!(offered(&world, BOB).unwrap_err().status, Status::Rights);
    let token = offer(&world, ALICE, "a");
    world.json["enabled"] = json!(false);
    world.configure();
    assert_eq!(offered(&world, "*").unwrap_err().cause, "rights.disabled");
    assert_eq!(refused(redeem(&world, ALICE, "a", SESSION, &token)), (Status::Rights, "rights.disabled"));
}

#[test]
fn i11_of_two_processes_that_redeem_it_at_once_one_does() {
    let world = World::entra();
    let others = [world.another(), world.another(), world.another()];
    for _ in 0..8 {
        let token = offer(&world, ALICE, "a");
        let verb = json!({ "verb": "redeem_link", "token": token }).to_string();
        let redeemed = std::thread::scope(|scope| {
            let all: Vec<_> = others
                .iter()
                .map(|one| {
                    let verb = &verb;
                    scope.spawn(move || {
                        one.account_act(&mut Listener::default(), ALICE, "a", Some(SESSION), verb)
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(redeemed.iter().filter(|one| one.is_ok()).count(), 1, "{redeemed:?}");
        let refused = redeemed.into_iter().filter_map(Result::err);
        assert!(refused.into_iter().all(|error| error.cause == "link.unknown"));
    }
}

#[test]
fn i11_a_link_is_for_the_mailbox_it_was_offered_for_and_no_later_one_of_its_id() {
    let mut world = World::entra();
    world.json["owners"] = json!({ "providers": ["p"] });
    world.json["servers"] = json!(["127.0.0.1:995"]);
    world.configure();
    let put = |world: &World, actor: &str, account: Value| {
        let text = account.to_string();
        world.instance.account_put(&mut Listener::default(), actor, ALICE, "c", &text).unwrap();
    };
    let mailbox = |user: &str| json!({ "user": user, "provider": "p", "server": "127.0.0.1:995" });
    let refuses = |world: &World, token: &str, expected: (Status, &'static str)| {
        assert_eq!(refused(redeem(world, ALICE, "c", SESSION, token)), expected);
    };
    // Removed, and put again as it was.
    put(&world, "*", mailbox(ALICE));
    let token = offer(&world, ALICE, "c");
    world.instance.account_remove(&mut Listener::default(), "*", "c").unwrap();
    refuses(&world, &token, (Status::Rights, "rights"));
    put(&world, "*", mailbox(ALICE));
    refuses(&world, &token, (Status::Callback, "link.unknown"));
    // Another mailbox meanwhile.
    let token = offer(&world, ALICE, "c");
    put(&world, "*", mailbox("team@contoso.example"));
    refuses(&world, &token, (Status::Callback, "link.unknown"));
    // One with a password meanwhile: there is nobody to sign in, and no link to be had.
    let token = offer(&world, ALICE, "c");
    put(
        &world,
        "*",
        json!({ "use_oauth": false, "user": ALICE, "server": "127.0.0.1:995", "password": "x" }),
    );
    refuses(&world, &token, (Status::Config, "consent.password"));
    let none = act(&world, ALICE, "c", None, json!({ "verb": "offer_link" })).unwrap_err();
    assert_eq!(none.status, Status::Config);
    assert!(none.message.contains("password") && !none.message.contains("file"), "{none}");
    put(&world, "*", mailbox(ALICE));
    refuses(&world, &token, (Status::Callback, "link.unknown"));
}
