//! HTTPS requests to providers: dialled as mail servers are, no redirects, bounded answers, one request a connection.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::dial::{Names, Peer, Reach};
use super::route::Route;
use super::socket::Socket;
use super::tls;
use crate::error::{Error, Result};
use crate::oauth::diagnosis;
use crate::oauth::token::{self, HttpAnswer, HttpRequest};

/// No provider's answer is longer; what is, is none (PROTOCOL.md E 7).
const ANSWER_BYTES: usize = 64 * 1024;
const PORT: u16 = 443;

pub struct Https {
    tls: Arc<ClientConfig>,
    names: Names,
    route: Arc<Route>,
    /// For a whole request.
    limit: Duration,
}

impl Https {
    pub fn new(tls: &Arc<ClientConfig>, names: Names, route: Arc<Route>, limit: Duration) -> Https {
        let mut tls = ClientConfig::clone(tls);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Https { tls: Arc::new(tls), names, route, limit }
    }

    /// Sends one request. An answer of any status is an answer; none at all is a transient error.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer> {
        let host = request.uri().host().unwrap_or("the provider").to_owned();
        let end = Instant::now() + self.limit;
        let seconds = self.limit.as_secs();
        let late = || diagnosis::unreachable(&format!("{host}: no answer within {seconds} s"));
        let socket = self.connect(&host, port(&request)).await?;
        let answer = timeout_at(end, self.exchange(&host, socket, request)).await;
        answer.unwrap_or_else(|_| Err(late()))
    }

    async fn connect(&self, host: &str, port: u16) -> Result<Socket> {
        let peer = Peer { host, port, reach: Reach::Anywhere, route: &self.route, limit: self.limit };
        let connected = self.names.connect(&peer, |_| false).await.map_err(|e| meant(host, e))?;
        connected.map(|(socket, _)| socket).ok_or_else(|| Error::bug("HTTPS knows no breaker"))
    }

    async fn exchange(&self, host: &str, socket: Socket, mut request: HttpRequest) -> Result<HttpAnswer> {
        let (confided, renewing) = (token::confided(&request), token::is_refresh(&request));
        say_to_its_server(&mut request)?;
        let unreachable =
            |e: &dyn std::error::Error| diagnosis::unreachable(&format!("{host}: {}", chain(e)));
        let stream = tls::secure(&self.tls, host.trim_matches(['[', ']']), socket).await;
        let stream = TokioIo::new(stream.map_err(|e| meant(host, e))?);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(ANSWER_BYTES);
        let (mut sender, connection) = builder.handshake(stream).await.map_err(|e| unreachable(&e))?;
        // Ends with this future.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let response = sender.send_request(request).await.map_err(|e| unreachable(&e))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let mut answer = HttpAnswer {
            status: response.status().as_u16(),
            retry_after: header("retry-after"),
            date: header("date"),
            body: Vec::new(),
            truncated: false,
            renewing,
            confided,
        };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|e| unreachable(&e))?.into_data() else {
                continue;
            };
            if answer.body.len() + piece.len() > ANSWER_BYTES {
                answer.truncated = true;
                break;
            }
            answer.body.extend_from_slice(&piece);
        }
        Ok(answer)
    }
}

fn port(request: &HttpRequest) -> u16 {
    request.uri().port_u16().unwrap_or(PORT)
}

/// Leaves of the address what is said to its server (RFC 9112 §3.2.1).
fn say_to_its_server(request: &mut HttpRequest) -> Result<()> {
    let uri = request.uri().clone();
    let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(Error::bug("a request without an https address"));
    };
    let host = HeaderValue::try_from(authority.as_str()).map_err(|e| Error::bug(format!("Host: {e}")))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|e| Error::bug(format!("a request's path: {e}")))?;
    request.headers_mut().insert(HOST, host);
    let agent = HeaderValue::from_static(concat!("multipop/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(USER_AGENT, agent);
    Ok(())
}

/// What went wrong on the way: this side's network, the proxy's, or the provider's.
fn meant(host: &str, error: Error) -> Error {
    let what = format!("{host}: {}", error.message);
    match error.cause.split_once('.') {
        Some(("proxy" | "network", _)) => error,
        Some(("tls", "handshake" | "interrupted")) => diagnosis::unreachable(&what),
        Some(("tls", _)) => diagnosis::untrusted(&what),
        _ if error.cause == "bug" => error,
        _ => diagnosis::unreachable(&what),
    }
}

/// An error and what lies under it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = inner.source();
    }
    line
}
