//! The id_token: what is taken, what is not.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use multipop::error::Error;
use multipop::model::Identity;
use multipop::oauth::identity::{agrees, read};
use multipop::oauth::provider::Profile;
use multipop::oauth::provider::Provider;
use serde_json::{Value, json};

use super::{NOW, TENANT, config, generic, microsoft, provider, secret};

fn token(header: Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&header), part(claims))
}

fn claims() -> Value {
    json!({
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "sub": "subject-1", "aud": "client-1", "exp": NOW + 3600, "iat": NOW, "nonce": "N",
        "tid": TENANT, "oid": "object-1", "preferred_username": "Alice@Contoso.example",
    })
}

fn read_with(provider: &Provider, change: Value) -> Result<Identity, Error> {
    let mut claims = claims();
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    read(provider, &secret(&token(json!({"alg": "RS256"}), &claims)), &secret("N"), NOW)
}

fn cause(change: Value) -> &'static str {
    read_with(&microsoft(), change).expect_err("taken").cause
}

#[test]
fn who_signed_in_is_told_by_ids_and_a_name() {
    let identity = read_with(&microsoft(), json!({})).unwrap();
    assert_eq!(identity.subject, "subject-1");
    assert_eq!(identity.tenant.as_deref(), Some(TENANT));
    assert_eq!(identity.object.as_deref(), Some("object-1"));
    assert!(agrees(&identity, "alice@contoso.EXAMPLE"));
    assert!(!agrees(&identity, "bob@contoso.example"));
}

#[test]
fn i14_a_name_is_preferred_username_else_an_email_not_stated_unverified() {
    let name = |change: Value| read_with(&microsoft(), change).unwrap().name;
    let no_name = json!(null);
    assert_eq!(
        name(json!({"preferred_username": no_name, "email": "e@x.example"})).as_deref(),
        Some("e@x.example")
    );
    for unverified in [json!(false), json!("false")] {
        let change =
            json!({"preferred_username": null, "email": "e@x.example", "email_verified": unverified});
        assert_eq!(name(change), None);
    }
    let nobody = read_with(&microsoft(), json!({"preferred_username": null})).unwrap();
    assert!(!agrees(&nobody, "") && !agrees(&nobody, "alice@contoso.example"));
    // Letters outside ASCII are not folded: two names that look alike are two names.
    let turkish = read_with(&microsoft(), json!({"preferred_username": "İ@x.example"})).unwrap();
    assert!(!agrees(&turkish, "i@x.example"));
}

#[test]
fn i11_claims_that_do_not_hold_are_refused() {
    for (change, expected) in [
        (json!({"iss": "https://evil.example/v2.0"}), "identity.issuer"),
        (json!({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}), "identity.issuer"),
        // The template must be filled with the token's own tenant.
        (json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}), "identity.issuer"),
        (json!({"tid": null}), "identity.issuer"),
        (json!({"tid": "common", "iss": "https://login.microsoftonline.com/common/v2.0"}), "identity.issuer"),
        (json!({"aud": "client-2"}), "identity.audience"),
        (json!({"aud": ["client-2"]}), "identity.audience"),
        (json!({"aud": ["client-1", "client-2"]}), "identity.audience"),
        (json!({"aud": "client-1", "azp": "client-2"}), "identity.audience"),
        (json!({"aud": 7}), "identity.audience"),
        (json!({"exp": NOW - 301}), "identity.time"),
        (json!({"iat": NOW + 301}), "identity.time"),
        (json!({"nonce": "M"}), "identity.nonce"),
        (json!({"nonce": null}), "identity.nonce"),
        (json!({"sub": ""}), "identity.subject"),
        (json!({"sub": 7}), "identity.form"),
        (json!({"exp": "soon"}), "identity.form"),
    ] {
        assert_eq!(cause(change.clone()), expected, "{change}");
    }
}

#[test]
fn five_minutes_of_skew_and_an_authorized_party_are_fine() {
    read_with(&microsoft(), json!({"exp": NOW - 299, "iat": NOW + 299})).unwrap();
    read_with(&microsoft(), json!({"aud": ["client-1", "x"], "azp": "client-1"})).unwrap();
    read_with(&microsoft(), json!({"aud": ["client-1"]})).unwrap();
}

#[test]
fn i11_only_a_provider_s_own_signature_methods_are_taken() {
    for algorithm in ["RS256", "PS256", "ES256"] {
        let token = token(json!({"alg": algorithm}), &claims());
        read(&microsoft(), &secret(&token), &secret("N"), NOW).unwrap();
    }
    for algorithm in ["none", "None", "HS256", "", "RS256 "] {
        let token = token(json!({"alg": algorithm}), &claims());
        let error = read(&microsoft(), &secret(&token), &secret("N"), NOW).unwrap_err();
        assert_eq!(error.cause, "identity.algorithm", "{algorithm}");
    }
}

#[test]
fn what_is_no_jwt_is_refused_and_never_shown() {
    let good = token(json!({"alg": "RS256"}), &claims());
    for text in ["", "a.b", "a.b.c.d", "!.!.!", "e30.e30.x", &good.replace('.', ""), &format!("{good}.")] {
        let error = read(&microsoft(), &secret(text), &secret("N"), NOW).unwrap_err();
        assert_eq!(error.cause, "identity.form", "{text}");
        assert!(text.is_empty() || !error.message.contains(text));
    }
}

#[test]
fn ids_of_entra_bind_there_and_the_subject_elsewhere() {
    let change = json!({"iss": "https://id.example.com"});
    let identity = read_with(&provider(&generic()), change).unwrap();
    assert_eq!((identity.tenant.clone(), identity.object.clone()), (None, None));
    let mut other = identity.clone();
    other.name = Some("new.name@contoso.example".into());
    assert!(identity.is_same(&other));
    other.subject = "subject-2".into();
    assert!(!identity.is_same(&other));
}

#[test]
fn google_s_two_names_are_one() {
    let google = provider(&config(Profile::Google));
    let long = read_with(&google, json!({"iss": "https://accounts.google.com"})).unwrap();
    let short = read_with(&google, json!({"iss": "accounts.google.com"})).unwrap();
    assert!(long.is_same(&short));
    assert!(read_with(&google, json!({"iss": "http://accounts.google.com"})).is_err());
}
