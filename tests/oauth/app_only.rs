//! Accounts the application itself has access to: the operator's alone, one token kept, nobody signs in (A.10).

use std::time::Duration;

use multipop::config::Config;
use multipop::engine::grant::{Access, access, renew_after_refusal};
use multipop::error::{Result, Status};
use multipop::service::accounts::AccountsRequest;
use multipop::service::consent::AuthorizeRequest;
use multipop_host::mock::idp::{At, Client, Fault, OAuthError, Settings, What};
use multipop_host::mock::pop3::Script;
use serde_json::{Value, json};

use super::TENANT;
use super::house::signed::Signed;
use super::house::{Recorder, USER};
use super::world::{ALICE, BOB, Listener, World, call};

/// Alice's account is one of the application.
fn world() -> World {
    let mut world = World::entra();
    world.json["providers"]["p"]["tenant"] = json!(TENANT);
    world.json["accounts"]["a"]["app_only"] = json!(true);
    world.idp.change(|s| s.app_mailboxes = vec![ALICE.into(), BOB.into()]);
    world.configure();
    world
}

fn token_of(world: &World) -> Result<Access> {
    let row = world.row("a");
    world.call(|call| async move { access(&call, &row).await })
}

fn asked(world: &World) -> u64 {
    world.idp.journal().count("client_credentials")
}

fn shown(world: &World, actor: &str, account: &str) -> Value {
    let request = AccountsRequest { actor, account: Some(account), realm: None, after: None, limit: 0 };
    let json = world.instance.accounts(&mut Listener::default(), &request).unwrap();
    serde_json::from_str::<Value>(&json).unwrap()["accounts"][0].clone()
}

fn put(world: &World, actor: &str, owner: &str, id: &str, account: Value) -> Result<()> {
    world.instance.account_put(&mut Listener::default(), actor, owner, id, &account.to_string())
}

#[test]
fn a_token_is_asked_for_once_and_kept_until_it_is_due() {
    let world = world();
    let first = token_of(&world).unwrap();
    assert!(first.fresh);
    let second = token_of(&world).unwrap();
    assert_eq!((second.token == first.token, asked(&world)), (true, 1));
    world.clock.pass(3300);
    assert!(token_of(&world).unwrap().token != first.token);
    assert_eq!(asked(&world), 2);
    // One the mail server refused is replaced once.
    let used = token_of(&world).unwrap();
    let row = world.row("a");
    let renewed = world.call(|call| async move { renew_after_refusal(&call, &row, &used).await }).unwrap();
    assert!(renewed.is_some_and(|renewed| renewed.fresh));
    assert_eq!(asked(&world), 3);
    // One of another tenant, or for something else, is not used.
    let mut world = world;
    world.json["providers"]["p"]["app_scope"] = json!("https://outlook.office365.us/.default");
    world.configure();
    assert!(token_of(&world).unwrap().fresh);
    assert_eq!(asked(&world), 4);
    assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
    let state = &shown(&world, ALICE, "a")["state"];
    assert_eq!(state["needs"], json!([]), "{state}");
}

/// The mail server takes it for the mailboxes the application was let into, and for no other.
#[test]
fn mail_is_fetched_without_anybody_signing_in() {
    let mut signed = Signed::new(Script::dovecot(), Settings::generic());
    let provider = &mut signed.house.config["providers"]["p"];
    provider["app_scope"] = json!("mail.all");
    signed.house.config["accounts"]["alice"]["app_only"] = json!(true);
    signed.house.configure().unwrap();
    signed.house.fill(3, 500, 1);
    let (refused, _) = signed.house.fetch(&mut Recorder::default());
    assert_eq!(refused.unwrap_err().cause, "mailbox.app_access");
    assert_eq!(signed.house.shown()["state"]["outcome"], "mailbox_policy");
    signed.idp.change(|s| s.app_mailboxes = vec![BOB.into(), USER.into()]);
    signed.house.clock.advance(7200);
    signed.house.tokens.expire_all();
    let mut sink = Recorder::default();
    assert_eq!((signed.house.fetch_ok(&mut sink).messages_taken, sink.delivered.len()), (3, 3));
    assert_eq!(signed.idp.journal().count("authorize"), 0);
    assert_eq!(signed.house.shown()["state"]["needs"], json!([]));
}

#[test]
fn i10_many_at_once_ask_once() {
    let world = world();
    world.idp.change(|s| {
        s.faults = vec![Fault::new(At::Application, What::Slow(Duration::from_millis(300)))];
    });
    let settings = world.settings();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6)
            .map(|_| {
                let row = world.row("a");
                let (settings, clock) = (settings.clone(), world.clock.clone());
                scope.spawn(move || {
                    let token = call(&settings, clock, |call| async move { access(&call, &row).await });
                    token.unwrap().token.expose().to_owned()
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(asked(&world), 1);
}

#[test]
fn many_mailboxes_of_a_provider_share_one_token_and_one_refusal() {
    let mut world = world();
    world.json["accounts"]["b"]["app_only"] = json!(true);
    world.configure();
    let settings = world.settings();
    let of = |id: &str| {
        let row = world.row(id);
        call(&settings, world.clock.clone(), |call| async move { access(&call, &row).await })
    };
    let (a, b) = (of("a").unwrap(), of("b").unwrap());
    assert_eq!((a.token == b.token, asked(&world)), (true, 1));
    // Each has it in the store, for whoever comes next.
    assert_eq!(of("b").unwrap().token, a.token);
    // When it is due it is got anew once, and it is as old as it is.
    world.clock.pass(3300);
    let renewed = of("a").unwrap();
    world.clock.pass(100);
    let later = of("b").unwrap();
    assert!(renewed.token != a.token && later.token == renewed.token);
    assert_eq!((later.obtained_at, later.fresh, asked(&world)), (renewed.obtained_at, false, 2));
    // One that was refused at the mailbox is not given again.
    let another = |used: Access, id: &str| {
        let row = world.row(id);
        let renew = |call| async move { renew_after_refusal(&call, &row, &used).await };
        call(&settings, world.clock.clone(), renew).unwrap().unwrap().token
    };
    let next = another(of("b").unwrap(), "b");
    assert!(next != renewed.token);
    assert_eq!((another(of("a").unwrap(), "a") == next, asked(&world)), (true, 3));
    // What was refused is not asked for by each of them.
    world.clock.pass(3600);
    world.idp.change(|s| s.faults = vec![Fault::new(At::Application, What::too_many(60))]);
    for id in ["a", "b", "a"] {
        assert_eq!(of(id).unwrap_err().cause, "provider.throttled");
    }
    assert_eq!(asked(&world), 4);
    world.idp.change(|s| s.faults.clear());
    world.clock.pass(31);
    of("a").unwrap();
}

#[test]
fn the_next_client_secret_is_tried() {
    let mut world = world();
    let old = world.folder.path().join("old-secret");
    std::fs::write(&old, "an-old-secret").unwrap();
    let good = world.json["providers"]["p"]["client_secret_files"][0].clone();
    world.json["providers"]["p"]["client_secret_files"] = json!([old, good]);
    world.configure();
    token_of(&world).unwrap();
    assert_eq!(asked(&world), 2);
    assert!(world.idp.journal().secrets_shown().iter().any(|secret| secret == Client::SECRET));
}

#[test]
fn refusals_are_never_the_owners_to_mend() {
    let world = world();
    for (what, status, cause, wait_s) in [
        (What::too_many(60), Status::Transient, "provider.throttled", 60),
        (What::Close, Status::Transient, "provider.unreachable", 0),
        (What::Error(OAuthError::aadsts(7_000_222)), Status::Config, "config.client_secret_expired", 0),
        (What::Error(OAuthError::aadsts(7_000_229)), Status::Provider, "provider.not_installed", 0),
        (What::Error(OAuthError::aadsts(65_001)), Status::Provider, "consent.missing", 0),
        (What::Error(OAuthError::new("invalid_grant")), Status::Provider, "consent.revoked", 0),
    ] {
        world.idp.change(|s| s.faults = vec![Fault::new(At::Application, what.clone())]);
        let error = token_of(&world).unwrap_err();
        assert_eq!((error.status, error.cause, error.retry_after_s), (status, cause, wait_s), "{what:?}");
    }
    // And nothing of it is for good.
    world.idp.change(|s| s.faults.clear());
    token_of(&world).unwrap();
}

#[test]
fn a_tenant_of_many_is_refused_where_the_account_is_named() {
    for tenant in ["common", "organizations", "Consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"] {
        let mut world = world();
        world.json["providers"]["p"]["tenant"] = json!(tenant);
        let error = world.instance.configure(&mut Listener::default(), &world.json.to_string()).unwrap_err();
        assert!(error.message.contains("accounts.a.app_only"), "{error}");
    }
    // The profile's default is one of many, too.
    let world = World::entra();
    let account = json!({ "user": BOB, "provider": "p", "app_only": true });
    let error = put(&world, "*", "carol", "c", account).unwrap_err();
    assert!(error.message.contains("app_only") && error.status == Status::Argument, "{error}");
}

#[test]
fn another_provider_needs_its_app_scope() {
    let mut world = World::generic();
    world.json["accounts"]["a"]["app_only"] = json!(true);
    assert!(Config::read(&world.json.to_string()).unwrap_err().message.contains("app_scope"));
    world.json["providers"]["p"]["app_scope"] = json!("mail.all");
    world.configure();
    token_of(&world).unwrap();
    for (member, value) in [("sign_in", json!(BOB)), ("token_file", json!("/run/token"))] {
        let mut json = world.json.clone();
        json["accounts"]["a"][member] = value;
        assert!(Config::read(&json.to_string()).is_err(), "{member}");
    }
}

#[test]
fn i14_an_owner_makes_none_and_moves_none() {
    let world = world();
    let wish = |changed: Value| {
        let mut account = json!({ "user": ALICE, "provider": "p" });
        account.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        account
    };
    let refused = |result: Result<()>, member: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.status, Status::Rights, "{error}");
        assert!(error.message.contains(member), "{member}: {error}");
    };
    refused(put(&world, ALICE, ALICE, "mine", wish(json!({ "app_only": true }))), "app_only");
    assert_eq!(put(&world, ALICE, ALICE, "mine", wish(json!({ "app_only": false }))), Ok(()));
    refused(put(&world, ALICE, ALICE, "mine", wish(json!({ "app_only": true }))), "app_only");
    // The operator puts one; its owner may only switch and time it.
    put(&world, "*", ALICE, "app", wish(json!({ "app_only": true }))).unwrap();
    assert_eq!(shown(&world, ALICE, "app")["app_only"], true);
    refused(put(&world, ALICE, ALICE, "app", wish(json!({ "user": BOB }))), "user");
    refused(put(&world, ALICE, ALICE, "app", wish(json!({ "sign_in": BOB }))), "sign_in");
    refused(put(&world, ALICE, ALICE, "app", wish(json!({ "app_only": false }))), "app_only");
    put(&world, ALICE, ALICE, "app", wish(json!({ "enabled": false, "app_only": true }))).unwrap();
    let kept = world.row("app").account;
    assert_eq!((kept.app_only, kept.enabled, kept.user.as_str()), (true, false, ALICE));
}

#[test]
fn nobody_signs_in_for_one() {
    let world = world();
    for actor in [ALICE, "*"] {
        let ask = AuthorizeRequest { actor, ..world.ask() };
        assert_eq!(world.begin(&ask).unwrap_err().cause, "rights.app_only");
        let error = world.instance.device_begin(&mut Listener::default(), &ask).unwrap_err();
        assert_eq!(error.cause, "rights.app_only");
    }
    let act = json!({ "verb": "confirm" }).to_string();
    let session = Some(super::world::SESSION);
    let error = world.instance.account_act(&mut Listener::default(), ALICE, "a", session, &act).unwrap_err();
    assert_eq!(error.cause, "rights.app_only");
}

#[test]
fn a_person_s_grant_and_the_application_s_token_never_serve_for_each_other() {
    let mut world = World::entra();
    world.idp.change(|s| s.entra_tenant = Some(TENANT.into()));
    world.json["providers"]["p"]["tenant"] = json!(TENANT);
    world.configure();
    world.connect();
    let persons = token_of(&world).unwrap().token;
    world.json["accounts"]["a"]["app_only"] = json!(true);
    world.configure();
    let applications = token_of(&world).unwrap().token;
    assert!(applications.expose().starts_with("app-") && applications != persons);
    world.json["accounts"]["a"]["app_only"] = json!(false);
    world.configure();
    assert_eq!(token_of(&world).unwrap_err().cause, "consent.none");
}
