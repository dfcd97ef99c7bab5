//! Consent on another device: begun by the operator, asked about in its time, concluded as a callback is (RFC 8628).

use multipop::error::{Error, Result, Status};
use multipop::model::EventKind;
use multipop::service::Instance;
use multipop::service::consent::AuthorizeRequest;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Fault, OAuthError, What};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, Listener, OTHER_SESSION, SESSION, World};

pub fn operator(world: &World) -> AuthorizeRequest<'static> {
    AuthorizeRequest { actor: "*", ..world.ask() }
}

pub fn begin_as(world: &World, request: &AuthorizeRequest<'_>) -> Result<Value> {
    let json = world.instance.device_begin(&mut Listener::default(), request)?;
    Ok(serde_json::from_str(&json).unwrap())
}

/// Begun by the operator; the code to enter. The first interval is over.
fn begin(world: &World) -> String {
    let begun = begin_as(world, &operator(world)).unwrap();
    world.clock.pass(5);
    begun["user_code"].as_str().unwrap().to_owned()
}

pub struct Polled {
    pub result: Result<()>,
    json: Value,
    listener: Listener,
}

impl Polled {
    fn cause(&self) -> &'static str {
        self.result.as_ref().err().map_or("", |error| error.cause)
    }

    fn error(&self) -> &Error {
        self.result.as_ref().expect_err("it is connected")
    }
}

pub fn poll_as(instance: &Instance, request: &AuthorizeRequest<'_>) -> Polled {
    let mut listener = Listener::default();
    let (result, json) = instance.device_poll(&mut listener, request);
    let json = json.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    Polled { result, json, listener }
}

pub fn poll(world: &World) -> Polled {
    poll_as(&world.instance, &operator(world))
}

fn polls(world: &World) -> u64 {
    world.idp.journal().count("device_code")
}

fn next_poll(world: &World, what: What) -> Polled {
    world.idp.change(|s| s.faults = vec![Fault::new(At::DevicePoll, what).times(1)]);
    poll(world)
}

fn answers(world: &World, error: &str) -> Polled {
    next_poll(world, What::Error(OAuthError::new(error)))
}

#[test]
fn a_code_entered_elsewhere_connects_the_mailbox() {
    for world in [World::entra(), World::generic()] {
        let begun = begin_as(&world, &operator(&world)).unwrap();
        assert_eq!((&begun["expires_in_s"], &begun["interval_s"]), (&json!(900), &json!(5)));
        let code = begun["user_code"].as_str().unwrap();
        assert!(begun["message"].as_str().unwrap().contains(code), "{begun}");
        assert_eq!(begun["verification_uri"], format!("{}/device", world.idp.base()));
        let early = poll(&world);
        assert_eq!((early.cause(), early.json["outcome"].as_str()), ("device.pending", Some("pending")));
        assert_eq!(
            (early.error().status, polls(&world)),
            (Status::Transient, 0),
            "before the interval is over"
        );
        world.clock.pass(5);
        assert_eq!((poll(&world).cause(), polls(&world)), ("device.pending", 1));
        assert!(world.idp.enter_code(code, ALICE, true).unwrap());
        world.clock.pass(5);
        let polled = poll(&world);
        assert_eq!(polled.result, Ok(()));
        assert_eq!(
            (polled.json["outcome"].as_str(), &polled.json["account"]),
            (Some("connected"), &json!("a"))
        );
        assert_eq!(polled.json["names"]["signed_in"], ALICE);
        assert_eq!(polled.listener.events[0].kind, EventKind::ConsentRestored);
        let grant = world.grant(GrantSlot::Active).unwrap().grant;
        assert!(grant.refresh_token.is_some() && grant.identity.is_some());
        assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
    }
}

#[test]
fn i11_a_code_is_used_once_and_its_answer_is_heard_again() {
    let world = World::entra();
    let code = begin(&world);
    world.idp.enter_code(&code, ALICE, true).unwrap();
    let first = poll(&world);
    assert_eq!(first.result, Ok(()));
    world.clock.pass(60);
    let again = poll(&world);
    assert_eq!((again.result, &again.json), (first.result, &first.json));
    assert_eq!((polls(&world), world.idp.journal().violations().len()), (1, 0));
    world.clock.pass(16 * 60);
    assert!(["device.expired", "device.unknown"].contains(&poll(&world).cause()));
}

#[test]
fn i11_only_who_began_it_may_ask_in_the_session_it_was_begun_in() {
    let world = World::entra();
    assert_eq!(poll(&world).cause(), "device.unknown");
    let code = begin(&world);
    world.idp.enter_code(&code, ALICE, true).unwrap();
    let other = AuthorizeRequest { session: OTHER_SESSION, ..operator(&world) };
    assert_eq!(poll_as(&world.instance, &other).cause(), "device.unknown");
    let another = AuthorizeRequest { account: "b", ..operator(&world) };
    assert_eq!(poll_as(&world.instance, &another).cause(), "device.unknown");
    assert_eq!(
        poll_as(&world.instance, &world.ask()).cause(),
        "device.unknown",
        "the owner, not the operator"
    );
    let stranger = AuthorizeRequest { actor: BOB, ..world.ask() };
    assert_eq!(poll_as(&world.instance, &stranger).cause(), "rights");
    let short = AuthorizeRequest { session: "short", ..operator(&world) };
    let refused = poll_as(&world.instance, &short);
    assert_eq!((refused.error().status, refused.json), (Status::Argument, Value::Null));
    assert_eq!(polls(&world), 0);
    // Another process of the same operator may.
    assert_eq!(poll_as(&world.another(), &operator(&world)).result, Ok(()));
}

#[test]
fn i14_owners_begin_none_unless_the_operator_lets_them() {
    let mut world = World::entra();
    let refused = begin_as(&world, &world.ask()).unwrap_err();
    assert_eq!((refused.status, refused.cause), (Status::Rights, "rights.device"));
    world.json["providers"]["p"]["device_flow"] = json!("owners");
    world.configure();
    let begun = begin_as(&world, &world.ask()).unwrap();
    let stranger = AuthorizeRequest { account: "b", ..world.ask() };
    assert_eq!(begin_as(&world, &stranger).unwrap_err().cause, "rights");
    world.clock.pass(5);
    world.idp.enter_code(begun["user_code"].as_str().unwrap(), ALICE, true).unwrap();
    // Taken back while it was under way.
    world.json["providers"]["p"]["device_flow"] = json!("operator");
    world.configure();
    let polled = poll_as(&world.instance, &world.ask());
    assert_eq!(polled.cause(), "rights.device");
    assert!(world.grant(GrantSlot::Active).is_none());
    assert_eq!(polls(&world), 0);
    world.json["providers"]["p"]["device_flow"] = json!("off");
    world.configure();
    assert_eq!(begin_as(&world, &operator(&world)).unwrap_err().cause, "rights.device_off");
}

#[test]
fn i14_attacker_starts_and_victim_finishes_connects_nothing_without_the_owner() {
    let world = World::entra();
    // Whoever was sent the code: another person signed in.
    let code = begin(&world);
    world.idp.enter_code(&code, BOB, true).unwrap();
    let polled = poll(&world);
    assert_eq!((polled.error().status, polled.cause()), (Status::Confirm, "confirm.needed"));
    assert_eq!(polled.json["names"], json!({ "signed_in": BOB, "configured": ALICE }));
    assert!(polled.error().advice.contains("will be delivered to alice"), "{}", polled.error().advice);
    assert!(world.grant(GrantSlot::Active).is_none());
    let confirm = |actor: &str, session: &str| {
        let act = json!({ "verb": "confirm" }).to_string();
        world.instance.account_act(&mut Listener::default(), actor, "a", Some(session), &act)
    };
    // Neither the operator who began it nor another owner can say the yes.
    assert_eq!(confirm("*", SESSION).unwrap_err().cause, "confirm.owner_only");
    assert_eq!(confirm(BOB, OTHER_SESSION).unwrap_err().cause, "rights");
    assert!(world.grant(GrantSlot::Active).is_none());
    // The owner can, in a session of his own.
    confirm(ALICE, OTHER_SESSION).unwrap();
    assert_eq!(world.row("a").state.identity.unwrap().name.as_deref(), Some(BOB));
}

#[test]
fn i14_what_an_owner_began_he_confirms_in_that_session_only() {
    let mut world = World::entra();
    world.json["providers"]["p"]["device_flow"] = json!("owners");
    world.configure();
    let begun = begin_as(&world, &world.ask()).unwrap();
    world.clock.pass(5);
    world.idp.enter_code(begun["user_code"].as_str().unwrap(), BOB, true).unwrap();
    assert_eq!(poll_as(&world.instance, &world.ask()).cause(), "confirm.needed");
    let confirm = |session: &str| {
        let act = json!({ "verb": "confirm" }).to_string();
        world.instance.account_act(&mut Listener::default(), ALICE, "a", Some(session), &act)
    };
    assert_eq!(confirm(OTHER_SESSION).unwrap_err().cause, "confirm.session");
    confirm(SESSION).unwrap();
}

#[test]
fn another_subject_is_refused_with_both_names() {
    let world = World::entra();
    world.connect();
    let code = begin(&world);
    world.idp.enter_code(&code, BOB, true).unwrap();
    let polled = poll(&world);
    assert_eq!(polled.cause(), "consent.other_subject");
    assert!(polled.error().message.contains(ALICE) && polled.error().message.contains(BOB));
    assert_eq!(world.row("a").state.identity.unwrap().name.as_deref(), Some(ALICE));
}

#[test]
fn a_provider_that_is_asked_too_often_is_asked_more_slowly() {
    let world = World::entra();
    begin(&world);
    let slowed = answers(&world, "slow_down");
    assert_eq!((slowed.cause(), slowed.error().retry_after_s), ("device.pending", 10));
    world.clock.pass(9);
    let early = poll(&world);
    assert!((1..=2).contains(&early.error().retry_after_s), "{}", early.error().retry_after_s);
    assert_eq!(polls(&world), 1);
    world.clock.pass(1);
    // It stays as slow.
    assert_eq!(poll(&world).error().retry_after_s, 10);
    assert_eq!(polls(&world), 2);
    world.clock.pass(10);
    let refused = next_poll(&world, What::too_many(60));
    assert_eq!((refused.cause(), refused.error().retry_after_s), ("provider.throttled", 60));
    world.clock.pass(30);
    assert_eq!((poll(&world).cause(), polls(&world)), ("device.pending", 3));
}

#[test]
fn trouble_on_the_way_loses_no_code() {
    let world = World::entra();
    let code = begin(&world);
    for what in [What::Close, What::html(502), What::Error(OAuthError::new("temporarily_unavailable"))] {
        let troubled = next_poll(&world, what);
        assert_eq!(troubled.error().status, Status::Transient, "{}", troubled.cause());
        world.clock.pass(troubled.error().retry_after_s.into());
    }
    world.idp.enter_code(&code, ALICE, true).unwrap();
    assert_eq!(poll(&world).result, Ok(()));
}

#[test]
fn a_refusal_is_told_by_both_names_of_it() {
    let world = World::entra();
    for (error, cause) in [
        ("authorization_declined", "consent.declined"),
        ("access_denied", "consent.declined"),
        ("bad_verification_code", "device.code"),
        ("invalid_grant", "device.code"),
        ("expired_token", "device.expired"),
        ("invalid_client", "config.client_secret"),
        ("unauthorized_client", "config.client"),
    ] {
        begin(&world);
        let refused = answers(&world, error);
        assert_eq!((refused.cause(), refused.json["outcome"].as_str()), (cause, Some("failed")), "{error}");
        let before = polls(&world);
        world.clock.pass(30);
        assert_eq!((poll(&world).cause(), polls(&world)), (cause, before), "asked once, heard again");
    }
    begin(&world);
    // A number tells more than the name.
    let policy = next_poll(&world, What::Error(OAuthError::aadsts(53_003)));
    assert_eq!((policy.error().status, policy.cause()), (Status::Provider, "provider.conditional_access"));
    assert!(world.grant(GrantSlot::Active).is_none());
}

#[test]
fn declined_and_expired_codes_end_and_a_new_one_begins() {
    for world in [World::entra(), World::generic()] {
        let code = begin(&world);
        world.idp.enter_code(&code, ALICE, false).unwrap();
        assert_eq!(poll(&world).cause(), "consent.declined");
        begin(&world);
        world.idp.expire_codes();
        assert_eq!(poll(&world).cause(), "device.expired");
        // By our own clock, without asking.
        let code = begin(&world);
        world.idp.enter_code(&code, ALICE, true).unwrap();
        let before = polls(&world);
        world.clock.pass(901);
        assert_eq!((poll(&world).cause(), polls(&world)), ("device.expired", before));
        assert!(world.grant(GrantSlot::Active).is_none());
        let code = begin(&world);
        world.idp.enter_code(&code, ALICE, true).unwrap();
        assert_eq!(poll(&world).result, Ok(()));
    }
}

#[test]
fn the_code_of_an_earlier_begin_is_forgotten() {
    let world = World::entra();
    let first = begin(&world);
    begin(&world);
    world.idp.enter_code(&first, BOB, true).unwrap();
    assert_eq!(poll(&world).cause(), "device.pending");
    assert!(world.grant(GrantSlot::Pending).is_none());
}

#[test]
fn what_cannot_be_signed_in_by_a_code_is_refused() {
    let mut world = World::generic();
    let admin = AuthorizeRequest { admin_consent: true, ..operator(&world) };
    assert_eq!(begin_as(&world, &admin).unwrap_err().status, Status::Argument);
    world.json["enabled"] = json!(false);
    world.configure();
    assert_eq!(begin_as(&world, &operator(&world)).unwrap_err().cause, "rights.disabled");
    world.json["enabled"] = json!(true);
    world.json["providers"]["p"].as_object_mut().unwrap().remove("device_endpoint");
    world.configure();
    assert_eq!(begin_as(&world, &operator(&world)).unwrap_err().cause, "device.no_endpoint");
}

#[test]
fn a_cancelled_question_keeps_the_code() {
    let world = World::entra();
    let code = begin(&world);
    world.idp.enter_code(&code, ALICE, true).unwrap();
    world.instance.cancel();
    let cancelled = poll(&world);
    assert_eq!(cancelled.error().status, Status::Cancelled, "{}", cancelled.cause());
    world.clock.pass(120);
    assert_eq!(poll(&world).result, Ok(()));
}

#[test]
fn i03_no_code_is_in_lines_answers_or_files() {
    let world = World::entra();
    let code = begin(&world);
    let pending = poll(&world);
    world.idp.change(|s| s.faults = vec![Fault::new(At::DevicePoll, What::Echo(400)).times(1)]);
    world.clock.pass(5);
    let echoed = poll(&world);
    let again = begin(&world);
    world.idp.enter_code(&again, ALICE, true).unwrap();
    let connected = poll(&world);
    assert_eq!(connected.result, Ok(()));
    let mut seen = String::new();
    for polled in [pending, echoed, connected] {
        seen.push_str(&format!("{:?} {} {:?}", polled.result, polled.json, polled.listener.lines));
    }
    assert!(seen.contains("consent_end") && !seen.contains(&code), "{seen}");
    let journal = world.idp.journal();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("store") {
            files.extend(std::fs::read(path).unwrap());
        }
    }
    let secrets: Vec<String> = journal.secrets_issued().into_iter().chain(journal.secrets_shown()).collect();
    assert!(secrets.iter().filter(|secret| secret.starts_with("device-")).count() >= 2);
    for secret in &secrets {
        assert!(!seen.contains(secret), "a secret of {} characters left", secret.len());
        assert!(!files.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn i11_what_a_browser_brings_never_answers_for_a_device() {
    let world = World::entra();
    let code = begin(&world);
    // Whoever began it can tell what it is found by.
    let state: String =
        url::form_urlencoded::byte_serialize(format!("device\na\n{SESSION}\n*").as_bytes()).collect();
    let uri = format!("{}&state={state}&code=stolen", super::world::REDIRECT);
    let brought = world.bring(&uri, SESSION);
    assert_eq!(brought.cause(), "callback.unknown");
    assert_eq!(
        world.idp.journal().count("authorization_code"),
        0,
        "no code is redeemed without its verifier"
    );
    // And the device's code is as good as before.
    world.idp.enter_code(&code, ALICE, true).unwrap();
    assert_eq!(poll(&world).result, Ok(()));
}
