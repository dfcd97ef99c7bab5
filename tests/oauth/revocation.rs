//! Giving a grant back: the request as bytes, and every answer to it (RFC 7009).

use multipop::error::Status;
use multipop::oauth::provider::{Profile, Provider};
use multipop::oauth::revocation as rfc7009;
use multipop::oauth::token::{HttpAnswer, confided};

use super::{NOW, by_secret, config, generic, provider, secret};

fn revoking() -> Provider {
    let mut config = generic();
    config.revocation_endpoint = Some("https://id.example.com/revoke".into());
    provider(&config)
}

fn answer(code: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status: code, body: body.into(), ..HttpAnswer::default() }
}

#[test]
fn a_refresh_token_is_sent_with_its_hint_and_the_application_s_proof() {
    let p = revoking();
    let request = rfc7009::request(&p, &by_secret(&p, "s3cret"), &secret("RT/1")).unwrap();
    assert_eq!(
        (request.method().as_str(), request.uri().to_string()),
        ("POST", "https://id.example.com/revoke".into())
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body()).into_owned().collect();
    assert!(form.contains(&("token".into(), "RT/1".into())), "{form:?}");
    assert!(form.contains(&("token_type_hint".into(), "refresh_token".into())), "{form:?}");
    assert!(request.headers().contains_key("authorization"));
    // Never repeated from an answer.
    assert!(confided(&request).iter().any(|one| one.expose() == "RT/1"));
    // Google takes the secret in the body.
    let google = provider(&config(Profile::Google));
    let request = rfc7009::request(&google, &by_secret(&google, "s3cret"), &secret("RT")).unwrap();
    assert_eq!(request.uri().to_string(), "https://oauth2.googleapis.com/revoke");
    assert!(String::from_utf8_lossy(request.body()).contains("client_secret=s3cret"));
}

#[test]
fn microsoft_has_none_and_says_where_instead() {
    for (profile, page) in [
        (Profile::Microsoft365, "https://myapps.microsoft.com/"),
        (Profile::Outlook, "https://account.microsoft.com/privacy"),
    ] {
        let mut config = config(profile);
        config.redirect_uri = "https://mail.example.com/cb".into();
        let p = provider(&config);
        assert!(p.revocation_endpoint.is_none());
        assert_eq!(p.withdraw_url.as_ref().unwrap().as_str(), page);
        assert_eq!(
            rfc7009::request(&p, &by_secret(&p, "s"), &secret("RT")).unwrap_err().status,
            Status::Internal
        );
    }
}

#[test]
fn what_is_no_yes_is_tried_again_but_for_a_provider_that_revokes_none() {
    let p = revoking();
    assert!(rfc7009::read(&p, &answer(200, ""), NOW).is_ok(), "of a token nobody knows, too");
    assert!(rfc7009::read(&p, &answer(400, r#"{"error":"unsupported_token_type"}"#), NOW).is_ok());
    let busy = HttpAnswer { retry_after: Some("120".into()), ..answer(503, "busy") };
    let error = rfc7009::read(&p, &busy, NOW).unwrap_err().error;
    assert_eq!((error.status, error.retry_after_s), (Status::Transient, 120));
    for (code, body) in [(400, r#"{"error":"invalid_client"}"#), (302, ""), (404, "not here"), (400, "")] {
        assert!(rfc7009::read(&p, &answer(code, body), NOW).is_err(), "{code}");
    }
}
