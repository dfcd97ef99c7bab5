//! The code flow by hand, without the library under test: for looking at the servers, and for tokens in files.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use super::openid::{CLIENT_ID, CLIENT_SECRET};
use super::{Browser, REDIRECT_URI, Rig};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

#[derive(Debug)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
}

/// The whole code flow, by hand.
pub fn grant(rig: &Rig, login: &str) -> Tokens {
    let mut browser = rig.browser();
    let redirect = browser.consent(&authorization_url(rig, login), login);
    let code = parameter(&redirect, "code").unwrap_or_else(|| panic!("no code in {redirect}"));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let answer = token(rig, &mut browser, &form).expect("tokens");
    let claims = answer["id_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("an id_token");
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("claims");
    assert_eq!(claims["preferred_username"], login);
    assert_eq!(claims["email"], login);
    assert_ne!(claims["sub"], login);
    tokens(&answer)
}

pub fn refresh(rig: &Rig, refresh_token: &str) -> Result<Tokens, String> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    token(rig, &mut rig.browser(), &form).map(|answer| tokens(&answer))
}

fn tokens(answer: &Value) -> Tokens {
    let text =
        |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned();
    Tokens { access_token: text("access_token"), refresh_token: text("refresh_token") }
}

/// The token endpoint's answer, or its error code.
fn token(rig: &Rig, browser: &mut Browser, form: &[(&str, &str)]) -> Result<Value, String> {
    let mut form = form.to_vec();
    form.extend([("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]);
    let endpoint = Url::parse(&rig.provider.token_endpoint()).expect("an address");
    let page = browser.post(&endpoint, &form);
    let answer: Value = serde_json::from_str(&page.body).expect("JSON");
    match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer),
    }
}

pub fn authorization_url(rig: &Rig, login: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(digest);
    let mut url = Url::parse(&rig.provider.authorize_endpoint()).expect("an address");
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile email offline_access mail"),
        ("prompt", "consent"),
        ("state", "a-state"),
        ("nonce", "a-nonce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("login_hint", login),
    ]);
    url.into()
}

pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
