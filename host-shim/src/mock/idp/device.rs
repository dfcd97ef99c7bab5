//! Device authorization (RFC 8628), and the page a person enters the code on.

use std::collections::HashMap;

use http::{HeaderMap, StatusCode};
use serde_json::json;
use url::form_urlencoded::parse;

use super::faults::OAuthError;
use super::journal::Journal;
use super::reply::Reply;
use super::server::Shared;
use super::settings::Settings;
use super::state::{Grant, random};
use super::token::Form;

/// Codes given out, by device code.
#[derive(Default)]
pub(super) struct Codes(HashMap<String, Entry>);

struct Entry {
    user_code: String,
    client: String,
    scope: String,
    decision: Decision,
}

enum Decision {
    Open,
    Allowed(String),
    Declined,
    /// Redeemed, or of no more use.
    Over,
}

impl Codes {
    fn add(&mut self, journal: &Journal, client: &str, scope: &str) -> (String, String) {
        let device_code = random("device-");
        journal.issued(&device_code);
        let user_code = random("")[..8].to_ascii_uppercase();
        let entry = Entry {
            user_code: user_code.clone(),
            client: client.to_owned(),
            scope: scope.to_owned(),
            decision: Decision::Open,
        };
        self.0.insert(device_code.clone(), entry);
        (device_code, user_code)
    }

    /// What a person decided, at the code he entered.
    fn decide(&mut self, user_code: &str, decision: Decision) -> bool {
        let mut open = self.0.values_mut().filter(|entry| matches!(entry.decision, Decision::Open));
        let entry = open.find(|entry| entry.user_code.eq_ignore_ascii_case(user_code));
        entry.map(|entry| entry.decision = decision).is_some()
    }

    /// Nobody may finish any more.
    pub fn expire(&mut self) {
        self.0.values_mut().for_each(|entry| entry.decision = Decision::Over);
    }

    /// RFC 8628 §3.5: what was granted, once; the errors by Microsoft's names where it is Entra.
    pub fn redeem(
        &mut self,
        journal: &Journal,
        device_code: &str,
        client: &str,
        entra: bool,
    ) -> Result<Grant, OAuthError> {
        let named = |rfc, microsoft| OAuthError::new(if entra { microsoft } else { rfc });
        let Some(entry) = self.0.get_mut(device_code).filter(|entry| entry.client == client) else {
            return Err(named("invalid_grant", "bad_verification_code"));
        };
        match &entry.decision {
            Decision::Open => Err(OAuthError::new("authorization_pending")),
            Decision::Declined => Err(named("access_denied", "authorization_declined")),
            Decision::Over => {
                journal.violation("a device code was shown after it was over");
                Err(OAuthError::new("expired_token"))
            }
            Decision::Allowed(user) => {
                let offline = entry.scope.split(' ').any(|scope| scope == "offline_access");
                let grant = Grant {
                    user: user.clone(),
                    client: client.to_owned(),
                    scope: entry.scope.clone(),
                    nonce: None,
                    offline,
                };
                entry.decision = Decision::Over;
                Ok(grant)
            }
        }
    }
}

/// POST on the device authorization endpoint, by an authenticated client.
pub(super) fn begin(shared: &Shared, settings: &Settings, form: &Form, client: &str) -> Reply {
    let scope = form.get("scope").unwrap_or_default();
    let (device_code, user_code) = shared.state.lock().devices.add(&shared.journal, client, scope);
    let page = format!("{}/device", shared.base);
    let mut body = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "expires_in": settings.device_lifetime.as_secs(),
        "interval": settings.device_interval.as_secs(),
    });
    if settings.entra_tenant.is_some() {
        let words =
            format!("To sign in, use a web browser to open the page {page} and enter the code {user_code}.");
        body["message"] = words.into();
    } else {
        body["verification_uri_complete"] = format!("{page}?user_code={user_code}").into();
    }
    Reply::json(StatusCode::OK, &body)
}

/// GET on the page: who is signed in there allows or refuses.
pub(super) fn page(shared: &Shared, settings: &Settings, query: &str, headers: &HeaderMap) -> Reply {
    let asked: HashMap<String, String> = parse(query.as_bytes()).into_owned().collect();
    let user_code = asked.get("user_code").map(String::as_str).unwrap_or_default();
    let decision = match asked.get("mock_decision").map(String::as_str) {
        Some("allow") => Decision::Allowed(super::authorize::signed_in(settings, headers, None)),
        Some("deny") => Decision::Declined,
        _ => return Reply::page(StatusCode::OK, PAGE),
    };
    if shared.state.lock().devices.decide(user_code, decision) {
        Reply::page(StatusCode::OK, "<p>You may close this page.</p>")
    } else {
        Reply::page(StatusCode::BAD_REQUEST, "<p>This code is not known.</p>")
    }
}

const PAGE: &str = "<h1>Mock sign-in on another device</h1><form>Code: <input name=\"user_code\"> \
                    <button name=\"mock_decision\" value=\"allow\">Allow</button> \
                    <button name=\"mock_decision\" value=\"deny\">Refuse</button></form>";
