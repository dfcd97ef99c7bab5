//! What an owner may do, and what he is refused by name (I14).

use multipop::error::{Error, Status};
use multipop::model::OPERATOR;
use multipop::service::consent::AuthorizeRequest;
use serde_json::{Value, json};

use crate::setup::{ALICE, BOB, House, Onlooker, and, mailbox, refused};

#[test]
fn i14_an_owner_sets_his_members_and_gets_the_operators_for_the_rest() {
    let house = House::new();
    house
        .put(
            ALICE,
            ALICE,
            "a",
            and(json!({ "delete": "now", "interval_s": 600, "sign_in": "boss@example.net" })),
        )
        .unwrap();
    let shown = house.one("a");
    assert_eq!(shown["server"], "pop.example.com:995");
    assert_eq!(shown["deliver_to"], ALICE);
    assert_eq!(shown["realm"], "default");
    assert_eq!(shown["interval_s"], 600);
    assert_eq!(shown["configured"], false);
    assert_eq!(shown["state"]["needs"], json!(["consent"]));
    // Left out means default again.
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let shown = house.one("a");
    assert_eq!((&shown["delete"], &shown["interval_s"]), (&json!("never"), &json!(900)));
    assert_eq!(shown.get("sign_in"), None);
}

#[test]
fn i14_an_owner_is_refused_by_name_what_is_the_operators() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    for (id, json, cause, name) in [
        ("b", and(json!({ "server": "evil.example:995" })), "rights.member", "server"),
        ("b", and(json!({ "server": "pop2.example.com:995" })), "rights.member", "server"),
        ("a", and(json!({ "server": "evil.example:995" })), "rights.member", "server"),
        ("b", json!({ "token_file": "/etc/passwd", "user": "u" }), "rights.member", "token_file"),
        (
            "b",
            json!({ "token_file": "/etc/passwd", "server": "evil.example:995", "user": "u" }),
            "rights.member",
            "token_file",
        ),
        ("a", and(json!({ "deliver_to": BOB })), "rights.member", "deliver_to"),
        ("a", and(json!({ "limits": { "max_message_bytes": 5000000000_u64 } })), "rights.member", "limits"),
        ("a", and(json!({ "security": "stls" })), "rights.member", "security"),
        ("a", and(json!({ "first_fetch": "new_only" })), "rights.member", "first_fetch"),
        ("a", and(json!({ "pipelining": "on" })), "rights.member", "pipelining"),
        ("b", and(json!({ "realm": "blue" })), "rights.member", "realm"),
        ("a", and(json!({ "interval_s": 599 })), "rights.member", "interval_s"),
        ("a", and(json!({ "interval_s": 3601 })), "rights.member", "interval_s"),
        // Not for owners, another realm's, and none at all: one answer.
        ("b", json!({ "provider": "staff", "user": "u" }), "rights.member", "provider"),
        ("b", json!({ "provider": "blues", "user": "u" }), "rights.member", "provider"),
        ("b", json!({ "provider": "none", "user": "u" }), "rights.member", "provider"),
    ] {
        let error = refused(&house, house.put(ALICE, ALICE, id, json), Status::Rights, cause, &before);
        assert!(error.message.starts_with(&format!("{name}: ")), "{name}: {}", error.message);
    }
}

#[test]
fn i14_saying_what_holds_anyway_is_no_change_of_the_operators_members() {
    let house = House::new();
    let full = and(
        json!({ "server": "pop2.example.com:995", "deliver_to": "box-7", "limits": { "session_s": 60 } }),
    );
    house.put(OPERATOR, ALICE, "a", full).unwrap();
    let mut shown = house.list(ALICE, Some("a")).unwrap().remove(0);
    for extra in ["id", "owner", "configured", "state", "attention", "older"] {
        shown.as_object_mut().unwrap().remove(extra);
    }
    shown["enabled"] = json!(false);
    house.put(ALICE, ALICE, "a", shown).unwrap();
    let now = house.one("a");
    assert_eq!(now["server"], "pop2.example.com:995");
    assert_eq!((&now["deliver_to"], &now["limits"]["session_s"]), (&json!("box-7"), &json!(60)));
    assert_eq!(now["enabled"], false);
    // Another provider has other hosts: the token goes to one of those.
    house.put(ALICE, ALICE, "a", json!({ "provider": "two", "user": "u" })).unwrap();
    assert_eq!(house.one("a")["server"], "pop.two.example:995");
}

#[test]
fn i14_anothers_account_and_none_at_all_are_told_the_same() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    let told: Vec<Error> = ["a", "nowhere"]
        .into_iter()
        .flat_map(|id| {
            [
                house.remove(BOB, id).unwrap_err(),
                house.act(BOB, id, json!({ "verb": "pause" })).unwrap_err(),
                house.act(BOB, id, json!({ "verb": "delete_older" })).unwrap_err(),
                house.list(BOB, Some(id)).unwrap_err(),
                house.put(BOB, ALICE, id, mailbox()).unwrap_err(),
                house.instance.authorize_url(&mut Onlooker, &consent(BOB, id)).unwrap_err(),
            ]
        })
        .collect();
    assert!(told.iter().all(|error| *error == Error::rights()), "{told:?}");
    assert!(told.iter().all(|error| error.advice.contains("list of accounts")), "says what to do: {told:?}");
    // A taken id is all a stranger learns.
    assert_eq!(house.put(BOB, BOB, "a", mailbox()).unwrap_err(), Error::rights());
    assert_eq!(house.put(OPERATOR, BOB, "a", mailbox()).unwrap_err(), Error::rights());
    assert_eq!(house.all(), before);
    assert_eq!(house.list(BOB, None).unwrap(), Vec::<Value>::new());
}

fn consent<'a>(actor: &'a str, account: &'a str) -> AuthorizeRequest<'a> {
    AuthorizeRequest {
        actor,
        account,
        session: "0123456789abcdef",
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    }
}

#[test]
fn i14_a_failed_session_look_up_never_becomes_the_operator() {
    let house = House::new();
    let before = house.all();
    for actor in ["", "a\nb", &"x".repeat(256)] {
        refused(&house, house.put(actor, ALICE, "a", mailbox()), Status::Argument, "argument.owner", &before);
        refused(&house, house.list(actor, None), Status::Argument, "argument.owner", &before);
        refused(&house, house.remove(actor, "fixed"), Status::Argument, "argument.owner", &before);
    }
    refused(
        &house,
        house.put(OPERATOR, OPERATOR, "a", mailbox()),
        Status::Argument,
        "argument.owner",
        &before,
    );
    for id in ["", "a b", "../a", &"x".repeat(129)] {
        refused(
            &house,
            house.put(ALICE, ALICE, id, mailbox()),
            Status::Argument,
            "argument.account",
            &before,
        );
    }
}

#[test]
fn i14_an_owner_has_no_more_accounts_than_allowed() {
    let house = House::new();
    house.put(BOB, BOB, "a", mailbox()).unwrap();
    house.put(BOB, BOB, "b", mailbox()).unwrap();
    // One of Alice's is the configuration's.
    house.put(ALICE, ALICE, "d", mailbox()).unwrap();
    let before = house.all();
    for (owner, id) in [(BOB, "c"), (ALICE, "e")] {
        refused(&house, house.put(owner, owner, id, mailbox()), Status::Rights, "rights.cap", &before);
    }
    // Changing one is no new one, and the operator is not bound.
    house.put(BOB, BOB, "b", and(json!({ "enabled": false }))).unwrap();
    house.put(OPERATOR, BOB, "c", mailbox()).unwrap();
}

#[test]
fn i14_configured_accounts_are_changed_only_in_the_configuration() {
    let house = House::new();
    let before = house.all();
    for actor in [ALICE, OPERATOR] {
        refused(
            &house,
            house.put(actor, ALICE, "fixed", mailbox()),
            Status::Rights,
            "rights.configured",
            &before,
        );
        refused(&house, house.remove(actor, "fixed"), Status::Rights, "rights.configured", &before);
    }
    assert!(house.one("fixed")["configured"].as_bool().unwrap());
}

#[test]
fn i14_the_operators_switches_bind_owners_and_not_him() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let mut config = house.config();
    config["owners"]["edit"] = json!(false);
    house.configure(&config).unwrap();
    let before = house.all();
    refused(&house, house.put(ALICE, ALICE, "a", mailbox()), Status::Rights, "rights.edit", &before);
    refused(&house, house.remove(ALICE, "a"), Status::Rights, "rights.edit", &before);
    refused(
        &house,
        house.act(ALICE, "a", json!({ "verb": "pause" })),
        Status::Rights,
        "rights.edit",
        &before,
    );
    house.put(OPERATOR, ALICE, "a", and(json!({ "enabled": false }))).unwrap();

    config["owners"] = json!({ "delete": false });
    house.configure(&config).unwrap();
    let before = house.all();
    let wish = and(json!({ "delete": "now" }));
    refused(&house, house.put(ALICE, ALICE, "a", wish.clone()), Status::Rights, "rights.member", &before);
    house.put(OPERATOR, ALICE, "a", wish).unwrap();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    assert_eq!(house.one("a")["delete"], "now", "an owner who may not choose keeps what stands");
    let before = house.all();
    refused(
        &house,
        house.act(ALICE, "a", json!({ "verb": "delete_older" })),
        Status::Rights,
        "rights.delete",
        &before,
    );

    config["enabled"] = json!(false);
    house.configure(&config).unwrap();
    let before = house.all();
    refused(&house, house.put(ALICE, ALICE, "a", mailbox()), Status::Rights, "rights.disabled", &before);
    assert_eq!(house.one("a")["state"].get("next_due"), None);
}

#[test]
fn i14_an_owner_points_the_operators_token_at_no_other_mailbox() {
    let house = House::new();
    let file = json!({ "token_file": "/run/token", "server": "pop.other.example:995", "user": "u" });
    house.put(OPERATOR, ALICE, "a", file).unwrap();
    let before = house.all();
    for (wish, name) in [
        (json!({ "user": "boss@example.net" }), "user"),
        (json!({ "user": "u", "sign_in": "boss@example.net" }), "sign_in"),
    ] {
        let put = house.put(ALICE, ALICE, "a", wish);
        let error = refused(&house, put, Status::Rights, "rights.member", &before);
        assert!(error.message.starts_with(&format!("{name}: ")), "{}", error.message);
    }
    house.put(ALICE, ALICE, "a", json!({ "user": "u", "interval_s": 3600 })).unwrap();
    assert_eq!(house.one("a")["interval_s"], 3600);
}

#[test]
fn i14_an_owner_does_not_leave_his_realm_by_removing_his_accounts() {
    let house = House::new();
    let blue = json!({ "provider": "blues", "user": "b", "realm": "blue" });
    house.put(OPERATOR, BOB, "b", blue.clone()).unwrap();
    house.remove(BOB, "b").unwrap();
    // Nor when a configuration is written meanwhile.
    let mut config = house.config();
    config["defaults"]["interval_s"] = json!(1200);
    house.configure(&config).unwrap();
    let before = house.all();
    refused(&house, house.put(BOB, BOB, "b", mailbox()), Status::Rights, "rights.member", &before);
    house.put(BOB, BOB, "b", json!({ "provider": "blues", "user": "b" })).unwrap();
    assert_eq!(house.one("b")["realm"], "blue");
    // The operator lets him go.
    house.remove(OPERATOR, "b").unwrap();
    house.put(BOB, BOB, "b", mailbox()).unwrap();
    assert_eq!(house.one("b")["realm"], "default");
}

#[test]
fn i14_an_owner_does_not_take_up_a_token_file_the_operator_withdrew() {
    let house = House::new();
    let mut config = house.config();
    config["accounts"]["filed"] = json!({
        "owner": ALICE, "token_file": "/run/token", "server": "pop.other.example:995", "user": "u",
    });
    house.configure(&config).unwrap();
    house.configure(&house.config()).unwrap();
    assert_eq!(house.one("filed")["enabled"], false);
    let before = house.all();
    let put = house.put(ALICE, ALICE, "filed", json!({ "user": "u" }));
    refused(&house, put, Status::Rights, "rights.withdrawn", &before);
    house.remove(ALICE, "filed").unwrap();
}

#[test]
fn i14_a_form_is_offered_the_providers_that_a_put_would_take() {
    let house = House::new();
    let offered = |actor: &str| {
        let answer = house.ask(actor, json!({ "verb": "providers" })).unwrap();
        let ids = |one: &Value| one["id"].as_str().unwrap().to_owned();
        answer["providers"].as_array().unwrap().iter().map(ids).collect::<Vec<_>>()
    };
    assert_eq!(offered(OPERATOR), ["blues", "one", "staff", "two"]);
    assert_eq!(offered(ALICE), ["one", "two"]);
    assert_eq!(offered("carol@blue.example"), ["blues"]);
    let answer = house.ask(ALICE, json!({ "verb": "providers" })).unwrap();
    assert_eq!(answer["providers"][0]["servers"][0], "pop.example.com:995");
    for id in offered(ALICE) {
        house.put(ALICE, ALICE, "a", json!({ "provider": id, "user": "alice@example.net" })).unwrap();
    }
    let mut config = house.config();
    config["owners"]["edit"] = json!(false);
    house.configure(&config).unwrap();
    assert!(offered(ALICE).is_empty());
}

#[test]
fn a_verb_that_is_none_is_named_and_changes_nothing() {
    let house = House::new();
    let before = house.all();
    for json in [json!({}), json!({ "verb": "pause" }), json!({ "verb": "providers", "account": "a" })] {
        let got = house.instance.act(&mut Onlooker, OPERATOR, &json.to_string());
        refused(&house, got.map(drop), Status::Argument, "argument.json", &before);
    }
}
