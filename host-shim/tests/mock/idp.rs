//! The identity provider: consent, tokens, rotation, and each fault once.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use multipop_host::mock::idp::{
    At, Browser, Client, Consent, Fault, IdToken, IssAnswer, OAuthError, Page, Rotation, Server, Settings,
    What,
};
use multipop_host::mock::{TokenTable, pki::Pki};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, parse};

const ALICE: &str = "alice@contoso.example";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365";

struct Setting {
    pki: Pki,
    tokens: TokenTable,
    idp: Server,
}

fn setting(settings: Settings) -> Setting {
    let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
    let idp = Server::start(&pki, &tokens, settings).unwrap();
    Setting { pki, tokens, idp }
}

impl Setting {
    fn browser(&self) -> Browser {
        Browser::new(self.pki.client().unwrap(), ALICE)
    }

    fn ask(&self, more: &[(&str, &str)]) -> String {
        let mut url = Url::parse(&self.idp.authorize_url()).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", Client::ID)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", REDIRECT)
            .append_pair(
                "scope",
                "openid profile offline_access https://outlook.office.com/POP.AccessAsUser.All",
            )
            .append_pair("state", "st4te")
            .append_pair("nonce", "n0nce")
            .append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        url.into()
    }

    fn code(&self) -> String {
        answer(&self.idp.consent(&self.ask(&[]), ALICE).unwrap(), "code").unwrap()
    }

    fn post(&self, pairs: &[(&str, &str)]) -> Page {
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.browser().post(&self.idp.token_url(), "", &form).unwrap()
    }

    fn redeem(&self, code: &str) -> Page {
        self.post(&[
            ("grant_type", "authorization_code"),
            ("client_id", Client::ID),
            ("client_secret", Client::SECRET),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
    }

    fn refresh(&self, token: &str) -> Page {
        self.post(&[
            ("grant_type", "refresh_token"),
            ("client_id", Client::ID),
            ("client_secret", Client::SECRET),
            ("refresh_token", token),
        ])
    }

    /// The grant of a fresh consent.
    fn grant(&self) -> Value {
        json(&self.redeem(&self.code()))
    }

    fn fault(&self, at: At, what: What) {
        self.idp
            .change(|s| s.faults = vec![Fault::new(at, what).times(1)]);
    }
}

fn answer(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn json(page: &Page) -> Value {
    serde_json::from_str(&page.body).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn consent_code_tokens_and_the_mail_server_takes_them() {
    let s = setting(Settings::generic());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let redirect = s.idp.consent(&s.ask(&[]), ALICE).unwrap();
    assert!(
        redirect.starts_with(&format!("{REDIRECT}&code=")),
        "the registered query is kept"
    );
    assert_eq!(answer(&redirect, "state").unwrap(), "st4te");
    assert_eq!(answer(&redirect, "iss").unwrap(), s.idp.issuer());
    let page = s.redeem(&answer(&redirect, "code").unwrap());
    assert_eq!(page.status, 200);
    let grant = json(&page);
    assert!(s.tokens.fits(text(&grant, "access_token"), ALICE));
    assert_eq!(
        (&grant["token_type"], &grant["expires_in"]),
        (&"Bearer".into(), &3600.into())
    );
    let id = claims(text(&grant, "id_token"));
    assert_eq!((text(&id, "nonce"), text(&id, "aud")), ("n0nce", Client::ID));
    assert_eq!(
        (text(&id, "iss"), text(&id, "preferred_username")),
        (s.idp.issuer().as_str(), ALICE)
    );
    assert_eq!(s.idp.journal().count("authorization_code/ok"), 1);
    let issued = s.idp.journal().secrets_issued();
    assert_eq!(issued.len(), 4, "code, access, refresh, id");
    assert!(
        s.idp
            .journal()
            .secrets_shown()
            .contains(&Client::SECRET.to_owned())
    );
    let lines = s.idp.journal().lines().join("\n");
    assert!(issued.iter().all(|secret| !lines.contains(secret)));
}

#[test]
fn a_code_is_bound_and_good_once() {
    let s = setting(Settings::entra());
    let code = s.code();
    assert_eq!(s.redeem(&code).status, 200);
    let again = s.redeem(&code);
    assert_eq!(
        (again.status, text(&json(&again), "error")),
        (400, "invalid_grant")
    );
    assert!(
        json(&again)["error_codes"]
            .as_array()
            .unwrap()
            .contains(&54_005.into())
    );
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
        pairs
            .iter_mut()
            .filter(|(key, _)| *key == name)
            .for_each(|pair| pair.1 = value);
        text(&json(&s.post(&pairs)), "error_description")
            .split(':')
            .next()
            .unwrap()
            .to_owned()
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
    assert_eq!(
        (page.status, text(&json(&page), "error")),
        (401, "invalid_client")
    );
}

#[test]
fn each_rotation() {
    let s = setting(Settings::generic());
    let error = |page: Page| text(&json(&page), "error").to_owned();
    let first = s.grant();
    let second = json(&s.refresh(text(&first, "refresh_token")));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(error(s.refresh(text(&first, "refresh_token"))), "invalid_grant");
    assert_eq!(
        s.refresh(text(&second, "refresh_token")).status,
        200,
        "the family lives"
    );

    s.idp.change(|settings| settings.rotation = Rotation::Strict);
    let first = s.grant();
    let second = json(&s.refresh(text(&first, "refresh_token")));
    assert_eq!(error(s.refresh(text(&first, "refresh_token"))), "invalid_grant");
    assert_eq!(
        error(s.refresh(text(&second, "refresh_token"))),
        "invalid_grant",
        "the family is dead"
    );
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
    assert_eq!(
        vary(|s| s.scope = Some("User.Read".to_owned()))["scope"],
        "User.Read"
    );
    assert!(
        vary(|s| s.omit_refresh_token = true)
            .get("refresh_token")
            .is_none()
    );
    assert_eq!(vary(|s| s.token_type = "mac".to_owned())["token_type"], "mac");
    let long = vary(|s| (s.token_length, s.token_prefix) = (5000, "-".to_owned()));
    assert_eq!(text(&long, "access_token").len(), 5000);
    assert!(
        text(&long, "access_token").starts_with('-') && s.tokens.fits(text(&long, "access_token"), ALICE)
    );
    let short = vary(|s| s.token_lifetime = Duration::ZERO);
    assert!(!s.tokens.fits(text(&short, "access_token"), ALICE));
    let mallory = vary(|s| s.signs_in = Some("mallory@contoso.example".to_owned()));
    assert!(
        s.tokens
            .fits(text(&mallory, "access_token"), "mallory@contoso.example")
    );
}

#[test]
fn id_tokens_right_and_wrong() {
    let s = setting(Settings::entra());
    let right = s.grant();
    let id = claims(text(&right, "id_token"));
    assert_eq!(
        format!("{}/{}/v2.0", s.idp.base(), text(&id, "tid")),
        text(&id, "iss")
    );
    assert!(text(&id, "oid").starts_with("aaaaaaaa-"));
    assert!(text(&right, "id_token").starts_with(&BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256""#)[..17]));
    let keys = json(&s.browser().get(&s.idp.jwks_url()).unwrap());
    let rsa = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kty"] == "RSA")
        .unwrap();
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
    s.idp
        .change(|settings| (settings.consent, settings.iss) = (Consent::Both, IssAnswer::Wrong));
    let both = go(&s.ask(&[])).unwrap();
    assert!(answer(&both, "code").is_some() && answer(&both, "error").is_some());
    assert_eq!(answer(&both, "iss").unwrap(), "https://evil.example.net");
    s.idp.change(|settings| settings.iss = IssAnswer::Absent);
    assert!(answer(&go(&s.ask(&[])).unwrap(), "iss").is_none());
}

#[test]
fn form_post_and_administrators_consent() {
    let s = setting(Settings::entra());
    let posted = s
        .idp
        .consent_form(&s.ask(&[("response_mode", "form_post")]), ALICE)
        .unwrap();
    assert_eq!(posted.url, REDIRECT);
    let form = posted.form.unwrap();
    let fields: Vec<(String, String)> = parse(form.as_bytes()).into_owned().collect();
    assert!(fields.contains(&("state".to_owned(), "st4te".to_owned())));
    assert!(
        fields
            .iter()
            .any(|(name, value)| name == "code" && value.starts_with("code-"))
    );
    let url = format!(
        "{}/organizations/v2.0/adminconsent?client_id=mock-client&state=s",
        s.idp.base()
    );
    let url = format!("{url}&scope=a+b&redirect_uri=https%3A%2F%2Fmail.example.com%2Fcb");
    let granted = s.idp.consent(&url, ALICE).unwrap();
    assert!(granted.starts_with("https://mail.example.com/cb?admin_consent=True&tenant=11111111-"));
    s.idp
        .change(|s| s.consent = Consent::Refused("consent_required".into(), "AADSTS65004: no".into()));
    assert_eq!(
        answer(&s.idp.consent(&url, ALICE).unwrap(), "error").unwrap(),
        "consent_required"
    );
}

#[test]
fn discovery_of_both_kinds() {
    let s = setting(Settings::entra());
    let of = |s: &Setting, path: &str| json(&s.browser().get(&format!("{}{path}", s.idp.base())).unwrap());
    let common = of(&s, "/common/v2.0/.well-known/openid-configuration");
    assert_eq!(
        text(&common, "issuer"),
        format!("{}/{{tenantid}}/v2.0", s.idp.base())
    );
    assert_eq!(text(&common, "token_endpoint"), s.idp.token_url());
    let tenant = of(
        &s,
        "/11111111-2222-4333-8444-555555555555/v2.0/.well-known/openid-configuration",
    );
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
    s.idp
        .change(|settings| settings.announced_issuer = Some("https://evil.example.net".to_owned()));
    assert_eq!(
        text(&of(&s, "/.well-known/openid-configuration"), "issuer"),
        "https://evil.example.net"
    );
    assert_eq!(s.idp.journal().count("discovery"), 3);
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
        (
            What::Error(OAuthError::aadsts(50_173)),
            400,
            "\"suberror\":\"bad_token\"",
        ),
        (
            What::Error(OAuthError::new("invalid_client")),
            401,
            "{\"error\":\"invalid_client\"}",
        ),
        (
            What::Error(OAuthError::aadsts(50_076).claims("{\"a\":1}")),
            400,
            "claims",
        ),
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
    assert_eq!(
        text(&json(&raw(&live).unwrap()), "error"),
        "invalid_grant",
        "rotated, and the answer lost"
    );
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
        json(
            &s.browser()
                .post(&s.idp.introspection_url(), "", &format!("token={token}"))
                .unwrap(),
        )
    };
    assert_eq!(of(text(&grant, "access_token"))["username"], ALICE);
    assert_eq!(of("nothing")["active"], false);
    let form = format!(
        "token={}&token_type_hint=refresh_token",
        text(&grant, "refresh_token")
    );
    assert_eq!(
        s.browser()
            .post(&s.idp.revocation_url(), "", &form)
            .unwrap()
            .status,
        200
    );
    assert_eq!(of(text(&grant, "access_token"))["active"], false);
    assert_eq!(s.refresh(text(&grant, "refresh_token")).status, 400);
    assert!(
        s.browser()
            .get(&format!("{}?code=x", s.idp.token_url()))
            .unwrap()
            .status
            == 400
    );
    assert_eq!(s.idp.journal().violations().len(), 1);
}
