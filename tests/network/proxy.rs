//! A proxy on loopback, SOCKS5 or CONNECT, that does as it is told and remembers what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use multipop_host::mock::pki::Identity;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Socks,
    Connect,
    /// Speaks no protocol: whoever connects is connected to the address.
    Tap(SocketAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Serve,
    /// SOCKS5's reply, or HTTP's status.
    Refuse(u16),
    RefuseLate(u16, Duration),
    Silent,
    HangUp,
    Babble,
}

/// What one connection was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub from: SocketAddr,
    /// `user:password`
    pub login: String,
    /// As it was asked for.
    pub target: String,
}

struct Rules {
    kind: Kind,
    mood: Mood,
    /// `user:password` it wants.
    login: Option<String>,
    /// What names mean to it.
    names: Vec<(String, SocketAddr)>,
    seen: Mutex<Vec<Seen>>,
}

/// Ends when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    rules: Arc<Rules>,
    _runtime: Runtime,
}

pub struct Builder {
    rules: Rules,
    at: String,
    tls: Option<Identity>,
}

pub fn proxy(kind: Kind) -> Builder {
    let rules = Rules { kind, mood: Mood::Serve, login: None, names: Vec::new(), seen: Mutex::default() };
    Builder { rules, at: "127.0.0.1:0".to_owned(), tls: None }
}

impl Builder {
    pub fn mood(mut self, mood: Mood) -> Builder {
        self.rules.mood = mood;
        self
    }

    pub fn login(mut self, login: &str) -> Builder {
        self.rules.login = Some(login.to_owned());
        self
    }

    pub fn name(mut self, name: &str, means: SocketAddr) -> Builder {
        self.rules.names.push((name.to_owned(), means));
        self
    }

    pub fn at(mut self, address: &str) -> Builder {
        address.clone_into(&mut self.at);
        self
    }

    pub fn tls(mut self, identity: &Identity) -> Builder {
        self.tls = Some(identity.clone());
        self
    }

    pub fn start(self) -> Proxy {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(&self.at)).unwrap();
        let address = listener.local_addr().unwrap();
        let rules = Arc::new(self.rules);
        let tls = self.tls.map(|identity| tokio_rustls::TlsAcceptor::from(identity.server().unwrap()));
        let serving = rules.clone();
        runtime.spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let (rules, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => rules.serve(tls.accept(stream).await?, from).await,
                        None => rules.serve(stream, from).await,
                    }
                });
            }
        });
        Proxy { address, rules, _runtime: runtime }
    }
}

impl Proxy {
    pub fn seen(&self) -> Vec<Seen> {
        self.rules.seen.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }
}

impl Rules {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        from: SocketAddr,
    ) -> io::Result<()> {
        let at = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen { from, login: String::new(), target: String::new() });
            seen.len() - 1
        };
        match self.mood {
            Mood::Silent => {
                // Until the other side has had enough.
                while stream.read_u8().await.is_ok() {}
                return Ok(());
            }
            Mood::HangUp => return Ok(()),
            Mood::Babble => {
                stream.write_all(b"+OK this is no proxy at all\r\n").await?;
                while stream.read_u8().await.is_ok() {}
                return Ok(());
            }
            Mood::Serve | Mood::Refuse(_) | Mood::RefuseLate(..) => {}
        }
        let target = match self.kind {
            Kind::Tap(address) => address.to_string(),
            Kind::Socks => match self.asked_by_socks(&mut stream, at).await? {
                Some(target) => target,
                None => return Ok(()),
            },
            Kind::Connect => match self.asked_by_http(&mut stream, at).await? {
                Some(target) => target,
                None => return Ok(()),
            },
        };
        self.note(at, |seen| seen.target.clone_from(&target));
        if let Mood::RefuseLate(code, after) = self.mood {
            tokio::time::sleep(after).await;
            return self.answer(&mut stream, code).await;
        }
        if let Mood::Refuse(code) = self.mood {
            return self.answer(&mut stream, code).await;
        }
        let named = self.names.iter().find(|(name, _)| *name == target).map(|(_, means)| *means);
        let Some(address) = named.or_else(|| target.parse().ok()) else {
            return self.answer(&mut stream, if self.kind == Kind::Socks { 4 } else { 502 }).await;
        };
        let mut onward = TcpStream::connect(address).await?;
        match self.kind {
            Kind::Socks => self.answer(&mut stream, 0).await?,
            Kind::Connect => {
                // What the server says first may come along with the answer.
                // Both versions are met.
                let version = if self.login.is_some() { "1.1" } else { "1.0" };
                let mut first = format!("HTTP/{version} 200 Connection established\r\n\r\n").into_bytes();
                let mut words = [0; 512];
                let greeting = tokio::time::timeout(Duration::from_millis(30), onward.read(&mut words));
                if let Ok(count) = greeting.await {
                    first.extend_from_slice(&words[..count?]);
                }
                stream.write_all(&first).await?;
            }
            Kind::Tap(_) => {}
        }
        tokio::io::copy_bidirectional(&mut stream, &mut onward).await.map(drop)
    }

    fn note(&self, at: usize, with: impl FnOnce(&mut Seen)) {
        with(&mut self.seen.lock().unwrap()[at]);
    }

    /// RFC 1928, RFC 1929. `None`: the client was sent away.
    async fn asked_by_socks<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        at: usize,
    ) -> io::Result<Option<String>> {
        assert_eq!(stream.read_u8().await?, 5);
        let mut methods = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut methods).await?;
        let wanted = if self.login.is_some() { 2 } else { 0 };
        if !methods.contains(&wanted) {
            stream.write_all(&[5, 0xff]).await?;
            return Ok(None);
        }
        stream.write_all(&[5, wanted]).await?;
        if let Some(login) = &self.login {
            assert_eq!(stream.read_u8().await?, 1);
            let mut parts = Vec::new();
            for _ in 0..2 {
                let mut part = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut part).await?;
                parts.push(String::from_utf8(part).unwrap());
            }
            let shown = parts.join(":");
            self.note(at, |seen| seen.login.clone_from(&shown));
            stream.write_all(&[1, u8::from(shown != *login)]).await?;
            if shown != *login {
                return Ok(None);
            }
        }
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        assert_eq!(head[..3], [5, 1, 0]);
        let host = match head[3] {
            1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
            4 => format!("[{}]", std::net::Ipv6Addr::from(stream.read_u128().await?)),
            _ => {
                let mut name = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut name).await?;
                String::from_utf8(name).unwrap()
            }
        };
        Ok(Some(format!("{host}:{}", stream.read_u16().await?)))
    }

    async fn asked_by_http<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        at: usize,
    ) -> io::Result<Option<String>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let shown = head
            .lines()
            .find_map(|line| {
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
            })
            .and_then(|(_, value)| STANDARD.decode(value.strip_prefix("Basic ")?).ok())
            .map_or(String::new(), |pair| String::from_utf8(pair).unwrap());
        self.note(at, |seen| seen.login.clone_from(&shown));
        if self.login.as_ref().is_some_and(|login| *login != shown) {
            self.answer(stream, 407).await?;
            return Ok(None);
        }
        let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split_once(" HTTP/1.1\r\n"));
        Ok(Some(target.expect("a CONNECT").0.to_owned()))
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, code: u16) -> io::Result<()> {
        if self.kind == Kind::Socks {
            return stream.write_all(&[5, code as u8, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        stream.write_all(format!("HTTP/1.1 {code} No\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
    }
}

/// A port whose queue is full: connections are neither taken nor refused.
pub struct Mute {
    _listener: tokio::net::TcpListener,
    _queue: Vec<TcpStream>,
    _runtime: Runtime,
}

impl Mute {
    pub fn at(address: &str) -> Mute {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let (listener, queue) = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v6().unwrap();
            socket.bind(address).unwrap();
            let listener = socket.listen(1).unwrap();
            let mut queue = Vec::new();
            let brief = Duration::from_millis(300);
            while let Ok(taken) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
                queue.push(taken.unwrap());
            }
            (listener, queue)
        });
        Mute { _listener: listener, _queue: queue, _runtime: runtime }
    }
}
