//! HTTPS requests to providers: no redirects, bounded answers, a proxy only from the configuration.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::ClientConfig;

use super::dial::Names;
use crate::error::{Error, Result};
use crate::oauth::diagnosis;
use crate::oauth::token::{self, HttpAnswer, HttpRequest};

/// No provider's answer is longer; what is, is none (PROTOCOL.md E 7).
const ANSWER_BYTES: usize = 64 * 1024;

pub struct Https {
    client: reqwest::Client,
}

impl Https {
    pub fn new(tls: &Arc<ClientConfig>, names: Names, proxy: Option<&str>, limit: Duration) -> Result<Https> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.as_ref().clone())
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .no_proxy()
            .referer(false)
            .user_agent(concat!("multipop/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limit)
            .timeout(limit)
            .dns_resolver(Arc::new(Resolver(names)));
        if let Some(proxy) = proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|e| bad_client(&e))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|e| bad_client(&e))?;
        Ok(Https { client })
    }

    /// Sends one request. An answer of any status is an answer; none at all is a transient error.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer> {
        let host = request.uri().host().unwrap_or("the provider").to_owned();
        let unreachable = |e: reqwest::Error| {
            // The address of the request may hold nothing secret, but says nothing more either.
            let e = e.without_url();
            let what = format!("{host}: {}", chain(&e));
            if is_about_certificate(&e) {
                return diagnosis::untrusted(&what);
            }
            diagnosis::unreachable(&what)
        };
        let (confided, renewing) = (token::confided(&request), token::is_refresh(&request));
        let request = reqwest::Request::try_from(request)
            .map_err(|e| Error::bug(format!("request to {host}: {}", chain(&e))))?;
        let mut response = self.client.execute(request).await.map_err(unreachable)?;
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
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if answer.body.len() + piece.len() > ANSWER_BYTES {
                answer.truncated = true;
                break;
            }
            answer.body.extend_from_slice(&piece);
        }
        Ok(answer)
    }
}

fn bad_client(e: &reqwest::Error) -> Error {
    Error::new(crate::error::Status::Config, "config.https", format!("HTTPS cannot be set up: {}", chain(e)))
}

fn is_about_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    // An `io::Error` is asked for what it carries: its own `source` skips that.
    let carried = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .map(|inner| inner as &(dyn std::error::Error + 'static));
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
        || carried.or(error.source()).is_some_and(is_about_certificate)
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

struct Resolver(Names);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            let addresses = names.look_up(name.as_str()).await?;
            let with_port = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(with_port) as Addrs)
        })
    }
}
