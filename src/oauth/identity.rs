//! Who signed in: the id_token's claims, checked (OpenID Connect Core §3.1.3.7; PROTOCOL.md A.4, E 13).
//!
//! The token comes straight from the token endpoint over TLS whose certificate was verified, so the signature is not
//! checked again (§3.1.3.7, step 6); everything else is. A token from anywhere else must never be read here.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde::Deserialize;
use serde_json::Value;

use super::diagnosis::OPERATOR;
use super::provider::{IssuerRule, Profile, Provider};
use crate::error::{Error, Result, Status};
use crate::model::{Identity, UnixTime};
use crate::secret::Secret;

const SKEW_S: u64 = 300;
/// Signatures by the provider's private key. Never `none`; never HS256, which a public key could forge.
const ALGORITHMS: [&str; 3] = ["RS256", "PS256", "ES256"];

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    iat: f64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    tid: Option<String>,
    #[serde(default)]
    oid: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// Some providers send it as text.
    #[serde(default)]
    email_verified: Option<Value>,
}

/// Reads an id_token that answers a request with this nonce.
pub fn read(provider: &Provider, id_token: &Secret, nonce: &Secret, now: UnixTime) -> Result<Identity> {
    read_answer(provider, id_token, Some(nonce), now)
}

/// The same where the request could carry no nonce: the id_token came with the answer to a code of ours alone.
pub fn read_of_device(provider: &Provider, id_token: &Secret, now: UnixTime) -> Result<Identity> {
    read_answer(provider, id_token, None, now)
}

/// A renewed token is of whom the first one was of (OpenID Connect Core §12.2). Most renewals bring no id_token, and one
/// that cannot be read tells nothing against it.
pub fn vouch_for_renewal(
    provider: &Provider,
    id_token: Option<&Secret>,
    bound: Option<&Identity>,
) -> Result<()> {
    let claims = id_token.and_then(|token| part(token.expose().split('.').nth(1)?, "claims").ok());
    match (claims.map(|claims| identity(provider, claims)), bound) {
        (Some(now), Some(bound)) if !bound.is_same(&now) => Err(Error::new(
            Status::Provider,
            "provider.other_subject",
            "the provider renewed the sign-in with a token of somebody else",
        )
        .advice("Nothing was collected with it and the sign-in is kept. If it stays so, ask the provider.")
        .sentences(OPERATOR, "The provider's token endpoint mixes people up; report it to the provider.")),
        _ => Ok(()),
    }
}

fn read_answer(
    provider: &Provider,
    id_token: &Secret,
    nonce: Option<&Secret>,
    now: UnixTime,
) -> Result<Identity> {
    let mut parts = id_token.expose().split('.');
    let (Some(header), Some(claims), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return refuse("identity.form", "is no signed JWT");
    };
    let header: Header = part(header, "header")?;
    if !ALGORITHMS.contains(&header.alg.as_str()) {
        return refuse("identity.algorithm", "is signed by a method that is not accepted");
    }
    let claims: Claims = part(claims, "claims")?;
    check_issuer(provider, &claims)?;
    check_audience(provider, &claims)?;
    check_time(&claims, now)?;
    // A nonce is asked for exactly when an id_token is.
    if nonce.is_some_and(|nonce| claims.nonce.as_deref() != Some(nonce.expose())) {
        return refuse("identity.nonce", "does not answer this sign-in (nonce differs)");
    }
    if claims.sub.is_empty() || claims.sub.len() > 255 {
        return refuse("identity.subject", "names no subject");
    }
    Ok(identity(provider, claims))
}

/// Whether the name that signed in is the one configured. Without a name it never is.
pub fn agrees(identity: &Identity, sign_in_name: &str) -> bool {
    identity.name.as_deref().is_some_and(|name| !name.is_empty() && name.eq_ignore_ascii_case(sign_in_name))
}

fn identity(provider: &Provider, claims: Claims) -> Identity {
    let microsoft = provider.profile.is_microsoft();
    let unverified = match &claims.email_verified {
        Some(Value::Bool(verified)) => !verified,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("false"),
        _ => false,
    };
    let email = claims.email.filter(|_| !unverified);
    let is_name = |name: &String| !name.trim().is_empty();
    let issuer = match &provider.issuer {
        IssuerRule::Exact(issuer) => issuer.clone(),
        IssuerRule::Entra { .. } | IssuerRule::Unknown => claims.iss,
    };
    Identity {
        issuer,
        subject: claims.sub,
        tenant: claims.tid.filter(|_| microsoft),
        object: claims.oid.filter(|_| microsoft),
        name: claims.preferred_username.filter(is_name).or_else(|| email.filter(is_name)),
    }
}

fn check_issuer(provider: &Provider, claims: &Claims) -> Result<()> {
    let fits = match &provider.issuer {
        IssuerRule::Exact(_) => {
            // Google documents both forms of its own name.
            let old_form = provider.profile == Profile::Google
                && provider.issuer.accepts(&format!("https://{}", claims.iss), None);
            old_form || provider.issuer.accepts(&claims.iss, None)
        }
        // Nobody asked for this token.
        IssuerRule::Unknown => false,
        // The template needs to know which tenant it is filled with.
        IssuerRule::Entra { .. } => {
            claims.tid.as_deref().is_some_and(|tid| provider.issuer.accepts(&claims.iss, Some(tid)))
        }
    };
    if fits {
        return Ok(());
    }
    refuse("identity.issuer", "comes from another issuer than the one configured")
}

fn check_audience(provider: &Provider, claims: &Claims) -> Result<()> {
    let client = provider.client_id.as_str();
    let (named, several) = match &claims.aud {
        Value::String(one) => (one == client, false),
        Value::Array(all) => (all.iter().any(|one| one == client), all.len() > 1),
        _ => (false, false),
    };
    let party_fits = match claims.azp.as_deref() {
        Some(party) => party == client,
        None => !several,
    };
    if named && party_fits {
        return Ok(());
    }
    refuse("identity.audience", "was issued to another application")
}

fn check_time(claims: &Claims, now: UnixTime) -> Result<()> {
    let now = now as f64;
    let skew = SKEW_S as f64;
    if claims.exp + skew > now && claims.iat - skew <= now {
        return Ok(());
    }
    Err(refusal(
        "identity.time",
        "is expired or from the future: the clocks of provider and this machine differ",
    )
    .advice("Set this machine's clock, then start the sign-in again."))
}

fn part<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .map_or_else(|| refuse("identity.form", &format!("has {what} that cannot be read")), Ok)
}

fn refuse<T>(cause: &'static str, what: &str) -> Result<T> {
    Err(refusal(cause, what))
}

fn refusal(cause: &'static str, what: &str) -> Error {
    Error::new(
        Status::Callback,
        cause,
        format!("the provider's word on who signed in (id_token) {what}"),
    )
    .advice(
        "Nothing was changed. Please start the sign-in again; if this stays, the operator must check issuer and \
         client id of the provider.",
    )
}
