//! The one loop that reads and writes a POP3 session.
//!
//! `step` hands out what has already arrived, `fill` waits for more and writes meanwhile, so that a window of
//! commands can never stop both sides (PROTOCOL.md D.7). Whatever future is dropped, what was read is in the buffer
//! and what was written is gone from the session's output, wiped. Nothing is ever written before TLS except `CAPA`,
//! `STLS` and `QUIT`.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::socket::Socket;
use super::tls;
use crate::error::{Error, Result, Status};
use crate::pop3::{Command, Cut, Event, Greeting, Limits, Misuse, Session, Witness};

/// One read takes at most a TLS record.
const BUFFER_BYTES: usize = 16 * 1024;

pub struct Wire {
    stream: Stream,
    session: Session,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// What TLS took and may still hold back.
    unflushed: bool,
    /// Octets received, for budgets and reports.
    pub received: u64,
    witness: Option<Arc<dyn Witness>>,
}

enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// Between STLS and the handshake.
    None,
}

impl Wire {
    /// TLS from the first byte.
    pub fn secured(stream: TlsStream<Socket>, limits: Limits) -> Wire {
        Wire::new(Stream::Tls(Box::new(stream)), Session::new(true, Greeting::Expected, limits))
    }

    /// In clear, only to say STLS.
    pub fn plain(stream: Socket, limits: Limits) -> Wire {
        Wire::new(Stream::Plain(stream), Session::new(false, Greeting::Expected, limits))
    }

    fn new(stream: Stream, session: Session) -> Wire {
        Wire {
            stream,
            session,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            unflushed: false,
            received: 0,
            witness: None,
        }
    }

    /// Whoever hears it from now on, also behind STLS.
    pub fn heard_by(mut self, witness: Option<Arc<dyn Witness>>) -> Wire {
        if let Some(witness) = &witness {
            self.session.heard_by(witness.clone());
        }
        self.witness = witness;
        self
    }

    /// After the server's yes to STLS: the handshake, and a session that knows nothing of before. Bytes that came
    /// in clear behind the yes are an attack or a bug and end it (PROTOCOL.md D.8).
    pub async fn upgrade(&mut self, config: &Arc<ClientConfig>, host: &str, limits: Limits) -> Result<()> {
        if self.buffered() {
            return Err(Error::new(
                Status::Server,
                "protocol.stls",
                "bytes in clear behind the answer to STLS",
            )
            .advice("Somebody between here and the mail server may be tampering with the connection. Nothing secret was sent; use the server's POP3S port (995)."));
        }
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::None) else {
            return Err(Error::bug("STLS on a secured connection"));
        };
        let secured = tls::secure(config, host, stream).await?;
        self.stream = Stream::Tls(Box::new(secured));
        self.session = Session::new(true, Greeting::Done, limits);
        if let Some(witness) = &self.witness {
            self.session.heard_by(witness.clone());
        }
        self.unflushed = false;
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

    /// Bytes are there that `step` has not looked at.
    pub fn buffered(&self) -> bool {
        self.start != self.end
    }

    /// Queues a command; `flush` or `fill` writes it.
    pub fn send(&mut self, command: Command<'_>) -> Result<()> {
        if self.buffered() && self.session.closed() == Cut::Nothing {
            // They came before the server could know the command, so they are not its answer (I13).
            return Err(out_of_step(format!(
                "bytes that nobody asked for came before {}",
                command.verb().keyword()
            )));
        }
        self.session.send(command).map_err(|misuse| match misuse {
            Misuse::Injection => Error::new(
                Status::Config,
                "config.credentials",
                "the user name, the password or the access token holds control characters",
            )
            .advice("Correct the account's user name; a token from a file must be one line."),
            other => Error::bug(format!("POP3 command out of place: {other:?}")),
        })
    }

    /// What has arrived and is understood; `None`: more must be read.
    pub fn step(&mut self) -> Result<Option<Event<'_>>> {
        if self.start == self.end {
            return Ok(None);
        }
        let (used, event) =
            self.session.next(&self.buffer[self.start..self.end]).map_err(|e| out_of_step(e.to_string()))?;
        self.start += used;
        Ok(event)
    }

    /// Waits for bytes, and writes what is to be written meanwhile. May be dropped at any time.
    pub async fn fill(&mut self, limit: Duration) -> Result<()> {
        if !self.buffered() {
            self.start = 0;
            self.end = 0;
        }
        if self.end == self.buffer.len() {
            if self.start == 0 {
                // `step` takes all it is given; what is left over here would be a session that waits for more.
                return Err(Error::bug("the read buffer is full of bytes the session did not take"));
            }
            self.buffer.copy_within(self.start.., 0);
            self.end -= self.start;
            self.start = 0;
        }
        let count = match timeout(limit, poll_fn(|cx| self.poll_fill(cx))).await {
            Ok(Ok(count)) => count,
            Ok(Err(e)) => return Err(self.broken(&e.to_string())),
            Err(_) if self.writes() => return Err(self.broken("it takes nothing more")),
            Err(_) => {
                return Err(Error::new(
                    Status::Transient,
                    "timeout.reply",
                    format!("the mail server said nothing for {} s", limit.as_secs()),
                )
                .advice("Nothing was lost, multipop tries again later. If it stays so, the mail server's operator can help."));
            }
        };
        if count == 0 {
            return Err(self.broken("closed by the server"));
        }
        Ok(())
    }

    /// Writes what is to be written. May be dropped at any time.
    pub async fn flush(&mut self, limit: Duration) -> Result<()> {
        match timeout(limit, poll_fn(|cx| self.poll_flush(cx))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(self.broken(&e.to_string())),
            Err(_) => Err(self.broken("it takes nothing more")),
        }
    }

    fn writes(&self) -> bool {
        self.unflushed || !self.session.output().is_empty()
    }

    /// Bytes read, 0 at the end of the stream. A server that closed may have said why before: an error in writing
    /// is told only when there is nothing more to read.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = self.poll_flush(cx);
        let mut room = ReadBuf::new(&mut self.buffer[self.end..]);
        let read = self.stream.read(cx, &mut room);
        let count = room.filled().len();
        self.end += count;
        self.received += count as u64;
        match (read, written) {
            (Poll::Ready(Ok(())), _) => Poll::Ready(Ok(count)),
            (_, Poll::Ready(Err(e))) | (Poll::Ready(Err(e)), _) => Poll::Ready(Err(e)),
            (Poll::Pending, _) => Poll::Pending,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.output().is_empty() {
            let count = ready!(self.stream.write(cx, self.session.output()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.session.wrote(count);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(self.stream.flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn broken(&self, why: &str) -> Error {
        let (cause, at) = match self.session.closed() {
            Cut::Nothing => ("connection.closed", "between commands".to_owned()),
            Cut::Greeting => ("connection.no_greeting", "before its greeting".to_owned()),
            Cut::Message(number) => ("connection.in_message", format!("inside message {number}")),
            Cut::Reply(command) => ("connection.no_reply", format!("in place of its reply to {command}")),
        };
        Error::new(Status::Transient, cause, format!("the connection broke {at}: {why}")).advice(
            "Nothing was lost, multipop tries again later. If it stays so, the network or the mail server is at fault.",
        )
    }
}

impl Stream {
    fn read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, room),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, room),
            Stream::None => Poll::Ready(Err(no_connection())),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
            Stream::None => Poll::Ready(Err(no_connection())),
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Stream::None => Poll::Ready(Err(no_connection())),
        }
    }
}

fn no_connection() -> io::Error {
    io::Error::other("no connection")
}

fn out_of_step(what: String) -> Error {
    Error::new(Status::Server, "protocol", what)
        .advice("The mail server breaks the protocol; nothing was lost, multipop tries again later.")
}
