//! A POP3 client that does what the test says and nothing of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Message, Script, Server};
use multipop_host::mock::{TokenTable, mail::Body};
use rustls::{ClientConnection, StreamOwned};

pub const ALICE: &str = "alice@contoso.example";
pub const TOKEN: &str = "-good.token~with+odd/characters=";

/// A server with one user, whose token is known, and what is needed to reach it.
pub struct Setting {
    pub pki: Pki,
    pub tokens: TokenTable,
    pub server: Server,
}

pub fn setting(script: Script) -> Setting {
    let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
    tokens.accept(TOKEN, ALICE);
    let server = Server::start(&pki, &tokens, script).unwrap();
    server.mailboxes().add_user(ALICE);
    Setting { pki, tokens, server }
}

impl Setting {
    pub fn connect(&self) -> Client {
        let mut client = Client::tls(self.server.address().port(), &self.pki, "127.0.0.1").unwrap();
        client.greeting = client.line();
        client
    }

    pub fn login(&self) -> Client {
        let mut client = self.connect();
        assert!(client.auth(ALICE, TOKEN).starts_with("+OK"));
        client
    }
}

pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
    pub greeting: String,
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    pub fn clear(port: u16) -> Client {
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream: BufReader::new(Box::new(tcp)), greeting: String::new() }
    }

    pub fn tls(port: u16, pki: &Pki, name: &str) -> io::Result<Client> {
        Client::over(TcpStream::connect(("127.0.0.1", port))?, pki, name)
    }

    /// Secures a connection; the handshake is done before this returns.
    pub fn over(tcp: TcpStream, pki: &Pki, name: &str) -> io::Result<Client> {
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        let name = name.to_owned().try_into().map_err(io::Error::other)?;
        let tls = ClientConnection::new(pki.client()?, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(Client { stream: BufReader::new(Box::new(stream)), greeting: String::new() })
    }

    pub fn send(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// One line with its end removed; "" with `closed` true would be ambiguous, so the end is `<closed>`.
    pub fn line(&mut self) -> String {
        let line = self.raw_line();
        if line.is_empty() {
            return "<closed>".to_owned();
        }
        String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()
    }

    pub fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        // A reset is an end too.
        let _ = self.stream.read_until(b'\n', &mut line);
        line
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.line()
    }

    /// Reads a multi-line reply to its terminator, unstuffed; None if the connection ends before.
    pub fn lines(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let line = self.raw_line();
            match line.as_slice() {
                b"" => return None,
                b".\r\n" => return Some(all),
                _ => all.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line)),
            }
        }
    }

    pub fn ask_lines(&mut self, line: &str) -> Vec<String> {
        assert!(self.ask(line).starts_with("+OK"), "{line}");
        let text = String::from_utf8(self.lines().unwrap()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub fn retrieve(&mut self, number: usize) -> Vec<u8> {
        assert_eq!(self.ask(&format!("RETR {number}")), "+OK");
        self.lines().unwrap()
    }

    /// XOAUTH2 in two lines; answers the reply to the credentials.
    pub fn auth(&mut self, user: &str, token: &str) -> String {
        assert!(self.ask("AUTH XOAUTH2").starts_with('+'));
        self.ask(&xoauth2(user, token))
    }

    /// What is left until the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }

    /// Reads exactly so many octets.
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.stream.read_exact(&mut octets).unwrap();
        octets
    }
}

pub fn xoauth2(user: &str, token: &str) -> String {
    BASE64_STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

pub fn oauthbearer(user: &str, port: u16, token: &str) -> String {
    let text = format!("n,a={user},\x01host=127.0.0.1\x01port={port}\x01auth=Bearer {token}\x01\x01");
    BASE64_STANDARD.encode(text)
}

/// A small message.
pub fn note(text: &str) -> Body {
    Body::from_bytes(format!("Subject: {text}\r\n\r\n{text}\r\n"))
}

/// A server whose one mailbox holds three small messages with the UIDLs a, b and c.
pub fn three(script: Script) -> Setting {
    let s = setting(script);
    for (uidl, text) in [("a", "one"), ("b", "two"), ("c", "three")] {
        s.server.mailboxes().push(ALICE, Message::new(uidl, note(text)));
    }
    s
}
