//! Token requests as bytes, and every answer the endpoint may give.

use multipop::error::Status;
use multipop::oauth::diagnosis::Refusal;
use multipop::oauth::provider::Profile;
use multipop::oauth::provider::Provider;
use multipop::oauth::token::{HttpAnswer, HttpRequest, Token, read_token, redeem, refresh};
use serde_json::{Value, json};

use super::{NOW, by_secret, config, generic, microsoft, provider, secret};

fn form(request: &HttpRequest) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body()).into_owned().collect()
}

fn answered(provider: &Provider, body: &str) -> Result<Token, Box<Refusal>> {
    let answer = HttpAnswer { status: 200, body: body.as_bytes().to_vec(), ..HttpAnswer::default() };
    read_token(provider, &answer, &provider.scope(), NOW)
}

fn with(change: Value) -> Result<Token, Box<Refusal>> {
    let mut body = json!({"access_token": "AT", "token_type": "Bearer", "expires_in": 3600});
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    answered(&microsoft(), &body.to_string())
}

#[test]
fn a_code_is_redeemed_with_everything_it_was_asked_with() {
    let p = microsoft();
    let request =
        redeem(&p, &by_secret(&p, "a~b+c/&="), &secret("CODE"), &secret("VERIFIER"), &p.redirect_uri)
            .unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri().to_string(), p.token_endpoint().unwrap().as_str());
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    let mut form = form(&request);
    form.sort();
    let expected = [
        ("client_id", "client-1"),
        ("client_secret", "a~b+c/&="),
        ("code", "CODE"),
        ("code_verifier", "VERIFIER"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", p.redirect_uri.as_str()),
        ("scope", &p.scope()),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(form, expected);
}

#[test]
fn a_refresh_sends_the_scope_and_basic_encodes_id_and_secret_first() {
    let mut config = generic();
    config.client_id = "id:1".into();
    let p = provider(&config);
    let request = refresh(&p, &by_secret(&p, "a b%"), &secret("RT")).unwrap();
    let form = form(&request);
    assert!(form.contains(&("refresh_token".into(), "RT".into())));
    assert!(form.contains(&("scope".into(), "openid offline_access mail".into())));
    assert!(!form.iter().any(|(name, _)| name == "client_secret"));
    // RFC 6749 §2.3.1: base64("id%3A1:a+b%25")
    assert_eq!(request.headers()["authorization"], "Basic aWQlM0ExOmErYiUyNQ==");
}

#[test]
fn a_good_answer_is_read() {
    let token =
        with(json!({"refresh_token": "RT", "id_token": "IT", "ext_expires_in": 1, "new": [1]})).unwrap();
    assert_eq!(token.access_token.expose(), "AT");
    assert_eq!(token.refresh_token.unwrap().expose(), "RT");
    assert_eq!(token.id_token.unwrap().expose(), "IT");
    assert_eq!(token.scope, microsoft().scope(), "absent means as asked");
    assert_eq!((token.expires_at, token.renew_at), (NOW + 3600, NOW + 3240));
    let token = with(json!({"token_type": "bearer"})).unwrap();
    assert!(token.refresh_token.is_none() && token.id_token.is_none());
}

#[test]
fn a_token_is_renewed_before_it_ends_however_long_it_lives() {
    let renewed_after = |value: Value| with(json!({"expires_in": value})).unwrap().renew_at - NOW;
    assert_eq!(renewed_after(json!(600)), 300);
    assert_eq!(renewed_after(json!(20)), 15);
    assert_eq!(renewed_after(json!(0)), 0);
    assert_eq!(renewed_after(json!("3600")), 3240);
    assert_eq!(renewed_after(json!(3600.5)), 3240);
    assert_eq!(renewed_after(json!(null)), 3240, "missing means an hour");
    assert_eq!(renewed_after(json!(86_400)), 77_760);
    assert!(renewed_after(json!(1e300)) < 367 * 86_400);
    for bad in [json!("soon"), json!(-1), json!([1]), json!(true), json!("NaN")] {
        assert_eq!(with(json!({"expires_in": bad})).unwrap_err().error.cause, "provider.expires_in");
    }
}

#[test]
fn a_scope_without_pop_is_told_apart() {
    let with_scope = |scope: &str| with(json!({"scope": scope})).map(|_| ()).map_err(|r| r.error);
    for scope in [
        "https://outlook.office.com/POP.AccessAsUser.All",
        "openid https://outlook.office365.com/pop.accessasuser.all",
        "https%3A%2F%2Foutlook.office.com%2FPOP.AccessAsUser.All",
        "",
    ] {
        with_scope(scope).unwrap_or_else(|e| panic!("{scope}: {e}"));
    }
    for scope in ["openid", "https://outlook.office.com/IMAP.AccessAsUser.All", "POP.AccessAsUser.All.x"] {
        let error = with_scope(scope).expect_err(scope);
        assert_eq!((error.status, error.cause), (Status::Provider, "provider.pop_not_granted"));
    }
    let google = provider(&config(Profile::Google));
    let body = r#"{"access_token":"A","token_type":"Bearer","scope":"openid email"}"#;
    let error = answered(&google, body).unwrap_err().error;
    assert_eq!((error.status, error.cause), (Status::Consent, "consent.pop_not_granted"));
    // No suffix configured: nothing to check.
    answered(&provider(&generic()), body).unwrap();
}

#[test]
fn answers_that_are_none_have_each_their_cause() {
    for (change, cause) in [
        (json!({"access_token": null}), "provider.no_token"),
        (json!({"access_token": ""}), "provider.no_token"),
        (json!({"access_token": 7}), "provider.member_type"),
        (json!({"access_token": "a b\r\n"}), "provider.bad_token"),
        (json!({"token_type": "mac"}), "provider.token_type"),
        (json!({"token_type": null}), "provider.token_type"),
        (json!({"refresh_token": ["RT"]}), "provider.member_type"),
        (json!({"scope": 1}), "provider.member_type"),
    ] {
        let refusal = with(change.clone()).expect_err("taken");
        assert_eq!(refusal.error.cause, cause, "{change}");
        assert_eq!(refusal.error.status, Status::Config);
        assert!(!refusal.dead);
    }
    for body in ["", "<html>proxy</html>", "[]", "\"AT\"", r#"{"access_token":"AT","#, "null"] {
        assert_eq!(answered(&microsoft(), body).unwrap_err().error.cause, "provider.not_json", "{body}");
    }
    let cut = HttpAnswer {
        status: 200,
        truncated: true,
        body: br#"{"access_token":"AT","token_type":"Bearer"}"#.to_vec(),
        ..HttpAnswer::default()
    };
    let refusal = read_token(&microsoft(), &cut, "s", NOW).unwrap_err();
    assert_eq!(refusal.error.cause, "provider.too_long");
}

#[test]
fn an_error_in_a_200_is_an_error() {
    let refusal = answered(&microsoft(), r#"{"error":"invalid_grant"}"#).unwrap_err();
    assert!(refusal.dead);
    assert_eq!(refusal.error.status, Status::Consent);
}

#[test]
fn i03_a_token_shows_itself_in_no_debug_line() {
    let token = with(json!({"refresh_token": "RT-secret"})).unwrap();
    assert!(!format!("{token:?}").contains("RT-secret"));
}

proptest::proptest! {
    /// Bytes of any kind end in a token or a cause; nothing of them is in the message.
    #[test]
    fn i03_no_answer_can_make_it_panic_or_show_itself(
        status in 100u16..600, body in proptest::collection::vec(proptest::num::u8::ANY, 0..200), secret in "[A-Za-z0-9]{20}",
    ) {
        let shown = format!(r#"{{"access_token":["{secret}"],"token_type":"Bearer","refresh_token":"{secret}"}}"#);
        for body in [body, shown.into_bytes()] {
            let answer = HttpAnswer { status, body, ..HttpAnswer::default() };
            if let Err(refusal) = read_token(&microsoft(), &answer, "s", NOW) {
                proptest::prop_assert!(!refusal.error.cause.is_empty() && !refusal.dead);
                let secret_left = format!("{refusal:?}").contains(&secret);
                proptest::prop_assert!(!secret_left);
            }
        }
    }
}
