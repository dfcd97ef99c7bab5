//! The registered redirect URI: what may be one, and whether an answer came to it (RFC 6749 §3.1.2; PROTOCOL.md A.6).
//!
//! It is sent byte for byte as configured and never built from a request.

use percent_encoding::percent_decode_str;
use url::{Host, Url, form_urlencoded};

use super::provider::Profile;

/// Microsoft's limit for a registered URI.
const MICROSOFT_LENGTH: usize = 256;
/// Beyond what browsers and web servers carry reliably together with an answer's own parameters.
const LENGTH: usize = 2048;
/// Not supported by Microsoft in a registered URI.
const MICROSOFT_UNSUPPORTED: &str = "!$'(),;";

/// What an authorization answer brings; none of it may also be the registered URI's own, or the two could not be
/// told apart.
pub const ANSWER_PARAMETERS: [&str; 9] = [
    "state",
    "code",
    "error",
    "error_description",
    "error_uri",
    "error_subcode",
    "iss",
    "admin_consent",
    "session_state",
];

/// The rule that is broken, as a sentence.
pub fn check(uri: &str, profile: Profile, personal_accounts: bool) -> Result<(), String> {
    if uri.is_empty() {
        return Err("is missing; name the address registered at the provider".into());
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("may hold printable ASCII only; percent-encode the rest".into());
    }
    let parsed = Url::parse(uri).map_err(|e| format!("is no absolute address: {e}"))?;
    match parsed.scheme() {
        "https" => {}
        "http" if is_loopback(&parsed) => {}
        "http" => return Err("must be https; http is allowed for a loopback address only".into()),
        other => return Err(format!("must be https, not {other}")),
    }
    if uri.contains('#') {
        return Err("may have no fragment (RFC 6749 §3.1.2)".into());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("may not hold a user name or password".into());
    }
    if uri.len() > LENGTH {
        return Err(format!("is longer than {LENGTH} characters"));
    }
    if let Some((name, _)) = parsed.query_pairs().find(|(name, _)| ANSWER_PARAMETERS.contains(&&**name)) {
        return Err(format!("has the parameter {name:?}, which the provider's answer brings"));
    }
    if !profile.is_microsoft() {
        return Ok(());
    }
    if uri.len() > MICROSOFT_LENGTH {
        return Err(format!("is longer than the {MICROSOFT_LENGTH} characters Microsoft takes"));
    }
    if let Some(bad) = uri.chars().find(|c| MICROSOFT_UNSUPPORTED.contains(*c)) {
        return Err(format!("holds {bad:?}, which Microsoft does not support there"));
    }
    if parsed.host_str() == Some("[::1]") {
        return Err("may not be [::1] at Microsoft; use localhost or 127.0.0.1".into());
    }
    if personal_accounts && parsed.query().is_some() {
        return Err(
            "has a query, which Microsoft refuses where personal accounts may sign in (tenant common or \
             consumers); register an address without one, or limit the tenant to organizations"
                .into(),
        );
    }
    Ok(())
}

/// Whether `path`, what stood before the `?` of the address an answer came to, is the registered one's. Only the
/// path is compared: behind a proxy a host's own name differs.
pub fn has_path(registered: &str, path: &str) -> bool {
    let Ok(registered) = Url::parse(registered) else {
        return false;
    };
    let given = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None if path.is_empty() => "/",
        None => path,
    };
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (expected, given) = (decode(registered.path()), decode(given));
    if given.starts_with('/') {
        given == expected
    } else {
        expected.strip_suffix(&*given).is_some_and(|before| before.ends_with('/'))
    }
}

/// The first of the registered URI's own parameters that an answer to it lacks.
pub fn missing_parameter(registered: &str, given: &[(String, String)]) -> Option<String> {
    let (_, query) = registered.split_once('?')?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| !given.iter().any(|(n, v)| n == name && v == value))
        .map(|(name, _)| name.into_owned())
}

fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
