//! Requests for a code as bytes, and the answers to one that are no use (RFC 8628 §3.1 to §3.4).

use multipop::config::ProviderConfig;
use multipop::oauth::credential::Proof;
use multipop::oauth::device;
use multipop::oauth::token::HttpRequest;
use multipop_host::mock::idp::{At, Fault, OAuthError, What};
use serde_json::{Value, json};

use super::device::{begin_as, operator};
use super::world::World;
use super::{by_secret, generic, provider, secret};

#[test]
fn both_requests_authenticate_the_client_and_name_each_parameter_once() {
    let code = secret("the device's+code");
    for (authentication, in_body) in [("post", true), ("basic", false), ("assertion", true)] {
        let by_assertion = authentication == "assertion";
        let provider = provider(&ProviderConfig {
            client_authentication: (!by_assertion).then(|| authentication.into()),
            device_endpoint: Some("https://id.example.com/device".into()),
            ..generic()
        });
        let proof = match by_assertion {
            true => Proof::Assertion(secret("a.b.c")),
            false => by_secret(&provider, "s3cr~et+/="),
        };
        let begin = device::begin(&provider, &proof).unwrap();
        let poll = device::poll(&provider, &proof, &code).unwrap();
        assert_eq!(begin.uri(), "https://id.example.com/device");
        assert_eq!(poll.uri(), "https://id.example.com/token");
        let pairs = |request: &HttpRequest| -> Vec<(String, String)> {
            let mut pairs: Vec<_> = url::form_urlencoded::parse(request.body()).into_owned().collect();
            pairs.sort();
            pairs
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let client = match (by_assertion, in_body) {
            (true, _) => vec![
                pair("client_id", "client-1"),
                pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                pair("client_assertion", "a.b.c"),
            ],
            (false, true) => vec![pair("client_id", "client-1"), pair("client_secret", "s3cr~et+/=")],
            (false, false) => Vec::new(),
        };
        let with = |more: Vec<(String, String)>| {
            let mut all: Vec<_> = client.iter().cloned().chain(more).collect();
            all.sort();
            all
        };
        assert_eq!(pairs(&begin), with(vec![pair("scope", "openid offline_access mail")]));
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let asked = with(vec![pair("device_code", code.expose()), pair("grant_type", grant)]);
        assert_eq!(pairs(&poll), asked);
        for request in [&begin, &poll] {
            assert_eq!(request.method(), "POST");
            assert_eq!(request.headers().contains_key("authorization"), !in_body);
        }
    }
}

#[test]
fn bad_answers_to_a_begin_are_refused_by_name() {
    let world = World::entra();
    let told = |members: Value| What::Status { code: 200, headers: Vec::new(), body: members.to_string() };
    let good = json!({
        "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example.com/device",
        "expires_in": 900,
    });
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        told(changed)
    };
    for (what, cause) in [
        (told(json!([])), "provider.not_json"),
        (What::html(200), "provider.not_json"),
        (with("device_code", json!("")), "provider.device_answer"),
        (with("device_code", json!("a b")), "provider.device_answer"),
        (with("user_code", json!(7)), "provider.device_answer"),
        (with("user_code", json!("A\u{1b}[2J")), "provider.device_answer"),
        (with("verification_uri", json!("http://id.example.com/device")), "provider.device_answer"),
        (with("verification_uri_complete", json!("javascript:alert(1)")), "provider.device_answer"),
        (with("expires_in", json!("soon")), "provider.device_answer"),
        (with("interval", json!(-1)), "provider.device_answer"),
        (What::Error(OAuthError::new("unauthorized_client")), "config.client"),
        (What::Error(OAuthError::aadsts(7_000_215)), "config.client_secret"),
        (What::Close, "provider.unreachable"),
        (What::Huge(100_000), "provider.too_long"),
        (What::Redirect("https://127.0.0.1:1/".into()), "provider.redirect"),
    ] {
        world.idp.change(|s| s.faults = vec![Fault::new(At::Device, what.clone())]);
        assert_eq!(begin_as(&world, &operator(&world)).unwrap_err().cause, cause, "{what:?}");
    }
    // Numbers as text, a message with the secret in it, and the older name of the address.
    let mut odd = good.clone();
    odd["verification_url"] = odd["verification_uri"].take();
    odd.as_object_mut().unwrap().remove("verification_uri");
    odd["expires_in"] = json!("600");
    odd["interval"] = json!("7");
    odd["device_code"] = json!("device-code-of-tests");
    odd["message"] = json!("enter ABCD-EFGH, not device-code-of-tests");
    world.idp.change(|s| s.faults = vec![Fault::new(At::Device, told(odd))]);
    let begun = begin_as(&world, &operator(&world)).unwrap();
    assert_eq!((&begun["expires_in_s"], &begun["interval_s"]), (&json!(600), &json!(7)));
    assert!(!begun.to_string().contains("device-code-of-tests"), "{begun}");
}
