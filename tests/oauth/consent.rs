//! Consent from the first page to the grant: bound to who began it, used once.

use std::time::Duration;

use multipop::error::Status;
use multipop::model::EventKind;
use multipop::service::consent::AuthorizeRequest;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Consent, Fault, IdToken, IssAnswer, OAuthError, What};
use serde_json::json;

use super::world::{ALICE, BOB, Listener, OTHER_SESSION, SESSION, World, bring};

#[test]
fn a_consent_connects_the_mailbox() {
    let world = World::entra();
    let brought = world.bring(&world.sign_in(ALICE), SESSION);
    assert_eq!(brought.result, Ok(()));
    assert_eq!(
        brought.json,
        json!({
            "account": "a", "owner": ALICE, "outcome": "connected", "cause": "",
            "names": { "signed_in": ALICE, "configured": ALICE },
            "message": "The mailbox is connected; its mail will be collected.",
        })
    );
    let kinds: Vec<EventKind> = brought.listener.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::ConsentRestored]);
    let grant = world.grant(GrantSlot::Active).unwrap().grant;
    assert!(grant.refresh_token.is_some() && !grant.dead);
    let state = world.row("a").state;
    assert_eq!(state.next_due, 0);
    assert_eq!(state.identity.unwrap().name.as_deref(), Some(ALICE));
    assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
}

#[test]
fn another_process_may_finish_what_one_began() {
    let world = World::entra();
    let uri = world.sign_in(ALICE);
    assert_eq!(bring(&world.another(), &uri, None, SESSION).result, Ok(()));
}

#[test]
fn i11_a_wrong_session_neither_connects_nor_consumes() {
    let world = World::entra();
    let uri = world.sign_in(ALICE);
    // Attacker starts, victim finishes; and victim starts, attacker finishes.
    let stolen = world.bring(&uri, OTHER_SESSION);
    assert_eq!((stolen.cause(), stolen.json["outcome"].as_str()), ("callback.unknown", Some("failed")));
    assert_eq!(stolen.json["account"], json!(null));
    assert!(world.grant(GrantSlot::Active).is_none());
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
    let short = world.bring(&uri, "short");
    assert_eq!(short.result.unwrap_err().status, Status::Argument);
    assert_eq!(short.text, "", "arguments that are not accepted get no JSON");
    assert_eq!(world.bring(&uri, SESSION).result, Ok(()));
}

#[test]
fn i11_a_repeated_callback_hears_the_first_answer_and_redeems_nothing() {
    let world = World::entra();
    let uri = world.sign_in(ALICE);
    let first = world.bring(&uri, SESSION);
    let again = world.bring(&uri, SESSION);
    assert_eq!((again.result.clone(), &again.text), (first.result, &first.text));
    assert_eq!(world.idp.journal().count("authorization_code"), 1);
    assert_eq!(world.bring(&uri, OTHER_SESSION).cause(), "callback.unknown");
    world.clock.pass(16 * 60);
    let late = world.bring(&uri, SESSION);
    assert!(["callback.expired", "callback.unknown"].contains(&late.cause()), "{}", late.cause());

    let refused = world.begin(&world.ask()).unwrap();
    world.idp.change(|s| s.consent = Consent::Refused("access_denied".into(), "AADSTS65004: no".into()));
    let uri = world.idp.consent(&refused, ALICE).unwrap();
    let first = world.bring(&uri, SESSION);
    assert_eq!(first.cause(), "consent.declined");
    let again = world.bring(&uri, SESSION);
    assert_eq!((again.result, again.text), (first.result, first.text));
}

#[test]
fn i11_the_same_callback_in_two_processes_at_once_is_redeemed_once_and_answered_the_same() {
    let world = World::entra();
    let (uri, another) = (world.sign_in(ALICE), world.another());
    world.idp.change(|s| s.faults = vec![Fault::new(At::Code, What::Slow(Duration::from_millis(500)))]);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| world.bring(&uri, SESSION));
        let second = scope.spawn(|| bring(&another, &uri, None, SESSION));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!((&first.result, &second.result), (&Ok(()), &Ok(())));
    assert_eq!(first.text, second.text);
    assert_eq!(world.idp.journal().count("authorization_code"), 1);
}

#[test]
fn i11_a_wrong_answer_uses_the_state_up() {
    let world = World::entra();
    let uri = world.sign_in(ALICE);
    let mixed = format!("{uri}&error=access_denied");
    assert_eq!(world.bring(&mixed, SESSION).cause(), "callback.code_and_error");
    // The good answer hears what the first one heard.
    assert_eq!(world.bring(&uri, SESSION).cause(), "callback.code_and_error");
    let half = world.sign_in(ALICE);
    assert_eq!(world.bring_form(&half, Some("code=x"), SESSION).cause(), "callback.mixed");
    assert_eq!(world.bring(&half, SESSION).cause(), "callback.mixed");
    assert!(world.grant(GrantSlot::Active).is_none());
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
}

#[test]
fn i11_a_consent_lives_a_quarter_of_an_hour() {
    let world = World::entra();
    let uri = world.sign_in(ALICE);
    world.clock.pass(15 * 60 + 1);
    assert_eq!(world.bring(&uri, SESSION).cause(), "callback.expired");
    assert!(world.grant(GrantSlot::Active).is_none());
}

#[test]
fn i11_answers_of_two_consents_cannot_be_swapped() {
    let world = World::entra();
    let first = world.sign_in(ALICE);
    let second = world.sign_in(ALICE);
    let part = |uri: &str, name: &str| {
        let url = url::Url::parse(uri).unwrap();
        url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned()
    };
    // The first one's state with the second one's code: the verifier does not fit.
    let swapped = first.replace(&part(&first, "code"), &part(&second, "code"));
    let brought = world.bring(&swapped, SESSION);
    assert!(brought.result.is_err());
    assert!(world.grant(GrantSlot::Active).is_none());
}

#[test]
fn i11_a_mix_up_is_refused_before_the_code_is_sent_anywhere() {
    let world = World::generic();
    world.idp.change(|s| s.iss = IssAnswer::Wrong);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "callback.issuer");
    world.idp.change(|s| s.iss = IssAnswer::Right);
    let elsewhere = world.sign_in(ALICE).replace("/WorldClient.dll?", "/other?");
    assert_eq!(world.bring(&elsewhere, SESSION).cause(), "callback.path");
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).result, Ok(()));
}

#[test]
fn i11_issuers_that_answer_at_one_address_are_warned_of() {
    let mut world = World::generic();
    let warned = |world: &World| {
        let mut listener = Listener::default();
        world.instance.configure(&mut listener, &world.json.to_string()).unwrap();
        listener.lines.iter().any(|line| line.contains("config.shared_redirect_uri providers=p,q"))
    };
    world.json["providers"]["q"] = world.json["providers"]["p"].clone();
    assert!(!warned(&world), "one issuer tells its answers apart itself");
    world.json["providers"]["q"]["issuer"] = json!("https://id.example.net");
    assert!(warned(&world));
    world.json["providers"]["q"]["redirect_uri"] = json!("https://mail.example.com/other");
    assert!(!warned(&world));
}

#[test]
fn i11_an_id_token_that_does_not_hold_connects_nothing() {
    let world = World::entra();
    for wrong in IdToken::ALL_WRONG {
        // OpenID Connect Core §3.1.3.7: the signature may go unchecked where TLS vouches for the endpoint.
        if wrong == IdToken::WrongSignature {
            continue;
        }
        world.idp.change(|s| s.id_token = wrong);
        let brought = world.bring(&world.sign_in(ALICE), SESSION);
        assert!(brought.cause().starts_with("identity."), "{wrong:?}: {}", brought.cause());
        assert!(world.grant(GrantSlot::Active).is_none() && world.grant(GrantSlot::Pending).is_none());
    }
}

#[test]
fn a_form_post_is_taken_from_the_body() {
    let mut world = World::entra();
    world.json["providers"]["p"]["response_mode"] = json!("form_post");
    world.configure();
    let url = world.begin(&world.ask()).unwrap();
    let answer = world.idp.consent_form(&url, ALICE).unwrap();
    let brought = world.bring_form(&answer.url, answer.form.as_deref(), SESSION);
    assert_eq!(brought.result, Ok(()));
}

#[test]
fn an_administrator_s_consent_changes_nothing_but_try_again() {
    let world = World::entra();
    let ask = AuthorizeRequest { admin_consent: true, ..world.ask() };
    let uri = world.idp.consent(&world.begin(&ask).unwrap(), "admin@contoso.example").unwrap();
    let brought = world.bring(&uri, SESSION);
    assert_eq!(
        (brought.cause(), brought.json["outcome"].as_str()),
        ("consent.admin_granted", Some("admin_granted"))
    );
    assert!(world.grant(GrantSlot::Active).is_none());
    world.idp.change(|s| s.consent = Consent::Refused("consent_required".into(), "AADSTS65004: no".into()));
    let uri = world.idp.consent(&world.begin(&ask).unwrap(), "admin@contoso.example").unwrap();
    let refused = world.bring(&uri, SESSION).result.unwrap_err();
    assert_eq!((refused.status, refused.cause), (Status::Provider, "consent.admin_refused"));
}

#[test]
fn switched_off_nothing_begins_and_nothing_ends() {
    let mut world = World::entra();
    let uri = world.sign_in(ALICE);
    world.json["enabled"] = json!(false);
    world.configure();
    assert_eq!(world.begin(&world.ask()).unwrap_err().cause, "rights.disabled");
    assert_eq!(world.bring(&uri, SESSION).cause(), "rights.disabled");
    world.json["enabled"] = json!(true);
    world.json["accounts"]["a"]["enabled"] = json!(false);
    world.configure();
    assert_eq!(world.begin(&world.ask()).unwrap_err().cause, "rights.account_disabled");
}

#[test]
fn a_provider_changed_meanwhile_takes_no_answer() {
    let mut world = World::entra();
    let uri = world.sign_in(ALICE);
    world.json["providers"]["p"]["redirect_uri"] = json!("https://mail.example.com/new");
    world.configure();
    assert_eq!(world.bring(&uri, SESSION).cause(), "callback.changed");
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
}

#[test]
fn trouble_at_the_provider_is_told_as_trouble() {
    let world = World::entra();
    for (what, cause) in [
        (What::Close, "provider.unreachable"),
        (What::HalfAnswer, "provider.unreachable"),
        (What::html(502), "provider.trouble"),
        (What::html(200), "provider.not_json"),
        (What::too_many(60), "provider.throttled"),
        (What::Redirect("https://127.0.0.1:1/".into()), "provider.redirect"),
        (What::Huge(100_000), "provider.too_long"),
        (What::Error(OAuthError::aadsts(7_000_215)), "config.client_secret"),
        (What::Error(OAuthError::new("invalid_grant")), "callback.code"),
    ] {
        world.idp.change(|s| s.faults = vec![Fault::new(At::Code, what.clone())]);
        let brought = world.bring(&world.sign_in(ALICE), SESSION);
        assert_eq!(brought.cause(), cause, "{what:?}");
        assert_eq!(brought.json["account"], "a");
        assert!(world.grant(GrantSlot::Active).is_none());
    }
}

#[test]
fn the_claims_a_provider_asks_for_are_sent_with_the_next_sign_in() {
    let world = World::entra();
    let claims = r#"{"access_token":{"acrs":{"value":"c1"}}}"#;
    let error = OAuthError::aadsts(50_076).claims(claims);
    world.idp.change(|s| s.faults = vec![Fault::new(At::Code, What::Error(error)).times(1)]);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "consent.second_factor");
    let url = world.begin(&world.ask()).unwrap();
    let sent: String = url::form_urlencoded::byte_serialize(claims.as_bytes()).collect();
    assert!(url.contains(&format!("claims={sent}")), "{url}");
    world.connect();
    assert!(!world.begin(&world.ask()).unwrap().contains("claims="));
}

#[test]
fn a_sign_in_that_could_not_be_renewed_is_none() {
    let world = World::entra();
    world.idp.change(|s| s.omit_refresh_token = true);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "consent.no_refresh_token");
    world.idp.change(|s| s.omit_refresh_token = false);
    world.connect();
    // The one there is still lives, and it is the same person's.
    world.idp.change(|s| s.omit_refresh_token = true);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).result, Ok(()));
    assert!(world.grant(GrantSlot::Active).unwrap().grant.refresh_token.is_some());
}

#[test]
fn i03_no_secret_is_in_lines_answers_or_events() {
    let world = World::entra();
    let mut seen = String::new();
    for (name, session) in [(ALICE, SESSION), (BOB, SESSION), (ALICE, OTHER_SESSION)] {
        let brought = world.bring(&world.sign_in(name), session);
        seen.push_str(&format!(
            "{:?} {} {:?} {:?}",
            brought.result, brought.text, brought.listener.lines, brought.listener.events
        ));
    }
    assert!(seen.contains("consent_end"), "{seen}");
    let journal = world.idp.journal();
    let secrets: Vec<String> = journal.secrets_issued().into_iter().chain(journal.secrets_shown()).collect();
    assert!(secrets.len() > 5);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("store") {
            files.extend(std::fs::read(path).unwrap());
        }
    }
    for secret in secrets.iter().map(String::as_str).chain([SESSION]) {
        assert!(!seen.contains(secret), "a secret of {} characters left", secret.len());
        assert!(!files.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}
