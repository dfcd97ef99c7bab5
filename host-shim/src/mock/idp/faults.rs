//! What goes wrong at one endpoint of the provider, always or so many times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Discovery,
    Keys,
    Authorize,
    AdminConsent,
    /// The token endpoint, whatever the grant.
    Token,
    /// The token endpoint with `grant_type=authorization_code`.
    Code,
    /// The token endpoint with `grant_type=refresh_token`.
    Refresh,
    /// The same with the device's `grant_type` (RFC 8628 §3.4).
    DevicePoll,
    /// The same with `grant_type=client_credentials`.
    Application,
    /// Where a code for another device is asked for.
    Device,
    /// The page that code is entered on.
    DevicePage,
    Introspect,
    Revoke,
}

impl At {
    fn covers(self, place: At) -> bool {
        self == place || (self == At::Token && place.is_token())
    }

    pub(super) fn is_token(self) -> bool {
        matches!(self, At::Token | At::Code | At::Refresh | At::DevicePoll | At::Application)
    }
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    at: At,
    what: What,
    left: Arc<AtomicU32>,
}

impl Fault {
    pub fn new(at: At, what: What) -> Fault {
        Fault { at, what, left: Arc::new(AtomicU32::new(u32::MAX)) }
    }

    /// Only so many times.
    pub fn times(self, count: u32) -> Fault {
        self.left.store(count, Ordering::Relaxed);
        self
    }

    fn take(&self) -> bool {
        let take = |left| match left {
            0 => None,
            u32::MAX => Some(u32::MAX),
            left => Some(left - 1),
        };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// The fault due here, used up once.
    pub(super) fn due(faults: &[Fault], place: At) -> Option<What> {
        faults.iter().find(|fault| fault.at.covers(place) && fault.take()).map(|fault| fault.what.clone())
    }
}

/// What goes wrong. Unless said otherwise the request has no effect.
#[derive(Clone, Debug)]
pub enum What {
    /// This answer.
    Status { code: u16, headers: Vec<(String, String)>, body: String },
    /// An OAuth error, RFC 6749 §5.2.
    Error(OAuthError),
    /// This status and an OAuth error in whose every member stands what the request told in confidence.
    Echo(u16),
    /// 307 to this address, with the body to be sent again.
    Redirect(String),
    /// 200 and a JSON object of so many octets that is otherwise right; has its effect.
    Huge(usize),
    /// The answer comes so much later; has its effect.
    Slow(Duration),
    /// The request has its effect at once; the answer comes so much later.
    SlowAnswer(Duration),
    /// The answer's headers come, then nothing more for so long; has its effect.
    StallInBody(Duration),
    /// The connection is closed without an answer.
    Close,
    /// The request has its effect, a rotated token too; the answer is lost.
    CloseAfterDoing,
    /// Half of the right answer, then closed; has its effect.
    HalfAnswer,
    /// The right answer with this member in it; has its effect.
    Member(&'static str, Value),
    /// The right answer with another status; has its effect.
    RightBodyWithStatus(u16),
}

impl What {
    /// 429 with `Retry-After` in seconds.
    pub fn too_many(retry_after: u32) -> What {
        What::retry(429, &retry_after.to_string())
    }

    /// A status with this `Retry-After`, seconds or a date.
    pub fn retry(code: u16, retry_after: &str) -> What {
        What::Status {
            code,
            headers: vec![("retry-after".to_owned(), retry_after.to_owned())],
            body: r#"{"error":"temporarily_unavailable"}"#.to_owned(),
        }
    }

    /// A proxy's page.
    pub fn html(code: u16) -> What {
        What::Status {
            code,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>".to_owned(),
        }
    }
}

/// An error answer as Entra gives it, or without the numbers as others do.
#[derive(Clone, Debug)]
pub struct OAuthError {
    pub status: u16,
    pub error: String,
    pub suberror: Option<String>,
    pub number: Option<u64>,
    pub description: Option<String>,
    pub claims: Option<String>,
}

impl OAuthError {
    /// Status 400 (401 for `invalid_client`) and this `error`.
    pub fn new(error: &str) -> OAuthError {
        OAuthError {
            status: if error == "invalid_client" { 401 } else { 400 },
            error: error.to_owned(),
            suberror: None,
            number: None,
            description: None,
            claims: None,
        }
    }

    /// The answer Entra gives with this number; `invalid_grant` where the number is not known to be other.
    pub fn aadsts(number: u64) -> OAuthError {
        let error = match number {
            7_000_215 | 7_000_222 | 7_000_218 | 70_002 | 700_027 | 50_012 | 700_024 | 1_000_502 => {
                "invalid_client"
            }
            70_011 | 28_002 | 28_003 => "invalid_scope",
            700_016 | 700_011 | 7_000_112 | 50_194 => "unauthorized_client",
            65_001 | 90_094 | 90_095 => "consent_required",
            50_076 | 50_079 | 53_000 | 53_003 | 50_158 => "interaction_required",
            500_011 => "invalid_resource",
            90_002 | 90_014 | 900_144 | 90_023 => "invalid_request",
            90_006 | 90_033 => "temporarily_unavailable",
            _ => "invalid_grant",
        };
        let suberror = match number {
            50_173 => Some("bad_token"),
            70_008 | 700_082 => Some("token_expired"),
            65_001 => Some("consent_required"),
            50_076 | 50_079 => Some("basic_action"),
            53_000 | 53_003 => Some("message_only"),
            _ => None,
        };
        OAuthError { number: Some(number), suberror: suberror.map(str::to_owned), ..OAuthError::new(error) }
    }

    pub fn suberror(self, suberror: &str) -> OAuthError {
        OAuthError { suberror: Some(suberror.to_owned()), ..self }
    }

    pub fn description(self, description: &str) -> OAuthError {
        OAuthError { description: Some(description.to_owned()), ..self }
    }

    /// A claims challenge, JSON as text.
    pub fn claims(self, claims: &str) -> OAuthError {
        OAuthError { claims: Some(claims.to_owned()), ..self }
    }

    pub fn status(self, status: u16) -> OAuthError {
        OAuthError { status, ..self }
    }

    pub(super) fn body(&self) -> String {
        let mut body = json!({ "error": self.error });
        let mut put = |name: &str, value: Value| body[name] = value;
        if let Some(number) = self.number {
            let text = self.description.as_deref().unwrap_or("The mock says no.");
            put(
                "error_description",
                format!(
                    "AADSTS{number}: {text} Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {STAMP}"
                )
                .into(),
            );
            put("error_codes", json!([number]));
            put("timestamp", STAMP.into());
            put("trace_id", TRACE.into());
            put("correlation_id", CORRELATION.into());
            put("error_uri", format!("https://login.example.com/error?code={number}").into());
        } else if let Some(text) = &self.description {
            put("error_description", text.as_str().into());
        }
        if let Some(suberror) = &self.suberror {
            put("suberror", suberror.as_str().into());
        }
        if let Some(claims) = &self.claims {
            put("claims", claims.as_str().into());
        }
        body.to_string()
    }
}

const TRACE: &str = "0f0f0f0f-1111-4222-8333-444444444444";
const CORRELATION: &str = "1e1e1e1e-5555-4666-8777-888888888888";
const STAMP: &str = "2026-01-09 02:02:12Z";
