//! The library at npm's oidc-provider: found by its issuer alone, and each way an application proves itself.

#[path = "real/mod.rs"]
mod rig;

#[allow(dead_code)]
#[path = "oauth/world.rs"]
mod world;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use multipop::config::Config;
use multipop::engine::grant;
use multipop::engine::settings::Settings;
use multipop::service::Instance;
use multipop::service::consent::AuthorizeRequest;
use multipop_host::mock::idp::ClientKey;
use rig::openid::{CLIENT_ID, OpenIdProvider};
use rig::{Browser, Pki, REDIRECT_URI, server};
use serde_json::{Value, json};
use world::{ALICE, GivenClock, Listener, SESSION};

const BY_CERTIFICATE: &str = "multipop-certificate";

#[test]
fn an_issuer_alone_is_enough_with_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::create(dir.path());
    let mut provider = OpenIdProvider::start(dir.path(), &pki, 1);
    server::count_this_test();
    // Registered for `post`, which the metadata cannot know.
    let secret = json!({
        "client_id": CLIENT_ID, "client_secret_file": provider.client_secret_file, "client_authentication": "post",
    });
    connect_and_refresh(dir.path(), &pki, &mut provider, &secret);
}

#[test]
fn a_certificate_signs_in_both_algorithms() {
    let key = ClientKey::until(2100).unwrap();
    for algorithm in ["PS256", "RS256"] {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::create(dir.path());
        let client = json!({
            "client_id": BY_CERTIFICATE,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": algorithm,
            "jwks": { "keys": [jwk(&key.public_key)] },
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": [REDIRECT_URI],
        });
        let mut provider = OpenIdProvider::start_with(dir.path(), &pki, 1, Some(client));
        server::count_this_test();
        let files = (dir.path().join("client.pem"), dir.path().join("client.key"));
        server::write_secret(&files.0, key.certificate_pem.as_bytes());
        server::write_secret(&files.1, key.private_key_pem.as_bytes());
        let certificate = json!({
            "client_id": BY_CERTIFICATE, "certificate_file": files.0, "private_key_file": files.1,
            "client_authentication": "private_key_jwt", "assertion_algorithm": algorithm,
        });
        connect_and_refresh(dir.path(), &pki, &mut provider, &certificate);
        assert_eq!(provider.count("invalid_client"), 0);
    }
}

/// Consent in a browser, then two refreshes, each with its own proof.
fn connect_and_refresh(dir: &Path, pki: &Pki, provider: &mut OpenIdProvider, client: &Value) {
    let key = dir.join("key");
    server::write_secret(&key, "5a".repeat(32).as_bytes());
    let mut p = json!({
        "profile": "generic", "issuer": provider.issuer, "redirect_uri": REDIRECT_URI,
        "scopes": ["openid", "profile", "email", "offline_access", "mail"], "servers": ["127.0.0.1:995"],
    });
    p.as_object_mut().unwrap().extend(client.as_object().unwrap().clone());
    let json = json!({
        "store": dir.join("store.db"), "keys": [key], "hostname": "mail.example.com",
        "ca_file": pki.ca_file, "system_roots": false, "providers": { "p": p },
        "accounts": { "a": { "owner": ALICE, "user": ALICE, "provider": "p" } },
    })
    .to_string();
    let clock = Arc::new(GivenClock::default());
    let instance = Instance::new("test", clock.clone());
    instance.configure(&mut Listener::default(), &json).unwrap();
    let ask = AuthorizeRequest {
        actor: ALICE,
        account: "a",
        session: SESSION,
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    };
    let url = instance.authorize_url(&mut Listener::default(), &ask).unwrap();
    let answer = Browser::new(pki).consent(&url, ALICE);
    let brought = world::bring(&instance, &answer, None, SESSION);
    assert_eq!(brought.result, Ok(()), "{:?}", brought.listener.lines);
    let settings = Arc::new(Settings::prove(Config::read(&json).unwrap()).unwrap());
    for round in 1..=2 {
        // An access token lives a second.
        clock.pass(2);
        let row = settings.open_store(0).unwrap().account("a").unwrap().unwrap();
        world::call(
            &settings,
            clock.clone(),
            |call| async move { grant::access(&call, &row).await.map(drop) },
        )
        .unwrap();
        assert_eq!(provider.count("refresh_token"), round);
    }
}

/// RFC 7517 of an RSAPublicKey with 2048 bits (RFC 8017 A.1.1): two headers, 256 octets after a zero, three octets.
fn jwk(public_key: &[u8]) -> Value {
    let (n, e) = (&public_key[9..265], &public_key[267..]);
    assert_eq!((public_key.len(), e), (270, &[1_u8, 0, 1][..]));
    json!({ "kty": "RSA", "use": "sig", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) })
}
