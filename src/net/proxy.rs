//! Through a proxy: SOCKS5 (RFC 1928, RFC 1929) or CONNECT (RFC 9110 §9.3.6).
//!
//! What goes wrong on this side of the peer has causes of its own, so that nobody looks for it at the mail server,
//! and no account suffers for it. What the proxy says of the peer is the peer's.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio_socks::tcp::Socks5Stream;

use super::route::{OPERATOR, Route};
use super::socket::Socket;
use crate::config::words::host_port_text;
use crate::config::{Proxy, ProxyKind};
use crate::error::{Error, Status};

/// The longest head of an answer to CONNECT.
const ANSWER_BYTES: usize = 16 * 1024;

/// Whom the proxy is to connect to: a name it resolves itself, or an address that was judged here.
pub(super) enum Target {
    Name(String, u16),
    Address(SocketAddr),
}

impl Target {
    pub(super) fn text(&self) -> String {
        match self {
            Target::Name(host, port) => host_port_text(host, *port),
            Target::Address(address) => address.to_string(),
        }
    }
}

/// Why there is no connection through the proxy.
pub(super) enum Unproxied {
    /// The proxy works and could not connect to the peer, in words.
    Peer(String),
    Proxy(Error),
}

impl From<Error> for Unproxied {
    fn from(error: Error) -> Unproxied {
        Unproxied::Proxy(error)
    }
}

type Proxied = std::result::Result<Socket, Unproxied>;

/// Makes of a connection to the proxy one to the target.
pub(super) async fn through(socket: Socket, route: &Route, proxy: &Proxy, target: &Target) -> Proxied {
    match proxy.kind {
        ProxyKind::Socks5 | ProxyKind::Socks5h => by_socks(socket, route, proxy, target).await,
        ProxyKind::Http | ProxyKind::Https => by_http(socket, route, proxy, target).await,
    }
}

async fn by_socks(socket: Socket, route: &Route, proxy: &Proxy, target: &Target) -> Proxied {
    let target = match target {
        Target::Name(host, port) => tokio_socks::TargetAddr::Domain(host.into(), *port),
        Target::Address(address) => tokio_socks::TargetAddr::Ip(*address),
    };
    let connected = match (&proxy.login, &route.proxy_password) {
        (Some(login), Some(password)) => {
            let (user, password) = (login.user.as_str(), password.expose());
            Socks5Stream::connect_with_password_and_socket(socket, target, user, password).await
        }
        _ => Socks5Stream::connect_with_socket(socket, target).await,
    };
    match connected {
        Ok(stream) => Ok(stream.into_inner()),
        Err(e) => Err(socks_said(proxy, &e)),
    }
}

fn socks_said(proxy: &Proxy, said: &tokio_socks::Error) -> Unproxied {
    use tokio_socks::Error as E;
    match said {
        E::NetworkUnreachable | E::HostUnreachable | E::ConnectionRefused | E::TtlExpired => {
            Unproxied::Peer(format!("the proxy {} says: {said}", proxy.text()))
        }
        E::NoAcceptableAuthMethods | E::AuthorizationRequired | E::PasswordAuthFailure(_) => {
            wants_login(proxy, &said.to_string()).into()
        }
        E::ConnectionNotAllowedByRuleset | E::CommandNotSupported | E::AddressTypeNotSupported => {
            refused(proxy, Status::Config, &said.to_string()).into()
        }
        E::GeneralSocksServerFailure => refused(proxy, Status::Transient, &said.to_string()).into(),
        E::Io(e) => broken(proxy, e).into(),
        _ => no_proxy(proxy, &said.to_string()).into(),
    }
}

async fn by_http(socket: Socket, route: &Route, proxy: &Proxy, target: &Target) -> Proxied {
    let said = |e: hyper::Error| http_failed(proxy, &e);
    let authority = target.text();
    let mut request = hyper::Request::connect(&authority)
        .header(HOST, &authority)
        .body(Empty::<Bytes>::new())
        .map_err(|e| Error::bug(format!("CONNECT {authority}: {e}")))?;
    if let (Some(login), Some(password)) = (&proxy.login, &route.proxy_password) {
        let pair = STANDARD.encode(format!("{}:{}", login.user, password.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {pair}"))
            .map_err(|e| Error::bug(format!("the proxy's credentials: {e}")))?;
        value.set_sensitive(true);
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(said)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await.map_err(said)?;
    let status = answer.status();
    if status.is_success() {
        let upgraded = hyper::upgrade::on(answer).await.map_err(said)?;
        let parts = upgraded.downcast::<TokioIo<Socket>>();
        let parts = parts.map_err(|_| Error::bug("CONNECT gave another stream back"))?;
        return Ok(preceded(parts.read_buf, parts.io.into_inner()));
    }
    let words = format!("HTTP {}", status.as_u16());
    Err(match status.as_u16() {
        407 => wants_login(proxy, &words).into(),
        // Also where the name is not known, or nobody listens.
        502..=504 => Unproxied::Peer(format!("the proxy {} says: {words}", proxy.text())),
        429 | 500.. => refused(proxy, Status::Transient, &words).into(),
        _ => refused(proxy, Status::Config, &words).into(),
    })
}

/// It hung up, or spoke another language, perhaps before it was asked.
fn http_failed(proxy: &Proxy, e: &hyper::Error) -> Error {
    let source = std::error::Error::source(e);
    // A request that was cancelled knows why.
    if let Some(why) = source.and_then(|source| source.downcast_ref()) {
        return http_failed(proxy, why);
    }
    let is_io = source.is_some_and(|source| source.is::<std::io::Error>());
    if is_io || e.is_incomplete_message() || e.is_closed() || e.is_canceled() {
        return broken(proxy, e);
    }
    no_proxy(proxy, &e.to_string())
}

/// What the peer said behind the proxy's answer comes first: a greeting in clear may.
fn preceded(said: Bytes, socket: Socket) -> Socket {
    if said.is_empty() {
        return socket;
    }
    let (reader, writer) = tokio::io::split(socket);
    Box::new(tokio::io::join(std::io::Cursor::new(said).chain(reader), writer))
}

/// No connection to the proxy itself.
pub(super) fn unreachable(proxy: &Proxy, why: &str) -> Error {
    passing("proxy.unreachable", format!("no connection to the proxy {}: {why}", proxy.text()))
}

pub(super) fn no_answer(proxy: &Proxy, target: &str, seconds: u64) -> Error {
    let what = format!("the proxy {} made no connection to {target} within {seconds} s", proxy.text());
    passing("proxy.no_answer", what)
}

fn broken(proxy: &Proxy, why: &dyn std::error::Error) -> Error {
    passing("proxy.unreachable", format!("the proxy {} hung up: {why}", proxy.text()))
}

fn refused(proxy: &Proxy, status: Status, words: &str) -> Error {
    const ADVICE: &str = "The operator must let the proxy connect to the mail servers' and identity providers' ports, \
                          or name another one.";
    let what = format!("the proxy {} refused the connection: {words}", proxy.text());
    match status {
        Status::Transient => passing("proxy.refused", what),
        _ => Error::new(status, "proxy.refused", what).advice(ADVICE).sentences(OPERATOR, ADVICE),
    }
}

fn wants_login(proxy: &Proxy, words: &str) -> Error {
    const ADVICE: &str =
        "The operator must write proxy_user and proxy_password_file beside the proxy, or correct them.";
    let what = match proxy.login {
        Some(_) => format!("the proxy {} refused the user name or password: {words}", proxy.text()),
        None => format!("the proxy {} wants a user name and password: {words}", proxy.text()),
    };
    Error::new(Status::Config, "proxy.authentication", what).advice(ADVICE).sentences(OPERATOR, ADVICE)
}

fn no_proxy(proxy: &Proxy, why: &str) -> Error {
    const ADVICE: &str = "The operator must check address, port and kind of the proxy in the configuration.";
    let what = format!("what answers at {} is no such proxy: {why}", proxy.text());
    Error::new(Status::Config, "proxy.protocol", what).advice(ADVICE).sentences(OPERATOR, ADVICE)
}

fn passing(cause: &'static str, what: String) -> Error {
    const ADVICE: &str = "multipop tries again by itself. If it stays, check that the proxy runs, and its address in the \
                          configuration.";
    const NOTHING: &str = "Nothing needs to be done; multipop tries again by itself.";
    Error::new(Status::Transient, cause, what).advice(ADVICE).sentences(NOTHING, ADVICE)
}
