//! Requests to the token endpoint and what its answers say (RFC 6749 §4.1.3, §5, §6; PROTOCOL.md A.7, E 5 to E 8).

use std::cell::RefCell;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, HttpResponse, PkceCodeVerifier, RedirectUrl,
    RefreshToken, Scope, TokenUrl,
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::assertion::JWT_BEARER;
use super::credential::Proof;
use super::diagnosis::{self, Refusal};
use super::provider::{ClientAuthentication, Provider};
use super::retry_after;
use super::table;
use crate::error::{Error, Result};
use crate::model::UnixTime;
use crate::secret::Secret;

/// As the `oauth2` crate builds it.
pub type HttpRequest = oauth2::HttpRequest;

/// An answer of any status.
#[derive(Debug, Default)]
pub struct HttpAnswer {
    pub status: u16,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    pub date: Option<String>,
    pub body: Vec<u8>,
    /// The body was longer than what is read of one.
    pub truncated: bool,
    /// The request was a refresh: the same registration and person worked before.
    pub renewing: bool,
    /// What the request told in confidence: never repeated from the answer.
    pub confided: Vec<Secret>,
}

/// Parameters of a request that are nobody's but the provider's.
const CONFIDENTIAL: [&str; 7] =
    ["client_secret", "client_assertion", "code", "code_verifier", "device_code", "refresh_token", "token"];

pub fn is_refresh(request: &HttpRequest) -> bool {
    form_urlencoded::parse(request.body())
        .any(|(name, value)| name == "grant_type" && value == "refresh_token")
}

/// The secrets of a request, plain and as they are written there.
pub fn confided(request: &HttpRequest) -> Vec<Secret> {
    let body = String::from_utf8_lossy(request.body());
    let mut secrets: Vec<Secret> = form_urlencoded::parse(body.as_bytes())
        .filter(|(name, _)| CONFIDENTIAL.contains(&name.as_ref()))
        .flat_map(|(_, value)| written_and_plain(value.into_owned()))
        .collect();
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if let Some(basic) = header.and_then(|value| value.strip_prefix("Basic ")) {
        let pair = STANDARD.decode(basic).unwrap_or_default();
        let pair = String::from_utf8_lossy(&pair);
        // RFC 6749 §2.3.1: written as in a form.
        let client_secret = pair.split_once(':').map(|(_, secret)| format!("secret={secret}"));
        let plain = client_secret.iter().flat_map(|pair| form_urlencoded::parse(pair.as_bytes()));
        secrets.extend(plain.flat_map(|(_, value)| written_and_plain(value.into_owned())));
        secrets.push(Secret::new(basic.to_owned()));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

fn written_and_plain(plain: String) -> [Secret; 2] {
    let written = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
    [Secret::new(written), Secret::new(plain)]
}

/// A good answer.
#[derive(Debug)]
pub struct Token {
    pub access_token: Secret,
    /// None: keep the old one (RFC 6749 §6).
    pub refresh_token: Option<Secret>,
    pub id_token: Option<Secret>,
    pub scope: String,
    pub expires_at: UnixTime,
    /// When to get the next one, before this one expires.
    pub renew_at: UnixTime,
    /// How far this machine's clock is ahead of the provider's; 0 where it told no time.
    pub skew_s: i64,
}

/// Redeems a code, once, with the redirect URI it was asked with.
pub fn redeem(
    provider: &Provider,
    proof: &Proof,
    code: &Secret,
    verifier: &Secret,
    redirect_uri: &str,
) -> Result<HttpRequest> {
    let redirect_uri = RedirectUrl::new(redirect_uri.to_owned())
        .map_err(|e| Error::bug(format!("a proved redirect URI does not parse: {e}")))?;
    let client = client(provider, proof)?.set_redirect_uri(redirect_uri);
    let mut request = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
        .add_extra_param("scope", provider.scope());
    for (name, value) in assertion(proof) {
        request = request.add_extra_param(name, value);
    }
    built(|keep| drop(request.request(&keep)))
}

/// Asks for a new access token.
pub fn refresh(provider: &Provider, proof: &Proof, refresh_token: &Secret) -> Result<HttpRequest> {
    let client = client(provider, proof)?;
    let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
    let mut request = client
        .exchange_refresh_token(&refresh_token)
        .add_scopes(provider.scopes.iter().cloned().map(Scope::new));
    for (name, value) in assertion(proof) {
        request = request.add_extra_param(name, value);
    }
    built(|keep| drop(request.request(&keep)))
}

/// Asks for a token of the application itself (RFC 6749 §4.4.2).
pub fn of_application(provider: &Provider, proof: &Proof, scope: &str) -> Result<HttpRequest> {
    let client = client(provider, proof)?;
    let mut request = client.exchange_client_credentials().add_scope(Scope::new(scope.to_owned()));
    for (name, value) in assertion(proof) {
        request = request.add_extra_param(name, value);
    }
    built(|keep| drop(request.request(&keep)))
}

/// Reads the answer to a request for `requested` scopes.
pub fn read_token(
    provider: &Provider,
    answer: &HttpAnswer,
    requested: &str,
    now: UnixTime,
) -> std::result::Result<Token, Box<Refusal>> {
    let token = read_any_token(provider, answer, requested, now)?;
    let scope = &token.scope;
    if !provider.grants_pop(scope) || (provider.profile.is_microsoft() && table::is_for_graph(scope)) {
        return Err(keeping(Refusal::from(diagnosis::pop_not_granted(provider, scope)), token.refresh_token));
    }
    Ok(token)
}

/// The same where no scope tells what the token is good for: an application's own.
pub fn read_any_token(
    provider: &Provider,
    answer: &HttpAnswer,
    requested: &str,
    now: UnixTime,
) -> std::result::Result<Token, Box<Refusal>> {
    if answer.status != 200 {
        return Err(diagnosis::token_refused(provider, answer, now));
    }
    if answer.truncated {
        return Err(unreadable("provider.too_long", "is longer than any token answer"));
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) else {
        return Err(unreadable("provider.not_json", "is no JSON object"));
    };
    if members.contains_key("error") {
        return Err(diagnosis::token_refused(provider, answer, now));
    }
    let refresh_token = secret(&members, "refresh_token")?;
    match read_members(&members, requested) {
        Ok(read) => Ok(Token {
            access_token: read.access_token,
            refresh_token,
            id_token: read.id_token,
            scope: read.scope,
            expires_at: now + read.lifetime_s,
            renew_at: now + read.lifetime_s - margin(read.lifetime_s),
            skew_s: retry_after::skew_s(answer, now),
        }),
        // Whatever else it says, it may have taken the old one back.
        Err(refusal) => Err(keeping(*refusal, refresh_token)),
    }
}

fn keeping(refusal: Refusal, rotated: Option<Secret>) -> Box<Refusal> {
    Box::new(Refusal { rotated, ..refusal })
}

struct Read {
    access_token: Secret,
    id_token: Option<Secret>,
    scope: String,
    lifetime_s: u64,
}

fn read_members(members: &Map<String, Value>, requested: &str) -> std::result::Result<Read, Box<Refusal>> {
    let Some(access_token) = secret(members, "access_token")? else {
        return Err(unreadable("provider.no_token", "holds no access_token"));
    };
    if !access_token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unreadable("provider.bad_token", "holds an access_token no line could carry"));
    }
    match text(members, "token_type")? {
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
        _ => return Err(unreadable("provider.token_type", "is for no bearer token")),
    }
    let scope = match text(members, "scope")? {
        // RFC 6749 §5.1: absent means as asked.
        None | Some("") => requested.to_owned(),
        Some(scope) => scope.to_owned(),
    };
    Ok(Read { access_token, scope, lifetime_s: lifetime(members)?, id_token: secret(members, "id_token")? })
}

/// Where `expires_in` is missing (RFC 6749 §5.1 only recommends it).
const USUAL_LIFETIME_S: u64 = 3600;
/// No promise of a longer life is believed.
const LONGEST_LIFETIME_S: u64 = 366 * 86_400;

/// A number, or a number as text.
fn lifetime(members: &Map<String, Value>) -> std::result::Result<u64, Box<Refusal>> {
    let seconds = match members.get("expires_in") {
        None | Some(Value::Null) => return Ok(USUAL_LIFETIME_S),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(_) => None,
    };
    match seconds {
        Some(seconds) if seconds >= 0.0 => Ok((seconds as u64).min(LONGEST_LIFETIME_S)),
        _ => Err(unreadable("provider.expires_in", "has an expires_in that is no number of seconds")),
    }
}

/// How long before its end a token is renewed: five minutes or a tenth, but a quarter of one that lives shortly.
fn margin(lifetime: u64) -> u64 {
    if lifetime < 600 { lifetime / 4 } else { (lifetime / 10).max(300) }
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> std::result::Result<Option<&'a str>, Box<Refusal>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(unreadable("provider.member_type", &format!("has a member {name} that is no text"))),
    }
}

fn secret(members: &Map<String, Value>, name: &str) -> std::result::Result<Option<Secret>, Box<Refusal>> {
    Ok(text(members, name)?.filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned())))
}

/// The endpoint answers 200 with something that is no token: not our peer, or not the peer that was meant.
pub(super) fn unreadable(cause: &'static str, what: &str) -> Box<Refusal> {
    diagnosis::no_endpoint_of_ours(cause, format!("the token endpoint's answer {what}")).into()
}

pub(super) type Client = BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

pub(super) fn client(provider: &Provider, proof: &Proof) -> Result<Client> {
    let client = BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_token_uri(TokenUrl::from_url(provider.token_endpoint()?.clone()));
    Ok(match proof {
        Proof::Secret(secret, how) => {
            client.set_client_secret(ClientSecret::new(secret.expose().to_owned())).set_auth_type(match how {
                ClientAuthentication::SecretPost => AuthType::RequestBody,
                ClientAuthentication::SecretBasic => AuthType::BasicAuth,
            })
        }
        // `assertion` follows in the body, where the client's id stands too.
        Proof::Assertion(_) => client.set_auth_type(AuthType::RequestBody),
    })
}

/// The parameters an assertion is sent by.
pub(super) fn assertion(proof: &Proof) -> impl Iterator<Item = (&'static str, &str)> {
    let assertion = match proof {
        Proof::Secret(..) => None,
        Proof::Assertion(assertion) => Some(assertion.expose()),
    };
    assertion.into_iter().flat_map(|text| [("client_assertion_type", JWT_BEARER), ("client_assertion", text)])
}

/// The `oauth2` crate hands a finished request to its HTTP client; this one keeps it instead of sending it.
pub(super) fn built(
    build: impl FnOnce(&dyn Fn(HttpRequest) -> std::result::Result<HttpResponse, Kept>),
) -> Result<HttpRequest> {
    let kept = RefCell::new(None);
    build(&|request| {
        *kept.borrow_mut() = Some(request);
        Err(Kept)
    });
    kept.into_inner().ok_or_else(|| Error::bug("the token request could not be built"))
}

#[derive(Debug)]
pub(super) struct Kept;

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kept, not sent")
    }
}

impl std::error::Error for Kept {}
