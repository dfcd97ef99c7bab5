//! A provider found by its issuer: what is believed, what is refused, and that nobody suffers by it.

use std::time::Duration;

use multipop::engine::{discovery, grant};
use multipop::error::Status;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Client, ClientKey, Fault, IssAnswer, What};
use serde_json::json;

use super::device::{begin_as, operator};
use super::world::{ALICE, SESSION, World};

/// The generic provider without endpoints.
fn undiscovered() -> World {
    let mut world = World::generic();
    let p = world.provider().as_object_mut().unwrap();
    p.remove("authorize_endpoint");
    p.remove("token_endpoint");
    p.remove("device_endpoint");
    world.configure();
    world
}

fn refused(world: &World, status: Status, cause: &str) {
    let error = world.begin(&world.ask()).unwrap_err();
    assert_eq!((error.status, error.cause), (status, cause), "{error:?}");
    assert!(!error.advice.is_empty());
}

#[test]
fn the_issuer_alone_is_enough() {
    let world = undiscovered();
    assert_eq!(world.idp.journal().count("discovery"), 0, "never at configure");
    world.connect();
    assert!(world.grant(GrantSlot::Active).unwrap().grant.refresh_token.is_some());
    assert_eq!(world.idp.journal().count("discovery"), 1, "kept");
    world.clock.pass(3601);
    world.begin(&world.ask()).unwrap();
    assert_eq!(world.idp.journal().count("discovery"), 2);
}

#[test]
fn a_provider_that_is_down_stops_no_configure_and_hurts_no_account() {
    let world = undiscovered();
    world.connect();
    world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, What::Close)]);
    // A restart: nothing is remembered.
    world.configure();
    let row = world.row("a");
    world.call(|call| async move { grant::access(&call, &row).await.map(drop) }).unwrap();
    refused(&world, Status::Transient, "provider.unreachable");
    let asked = world.idp.journal().count("discovery");
    refused(&world, Status::Transient, "provider.unreachable");
    assert_eq!(world.idp.journal().count("discovery"), asked, "a failure is kept for a moment");
    assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead);
    world.idp.change(|s| s.faults.clear());
    world.clock.pass(31);
    world.begin(&world.ask()).unwrap();
    // What was found is used on, while it cannot be had anew, or lies.
    world.clock.pass(3601);
    world.idp.change(|s| s.announced_issuer = Some("https://evil.example.net".into()));
    assert!(world.begin(&world.ask()).unwrap().starts_with(world.idp.base()));
    world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, What::html(502))]);
    world.clock.pass(31);
    world.begin(&world.ask()).unwrap();
}

#[test]
fn metadata_that_lies_is_refused_with_its_own_cause() {
    let body = |world: &World, change: &dyn Fn(&mut serde_json::Value)| {
        let base = world.idp.base();
        let mut document = json!({
            "issuer": base, "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
        });
        change(&mut document);
        What::Status { code: 200, headers: Vec::new(), body: document.to_string() }
    };
    let world = undiscovered();
    let base = world.idp.base().to_owned();
    let cases: Vec<(What, Status, &str)> = vec![
        (body(&world, &|d| d["issuer"] = json!(format!("{base}/"))), Status::Config, "provider.other_issuer"),
        (body(&world, &|d| d["issuer"] = json!(7)), Status::Config, "provider.member_type"),
        (
            body(&world, &|d| drop(d.as_object_mut().unwrap().remove("issuer"))),
            Status::Config,
            "provider.other_issuer",
        ),
        (
            body(&world, &|d| d["token_endpoint"] = json!("http://127.0.0.1/token")),
            Status::Config,
            "provider.endpoint",
        ),
        (
            body(&world, &|d| drop(d.as_object_mut().unwrap().remove("token_endpoint"))),
            Status::Config,
            "provider.endpoint",
        ),
        (
            body(&world, &|d| d["revocation_endpoint"] = json!("ftp://127.0.0.1")),
            Status::Config,
            "provider.endpoint",
        ),
        (
            body(&world, &|d| d["device_authorization_endpoint"] = json!("https://u@127.0.0.1/devicecode")),
            Status::Config,
            "provider.endpoint",
        ),
        (
            body(&world, &|d| d["device_authorization_endpoint"] = json!(["https://127.0.0.1/devicecode"])),
            Status::Config,
            "provider.member_type",
        ),
        (
            body(&world, &|d| d["code_challenge_methods_supported"] = json!(["plain"])),
            Status::Config,
            "provider.no_pkce",
        ),
        (
            body(&world, &|d| d["token_endpoint_auth_methods_supported"] = json!(["tls_client_auth"])),
            Status::Config,
            "provider.authentication",
        ),
        (What::Redirect("https://127.0.0.1:1/".into()), Status::Config, "provider.redirect"),
        (What::Huge(10_000_000), Status::Config, "provider.too_long"),
        (What::html(200), Status::Config, "provider.not_json"),
        (What::html(404), Status::Config, "provider.no_metadata"),
        (What::html(503), Status::Transient, "provider.trouble"),
        (What::HalfAnswer, Status::Transient, "provider.unreachable"),
        (What::Slow(Duration::from_secs(20)), Status::Transient, "provider.unreachable"),
    ];
    for (what, status, cause) in cases {
        world.clock.pass(31);
        world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, what)]);
        refused(&world, status, cause);
    }
    assert_eq!(world.idp.journal().count("authorize"), 0);
    world.idp.change(|s| s.faults.clear());
    world.clock.pass(31);
    world.connect();
}

#[test]
fn where_openid_s_form_is_absent_rfc_8414_s_is_asked() {
    let world = undiscovered();
    world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, What::html(404)).times(1)]);
    world.connect();
    let lines = world.idp.journal().lines();
    assert!(lines.iter().any(|line| line.contains("/.well-known/oauth-authorization-server")), "{lines:?}");
}

#[test]
fn what_the_operator_says_counts_more_than_the_metadata() {
    let mut world = undiscovered();
    world.provider()["token_endpoint"] = json!("https://127.0.0.1:1/token");
    world.configure();
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "provider.unreachable");
    let mut world = undiscovered();
    // The metadata lists `post` alone, and the secret is sent so.
    world.idp.change(|s| s.authentication_methods = vec!["client_secret_post".into()]);
    world.connect();
    world.provider()["client_authentication"] = json!("client_secret_basic");
    world.configure();
    world.connect();
}

#[test]
fn i11_an_answer_without_iss_is_refused_where_the_provider_promised_one() {
    let world = undiscovered();
    world.idp.change(|s| s.iss = IssAnswer::Absent);
    assert_eq!(world.bring(&world.sign_in(ALICE), SESSION).cause(), "callback.no_issuer");
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
    world.idp.change(|s| s.announce_iss = false);
    world.configure();
    world.connect();
}

#[test]
fn the_endpoints_for_other_devices_and_for_giving_back_are_found_too_unless_named() {
    let mut world = undiscovered();
    let found = |world: &World| {
        world
            .call(|call| async move {
                let provider = discovery::located(&call, &*call.provider("p")?).await?;
                let text = |url: &Option<url::Url>| url.as_ref().map(ToString::to_string);
                Ok((text(&provider.device_endpoint), text(&provider.revocation_endpoint)))
            })
            .unwrap()
    };
    let at = |name: &str| Some(format!("{}/{name}", world.idp.base()));
    assert_eq!(found(&world), (at("devicecode"), at("revoke")));
    let begun = begin_as(&world, &operator(&world)).unwrap();
    assert!(begun["user_code"].is_string(), "{begun}");
    let named = Some("https://127.0.0.1:1/named".to_owned());
    for member in ["device_endpoint", "revocation_endpoint"] {
        world.provider()[member] = json!(named);
    }
    world.configure();
    assert_eq!(found(&world), (named.clone(), named));
}

#[test]
fn many_accounts_ask_the_issuer_once() {
    let world = undiscovered();
    world
        .call(|call| async move {
            let provider = call.provider("p")?;
            let ask = || discovery::located(&call, &provider);
            let (one, two, three) = tokio::join!(ask(), ask(), ask());
            assert_eq!(one?.token_endpoint()?, two?.token_endpoint()?);
            three.map(drop)
        })
        .unwrap();
    assert_eq!(world.idp.journal().count("discovery"), 1);
}

#[test]
fn metadata_without_secrets_suits_an_application_with_a_certificate() {
    let mut world = undiscovered();
    let key = ClientKey::until(2100).unwrap();
    let files =
        (world.file("client.pem", &key.certificate_pem), world.file("client.key", &key.private_key_pem));
    world.idp.change(|s| {
        s.authentication_methods = vec!["private_key_jwt".into()];
        let client = Client { secrets: Vec::new(), certificates: vec![key], redirect_uris: Vec::new() };
        s.clients.insert(Client::ID.to_owned(), client);
    });
    refused(&world, Status::Config, "provider.authentication");
    let p = world.provider().as_object_mut().unwrap();
    p.remove("client_secret_files");
    p.insert("certificate_file".into(), json!(files.0));
    p.insert("private_key_file".into(), json!(files.1));
    world.configure();
    world.connect();
    assert_eq!(world.idp.journal().count("private_key_jwt"), 1);
}

#[test]
fn i09_a_cancel_ends_the_search() {
    let mut world = undiscovered();
    world.json["timeouts"]["https_s"] = json!(30);
    world.configure();
    world.idp.change(|s| s.faults = vec![Fault::new(At::Discovery, What::Slow(Duration::from_secs(20)))]);
    world.instance.cancel();
    let error = world.begin(&world.ask()).unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    world.idp.change(|s| s.faults.clear());
    world.begin(&world.ask()).unwrap();
}
