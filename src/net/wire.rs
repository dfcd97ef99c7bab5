//! The one loop that reads and writes a POP3 session.
//!
//! `step` hands out what has already arrived, `fill` waits for more. Secrets in the output buffer are wiped after
//! they were written, and nothing is ever written before TLS except `CAPA`, `STLS` and `QUIT`.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::error::{Error, Result, Status};
use crate::pop3::{Command, Cut, Event, Greeting, Limits, Session};

/// One read takes at most a TLS record.
const BUFFER_BYTES: usize = 16 * 1024;

pub struct Wire {
    stream: Stream,
    session: Session,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Octets received, for budgets and reports.
    pub received: u64,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between STLS and the handshake.
    None,
}

impl Wire {
    /// TLS from the first byte.
    pub fn secured(stream: TlsStream<TcpStream>, limits: Limits) -> Wire {
        Wire::new(Stream::Tls(Box::new(stream)), Session::new(true, Greeting::Expected, limits))
    }

    /// In clear, only to say STLS.
    pub fn plain(stream: TcpStream, limits: Limits) -> Wire {
        Wire::new(Stream::Plain(stream), Session::new(false, Greeting::Expected, limits))
    }

    fn new(stream: Stream, session: Session) -> Wire {
        Wire {
            stream,
            session,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            received: 0,
        }
    }

    /// After the server's yes to STLS: the handshake, and a session that knows nothing of before. Bytes that came
    /// in clear behind the yes are an attack or a bug and end it (PROTOCOL.md D.8).
    pub async fn upgrade(&mut self, config: &Arc<ClientConfig>, host: &str, limits: Limits) -> Result<()> {
        if self.start != self.end {
            return Err(Error::new(
                Status::Server,
                "protocol.stls",
                "bytes in clear behind the answer to STLS",
            ));
        }
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::None) else {
            return Err(Error::bug("STLS on a secured connection"));
        };
        let secured = tls::secure(config, host, stream).await?;
        self.stream = Stream::Tls(Box::new(secured));
        self.session = Session::new(true, Greeting::Done, limits);
        Ok(())
    }

    pub fn tls_version(&self) -> &'static str {
        match &self.stream {
            Stream::Tls(stream) => tls::version(stream),
            _ => "none",
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Queues a command; `flush` or `fill` writes it.
    pub fn send(&mut self, command: Command<'_>) -> Result<()> {
        self.session
            .send(command)
            .map_err(|misuse| Error::bug(format!("POP3 command out of place: {misuse:?}")))
    }

    /// What has arrived and is understood; `None`: more must be read.
    pub fn step(&mut self) -> Result<Option<Event<'_>>> {
        if self.start == self.end {
            return Ok(None);
        }
        let (used, event) = self.session.next(&self.buffer[self.start..self.end]).map_err(|e| {
            Error::new(Status::Server, "protocol", e.to_string())
                .advice("The mail server breaks the protocol; nothing was lost, multipop tries again later.")
        })?;
        self.start += used;
        Ok(event)
    }

    /// Writes what is to be written and waits for bytes.
    pub async fn fill(&mut self, limit: Duration) -> Result<()> {
        self.flush(limit).await?;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.end == self.buffer.len() {
            // `step` consumes all it is given; what is left over here would be a session that waits for more.
            return Err(Error::bug("the read buffer is full of bytes the session did not take"));
        }
        let room = &mut self.buffer[self.end..];
        let read = match &mut self.stream {
            Stream::Plain(stream) => timeout(limit, stream.read(room)).await,
            Stream::Tls(stream) => timeout(limit, stream.read(room)).await,
            Stream::None => return Err(Error::bug("read without a connection")),
        };
        let count = match read {
            Err(_) => {
                return Err(Error::new(
                    Status::Transient,
                    "timeout.reply",
                    format!("the mail server said nothing for {} s", limit.as_secs()),
                ));
            }
            Ok(Err(e)) => return Err(self.broken(&e.to_string())),
            Ok(Ok(0)) => return Err(self.broken("closed by the server")),
            Ok(Ok(count)) => count,
        };
        self.end += count;
        self.received += count as u64;
        Ok(())
    }

    /// Writes what is to be written.
    pub async fn flush(&mut self, limit: Duration) -> Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let write = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.write_all(&output).await,
                Stream::Tls(stream) => {
                    stream.write_all(&output).await?;
                    stream.flush().await
                }
                Stream::None => Err(std::io::Error::other("no connection")),
            }
        };
        match timeout(limit, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(self.broken(&e.to_string())),
            Err(_) => Err(self.broken("it takes nothing more")),
        }
    }

    fn broken(&self, why: &str) -> Error {
        let (cause, at) = match self.session.closed() {
            Cut::Nothing => ("connection.closed", "between commands".to_owned()),
            Cut::Greeting => ("connection.no_greeting", "before its greeting".to_owned()),
            Cut::Message(number) => ("connection.in_message", format!("inside message {number}")),
            Cut::Reply(command) => ("connection.no_reply", format!("in place of its reply to {command}")),
        };
        Error::new(Status::Transient, cause, format!("the connection broke {at}: {why}"))
    }
}
