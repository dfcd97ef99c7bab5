//! Sign-in on another device (RFC 8628; PROTOCOL.md A.10, E.6): a code to type there, and what asking for its outcome
//! answers. Never the code's own secret in what people are shown.

use std::borrow::Cow;

use oauth2::{DeviceAuthorizationUrl, EmptyExtraDeviceAuthorizationFields, Scope};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::credential::Proof;
use super::diagnosis::{self, Refusal, printable};
use super::provider::Provider;
use super::token::{self, HttpAnswer, HttpRequest, Token, assertion, built, client, unreadable};
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::secret::{Secret, blacken};

/// What the provider gave to begin with.
#[derive(Debug)]
pub struct Begun {
    pub device_code: Secret,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    pub expires_in_s: u32,
    pub interval_s: u32,
    /// For the person, in the provider's words or ours.
    pub message: String,
}

/// What a poll said.
#[derive(Debug)]
pub enum Polled {
    /// The person has not finished yet.
    Pending,
    /// The same, and the interval grows (RFC 8628 §3.5).
    SlowDown,
    Token(Box<Token>),
}

/// RFC 8628 §3.2: where the provider does not say.
const INTERVAL_S: u32 = 5;
/// RFC 8628 §3.5
pub const SLOWER_BY_S: u32 = 5;
/// No provider is asked less often: its code would end unseen.
pub const SLOWEST_S: u32 = 120;
/// No code is worth waiting longer for.
const LONGEST_S: u32 = 3600;
/// Where it is missing, although RFC 8628 §3.2 requires it.
const USUAL_S: u32 = 900;

/// Asks for a code.
pub fn begin(provider: &Provider, proof: &Proof) -> Result<HttpRequest> {
    let Some(endpoint) = &provider.device_endpoint else {
        return Err(Error::new(
            Status::Config,
            "device.no_endpoint",
            format!("the provider {:?} knows no sign-in on another device", provider.id),
        )
        .advice("Sign in with a browser; or the operator names the provider's device_endpoint."));
    };
    let client = client(provider, proof)?
        .set_device_authorization_url(DeviceAuthorizationUrl::from_url(endpoint.clone()));
    let mut request =
        client.exchange_device_code().add_scopes(provider.scopes.iter().cloned().map(Scope::new));
    for (name, value) in assertion(proof) {
        request = request.add_extra_param(name, value);
    }
    built(|keep| drop(request.request::<_, EmptyExtraDeviceAuthorizationFields>(&keep)))
}

/// Reads the answer to `begin`.
pub fn read_begun(
    provider: &Provider,
    answer: &HttpAnswer,
    now: UnixTime,
) -> std::result::Result<Begun, Box<Refusal>> {
    if answer.status != 200 {
        return Err(diagnosis::token_refused(provider, answer, now));
    }
    if answer.truncated {
        return Err(unreadable("provider.too_long", "is longer than any answer with a code"));
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) else {
        return Err(unreadable("provider.not_json", "is no JSON object"));
    };
    if members.contains_key("error") {
        return Err(diagnosis::token_refused(provider, answer, now));
    }
    let device_code = word(&members, "device_code", 4096)?;
    let user_code = text(&members, "user_code", 64)?;
    // Google's name of it is older than the RFC.
    let name = if members.contains_key("verification_uri") { "verification_uri" } else { "verification_url" };
    let verification_uri = address(word(&members, name, 2048)?)?;
    let verification_uri_complete = match members.get("verification_uri_complete") {
        None | Some(Value::Null) => None,
        Some(_) => Some(address(word(&members, "verification_uri_complete", 2048)?)?),
    };
    let own_words = || {
        format!(
            "To sign in, open {verification_uri} in a browser on any device and enter the code {user_code}."
        )
    };
    let message = match members.get("message").and_then(Value::as_str) {
        Some(words) if !words.trim().is_empty() => printable(&blacken(words, [device_code.as_bytes()]), 1000),
        _ => own_words(),
    };
    Ok(Begun {
        expires_in_s: seconds(&members, "expires_in", USUAL_S)?.clamp(1, LONGEST_S),
        interval_s: seconds(&members, "interval", INTERVAL_S)?.clamp(1, SLOWEST_S),
        device_code: Secret::new(device_code.to_owned()),
        user_code: user_code.to_owned(),
        verification_uri,
        verification_uri_complete,
        message,
    })
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Asks once what came of it. The `oauth2` crate would ask in a loop of its own; so the request that differs in its
/// grant only is built, with the same client authentication, and given the device's.
pub fn poll(provider: &Provider, proof: &Proof, device_code: &Secret) -> Result<HttpRequest> {
    let client = client(provider, proof)?;
    let mut asking =
        client.exchange_client_credentials().add_extra_param("device_code", device_code.expose());
    for (name, value) in assertion(proof) {
        asking = asking.add_extra_param(name, value);
    }
    let mut request = built(|keep| drop(asking.request(&keep)))?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(request.body()) {
        let value = if name == "grant_type" { Cow::Borrowed(GRANT_TYPE) } else { value };
        form.append_pair(&name, &value);
    }
    *request.body_mut() = form.finish().into_bytes();
    Ok(request)
}

/// Reads the answer to `poll`: RFC 8628 §3.5, and Microsoft's names for the same.
pub fn read_polled(
    provider: &Provider,
    answer: &HttpAnswer,
    now: UnixTime,
) -> std::result::Result<Polled, Box<Refusal>> {
    let members = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(members)) if !answer.truncated => members,
        _ => Map::new(),
    };
    let error = members.get("error").and_then(Value::as_str).unwrap_or_default();
    let is_answer = (400..500).contains(&answer.status) && answer.status != 429;
    match error {
        "authorization_pending" if is_answer => return Ok(Polled::Pending),
        "slow_down" if is_answer || answer.status == 429 => return Ok(Polled::SlowDown),
        _ => {}
    }
    let refusal = match token::read_token(provider, answer, &provider.scope(), now) {
        Ok(token) => return Ok(Polled::Token(Box::new(token))),
        Err(refusal) => refusal,
    };
    Err(match error {
        "expired_token" if is_answer => over(*refusal, "device.expired", EXPIRED),
        // A number that tells more stands (a policy of the organisation).
        "bad_verification_code" | "invalid_grant" if is_answer && is_about_the_code(&refusal) => over(
            *refusal,
            "device.code",
            "The provider does not take this code any more. Please begin again.",
        ),
        _ => refusal,
    })
}

/// Nobody finished in time.
pub fn expired() -> Error {
    Error::new(Status::Callback, "device.expired", "nobody entered the code in time").advice(EXPIRED)
}

const EXPIRED: &str = "The code was not entered in time. Please begin again.";

fn is_about_the_code(refusal: &Refusal) -> bool {
    matches!(
        refusal.error.cause,
        "consent.revoked" | "consent.expired" | "consent.device_code" | "consent.invalid"
    )
}

fn over(refusal: Refusal, cause: &'static str, advice: &str) -> Box<Refusal> {
    let error = Error { status: Status::Callback, cause, advice: advice.into(), ..refusal.error };
    Box::new(Refusal { error, dead: false, ..refusal })
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    most: usize,
) -> std::result::Result<&'a str, Box<Refusal>> {
    let text = members.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_shown = |c: char| !c.is_control();
    if !text.is_empty() && text.len() <= most && text.chars().all(is_shown) {
        return Ok(text);
    }
    Err(unreadable("provider.device_answer", &format!("holds no usable {name}")))
}

fn word<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    most: usize,
) -> std::result::Result<&'a str, Box<Refusal>> {
    let word = text(members, name, most)?;
    if word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(word);
    }
    Err(unreadable("provider.device_answer", &format!("holds no usable {name}")))
}

/// A person is told to go there.
fn address(text: &str) -> std::result::Result<String, Box<Refusal>> {
    let is_https = Url::parse(text)
        .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty());
    if is_https {
        return Ok(text.to_owned());
    }
    Err(unreadable("provider.device_answer", "names an address to sign in at that is not https"))
}

/// A number, or a number as text.
fn seconds(members: &Map<String, Value>, name: &str, default: u32) -> std::result::Result<u32, Box<Refusal>> {
    let seconds = match members.get(name) {
        None | Some(Value::Null) => return Ok(default),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(_) => None,
    };
    match seconds {
        // Saturates.
        Some(seconds) if seconds >= 0.0 => Ok(seconds as u32),
        _ => Err(unreadable("provider.device_answer", &format!("has no number of seconds as {name}"))),
    }
}
