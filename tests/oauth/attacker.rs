//! Attacker starts, victim finishes: whatever way the answer takes, nothing is connected by it (I11, I14).
//!
//! Mallory's account names Alice's mailbox, so that her sign-in would agree with it: only what binds the sign-in to
//! who began it stands between them.

use multipop::error::Status;
use multipop::service::consent::AuthorizeRequest;
use multipop::store::GrantSlot;
use serde_json::json;

use super::device::{begin_as, poll_as};
use super::world::{ALICE, SESSION, World};

const MALLORY: &str = "mallory@contoso.example";
const SESSION_OF_MALLORY: &str = "session-of-mallory-0123456789";

fn world(response_mode: &str) -> World {
    let mut world = World::entra();
    world.json["accounts"]["m"] = json!({
        "owner": MALLORY, "user": ALICE, "provider": "p", "server": "127.0.0.1:995", "deliver_to": "mallory",
    });
    world.provider()["response_mode"] = json!(response_mode);
    world.configure();
    world
}

fn mallory(world: &World) -> AuthorizeRequest<'static> {
    AuthorizeRequest { actor: MALLORY, account: "m", session: SESSION_OF_MALLORY, ..world.ask() }
}

/// Nothing is connected, nothing waits for a yes, and no code was redeemed.
fn nothing_came_of_it(world: &World) {
    for account in ["a", "m"] {
        for slot in [GrantSlot::Active, GrantSlot::Pending] {
            assert!(world.store().grant(account, slot).unwrap().is_none());
        }
        assert!(world.row(account).state.identity.is_none());
    }
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
    assert_eq!(world.idp.journal().count("device_code/ok"), 0);
}

#[test]
fn i11_attacker_starts_and_victim_finishes_by_the_redirect() {
    for response_mode in ["query", "form_post"] {
        let world = world(response_mode);
        // The link comes to Alice by mail; she signs in, and her own browser brings the answer.
        let link = world.begin(&mallory(&world)).unwrap();
        let answer = world.idp.consent_form(&link, ALICE).unwrap();
        for _ in 0..2 {
            let brought = world.bring_form(&answer.url, answer.form.as_deref(), SESSION);
            let error = brought.result.unwrap_err();
            assert_eq!((error.status, error.cause), (Status::Callback, "callback.unknown"));
            assert!(error.advice.contains("If you did not start one, close this page"), "{}", error.advice);
            assert_eq!((&brought.json["account"], &brought.json["owner"]), (&json!(null), &json!(null)));
        }
        nothing_came_of_it(&world);
    }
}

#[test]
fn i11_attacker_starts_and_victim_finishes_by_pasting_the_line() {
    let world = world("query");
    let line = world.idp.consent(&world.begin(&mallory(&world)).unwrap(), ALICE).unwrap();
    let query = line.split_once('?').unwrap().1;
    let (path, bare) = (line.split_once("example.com").unwrap().1, format!("?{query}"));
    // Alice is told to paste the line where she is signed in.
    for pasted in [&line, path, query, &bare, &format!("  {line}#_=_ \r\n")] {
        let error = world.bring(pasted, SESSION).result.unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Callback, "callback.unknown"), "{pasted}");
    }
    nothing_came_of_it(&world);
    // Nor is a sign-in of her own under way taken for it.
    let own = world.begin(&world.ask()).unwrap();
    assert_eq!(world.bring(&line, SESSION).cause(), "callback.unknown");
    nothing_came_of_it(&world);
    let answer = world.idp.consent(&own, ALICE).unwrap();
    assert_eq!(world.bring(&answer, SESSION).result, Ok(()));
    assert!(world.store().grant("m", GrantSlot::Active).unwrap().is_none());
}

#[test]
fn i11_attacker_starts_and_victim_finishes_by_a_code_on_another_device() {
    let world = world("query");
    // He gets no code to send her: only the operator begins.
    let error = begin_as(&world, &mallory(&world)).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Rights, "rights.device"));
    // Not for her account, and not by asking what came of the operator's.
    let hers = AuthorizeRequest { account: "a", ..mallory(&world) };
    assert_eq!(begin_as(&world, &hers).unwrap_err().cause, "rights");
    let operators = AuthorizeRequest { actor: "*", ..world.ask() };
    let begun = begin_as(&world, &operators).unwrap();
    assert!(world.idp.enter_code(begun["user_code"].as_str().unwrap(), ALICE, true).unwrap());
    world.clock.pass(5);
    for request in [mallory(&world), hers, AuthorizeRequest { session: SESSION, ..mallory(&world) }] {
        assert!(poll_as(&world.instance, &request).result.is_err());
    }
    nothing_came_of_it(&world);
}
