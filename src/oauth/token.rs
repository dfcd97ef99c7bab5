//! Requests to the token endpoint and what its answers say (RFC 6749 §4.1.3, §5, §6).

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
}
