//! Real servers on loopback: Debian's Dovecot and npm's oidc-provider. Here the rig itself is held to what the
//! other tests rely on, byte for byte where a client parses the bytes.

#[path = "real/mod.rs"]
mod rig;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use serde_json::Value;
use url::Url;

use rig::openid::{CLIENT_ID, CLIENT_SECRET};
use rig::pop::Pop;
use rig::{Browser, Options, REDIRECT_URI, Rig};

const ALICE: &str = "alice@contoso.example";
const BOB: &str = "bob@contoso.example";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

#[test]
fn a_token_from_the_code_flow_opens_the_mailbox() {
    let rig = Rig::start(&Options::default());
    rig.dovecot.deliver(ALICE, b"From: bob@contoso.example\r\nSubject: one\r\n\r\n.stuffed\r\n");
    let grant = grant(&rig, ALICE);

    let (mut pop, greeting) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert!(greeting.starts_with("+OK"), "{greeting}");
    assert_eq!(pop.say("CAPA"), "+OK");
    let capa = pop.rest();
    for wanted in ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "SASL XOAUTH2 OAUTHBEARER"] {
        assert!(capa.iter().any(|line| line == wanted), "{wanted} is not in {capa:?}");
    }
    assert_eq!(pop.xoauth2(ALICE, &grant.access_token), "+OK Logged in.");
    assert_eq!(pop.say("STAT").split(' ').next(), Some("+OK"));
    assert_eq!(pop.say("UIDL"), "+OK");
    assert_eq!(pop.rest().len(), 1);
    assert!(pop.say("RETR 1").starts_with("+OK"));
    assert_eq!(pop.rest().last().map(String::as_str), Some("..stuffed"));
    assert!(pop.say("QUIT").starts_with("+OK"));

    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.oauthbearer(ALICE, &grant.access_token), "+OK Logged in.");
}

#[test]
fn refusals_have_the_shape_a_client_must_know() {
    let mut rig = Rig::start(&Options::default());
    let bobs = grant(&rig, BOB).access_token;
    let alices = grant(&rig, ALICE).access_token;
    rig.provider.expire(ALICE);

    // Unknown, another user's, expired: the same bytes.
    for token in ["-no-such-token", bobs.as_str(), alices.as_str()] {
        let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
        let challenge = pop.xoauth2(ALICE, token);
        let json = BASE64.decode(challenge.strip_prefix("+ ").expect("a challenge")).expect("base64");
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["status"], "401");
        assert_eq!(pop.say(""), "-ERR [AUTH] Authentication failed.");
    }
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.oauthbearer(ALICE, "wrong"), "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=");
    assert_eq!(pop.say("AQ=="), "-ERR [AUTH] Authentication failed.");
    assert_eq!(pop.say("AUTH XOAUTH2"), "+ ");
    assert_eq!(pop.say("*"), "-ERR Authentication aborted by client.");
    assert_eq!(pop.say("AUTH XOAUTH2"), "+ ");
    assert_eq!(pop.say("not base64!"), "-ERR [AUTH] Invalid base64 in response");
}

#[test]
fn a_stopped_provider_is_no_refusal_and_comes_back_with_its_grants() {
    let mut rig = Rig::start(&Options::default());
    let grant = grant(&rig, ALICE);
    rig.provider.stop();
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    let answer = pop.xoauth2(ALICE, &grant.access_token);
    assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{answer}");

    rig.provider.restart();
    let fresh = refresh(&rig, &grant.refresh_token).expect("the grant was kept");
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.xoauth2(ALICE, &fresh.access_token), "+OK Logged in.");
}

#[test]
fn refresh_tokens_rotate_and_revocation_ends_them() {
    let mut rig = Rig::start(&Options::default());
    let first = grant(&rig, ALICE);
    let second = refresh(&rig, &first.refresh_token).expect("a fresh token");
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(rig.provider.count("refresh_token"), 1);

    rig.provider.revoke(ALICE);
    assert_eq!(refresh(&rig, &second.refresh_token).expect_err("revoked"), "invalid_grant");

    // A replayed refresh token takes its successor with it.
    let first = grant(&rig, BOB);
    let second = refresh(&rig, &first.refresh_token).expect("a fresh token");
    assert_eq!(refresh(&rig, &first.refresh_token).expect_err("replayed"), "invalid_grant");
    assert_eq!(refresh(&rig, &second.refresh_token).expect_err("dead too"), "invalid_grant");
}

#[test]
fn the_redirect_keeps_the_registered_query_and_tells_a_refusal() {
    let rig = Rig::start(&Options::default());
    let url = authorization_url(&rig, ALICE);
    let yes = rig.browser().consent(&url, ALICE);
    assert!(yes.starts_with(&format!("{REDIRECT_URI}&code=")), "{yes}");
    assert_eq!(parameter(&yes, "state").as_deref(), Some("a-state"));
    assert_eq!(parameter(&yes, "iss"), Some(rig.provider.issuer.clone()));

    let no = rig.browser().refuse(&url, ALICE);
    assert_eq!(parameter(&no, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&no, "View").as_deref(), Some("OAuth"));
}

#[test]
fn a_locked_mailbox_says_in_use() {
    let options =
        Options { dovecot: "protocol pop3 {\n  pop3_lock_session = yes\n}".to_owned(), ..Options::default() };
    let rig = Rig::start(&options);
    rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    let token = grant(&rig, ALICE).access_token;
    let (mut holder, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(holder.xoauth2(ALICE, &token), "+OK Logged in.");
    let (mut second, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    let answer = second.xoauth2(ALICE, &token);
    assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
}

#[derive(Debug)]
struct Tokens {
    access_token: String,
    refresh_token: String,
}

/// The whole code flow, by hand.
fn grant(rig: &Rig, login: &str) -> Tokens {
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

fn refresh(rig: &Rig, refresh_token: &str) -> Result<Tokens, String> {
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

fn authorization_url(rig: &Rig, login: &str) -> String {
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

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
