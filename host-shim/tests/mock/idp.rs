//! The identity provider as a browser and a client meet it: consent, codes, discovery.

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use multipop_host::mock::idp::{Client, Consent, IssAnswer, Settings};
use url::form_urlencoded::parse;

use crate::person::{ALICE, REDIRECT, Setting, VERIFIER, answer, claims, json, setting, text};

#[test]
fn consent_code_tokens_and_the_mail_server_takes_them() {
    let s = setting(Settings::generic());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let redirect = s.idp.consent(&s.ask(&[]), ALICE).unwrap();
    assert!(redirect.starts_with(&format!("{REDIRECT}&code=")), "the registered query is kept");
    assert_eq!(answer(&redirect, "state").unwrap(), "st4te");
    assert_eq!(answer(&redirect, "iss").unwrap(), s.idp.issuer());
    let page = s.redeem(&answer(&redirect, "code").unwrap());
    assert_eq!(page.status, 200);
    let grant = json(&page);
    assert!(s.tokens.fits(text(&grant, "access_token"), ALICE));
    assert_eq!((&grant["token_type"], &grant["expires_in"]), (&"Bearer".into(), &3600.into()));
    let id = claims(text(&grant, "id_token"));
    assert_eq!((text(&id, "nonce"), text(&id, "aud")), ("n0nce", Client::ID));
    assert_eq!((text(&id, "iss"), text(&id, "preferred_username")), (s.idp.issuer().as_str(), ALICE));
    assert_eq!(s.idp.journal().count("authorization_code/ok"), 1);
    let issued = s.idp.journal().secrets_issued();
    assert_eq!(issued.len(), 4, "code, access, refresh, id");
    assert!(s.idp.journal().secrets_shown().contains(&Client::SECRET.to_owned()));
    let lines = s.idp.journal().lines().join("\n");
    assert!(issued.iter().all(|secret| !lines.contains(secret)));
}

#[test]
fn a_code_is_bound_and_good_once() {
    let s = setting(Settings::entra());
    let code = s.code();
    assert_eq!(s.redeem(&code).status, 200);
    let again = s.redeem(&code);
    assert_eq!((again.status, text(&json(&again), "error")), (400, "invalid_grant"));
    assert!(json(&again)["error_codes"].as_array().unwrap().contains(&54_005.into()));
    assert_eq!(s.idp.journal().violations().len(), 1);
    let wrong = |name: &str, value: &str| {
        let code = s.code();
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("client_id", Client::ID),
            ("client_secret", Client::SECRET),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        pairs.iter_mut().filter(|(key, _)| *key == name).for_each(|pair| pair.1 = value);
        text(&json(&s.post(&pairs)), "error_description").split(':').next().unwrap().to_owned()
    };
    assert_eq!(wrong("code_verifier", &"x".repeat(43)), "AADSTS501481");
    assert_eq!(wrong("redirect_uri", "https://mail.example.com/"), "AADSTS50011");
    assert_eq!(wrong("client_secret", "guess"), "AADSTS7000215");
    assert_eq!(wrong("client_id", "nobody"), "AADSTS700016");
}

#[test]
fn client_authentication_by_header_too() {
    let s = setting(Settings::generic());
    let encoded: String = url::form_urlencoded::byte_serialize(Client::SECRET.as_bytes()).collect();
    let basic = BASE64_STANDARD.encode(format!("{}:{encoded}", Client::ID));
    let form = format!(
        "grant_type=authorization_code&code={}&code_verifier={VERIFIER}&redirect_uri={}",
        s.code(),
        url::form_urlencoded::byte_serialize(REDIRECT.as_bytes()).collect::<String>()
    );
    let header = format!("Authorization: Basic {basic}\r\n");
    let page = s.browser().post(&s.idp.token_url(), &header, &form).unwrap();
    assert_eq!(page.status, 200, "{}", page.body);
    let page = s.browser().post(&s.idp.token_url(), "", &form).unwrap();
    assert_eq!((page.status, text(&json(&page), "error")), (401, "invalid_client"));
}

#[test]
fn the_authorize_endpoint_refuses_and_varies() {
    let s = setting(Settings::generic());
    let go = |url: &str| s.idp.consent(url, ALICE);
    assert!(go(&s.ask(&[]).replace("client_id=mock-client", "client_id=x")).is_err());
    let error = |url: &str| answer(&go(url).unwrap(), "error").unwrap_or_default();
    assert_eq!(error(&s.ask(&[("state", "again")])), "invalid_request");
    assert_eq!(error(&s.ask(&[]).replace("S256", "plain")), "invalid_request");
    assert_eq!(
        error(&s.ask(&[]).replace("response_type=code", "response_type=token")),
        "unsupported_response_type"
    );
    s.idp.change(|settings| {
        settings.clients.get_mut(Client::ID).unwrap().redirect_uris =
            vec!["https://mail.example.com/x".to_owned()];
    });
    assert!(go(&s.ask(&[])).is_err());
    s.idp.change(|settings| {
        *settings = Settings {
            consent: Consent::Refused("access_denied".into(), "no".into()),
            ..Settings::generic()
        };
    });
    assert_eq!(error(&s.ask(&[])), "access_denied");
    s.idp.change(|settings| settings.consent = Consent::Page);
    assert!(s.browser().get(&s.ask(&[])).unwrap().body.contains("id=\"deny\""));
    assert!(answer(&go(&s.ask(&[])).unwrap(), "code").is_some());
    assert_eq!(error(&s.ask(&[("mock_decision", "deny")])), "access_denied");
    s.idp.change(|settings| (settings.consent, settings.iss) = (Consent::Both, IssAnswer::Wrong));
    let both = go(&s.ask(&[])).unwrap();
    assert!(answer(&both, "code").is_some() && answer(&both, "error").is_some());
    assert_eq!(answer(&both, "iss").unwrap(), "https://evil.example.net");
    s.idp.change(|settings| settings.iss = IssAnswer::Absent);
    assert!(answer(&go(&s.ask(&[])).unwrap(), "iss").is_none());
}

#[test]
fn form_post_and_administrators_consent() {
    let s = setting(Settings::entra());
    let posted = s.idp.consent_form(&s.ask(&[("response_mode", "form_post")]), ALICE).unwrap();
    assert_eq!(posted.url, REDIRECT);
    let form = posted.form.unwrap();
    let fields: Vec<(String, String)> = parse(form.as_bytes()).into_owned().collect();
    assert!(fields.contains(&("state".to_owned(), "st4te".to_owned())));
    assert!(fields.iter().any(|(name, value)| name == "code" && value.starts_with("code-")));
    let url = format!("{}/organizations/v2.0/adminconsent?client_id=mock-client&state=s", s.idp.base());
    let url = format!("{url}&scope=a+b&redirect_uri=https%3A%2F%2Fmail.example.com%2Fcb");
    let granted = s.idp.consent(&url, ALICE).unwrap();
    assert!(granted.starts_with("https://mail.example.com/cb?admin_consent=True&tenant=11111111-"));
    s.idp.change(|s| s.consent = Consent::Refused("consent_required".into(), "AADSTS65004: no".into()));
    assert_eq!(answer(&s.idp.consent(&url, ALICE).unwrap(), "error").unwrap(), "consent_required");
}

#[test]
fn discovery_of_both_kinds() {
    let s = setting(Settings::entra());
    let of = |s: &Setting, path: &str| json(&s.browser().get(&format!("{}{path}", s.idp.base())).unwrap());
    let common = of(&s, "/common/v2.0/.well-known/openid-configuration");
    assert_eq!(text(&common, "issuer"), format!("{}/{{tenantid}}/v2.0", s.idp.base()));
    assert_eq!(text(&common, "token_endpoint"), s.idp.token_url());
    let tenant = of(&s, "/11111111-2222-4333-8444-555555555555/v2.0/.well-known/openid-configuration");
    assert_eq!(text(&tenant, "issuer"), s.idp.issuer());
    // A code of one segment is not redeemed on another.
    let code = s.code();
    s.idp.change(|_| {});
    let other = s.idp.token_url().replace("/common/", "/organizations/");
    let form = format!(
        "grant_type=authorization_code&client_id=mock-client&code={code}&redirect_uri={}&client_secret={}",
        url::form_urlencoded::byte_serialize(REDIRECT.as_bytes()).collect::<String>(),
        url::form_urlencoded::byte_serialize(Client::SECRET.as_bytes()).collect::<String>()
    );
    let page = s.browser().post(&other, "", &form).unwrap();
    assert!(page.body.contains("700005"), "{}", page.body);

    let s = setting(Settings::generic());
    let document = of(&s, "/.well-known/openid-configuration");
    assert_eq!(text(&document, "issuer"), s.idp.issuer());
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document, of(&s, "/.well-known/oauth-authorization-server"));
    s.idp.change(|settings| settings.announced_issuer = Some("https://evil.example.net".to_owned()));
    assert_eq!(text(&of(&s, "/.well-known/openid-configuration"), "issuer"), "https://evil.example.net");
    assert_eq!(s.idp.journal().count("discovery"), 3);
}

#[test]
fn google_gives_a_refresh_token_with_consent_only() {
    let s = setting(Settings::google());
    let of = |more: &[(&str, &str)]| {
        let redirect = s.idp.consent(&s.ask(more), ALICE).unwrap();
        json(&s.redeem(&answer(&redirect, "code").unwrap())).get("refresh_token").cloned()
    };
    assert!(of(&[]).is_none());
    assert!(of(&[("access_type", "offline"), ("prompt", "consent")]).is_some());
}

#[test]
fn who_signs_in_is_the_browsers_user_unless_settings_say_another() {
    let s = setting(Settings::entra());
    let name = |url: &str, user: &str| {
        let redirect = s.idp.consent(url, user).unwrap();
        let grant = json(&s.redeem(&answer(&redirect, "code").unwrap()));
        let id = claims(text(&grant, "id_token"));
        (text(&id, "preferred_username").to_owned(), text(&id, "oid").to_owned())
    };
    let (alice, alices_oid) = name(&s.ask(&[("login_hint", "carol@contoso.example")]), ALICE);
    assert_eq!(alice, ALICE);
    s.idp.change(|settings| settings.signs_in = Some("bob@contoso.example".to_owned()));
    let (bob, bobs_oid) = name(&s.ask(&[]), ALICE);
    assert_eq!(bob, "bob@contoso.example");
    assert_ne!(alices_oid, bobs_oid);
    s.idp.change(|settings| (settings.signs_in, settings.iss) = (None, IssAnswer::Right));
    let redirect = s.idp.consent(&s.ask(&[]), ALICE).unwrap();
    assert_eq!(answer(&redirect, "iss").unwrap(), s.idp.issuer(), "the template is filled");
}
