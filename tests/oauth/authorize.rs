//! The addresses a browser is sent to.

use std::collections::BTreeMap;

use multipop::oauth::authorize::{FRESH_BYTES, Fresh, Wish, admin_consent_url, look_up_key, url};
use multipop::oauth::provider::Profile;
use multipop::oauth::provider::Provider;

use super::{config, generic, microsoft, provider, secret};

fn fresh() -> Fresh {
    let mut random = [0; FRESH_BYTES];
    for (at, byte) in random.iter_mut().enumerate() {
        *byte = at as u8;
    }
    Fresh::new(&random)
}

/// Each parameter stands once.
fn parameters(address: &str) -> BTreeMap<String, String> {
    let url = url::Url::parse(address).unwrap();
    let mut all = BTreeMap::new();
    for (name, value) in url.query_pairs().into_owned() {
        assert_eq!(all.insert(name.clone(), value), None, "{name} stands twice");
    }
    all
}

fn asked(provider: &Provider, wish: Wish<'_>) -> BTreeMap<String, String> {
    parameters(&url(provider, &wish, &fresh()).unwrap())
}

#[test]
fn an_authorization_request_is_that_of_rfc_6749_and_7636() {
    let all = asked(&microsoft(), Wish { sign_in_name: "alice@contoso.example", ..Wish::default() });
    let fresh = fresh();
    let expected = [
        ("response_type", "code"),
        ("client_id", "client-1"),
        ("redirect_uri", "https://mail.example.com/callback"),
        ("response_mode", "query"),
        ("scope", "openid profile email offline_access https://outlook.office.com/POP.AccessAsUser.All"),
        ("state", fresh.state.expose()),
        ("nonce", fresh.nonce.expose()),
        ("code_challenge_method", "S256"),
        ("login_hint", "alice@contoso.example"),
    ];
    for (name, value) in expected {
        assert_eq!(all[name], value);
    }
    assert_eq!(all.len(), expected.len() + 1, "{all:?}");
    assert_eq!(all["code_challenge"].len(), 43);
    assert!(!all.values().any(|value| value == fresh.verifier.expose()), "the verifier left");
}

#[test]
fn the_pkce_challenge_is_rfc_7636_appendix_b() {
    let fresh = Fresh { verifier: secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), ..fresh() };
    let address = url(&microsoft(), &Wish::default(), &fresh).unwrap();
    assert_eq!(parameters(&address)["code_challenge"], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn i11_state_verifier_and_nonce_are_256_bit_each_and_differ() {
    let fresh = fresh();
    let all = [&fresh.state, &fresh.verifier, &fresh.nonce];
    for text in all {
        assert_eq!(text.len(), 43);
        assert!(text.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    assert_ne!(look_up_key(fresh.state.expose()), look_up_key(fresh.nonce.expose()));
}

#[test]
fn choosing_an_account_and_suggesting_one_exclude_each_other() {
    let wish = Wish { sign_in_name: "alice@contoso.example", choose_account: true, ..Wish::default() };
    let all = asked(&microsoft(), wish);
    assert_eq!(all["prompt"], "select_account");
    assert!(!all.contains_key("login_hint"));
    // One value only at Microsoft; several elsewhere.
    let both = Wish { force_consent: true, ..wish };
    assert_eq!(asked(&microsoft(), both)["prompt"], "consent");
    assert_eq!(asked(&provider(&config(Profile::Google)), both)["prompt"], "select_account consent");
}

#[test]
fn a_provider_s_own_parameters_and_claims_are_sent() {
    let all = asked(
        &provider(&config(Profile::Google)),
        Wish { claims: Some(r#"{"access_token":{}}"#), ..Wish::default() },
    );
    assert_eq!(all["access_type"], "offline");
    assert_eq!(all["prompt"], "consent");
    assert_eq!(all["claims"], r#"{"access_token":{}}"#);
}

#[test]
fn a_generic_endpoint_keeps_its_query_and_offline_access_shows_the_consent_page() {
    let mut config = generic();
    config.response_mode = Some("form_post".into());
    config.redirect_uri = "https://mail.example.com/cb?View=OAuth&x=a%20b".into();
    let all = asked(&provider(&config), Wish::default());
    assert_eq!(all["kept"], "1");
    assert_eq!(all["response_mode"], "form_post");
    assert_eq!(all["prompt"], "consent");
    // Byte for byte as registered.
    assert_eq!(all["redirect_uri"], config.redirect_uri);
    config.scopes = Some(vec!["mail".into()]);
    let all = asked(&provider(&config), Wish::default());
    assert!(!all.contains_key("nonce") && !all.contains_key("prompt"));
}

#[test]
fn an_administrator_s_consent_has_its_own_address() {
    let address = admin_consent_url(&microsoft(), &secret("STATE")).unwrap();
    assert!(address.starts_with("https://login.microsoftonline.com/organizations/v2.0/adminconsent?"));
    let all = parameters(&address);
    assert_eq!(all["client_id"], "client-1");
    assert_eq!(all["state"], "STATE");
    assert!(all["scope"].contains("POP.AccessAsUser.All"));
    let none = admin_consent_url(&provider(&config(Profile::Google)), &secret("STATE")).unwrap_err();
    assert_eq!(none.cause, "consent.no_admin_consent");
}
