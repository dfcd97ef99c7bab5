//! A browser small enough to consent: HTTPS on loopback, no redirect followed, forms and one button read.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use url::Url;
use url::form_urlencoded::Serializer;

/// A person's browser, signed in at the provider.
pub struct Browser {
    config: Arc<ClientConfig>,
    user: String,
}

/// Where the provider sends the browser, with what it is to post there (`form_post`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub url: String,
    pub form: Option<String>,
}

/// A page as loaded.
pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

impl Browser {
    /// `config` says whom it trusts: [`super::super::pki::Pki::client`].
    pub fn new(config: Arc<ClientConfig>, user: &str) -> Browser {
        Browser { config, user: user.to_owned() }
    }

    /// From an authorize or administrator's consent URL to the answer; presses *Allow* where asked.
    pub fn consent(&self, url: &str) -> io::Result<Answer> {
        let mut page = self.get(url)?;
        if page.location.is_none() && page.body.contains("id=\"allow\"") {
            let joint = if url.contains('?') { '&' } else { '?' };
            page = self.get(&format!("{url}{joint}mock_decision=allow"))?;
        }
        if let Some(url) = page.location {
            return Ok(Answer { url, form: None });
        }
        let form = page.body.split_once("action=\"").and_then(|(_, rest)| rest.split_once('"'));
        let Some((action, rest)) = form else {
            let text = format!("no redirect: {} {}", page.status, page.body.trim());
            return Err(io::Error::other(text));
        };
        let mut fields = Serializer::new(String::new());
        for input in rest.split("<input").skip(1) {
            if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
                fields.append_pair(&name, &value);
            }
        }
        Ok(Answer { url: unescape(action), form: Some(fields.finish()) })
    }

    /// GET, with the cookie of who is signed in.
    pub fn get(&self, url: &str) -> io::Result<Page> {
        let request = format!("Cookie: signed_in={}\r\n", self.user);
        self.send("GET", url, &request, "")
    }

    /// POST of a form, with further header lines, each ended by CRLF.
    pub fn post(&self, url: &str, headers: &str, form: &str) -> io::Result<Page> {
        let headers = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{headers}",
            form.len()
        );
        self.send("POST", url, &headers, form)
    }

    fn send(&self, method: &str, url: &str, headers: &str, body: &str) -> io::Result<Page> {
        let url = Url::parse(url).map_err(io::Error::other)?;
        let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(443));
        if url.scheme() != "https" || !["127.0.0.1", "localhost"].contains(&host) {
            return Err(io::Error::other("this browser loads https on loopback only"));
        }
        let tcp = TcpStream::connect(("127.0.0.1", port))?;
        tcp.set_read_timeout(Some(Duration::from_secs(60)))?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n");
        stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        read_page(&answer).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_page(answer: &[u8]) -> Option<Page> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let body = String::from_utf8_lossy(&answer[end + 4..]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = field("content-length").and_then(|length| length.parse().ok());
    if length.is_some_and(|length: usize| length != answer.len() - end - 4) {
        return None;
    }
    Some(Page { status, location: field("location"), body })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| unescape(value))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
