//! The library at npm's oidc-provider: found by its issuer alone, each flow with each way an application proves itself.

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
use rig::openid::{CLIENT_SECRET, DEVICE_GRANT, OpenIdProvider};
use rig::{Browser, Pki, REDIRECT_URI, server};
use serde_json::{Value, json};
use world::{ALICE, GivenClock, Listener, SESSION};

const CLIENT: &str = "multipop-of-this-test";

#[test]
fn each_flow_works_with_client_secret_post() {
    let dir = tempfile::tempdir().unwrap();
    // Registered for `post`, which the metadata cannot know.
    let stated = by_secret(dir.path(), json!({ "client_authentication": "client_secret_post" }));
    each_flow(dir.path(), &of_secret("client_secret_post"), &stated, "client_secret_post");
}

#[test]
fn each_flow_works_with_client_secret_basic_and_the_issuer_alone() {
    let dir = tempfile::tempdir().unwrap();
    let unstated = by_secret(dir.path(), json!({}));
    each_flow(dir.path(), &of_secret("client_secret_basic"), &unstated, "client_secret_basic");
}

#[test]
fn each_flow_works_with_private_key_jwt_ps256() {
    each_flow_by_certificate("PS256");
}

#[test]
fn each_flow_works_with_private_key_jwt_rs256() {
    each_flow_by_certificate("RS256");
}

/// As the provider knows it.
fn of_secret(method: &str) -> Value {
    json!({ "client_secret": CLIENT_SECRET, "token_endpoint_auth_method": method })
}

/// As the operator configures it.
fn by_secret(dir: &Path, mut client: Value) -> Value {
    let file = dir.join("secret-of-this-test");
    server::write_secret(&file, CLIENT_SECRET.as_bytes());
    client["client_secret_file"] = json!(file);
    client
}

fn each_flow_by_certificate(algorithm: &str) {
    let dir = tempfile::tempdir().unwrap();
    let key = ClientKey::until(2100).unwrap();
    let files = (dir.path().join("client.pem"), dir.path().join("client.key"));
    server::write_secret(&files.0, key.certificate_pem.as_bytes());
    server::write_secret(&files.1, key.private_key_pem.as_bytes());
    let registered = json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": algorithm,
        "jwks": { "keys": [jwk(&key.public_key)] },
    });
    let configured = json!({
        "certificate_file": files.0, "private_key_file": files.1,
        "client_authentication": "private_key_jwt", "assertion_algorithm": algorithm,
    });
    each_flow(dir.path(), &registered, &configured, algorithm);
}

/// Consent in a browser and by a code entered in another one, each refreshed twice: every token by this proof alone.
fn each_flow(dir: &Path, registered: &Value, configured: &Value, proof: &str) {
    let pki = Pki::create(dir);
    let mut client = json!({
        "client_id": CLIENT,
        "grant_types": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "response_types": ["code"],
        "redirect_uris": [REDIRECT_URI],
        // Pairwise subjects would need a document of the client's.
        "subject_type": "public",
    });
    client.as_object_mut().unwrap().extend(registered.as_object().unwrap().clone());
    let mut provider = OpenIdProvider::start_with(dir, &pki, 1, Some(client));
    server::count_this_test();
    let key = dir.join("key");
    server::write_secret(&key, "5a".repeat(32).as_bytes());
    let mut p = json!({
        "profile": "generic", "issuer": provider.issuer, "client_id": CLIENT, "redirect_uri": REDIRECT_URI,
        "scopes": ["openid", "profile", "email", "offline_access", "mail"], "servers": ["127.0.0.1:995"],
    });
    p.as_object_mut().unwrap().extend(configured.as_object().unwrap().clone());
    let account = json!({ "owner": ALICE, "user": ALICE, "provider": "p" });
    let json = json!({
        "store": dir.join("store.db"), "keys": [key], "hostname": "mail.example.com",
        "ca_file": pki.ca_file, "system_roots": false, "providers": { "p": p },
        "accounts": { "by-browser": account, "by-code": account },
    })
    .to_string();
    let clock = Arc::new(GivenClock::default());
    let instance = Instance::new("test", clock.clone());
    instance.configure(&mut Listener::default(), &json).unwrap();
    let ask = |actor, account| AuthorizeRequest {
        actor,
        account,
        session: SESSION,
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    };
    let url = instance.authorize_url(&mut Listener::default(), &ask(ALICE, "by-browser")).unwrap();
    let answer = Browser::new(&pki).consent(&url, ALICE);
    let brought = world::bring(&instance, &answer, None, SESSION);
    assert_eq!(brought.result, Ok(()), "{:?}", brought.listener.lines);

    let by_code = ask("*", "by-code");
    let begun = instance.device_begin(&mut Listener::default(), &by_code).unwrap();
    let begun: Value = serde_json::from_str(&begun).unwrap();
    let text = |name: &str| begun[name].as_str().unwrap_or_else(|| panic!("no {name} in {begun}"));
    let poll = || instance.device_poll(&mut Listener::default(), &by_code).0;
    clock.pass(begun["interval_s"].as_u64().unwrap());
    assert_eq!(poll().unwrap_err().cause, "device.pending");
    Browser::new(&pki).enter_code(text("verification_uri_complete"), text("user_code"), ALICE);
    clock.pass(begun["interval_s"].as_u64().unwrap());
    assert_eq!(poll(), Ok(()));

    let settings = Arc::new(Settings::prove(Config::read(&json).unwrap()).unwrap());
    for _ in 1..=2 {
        // An access token lives a second.
        clock.pass(2);
        for account in ["by-browser", "by-code"] {
            let row = settings.open_store(0).unwrap().account(account).unwrap().unwrap();
            let renew = |call| async move { grant::access(&call, &row).await.map(drop) };
            world::call(&settings, clock.clone(), renew).unwrap();
        }
    }
    let counts = ["authorization_code", DEVICE_GRANT, "refresh_token", "invalid_client"];
    assert_eq!(counts.map(|what| provider.count(what)), [1, 1, 4, 0]);
    for one in ["client_secret_post", "client_secret_basic", "PS256", "RS256"] {
        assert_eq!(provider.count(one), if one == proof { 6 } else { 0 }, "{one}");
    }
}

/// RFC 7517 of an RSAPublicKey with 2048 bits (RFC 8017 A.1.1): two headers, 256 octets after a zero, three octets.
fn jwk(public_key: &[u8]) -> Value {
    let (n, e) = (&public_key[9..265], &public_key[267..]);
    assert_eq!((public_key.len(), e), (270, &[1_u8, 0, 1][..]));
    json!({ "kty": "RSA", "use": "sig", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) })
}
