//! From what was said to who can help; and never a grant lost over trouble or a wrong configuration.

use multipop::error::{Error, Status};
use multipop::oauth::diagnosis::{PopRefusal, Refusal, pop_refusal, token_refused};
use multipop::oauth::provider::Profile;
use multipop::oauth::token::HttpAnswer;
use serde_json::{Value, json};

use super::{NOW, config, generic, microsoft, provider};

fn http(status: u16, body: impl Into<Vec<u8>>, retry_after: Option<&str>) -> Refusal {
    let answer = HttpAnswer {
        status,
        retry_after: retry_after.map(str::to_owned),
        body: body.into(),
        ..HttpAnswer::default()
    };
    *token_refused(&microsoft(), &answer, NOW)
}

fn said(body: Value) -> Refusal {
    http(400, body.to_string(), None)
}

fn numbered(error: &str, number: u32) -> Refusal {
    said(json!({"error": error, "error_codes": [number], "error_description": format!("AADSTS{number}: x")}))
}

#[test]
fn the_http_status_comes_first() {
    for status in [408, 429, 500, 502, 503, 504] {
        for body in ["", "<html>", r#"{"error":"invalid_grant"}"#] {
            let refusal = http(status, body, None);
            assert_eq!(refusal.error.status, Status::Transient, "{status} {body}");
            assert!(!refusal.dead);
        }
    }
    assert_eq!(http(429, "", Some("60")).error.retry_after_s, 60);
    let date = Some("Fri, 09 Jan 2026 02:03:00 GMT");
    assert_eq!(http(503, "busy", date).error.retry_after_s, 180);
}

#[test]
fn what_is_no_oauth_error_is_a_wrong_address() {
    for (status, body, cause) in [
        (302, "", "provider.redirect"),
        (307, r#"{"error":"invalid_grant"}"#, "provider.redirect"),
        (404, "<html>", "provider.no_endpoint"),
        (400, "<html>login here</html>", "provider.not_json"),
        (403, "[]", "provider.not_json"),
        (400, "{}", "provider.not_json"),
        (201, r#"{"access_token":"AT","token_type":"Bearer"}"#, "provider.not_json"),
        (407, "", "provider.proxy"),
    ] {
        let refusal = http(status, body, None);
        assert_eq!((refusal.error.status, refusal.error.cause), (Status::Config, cause), "{status}");
        assert!(!refusal.dead);
    }
}

#[test]
fn the_error_decides_where_no_number_is_known() {
    for (error, status, dead) in [
        ("invalid_grant", Status::Consent, true),
        ("interaction_required", Status::Consent, false),
        ("login_required", Status::Consent, false),
        ("consent_required", Status::Consent, false),
        ("access_denied", Status::Consent, false),
        ("invalid_client", Status::Config, false),
        ("unauthorized_client", Status::Config, false),
        ("unsupported_grant_type", Status::Config, false),
        ("invalid_request", Status::Config, false),
        ("invalid_scope", Status::Config, false),
        ("invalid_resource", Status::Config, false),
        ("temporarily_unavailable", Status::Transient, false),
        ("server_error", Status::Transient, false),
        ("of_tomorrow", Status::Config, false),
    ] {
        let refusal = said(json!({"error": error}));
        assert_eq!((refusal.error.status, refusal.dead), (status, dead), "{error}");
        assert_eq!(refusal.error.provider_code, error);
        assert!(!refusal.error.advice.is_empty());
        assert_eq!(refusal.wrong_credential, error == "invalid_client");
        let unknown = numbered(error, 123_456_789);
        assert_eq!((unknown.error.status, unknown.dead), (status, dead), "{error}");
    }
}

#[test]
fn microsoft_s_numbers_refine_it() {
    for (error, number, status, cause) in [
        ("invalid_grant", 50173, Status::Consent, "consent.revoked"),
        ("invalid_grant", 700082, Status::Consent, "consent.expired"),
        ("invalid_grant", 65001, Status::Consent, "consent.missing"),
        ("invalid_grant", 53003, Status::Provider, "provider.conditional_access"),
        ("interaction_required", 50076, Status::Consent, "consent.second_factor"),
        ("invalid_grant", 50196, Status::Transient, "provider.loop"),
        ("invalid_client", 7000222, Status::Config, "config.client_secret_expired"),
        ("invalid_grant", 700084, Status::Config, "config.platform"),
        ("unauthorized_client", 700016, Status::Config, "config.client_id"),
        ("invalid_request", 90033, Status::Transient, "provider.trouble"),
        ("invalid_grant", 50057, Status::Provider, "provider.account_disabled"),
        ("consent_required", 90094, Status::Provider, "consent.admin_required"),
    ] {
        let refusal = numbered(error, number);
        assert_eq!((refusal.error.status, refusal.error.cause), (status, cause), "{number}");
        assert_eq!(refusal.error.provider_code, format!("AADSTS{number}"));
    }
    assert!(numbered("invalid_grant", 50196).error.retry_after_s >= 900);
}

#[test]
fn i10_only_the_user_s_own_cause_ends_a_grant() {
    assert!(numbered("invalid_grant", 50173).dead);
    for number in [50196, 53003, 700084, 90033, 50057, 7000215] {
        assert!(!numbered("invalid_grant", number).dead, "{number}");
    }
    assert!(!numbered("interaction_required", 50173).dead);
}

#[test]
fn numbers_of_others_mean_nothing_and_a_description_alone_is_enough() {
    let body = json!({"error": "invalid_grant", "error_codes": [50196]}).to_string();
    let answer = HttpAnswer { status: 400, body: body.into_bytes(), ..HttpAnswer::default() };
    let refusal = token_refused(&provider(&generic()), &answer, NOW);
    assert_eq!(refusal.error.status, Status::Consent);
    let refusal = said(json!({"error": "invalid_grant", "error_description": "AADSTS50196: loop"}));
    assert_eq!(refusal.error.status, Status::Transient);
}

#[test]
fn suberrors_refine_and_claims_are_kept() {
    let of = |suberror: &str| said(json!({"error": "invalid_grant", "suberror": suberror})).error;
    assert_eq!(of("consent_required").cause, "consent.missing");
    assert_eq!(of("client_mismatch").status, Status::Config);
    assert_eq!(of("protection_policy_required").status, Status::Provider);
    assert_eq!(of("of_tomorrow").cause, "consent.revoked");
    let claims = r#"{"access_token":{"x":1}}"#;
    let refusal = said(json!({"error": "interaction_required", "claims": claims, "trace_id": "T-1",
        "error_description": "AADSTS50076: alice@contoso.example must"}));
    assert_eq!(refusal.claims.as_deref(), Some(claims));
    assert!(refusal.error.message.contains("trace T-1"));
    // The person's name is for the debug log only.
    assert!(!refusal.error.message.contains("alice"));
    assert!(refusal.description.contains("alice"));
}

fn pop(seen: PopRefusal<'_>) -> Error {
    pop_refusal(Some(&microsoft()), &seen)
}

const EXCHANGE: PopRefusal<'_> = PopRefusal {
    code: "",
    text: "Authentication failure: unknown user name or bad password.",
    sasl_status: "",
    auth_resp_code: false,
    closed: false,
    token_age_s: 5,
    token_length: 1800,
    scope_has_pop: true,
    worked_before: false,
};

#[test]
fn exchange_says_one_line_and_what_is_known_tells_which() {
    assert_eq!(pop(PopRefusal { scope_has_pop: false, ..EXCHANGE }).cause, "config.scope");
    assert_eq!(pop(EXCHANGE).cause, "mailbox.pop_off");
    assert_eq!(pop(PopRefusal { worked_before: true, ..EXCHANGE }).cause, "mailbox.refused_since");
    let broken = "Protocol error. Connection is closed. 10";
    let long = PopRefusal { text: broken, token_length: 5000, ..EXCHANGE };
    assert_eq!(pop(long).cause, "mailbox.token_too_long");
    assert_eq!(pop(PopRefusal { text: broken, ..EXCHANGE }).cause, "protocol.login");
    let closed = PopRefusal { text: "", closed: true, ..EXCHANGE };
    assert_eq!(pop(closed).status, Status::Transient);
    let down = PopRefusal { text: "Server Unavailable. 15", ..EXCHANGE };
    assert_eq!(pop(down).status, Status::Transient);
    let outlook = provider(&config(Profile::Outlook));
    assert!(pop_refusal(Some(&outlook), &EXCHANGE).advice.contains("Let devices and apps use POP"));
}

#[test]
fn response_codes_are_believed_and_trouble_is_never_a_lost_consent() {
    for (code, status) in [
        ("IN-USE", Status::Transient),
        ("in-use", Status::Transient),
        ("LOGIN-DELAY", Status::Transient),
        ("SYS/TEMP", Status::Transient),
        ("SYS/TEMP/LOAD", Status::Transient),
        ("SYS/PERM", Status::Policy),
    ] {
        let error = pop(PopRefusal { code, ..EXCHANGE });
        assert_eq!(error.status, status, "{code}");
        assert_eq!(error.provider_code, format!("[{code}]"));
    }
    let by_another = provider(&generic());
    let old = PopRefusal { code: "AUTH", token_age_s: 4000, ..EXCHANGE };
    assert_eq!(pop_refusal(Some(&by_another), &old).status, Status::Consent);
    let fresh = PopRefusal { token_age_s: 2, ..old };
    assert_eq!(pop_refusal(Some(&by_another), &fresh).status, Status::Policy);
    // RFC 3206 §6
    let unmarked = PopRefusal { code: "", auth_resp_code: true, ..old };
    assert_eq!(pop_refusal(Some(&by_another), &unmarked).status, Status::Transient);
    let gmail =
        PopRefusal { code: "SYS/PERM", text: "Your account is not enabled for POP access.", ..EXCHANGE };
    assert_eq!(pop_refusal(Some(&provider(&config(Profile::Google))), &gmail).cause, "mailbox.pop_off");
    assert_eq!(pop_refusal(None, &EXCHANGE).cause, "config.token_file");
}
