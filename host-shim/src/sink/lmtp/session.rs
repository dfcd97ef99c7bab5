//! One connection to an LMTP server (RFC 2033): LHLO, then any number of transactions with one recipient each.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::reply::{Reply, Step};
use crate::library::No;

const CONNECT: Duration = Duration::from_secs(15);
const REPLY: Duration = Duration::from_secs(60);
/// A server may scan and store before it answers (RFC 5321 §4.5.3.2.6 allows ten minutes; the library waits five).
const DELIVERY: Duration = Duration::from_secs(270);

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Tcp(String),
    Unix(PathBuf),
}

impl Place {
    /// `HOST:PORT`, `unix:PATH` or an absolute path.
    pub fn parse(text: &str) -> Result<Place, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Place::Unix(path.into()));
        }
        if text.starts_with('/') {
            return Ok(Place::Unix(text.into()));
        }
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        match port {
            Some(_) => Ok(Place::Tcp(text.into())),
            None => Err(format!("{text}: give HOST:PORT, unix:PATH or an absolute path")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(address) => write!(f, "{address}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub struct Session {
    stream: BufReader<Stream>,
    takes_size: bool,
    takes_8bit: bool,
}

impl Session {
    pub fn open(place: &Place, host: &str) -> io::Result<Session> {
        let stream = Stream::connect(place)?;
        let mut session = Session { stream: BufReader::new(stream), takes_size: false, takes_8bit: false };
        session.wait(REPLY)?;
        expect_yes(Reply::read(&mut session.stream)?)?;
        let hello = expect_yes(session.command(&format!("LHLO {host}"))?)?;
        let says = |word: &str| {
            let first = |line: &String| line.split_whitespace().next().map(str::to_ascii_uppercase);
            hello.lines.iter().skip(1).any(|line| first(line).as_deref() == Some(word))
        };
        session.takes_size = says("SIZE");
        session.takes_8bit = says("8BITMIME");
        Ok(session)
    }

    /// As far as `354`. The null sender: nobody is to get a bounce of mail that was collected.
    pub fn begin(&mut self, deliver_to: &str, size: u64) -> Result<(), Refused> {
        let size = if self.takes_size { format!(" SIZE={size}") } else { String::new() };
        let body = if self.takes_8bit { " BODY=8BITMIME" } else { "" };
        let steps = [
            (Step::Sender, format!("MAIL FROM:<>{size}{body}")),
            (Step::Recipient, format!("RCPT TO:<{deliver_to}>")),
            (Step::Data, "DATA".into()),
        ];
        for (step, command) in steps {
            let reply = self.command(&command).map_err(Refused::lost)?;
            if !reply.is_yes() {
                let is_usable = !reply.is_closing() && self.command("RSET").is_ok_and(|reset| reset.is_yes());
                return Err(Refused { no: reply.no(step), is_usable, is_lost: false });
            }
        }
        Ok(())
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The one recipient's own reply (RFC 2033 §4.2), after the line with the dot was sent.
    /// A yes is answered as the server said it.
    pub fn finish(&mut self) -> Result<String, Refused> {
        self.wait(DELIVERY).map_err(Refused::lost)?;
        let reply = Reply::read(&mut self.stream).map_err(Refused::lost)?;
        self.wait(REPLY).map_err(Refused::lost)?;
        match reply.is_yes() {
            true => Ok(reply.words()),
            false => {
                Err(Refused { no: reply.no(Step::Message), is_usable: !reply.is_closing(), is_lost: false })
            }
        }
    }

    /// Not waited for: nothing depends on the answer.
    pub fn quit(mut self) {
        let _ = self.send(b"QUIT\r\n");
    }

    fn command(&mut self, line: &str) -> io::Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        Reply::read(&mut self.stream)
    }

    fn wait(&self, time: Duration) -> io::Result<()> {
        match self.stream.get_ref() {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(time)),
            Stream::Unix(stream) => stream.set_read_timeout(Some(time)),
        }
    }
}

/// A no, and whether the connection can serve the next message.
#[derive(Debug)]
pub struct Refused {
    pub no: No,
    pub is_usable: bool,
    /// The connection broke; the server said nothing about the message.
    pub is_lost: bool,
}

impl Refused {
    fn lost(error: io::Error) -> Refused {
        Refused {
            no: No::Defer(format!("the LMTP connection was lost: {error}")),
            is_usable: false,
            is_lost: true,
        }
    }
}

fn expect_yes(reply: Reply) -> io::Result<Reply> {
    match reply.is_yes() {
        true => Ok(reply),
        false => Err(io::Error::other(reply.words())),
    }
}

impl Stream {
    fn connect(place: &Place) -> io::Result<Stream> {
        match place {
            Place::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(REPLY))?;
                Ok(Stream::Unix(stream))
            }
            Place::Tcp(address) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT) {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            stream.set_write_timeout(Some(REPLY))?;
                            return Ok(Stream::Tcp(stream));
                        }
                        Err(e) => last = e,
                    }
                }
                Err(last)
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(into),
            Stream::Unix(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
