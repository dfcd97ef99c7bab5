//! Where a provider's endpoints are, by its issuer alone (OpenID Connect Discovery §4, RFC 8414 §3; PROTOCOL.md E.4).
//!
//! The answer is believed for what it says of its own issuer, byte for byte, and for https addresses; never for who
//! the provider is, and never where the operator said something himself.

use serde_json::{Map, Value};
use url::Url;

use super::diagnosis::OPERATOR;
use super::provider::{ClientAuthentication, IssuerRule, Provider};
use super::rules::address;
use super::token::{HttpAnswer, HttpRequest};
use crate::error::{Error, Result, Status};

/// The addresses of its metadata, in the order they are asked: OpenID Connect's form, then RFC 8414's.
pub fn addresses(provider: &Provider) -> Result<[Url; 2]> {
    let IssuerRule::Exact(issuer) = &provider.issuer else {
        return Err(Error::bug("only a provider with an issuer of its own is discovered"));
    };
    let parse = |text: &str| Url::parse(text).map_err(|e| Error::bug(format!("a proved issuer: {e}")));
    let issuer = parse(issuer)?;
    // §4.1, §3.1: a slash at its end is left out.
    let path = issuer.path().trim_end_matches('/').to_owned();
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url
    };
    Ok([
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ])
}

pub fn request(address: &Url) -> Result<HttpRequest> {
    oauth2::http::Request::get(address.as_str())
        .header("accept", "application/json")
        .body(Vec::new())
        .map_err(|e| Error::bug(format!("a request for metadata: {e}")))
}

/// Whether the metadata may stand at the other address.
pub fn is_absent(answer: &HttpAnswer) -> bool {
    matches!(answer.status, 400 | 401 | 403..=405 | 410)
}

/// The provider with what its metadata says, where the operator said nothing.
pub fn read(provider: &Provider, answer: &HttpAnswer) -> Result<Provider> {
    let members = members(answer)?;
    let issuer = text(&members, "issuer")?;
    if issuer != Some(provider.issuer_text().as_str()) {
        return lies(
            "provider.other_issuer",
            "names another issuer than the one configured; both must be the same to the byte, a slash at the end \
             included",
        );
    }
    let methods = list(&members, "code_challenge_methods_supported")?;
    if methods.is_some_and(|methods| !methods.contains(&"S256")) {
        return lies("provider.no_pkce", "does not list S256 among the code challenges (RFC 7636)");
    }
    let found = |name: &str| match text(&members, name)?.map(address) {
        None => Ok(None),
        Some(Ok(url)) => Ok(Some(url)),
        Some(Err(why)) => lies("provider.endpoint", format!("names a {name} that {why}")),
    };
    let needed = |own: &Option<Url>, name: &str| match own {
        Some(own) => Ok(own.clone()),
        None => match found(name)? {
            Some(url) => Ok(url),
            None => lies("provider.endpoint", format!("names no {name}")),
        },
    };
    let mut provider = Provider {
        authorize_endpoint: Some(needed(&provider.authorize_endpoint, "authorization_endpoint")?),
        token_endpoint: Some(needed(&provider.token_endpoint, "token_endpoint")?),
        ..provider.clone()
    };
    if provider.revocation_endpoint.is_none() {
        provider.revocation_endpoint = found("revocation_endpoint")?;
    }
    if provider.device_endpoint.is_none() {
        // RFC 8628 §4
        provider.device_endpoint = found("device_authorization_endpoint")?;
    }
    if !provider.authentication_stated {
        let methods = list(&members, "token_endpoint_auth_methods_supported")?;
        provider.client_authentication = authentication(methods.as_deref(), &provider)?;
    }
    // RFC 9207 §3
    const TELLS_ISSUER: &str = "authorization_response_iss_parameter_supported";
    provider.answers_with_issuer = match members.get(TELLS_ISSUER) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(tells)) => *tells,
        Some(_) => {
            return lies("provider.member_type", format!("has a member {TELLS_ISSUER} that is no boolean"));
        }
    };
    Ok(provider)
}

/// RFC 8414 §2: none listed means `client_secret_basic`.
fn authentication(listed: Option<&[&str]>, provider: &Provider) -> Result<ClientAuthentication> {
    let Some(listed) = listed else {
        return Ok(ClientAuthentication::SecretBasic);
    };
    if listed.contains(&"client_secret_basic") {
        return Ok(ClientAuthentication::SecretBasic);
    }
    let only_certificates = provider.credentials.iter().all(|credential| credential.is_certificate());
    if listed.contains(&"client_secret_post") || only_certificates {
        return Ok(ClientAuthentication::SecretPost);
    }
    lies(
        "provider.authentication",
        "lists neither client_secret_basic nor client_secret_post; name a certificate_file, or set \
         client_authentication if the metadata is wrong",
    )
}

fn members(answer: &HttpAnswer) -> Result<Map<String, Value>> {
    match answer.status {
        200 => {}
        408 | 429 | 500.. => {
            let what = format!("the issuer's metadata cannot be had now (HTTP {})", answer.status);
            return Err(Error::new(Status::Transient, "provider.trouble", what)
                .advice("multipop tries again by itself; nothing needs to be done."));
        }
        300..=399 => {
            return lies("provider.redirect", "is answered with a redirect, which is never followed");
        }
        status => return lies("provider.no_metadata", format!("is not there (HTTP {status})")),
    }
    if answer.truncated {
        return lies("provider.too_long", "is longer than any metadata");
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => lies("provider.not_json", "is no JSON object"),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => lies("provider.member_type", format!("has a member {name} that is no text")),
    }
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(all)) => Ok(Some(all.iter().filter_map(Value::as_str).collect())),
        Some(_) => lies("provider.member_type", format!("has a member {name} that is no list")),
    }
}

fn lies<T>(cause: &'static str, what: impl AsRef<str>) -> Result<T> {
    let seen = format!("the metadata of the provider's issuer {}", what.as_ref());
    let for_operator = format!(
        "Check the provider's issuer, or name authorize_endpoint and token_endpoint in the configuration: {seen}."
    );
    Err(Error::new(Status::Config, cause, seen).advice(&*for_operator).sentences(OPERATOR, for_operator))
}
