//! The token endpoint (RFC 6749 §4.1.3 and §6, RFC 7636 §4.6), revocation and introspection.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded::parse;

use super::faults::OAuthError;
use super::jwt::{Subject, encode, id_token};
use super::reply::Reply;
use super::server::Shared;
use super::settings::{Rotation, Settings};
use super::state::{Grant, Shown, random};
use super::{assertion, device};

/// A form as posted; a member that stands twice is refused by whoever asks for it.
pub(super) struct Form {
    members: HashMap<String, String>,
    pub doubled: bool,
}

impl Form {
    pub fn read(body: &[u8]) -> Form {
        let mut form = Form { members: HashMap::new(), doubled: false };
        for (name, value) in parse(body) {
            form.doubled |= form.members.insert(name.into_owned(), value.into_owned()).is_some();
        }
        form
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.members.get(name).map(String::as_str)
    }
}

/// What only this provider may be told.
pub(super) const CONFIDENTIAL: [&str; 6] =
    ["client_secret", "client_assertion", "code", "code_verifier", "device_code", "refresh_token"];

/// RFC 8628 §3.4
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn note_secrets(shared: &Shared, form: &Form) {
    for name in CONFIDENTIAL {
        if let Some(secret) = form.get(name) {
            shared.journal.shown(secret);
        }
    }
}

/// POST on the device authorization endpoint.
pub(super) fn device(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    form: &Form,
    headers: &HeaderMap,
) -> Reply {
    note_secrets(shared, form);
    match authenticate(shared, settings, segment, form, headers) {
        Ok(client) => device::begin(shared, settings, form, &client),
        Err(error) => Reply::error(&error),
    }
}

/// POST on the token endpoint.
pub(super) fn token(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    form: &Form,
    headers: &HeaderMap,
) -> Reply {
    note_secrets(shared, form);
    let grant_type = form.get("grant_type").unwrap_or_default();
    let answer = if form.doubled {
        Err(OAuthError::new("invalid_request").description("a parameter stands twice"))
    } else {
        authenticate(shared, settings, segment, form, headers).and_then(|client| match grant_type {
            "authorization_code" => by_code(shared, settings, segment, form, &client),
            "refresh_token" => by_refresh(shared, settings, form, &client),
            "client_credentials" => of_application(shared, settings, segment, form),
            DEVICE_GRANT => by_device_code(shared, settings, form, &client),
            _ => Err(OAuthError::new("unsupported_grant_type")),
        })
    };
    match answer {
        Ok(body) => {
            let grant_type = if grant_type == DEVICE_GRANT { "device_code" } else { grant_type };
            shared.journal.counted(&format!("{grant_type}/ok"));
            Reply::json(StatusCode::OK, &body).header("cache-control", "no-store")
        }
        Err(error) => Reply::error(&error),
    }
}

/// RFC 7009: 200 for unknown tokens too.
pub(super) fn revoke(shared: &Shared, form: &Form) -> Reply {
    if let Some(token) = form.get("token") {
        shared.journal.shown(token);
        let all = shared.settings().revokes_all;
        shared.state.lock().revoke(token, all, &shared.tokens);
    }
    Reply::json(StatusCode::OK, &json!({}))
}

/// RFC 7662, as Dovecot asks.
pub(super) fn introspect(shared: &Shared, token: &str) -> Reply {
    let body = match shared.tokens.look_up(token) {
        Some((user, scope)) => json!({ "active": true, "username": user, "email": user, "scope": scope }),
        None => json!({ "active": false }),
    };
    Reply::json(StatusCode::OK, &body)
}

/// RFC 6749 §2.3.1: Basic with both parts form-encoded, or in the body, not both.
fn authenticate(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    form: &Form,
    headers: &HeaderMap,
) -> Result<String, OAuthError> {
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic ")).and_then(|value| {
        let text = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((form_decoded(id), form_decoded(secret)))
    });
    let method = if basic.is_some() { "client_secret_basic" } else { "client_secret_post" };
    let (id, secret) = match (basic, form.get("client_secret")) {
        (Some(_), Some(_)) => {
            shared.journal.violation("client authentication twice in one request");
            return Err(OAuthError::new("invalid_request"));
        }
        (Some((id, secret)), None) => {
            shared.journal.shown(&secret);
            (id, Some(secret))
        }
        (None, secret) => (form.get("client_id").unwrap_or_default().to_owned(), secret.map(str::to_owned)),
    };
    let wrong = |number: u64| match settings.entra_tenant {
        Some(_) => OAuthError::aadsts(number),
        None => OAuthError::new("invalid_client"),
    };
    let client = settings.clients.get(&id).ok_or_else(|| wrong(700_016))?;
    if let Some(assertion) = form.get("client_assertion") {
        if secret.is_some() || form.get("client_assertion_type") != Some(assertion::JWT_BEARER) {
            shared.journal.violation("client authentication twice, or an assertion without its type");
            return Err(OAuthError::new("invalid_request"));
        }
        let audience = format!("{}/token", shared.endpoints(settings, segment));
        let expected =
            assertion::Expected { client: &id, audience: &audience, certificates: &client.certificates };
        let jti = assertion::verify(assertion, &expected).map_err(|why| {
            shared.journal.line(format!("assertion refused: {why:?}"));
            wrong(why.number())
        })?;
        if !shared.state.lock().assertions.insert(jti) {
            shared.journal.violation("an assertion was shown twice");
            return Err(wrong(50_013));
        }
        shared.journal.counted("private_key_jwt");
        return Ok(id);
    }
    match secret {
        None if client.secrets.is_empty() && client.certificates.is_empty() => Ok(id),
        None => Err(wrong(7_000_218)),
        Some(_) if client.secrets.is_empty() => Err(wrong(700_025)),
        Some(secret) if client.secrets.contains(&secret) => {
            shared.journal.counted(method);
            Ok(id)
        }
        Some(_) => Err(wrong(7_000_215)),
    }
}

fn by_code(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    form: &Form,
    client: &str,
) -> Result<Value, OAuthError> {
    let grant_error = |number: u64| match settings.entra_tenant {
        Some(_) => OAuthError { error: "invalid_grant".to_owned(), ..OAuthError::aadsts(number) },
        None => OAuthError::new("invalid_grant"),
    };
    let shown = form.get("code").ok_or_else(|| OAuthError::new("invalid_request"))?;
    let mut state = shared.state.lock();
    let code = match state.redeem(shown, client, &shared.tokens) {
        Shown::Good(code) => code,
        Shown::Dead => {
            shared.journal.violation("a code was shown twice, or by another client");
            return Err(grant_error(54_005));
        }
        Shown::Unknown => return Err(grant_error(70_008)),
    };
    if form.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(grant_error(50_011));
    }
    if code.segment != segment {
        return Err(grant_error(700_005));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier").unwrap_or_default();
        let long_enough = (43..=128).contains(&verifier.len());
        if !long_enough || encode(digest(&SHA256, verifier.as_bytes()).as_ref()) != *challenge {
            return Err(grant_error(501_481));
        }
    }
    let family = state.begin(shown, code.grant.clone());
    let scope = form.get("scope").unwrap_or(&code.grant.scope).to_owned();
    let access = state.new_access(&shared.journal, settings, &shared.tokens, family, &scope);
    let refresh = (code.grant.offline && !settings.omit_refresh_token)
        .then(|| state.new_refresh(&shared.journal, settings, family));
    drop(state);
    let id = issue_id_token(shared, settings, &code.grant);
    Ok(answer(settings, &scope, access, refresh, id))
}

fn by_device_code(
    shared: &Shared,
    settings: &Settings,
    form: &Form,
    client: &str,
) -> Result<Value, OAuthError> {
    let shown = form.get("device_code").ok_or_else(|| OAuthError::new("invalid_request"))?;
    let mut state = shared.state.lock();
    let entra = settings.entra_tenant.is_some();
    let grant = state.devices.redeem(&shared.journal, shown, client, entra)?;
    let family = state.begin(shown, grant.clone());
    let access = state.new_access(&shared.journal, settings, &shared.tokens, family, &grant.scope);
    let refresh = (grant.offline && !settings.omit_refresh_token)
        .then(|| state.new_refresh(&shared.journal, settings, family));
    drop(state);
    let id = issue_id_token(shared, settings, &grant);
    Ok(answer(settings, &grant.scope, access, refresh, id))
}

/// RFC 6749 §4.4; as Entra, on one tenant's segment and for `.default` only.
fn of_application(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    form: &Form,
) -> Result<Value, OAuthError> {
    let scope = form.get("scope").unwrap_or_default();
    if settings.entra_tenant.is_some() {
        if ["common", "organizations", "consumers"].contains(&segment) {
            return Err(OAuthError { error: "invalid_request".to_owned(), ..OAuthError::aadsts(9_001_023) });
        }
        if !scope.ends_with("/.default") {
            return Err(OAuthError::aadsts(70_011));
        }
    }
    let token = random("app-");
    shared.journal.issued(&token);
    shared.tokens.accept_for_all(&token, &settings.app_mailboxes, scope, settings.token_lifetime);
    let mut body = answer(settings, scope, token, None, None);
    // RFC 6749 §5.1 lets it be left out, as Entra does here.
    if let (Some(_), Some(members)) = (&settings.entra_tenant, body.as_object_mut()) {
        members.remove("scope");
    }
    Ok(body)
}

fn by_refresh(shared: &Shared, settings: &Settings, form: &Form, client: &str) -> Result<Value, OAuthError> {
    let shown = form.get("refresh_token").ok_or_else(|| OAuthError::new("invalid_request"))?;
    let mut state = shared.state.lock();
    let (family, grant) = match state.refresh(shown, client, settings, &shared.tokens) {
        Shown::Good(good) => good,
        Shown::Dead | Shown::Unknown if settings.entra_tenant.is_some() => {
            return Err(OAuthError::aadsts(50_173));
        }
        Shown::Dead | Shown::Unknown => {
            return Err(OAuthError::new("invalid_grant").description("Token has been expired or revoked."));
        }
    };
    let scope = form.get("scope").unwrap_or(&grant.scope).to_owned();
    let access = state.new_access(&shared.journal, settings, &shared.tokens, family, &scope);
    let rotates = settings.rotation != Rotation::None && !settings.omit_refresh_token;
    let refresh = rotates.then(|| state.new_refresh(&shared.journal, settings, family));
    drop(state);
    // OIDC Core §12.2: an id_token of a refresh carries no nonce.
    let id = issue_id_token(shared, settings, &Grant { nonce: None, ..grant });
    Ok(answer(settings, &scope, access, refresh, id))
}

fn issue_id_token(shared: &Shared, settings: &Settings, grant: &Grant) -> Option<String> {
    if !grant.scope.split(' ').any(|scope| scope == "openid") {
        return None;
    }
    let user = settings.user(&grant.user);
    let tenant = settings.entra_tenant.as_ref().map(|own| user.tid.clone().unwrap_or_else(|| own.clone()));
    let issuer = shared.issuer_for(settings, &user);
    let subject = Subject {
        issuer: &issuer,
        client: &grant.client,
        user: &user,
        tenant: tenant.as_deref(),
        nonce: grant.nonce.as_deref(),
    };
    let token = id_token(&shared.keys, settings, &subject)?;
    shared.journal.issued(&token);
    Some(token)
}

fn answer(
    settings: &Settings,
    scope: &str,
    access: String,
    refresh: Option<String>,
    id: Option<String>,
) -> Value {
    let lifetime = settings.token_lifetime.as_secs();
    let mut body = json!({ "access_token": access, "token_type": settings.token_type });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    let seconds = if settings.expires_in_as_text { json!(lifetime.to_string()) } else { json!(lifetime) };
    put("expires_in", (!settings.omit_expires_in).then_some(seconds));
    let scope = settings.scope.clone().unwrap_or_else(|| {
        scope.split(' ').filter(|one| *one != "offline_access").collect::<Vec<_>>().join(" ")
    });
    put("scope", (!settings.omit_scope).then(|| scope.into()));
    put("refresh_token", refresh.map(Value::from));
    put("id_token", id.map(Value::from));
    if settings.entra_tenant.is_some() {
        put("ext_expires_in", Some(lifetime.into()));
    }
    body
}

fn form_decoded(text: &str) -> String {
    parse(format!("x={text}").as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
