//! The provider's endpoints: which path means what, and the faults around each answer.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::faults::{At, Fault, OAuthError, What};
use super::journal::Journal;
use super::reply::{Reply, Scripted, Then};
use super::server::Shared;
use super::settings::Settings;
use super::token::{CONFIDENTIAL, Form};
use super::{authorize, device, token};

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Lost {}

/// Serves one connection until it ends.
pub(super) async fn connection(shared: Arc<Shared>, stream: tokio::net::TcpStream) {
    let config = shared.tls.read().clone();
    let Ok(tls) = TlsAcceptor::from(config).accept(stream).await else {
        return;
    };
    let service = hyper::service::service_fn(move |request| respond(shared.clone(), request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Scripted>, Lost> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, 1 << 20).collect().await.map_err(|_| Lost)?.to_bytes();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let form = Form::read(&body);
    let Some(place) = place(&path, &form) else {
        return Ok(Reply::page(StatusCode::NOT_FOUND, "not here").into_response(Then::End));
    };
    let settings = shared.settings();
    let _in_flight = place.is_token().then(|| shared.journal.in_flight());
    count(&shared.journal, place, &form);
    let fault = Fault::due(&settings.faults, place);
    let (instead, then) = match &fault {
        Some(What::Close) => {
            shared.journal.line(format!("{} {path} closed", head.method));
            return Err(Lost);
        }
        Some(What::Status { code, headers, body }) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY);
            (Some(Reply::told(status, headers.clone(), body)), Then::End)
        }
        Some(What::Error(error)) => (Some(Reply::error(error)), Then::End),
        Some(What::Echo(status)) => (Some(echo(*status, &form, &head, &shared.journal)), Then::End),
        Some(What::Redirect(to)) => (Some(Reply::redirect(StatusCode::TEMPORARY_REDIRECT, to)), Then::End),
        Some(What::Slow(pause)) => {
            sleep(*pause).await;
            (None, Then::End)
        }
        Some(What::HalfAnswer) => (None, Then::Fail),
        Some(What::StallInBody(pause)) => (None, Then::Stall(Box::pin(sleep(*pause)))),
        _ => (None, Then::End),
    };
    let mut reply = match instead {
        Some(reply) => reply,
        None => answer(&shared, &settings, place, &query, &form, &head),
    };
    shared.journal.line(format!("{} {path} {}", head.method, reply.status.as_u16()));
    match fault {
        Some(What::CloseAfterDoing) => return Err(Lost),
        Some(What::SlowAnswer(pause)) => sleep(pause).await,
        Some(What::Huge(octets)) => pad(&mut reply.body, octets),
        Some(What::Member(name, value)) => change(&mut reply.body, name, value),
        Some(What::RightBodyWithStatus(code)) => {
            reply.status = StatusCode::from_u16(code).unwrap_or(reply.status);
        }
        _ => {}
    }
    Ok(reply.into_response(then))
}

/// Which endpoint a path means; Entra's and the generic ones are served side by side.
fn place(path: &str, form: &Form) -> Option<At> {
    if path.starts_with("/.well-known/oauth-authorization-server") {
        return Some(At::Discovery);
    }
    match path.rsplit('/').next()? {
        "openid-configuration" => Some(At::Discovery),
        "keys" | "jwks" => Some(At::Keys),
        "authorize" => Some(At::Authorize),
        "adminconsent" => Some(At::AdminConsent),
        "devicecode" => Some(At::Device),
        "device" => Some(At::DevicePage),
        "introspect" => Some(At::Introspect),
        "revoke" => Some(At::Revoke),
        "token" => Some(match form.get("grant_type") {
            Some("authorization_code") => At::Code,
            Some("refresh_token") => At::Refresh,
            Some(token::DEVICE_GRANT) => At::DevicePoll,
            Some("client_credentials") => At::Application,
            _ => At::Token,
        }),
        _ => None,
    }
}

fn count(journal: &Journal, place: At, form: &Form) {
    let what = match place {
        At::Discovery => "discovery",
        At::Keys => "keys",
        At::Authorize => "authorize",
        At::AdminConsent => "adminconsent",
        At::Introspect => "introspect",
        At::Revoke => "revoke",
        At::Device => "device",
        At::DevicePage => "device_page",
        At::DevicePoll => "device_code",
        At::Code | At::Refresh | At::Application | At::Token => {
            form.get("grant_type").unwrap_or("no grant_type")
        }
    };
    journal.counted(what);
}

fn answer(
    shared: &Shared,
    settings: &Settings,
    place: At,
    query: &str,
    form: &Form,
    head: &http::request::Parts,
) -> Reply {
    let segment = if settings.entra_tenant.is_some() {
        head.uri.path().split('/').nth(1).unwrap_or_default()
    } else {
        ""
    };
    let posts = place.is_token() || matches!(place, At::Device | At::Revoke);
    if posts && (head.method != Method::POST || !query.is_empty()) {
        shared.journal.violation("a token request must be a POST without a query");
        return Reply::error(&OAuthError::new("invalid_request"));
    }
    match place {
        At::Discovery => Reply::json(StatusCode::OK, &discovery(shared, settings, segment)),
        At::Keys => {
            let issuer = shared.issuer(settings, segment);
            Reply::json(StatusCode::OK, &shared.keys.jwks(&issuer, settings.entra_tenant.is_some()))
        }
        At::Authorize => authorize::authorize(shared, settings, segment, query, &head.headers),
        At::AdminConsent => authorize::admin_consent(settings, query),
        At::Introspect => {
            // Dovecot can ask by GET as well.
            let asked = Form::read(query.as_bytes());
            token::introspect(shared, form.get("token").or(asked.get("token")).unwrap_or_default())
        }
        At::Revoke => token::revoke(shared, form),
        At::Device => token::device(shared, settings, segment, form, &head.headers),
        At::DevicePage => device::page(shared, settings, query, &head.headers),
        _ => token::token(shared, settings, segment, form, &head.headers),
    }
}

/// OpenID Connect Discovery §3, RFC 8414 §2; as Entra, with the literal `{tenantid}` where it has that.
fn discovery(shared: &Shared, settings: &Settings, segment: &str) -> Value {
    let base = shared.endpoints(settings, segment);
    let keys = match settings.entra_tenant {
        Some(_) => format!("{}/{segment}/discovery/v2.0/keys", shared.base),
        None => format!("{base}/jwks"),
    };
    let issuer = settings.announced_issuer.clone().unwrap_or_else(|| shared.issuer(settings, segment));
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "device_authorization_endpoint": format!("{base}/devicecode"),
        "jwks_uri": keys,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", token::DEVICE_GRANT],
        "subject_types_supported": ["pairwise"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": settings.authentication_methods,
        "code_challenge_methods_supported": ["S256"],
    });
    if settings.entra_tenant.is_none() {
        document["revocation_endpoint"] = format!("{base}/revoke").into();
        document["introspection_endpoint"] = format!("{base}/introspect").into();
    }
    if settings.announce_iss {
        document["authorization_response_iss_parameter_supported"] = true.into();
    }
    document
}

/// As a provider that wants to be helpful to whoever reads the log.
fn echo(status: u16, form: &Form, head: &http::request::Parts, journal: &Journal) -> Reply {
    let given: Vec<(&str, &str)> =
        CONFIDENTIAL.into_iter().filter_map(|name| Some((name, form.get(name)?))).collect();
    given.iter().for_each(|(_, secret)| journal.shown(secret));
    let plain = given.iter().map(|(_, secret)| *secret).collect::<Vec<_>>();
    let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&given).finish();
    let basic = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("none");
    let body = json!({
        "error": plain.last(),
        "suberror": plain.first(),
        "error_description": format!("cannot read {written} {} {basic}", plain.join(" ")),
        "trace_id": plain.get(1),
        "correlation_id": format!("sent: {written}"),
        "timestamp": basic,
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Reply::json(status, &body)
}

/// Gives a JSON object this member.
fn change(body: &mut Vec<u8>, name: &str, value: Value) {
    if let Ok(Value::Object(mut members)) = serde_json::from_slice(body) {
        members.insert(name.to_owned(), value);
        *body = Value::from(members).to_string().into_bytes();
    }
}

/// Makes a JSON object this long by a member nobody knows.
fn pad(body: &mut Vec<u8>, octets: usize) {
    if body.pop() != Some(b'}') {
        return;
    }
    body.extend_from_slice(b",\"padding\":\"");
    let missing = octets.saturating_sub(body.len() + 2);
    body.resize(body.len() + missing, b'x');
    body.extend_from_slice(b"\"}");
}
