//! The token endpoint: rotation, answers that vary, id_tokens, and each fault once.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use multipop_host::mock::idp::{At, Client, IdToken, OAuthError, Page, Rotation, Settings, What};

use crate::person::{ALICE, claims, json, setting, text};

#[test]
fn each_rotation() {
    let s = setting(Settings::generic());
    let error = |page: Page| text(&json(&page), "error").to_owned();
    let first = s.grant();
    let second = json(&s.refresh(text(&first, "refresh_token")));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(error(s.refresh(text(&first, "refresh_token"))), "invalid_grant");
    assert_eq!(s.refresh(text(&second, "refresh_token")).status, 200, "the family lives");

    s.idp.change(|settings| settings.rotation = Rotation::Strict);
    let first = s.grant();
    let second = json(&s.refresh(text(&first, "refresh_token")));
    assert_eq!(error(s.refresh(text(&first, "refresh_token"))), "invalid_grant");
    assert_eq!(error(s.refresh(text(&second, "refresh_token"))), "invalid_grant", "the family is dead");
    assert!(!s.tokens.fits(text(&second, "access_token"), ALICE));

    s.idp.change(|settings| settings.rotation = Rotation::None);
    let first = s.grant();
    let second = json(&s.refresh(text(&first, "refresh_token")));
    assert!(second.get("refresh_token").is_none());
    assert_eq!(s.refresh(text(&first, "refresh_token")).status, 200);

    s.idp.change(|settings| settings.rotation = Rotation::KeepsOld);
    let first = s.grant();
    assert!(json(&s.refresh(text(&first, "refresh_token")))["refresh_token"].is_string());
    assert_eq!(s.refresh(text(&first, "refresh_token")).status, 200);

    s.idp.revoke(ALICE);
    assert_eq!(error(s.refresh(text(&first, "refresh_token"))), "invalid_grant");
    assert!(!s.tokens.fits(text(&first, "access_token"), ALICE));
    assert_eq!(s.idp.live_refresh_tokens(), 0);
}

#[test]
fn token_answers_vary() {
    let s = setting(Settings::generic());
    let vary = |with: fn(&mut Settings)| {
        s.idp.change(with);
        let grant = s.grant();
        s.idp.change(|settings| *settings = Settings::generic());
        grant
    };
    assert_eq!(vary(|s| s.expires_in_as_text = true)["expires_in"], "3600");
    assert!(vary(|s| s.omit_expires_in = true).get("expires_in").is_none());
    assert!(vary(|s| s.omit_scope = true).get("scope").is_none());
    assert_eq!(vary(|s| s.scope = Some("User.Read".to_owned()))["scope"], "User.Read");
    assert!(vary(|s| s.omit_refresh_token = true).get("refresh_token").is_none());
    assert_eq!(vary(|s| s.token_type = "mac".to_owned())["token_type"], "mac");
    let long = vary(|s| (s.token_length, s.token_prefix) = (5000, "-".to_owned()));
    assert_eq!(text(&long, "access_token").len(), 5000);
    assert!(
        text(&long, "access_token").starts_with('-') && s.tokens.fits(text(&long, "access_token"), ALICE)
    );
    let short = vary(|s| s.token_lifetime = Duration::ZERO);
    assert!(!s.tokens.fits(text(&short, "access_token"), ALICE));
    let mallory = vary(|s| s.signs_in = Some("mallory@contoso.example".to_owned()));
    assert!(s.tokens.fits(text(&mallory, "access_token"), "mallory@contoso.example"));
}

#[test]
fn id_tokens_right_and_wrong() {
    let s = setting(Settings::entra());
    let right = s.grant();
    let id = claims(text(&right, "id_token"));
    assert_eq!(format!("{}/{}/v2.0", s.idp.base(), text(&id, "tid")), text(&id, "iss"));
    assert!(text(&id, "oid").starts_with("aaaaaaaa-"));
    assert!(text(&right, "id_token").starts_with(&BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256""#)[..17]));
    let keys = json(&s.browser().get(&s.idp.jwks_url()).unwrap());
    let rsa = keys["keys"].as_array().unwrap().iter().find(|key| key["kty"] == "RSA").unwrap();
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(text(rsa, "n")).unwrap().len(), 256);
    assert_eq!(text(rsa, "e"), "AQAB");
    let verified = |token: &str| {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let parts = aws_lc_rs::signature::RsaPublicKeyComponents {
            n: BASE64_URL_SAFE_NO_PAD.decode(text(rsa, "n")).unwrap(),
            e: vec![1, 0, 1],
        };
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let method = &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
        parts.verify(method, signed.as_bytes(), &signature).is_ok()
    };
    assert!(verified(text(&right, "id_token")));
    for kind in IdToken::ALL_WRONG {
        s.idp.change(|settings| settings.id_token = kind);
        let token = s.grant()["id_token"].as_str().unwrap().to_owned();
        match kind {
            IdToken::Garbage => assert_eq!(token, "this.is.not-a-token"),
            IdToken::AlgNone => assert!(token.ends_with('.')),
            IdToken::WrongSignature => assert!(!verified(&token)),
            IdToken::NoNonce => assert!(claims(&token).get("nonce").is_none()),
            IdToken::WrongNonce => assert_ne!(text(&claims(&token), "nonce"), "n0nce"),
            IdToken::WrongAudience => assert_ne!(text(&claims(&token), "aud"), Client::ID),
            IdToken::WrongIssuer => assert!(!text(&claims(&token), "iss").starts_with(s.idp.base())),
            IdToken::WrongTenant => assert_eq!(text(&claims(&token), "tid"), "not-a-guid"),
            IdToken::Expired | IdToken::FromTheFuture => {
                let (exp, iat) = (claims(&token)["exp"].as_i64(), claims(&token)["iat"].as_i64());
                assert_eq!(exp.unwrap() - iat.unwrap(), 3600);
            }
            IdToken::Good | IdToken::Absent => unreachable!("not wrong"),
        }
    }
    s.idp.change(|settings| settings.id_token = IdToken::Absent);
    assert!(s.grant().get("id_token").is_none());
}

#[test]
fn faults_at_the_token_endpoint() {
    let s = setting(Settings::generic());
    let token = || text(&s.grant(), "refresh_token").to_owned();
    let form = |token: &str| {
        let secret: String = url::form_urlencoded::byte_serialize(Client::SECRET.as_bytes()).collect();
        format!("grant_type=refresh_token&client_id=mock-client&client_secret={secret}&refresh_token={token}")
    };
    let raw = |token: &str| s.browser().post(&s.idp.token_url(), "", &form(token));
    let live = token();
    for (what, status, part) in [
        (What::too_many(60), 429, "temporarily_unavailable"),
        (What::html(502), 502, "<html>"),
        (What::Redirect("https://evil.example.net/".to_owned()), 307, ""),
        (What::Error(OAuthError::aadsts(50_173)), 400, "\"suberror\":\"bad_token\""),
        (What::Error(OAuthError::new("invalid_client")), 401, "{\"error\":\"invalid_client\"}"),
        (What::Error(OAuthError::aadsts(50_076).claims("{\"a\":1}")), 400, "claims"),
    ] {
        s.fault(At::Token, what);
        let page = raw(&live).unwrap();
        assert_eq!(page.status, status);
        assert!(page.body.contains(part), "{}", page.body);
    }
    s.fault(At::Refresh, What::Close);
    assert!(raw(&live).is_err());
    assert_eq!(s.idp.live_refresh_tokens(), 1, "none of these used the token up");

    s.fault(At::Refresh, What::Huge(10_000_000));
    let page = raw(&live).unwrap();
    assert_eq!(page.body.len(), 10_000_000);
    let live = text(&json(&page), "refresh_token").to_owned();

    s.fault(At::Refresh, What::Slow(Duration::from_millis(200)));
    let began = Instant::now();
    let live = text(&json(&raw(&live).unwrap()), "refresh_token").to_owned();
    assert!(began.elapsed() >= Duration::from_millis(200));

    s.fault(At::Refresh, What::RightBodyWithStatus(201));
    let page = raw(&live).unwrap();
    assert_eq!(page.status, 201);
    let live = text(&json(&page), "refresh_token").to_owned();

    s.fault(At::Refresh, What::CloseAfterDoing);
    assert!(raw(&live).is_err());
    assert_eq!(text(&json(&raw(&live).unwrap()), "error"), "invalid_grant", "rotated, and the answer lost");
    let live = token();
    s.fault(At::Refresh, What::HalfAnswer);
    assert!(raw(&live).is_err());
    let live = token();
    s.fault(At::Refresh, What::StallInBody(Duration::from_millis(100)));
    assert!(raw(&live).is_err());
    assert!(s.idp.journal().most_in_flight() >= 1);
}

#[test]
fn introspection_and_revocation() {
    let s = setting(Settings::generic());
    let grant = s.grant();
    let of = |token: &str| {
        json(&s.browser().post(&s.idp.introspection_url(), "", &format!("token={token}")).unwrap())
    };
    assert_eq!(of(text(&grant, "access_token"))["username"], ALICE);
    assert_eq!(of("nothing")["active"], false);
    let form = format!("token={}&token_type_hint=refresh_token", text(&grant, "refresh_token"));
    assert_eq!(s.browser().post(&s.idp.revocation_url(), "", &form).unwrap().status, 200);
    assert_eq!(of(text(&grant, "access_token"))["active"], false);
    assert_eq!(s.refresh(text(&grant, "refresh_token")).status, 400);
    assert!(s.browser().get(&format!("{}?code=x", s.idp.token_url())).unwrap().status == 400);
    assert_eq!(s.idp.journal().violations().len(), 1);
}
