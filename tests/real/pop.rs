//! A POP3S client that says exactly what it is told and shows the bytes that come back: for looking at a server,
//! not for collecting mail.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::Pki;

pub struct Pop {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Pop {
    /// Connects and takes the greeting.
    pub fn connect(port: u16, pki: &Pki) -> (Pop, String) {
        let tcp = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        tcp.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let tls = ClientConnection::new(pki.client(), name).expect("a TLS client");
        let mut pop = Pop { stream: BufReader::new(StreamOwned::new(tls, tcp)) };
        let greeting = pop.line();
        (pop, greeting)
    }

    /// One reply line without its CRLF.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line from the server");
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no CRLF after {line:?}")).to_owned()
    }

    pub fn say(&mut self, line: &str) -> String {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("the server listens");
        stream.flush().expect("the server listens");
        self.line()
    }

    /// The lines of a multi-line reply after the first.
    pub fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line == "." {
                return lines;
            }
            lines.push(line);
        }
    }

    /// The two-line form; answers what stands after the credentials: `+OK`, `+ challenge` or `-ERR`.
    pub fn xoauth2(&mut self, user: &str, token: &str) -> String {
        assert_eq!(self.say("AUTH XOAUTH2"), "+ ");
        self.say(&BASE64.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01")))
    }

    pub fn oauthbearer(&mut self, user: &str, token: &str) -> String {
        assert_eq!(self.say("AUTH OAUTHBEARER"), "+ ");
        self.say(&BASE64.encode(format!("n,a={user},\x01auth=Bearer {token}\x01\x01")))
    }
}
