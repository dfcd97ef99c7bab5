//! Where the browser comes back to: a listener on the redirect URI's own loopback port (RFC 8252 §7.3).
//!
//! One answer is taken, from whatever path and method was registered; everything else gets 404. Bound to loopback
//! only, and it never says anything but how the consent went.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use url::{Host, Url};

/// A consent is good for so long.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);
const REQUEST: Duration = Duration::from_secs(10);
const HEAD_BYTES: u64 = 64 * 1024;

pub struct Landing {
    listeners: Vec<TcpListener>,
    redirect: Url,
}

/// What the provider sent the browser back with.
pub struct Answer {
    pub uri: String,
    pub form: Option<String>,
    stream: TcpStream,
}

impl Landing {
    /// `None` where the browser comes back elsewhere than to this machine.
    pub fn at(redirect: &Url) -> Option<io::Result<Landing>> {
        let port = redirect.port()?;
        if redirect.scheme() != "http" {
            return None;
        }
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let addresses: Vec<SocketAddr> = match redirect.host()? {
            Host::Ipv4(address) if address.is_loopback() => vec![(address, port).into()],
            Host::Ipv6(address) if address.is_loopback() => vec![(address, port).into()],
            Host::Domain("localhost") => vec![(v4, port).into(), (v6, port).into()],
            _ => return None,
        };
        Some(Landing::listen(&addresses, redirect))
    }

    /// One of several addresses is enough.
    fn listen(addresses: &[SocketAddr], redirect: &Url) -> io::Result<Landing> {
        let (mut listeners, mut failed) = (Vec::new(), None);
        for address in addresses {
            match TcpListener::bind(address) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    listeners.push(listener);
                }
                Err(e) => failed = Some(e),
            }
        }
        match (listeners.is_empty(), failed) {
            (true, Some(e)) => Err(e),
            _ => Ok(Landing { listeners, redirect: redirect.clone() }),
        }
    }

    /// Waits for the browser.
    pub fn answer(&self) -> io::Result<Answer> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            for listener in &self.listeners {
                match listener.accept() {
                    // A browser that opened a connection and said nothing, or nonsense, is no answer.
                    Ok((stream, _)) => {
                        if let Ok(Some(answer)) = self.read(stream) {
                            return Ok(answer);
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e),
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "nobody came back from the provider"))
    }

    fn read(&self, stream: TcpStream) -> io::Result<Option<Answer>> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(REQUEST))?;
        stream.set_write_timeout(Some(REQUEST))?;
        let mut request = BufReader::new(&stream).take(HEAD_BYTES);
        let mut line = String::new();
        request.read_line(&mut line)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut length = 0_u64;
        loop {
            let mut header = String::new();
            if request.read_line(&mut header)? == 0 {
                return Ok(None);
            }
            let header = header.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let path = target.split(['?', '#']).next().unwrap_or_default();
        if path != self.redirect.path() || !matches!(method, "GET" | "POST") {
            respond(&stream, "404 Not Found", "Not found", "Nothing is here.")?;
            return Ok(None);
        }
        let mut form = String::new();
        request.take(length.min(HEAD_BYTES)).read_to_string(&mut form)?;
        let origin = self.redirect.origin().ascii_serialization();
        Ok(Some(Answer {
            uri: format!("{origin}{target}"),
            form: (method == "POST").then_some(form),
            stream,
        }))
    }
}

impl Answer {
    /// The page the person sees; a browser that is gone already changes nothing.
    pub fn tell(self, title: &str, words: &str) {
        let _ = respond(&self.stream, "200 OK", title, words);
    }
}

fn respond(mut stream: &TcpStream, status: &str, title: &str, words: &str) -> io::Result<()> {
    let (title, words) = (escaped(title), escaped(words));
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><h1>{title}</h1><p>{words}</p></html>\n"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n",
        page.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(page.as_bytes())
}

/// Names come from the provider.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landing(redirect: &str) -> Option<Landing> {
        Landing::at(&Url::parse(redirect).unwrap()).map(Result::unwrap)
    }

    #[test]
    fn only_loopback_is_listened_on() {
        for elsewhere in [
            "https://127.0.0.1:1/x",
            "http://mail.example.com:8080/x",
            "http://192.0.2.1:8080/x",
            "http://127.0.0.1/x",
        ] {
            assert!(landing(elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn the_registered_path_is_the_answer_and_nothing_else() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let landing = landing(&format!("http://{free}/back?own=1")).unwrap();
        let browser = std::thread::spawn(move || {
            let ask = |request: &str| {
                let mut stream = TcpStream::connect(free).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                let mut page = String::new();
                stream.read_to_string(&mut page).unwrap();
                page
            };
            let icon = ask("GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n");
            let post = "POST /back?own=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\ncode=1";
            (icon, ask(post))
        });
        let answer = landing.answer().unwrap();
        assert_eq!(answer.uri, format!("http://{free}/back?own=1"));
        assert_eq!(answer.form.as_deref(), Some("code=1"));
        answer.tell("Connected <b>", "Fine & good.");
        let (icon, page) = browser.join().unwrap();
        assert!(icon.starts_with("HTTP/1.1 404"));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("Connected &lt;b&gt;"));
    }
}
