//! One connection: lines in, buffered bytes out, the round trip that loopback lacks.
//!
//! Replies to commands that arrived together leave together; a reply never leaves earlier than
//! `round_trip` after its command arrived.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::journal::Journal;
use super::script::{Drip, Script};

pub(super) struct Wire {
    stream: Stream,
    incoming: BytesMut,
    received: u64,
    consumed: u64,
    arrivals: VecDeque<(u64, Instant)>,
    out: Vec<u8>,
    /// Octets flushed so far, so that marks stay true.
    gone: usize,
    /// When the command now being answered arrived.
    asked_at: Instant,
    asked: bool,
    ended: bool,
    idle: Duration,
    round_trip: Duration,
    drip: Option<Drip>,
    journal: Journal,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

/// A longer line without an end is no client of ours.
const LINE_LIMIT: usize = 1 << 20;
/// How much is read ahead while a reply waits for its round trip.
const AHEAD: usize = 256 * 1024;
/// Room for one TLS record, so that what came together is seen together.
const AT_ONCE: usize = 16 * 1024;
/// How much is gathered before it is written.
const GATHERED: usize = 64 * 1024;

impl Wire {
    pub fn new(stream: TcpStream, journal: Journal) -> Wire {
        Wire {
            stream: Stream::Plain(stream),
            incoming: BytesMut::new(),
            received: 0,
            consumed: 0,
            arrivals: VecDeque::new(),
            out: Vec::new(),
            gone: 0,
            asked_at: Instant::now(),
            asked: true,
            ended: false,
            idle: Duration::from_secs(60),
            round_trip: Duration::ZERO,
            drip: None,
            journal,
        }
    }

    /// Takes over what a script says about timing.
    pub fn follow(&mut self, script: &Script, logged_in: bool) {
        self.idle = if logged_in { script.idle } else { script.idle_before_login };
        self.round_trip = script.round_trip;
        self.drip = script.drip;
    }

    /// The server's side of the handshake. What came in clear is thrown away.
    pub async fn secure(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let Stream::Plain(tcp) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        self.incoming.clear();
        self.arrivals.clear();
        self.consumed = self.received;
        let tls = TlsAcceptor::from(config).accept(tcp).await?;
        self.stream = Stream::Tls(Box::new(tls));
        self.asked_at = Instant::now();
        Ok(())
    }

    pub fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The next line without its end; None at the end or after too long a silence. What is to be said is said before waiting.
    pub async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.incoming) {
                let mut line = self.incoming.split_to(end + 1).to_vec();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.took(end as u64 + 1);
                return Ok(Some(line));
            }
            if self.incoming.len() > LINE_LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.flush().await?;
            let idle = self.idle;
            match timeout(idle, self.read()).await {
                Ok(Ok(true)) => {}
                Ok(Err(error)) => return Err(error),
                Ok(Ok(false)) | Err(_) => return Ok(None),
            }
        }
    }

    /// True if another command has already arrived.
    pub fn has_line(&self) -> bool {
        memchr::memchr(b'\n', &self.incoming).is_some()
    }

    /// Throws away what has arrived.
    pub fn discard(&mut self) -> usize {
        let thrown = self.incoming.len();
        self.took(thrown as u64);
        self.incoming.clear();
        thrown
    }

    /// To be said with the next flush.
    pub fn say(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Where the next thing said will stand, for [`Wire::unsay`].
    pub fn mark(&self) -> usize {
        self.gone + self.out.len()
    }

    /// Takes back what was said since the mark, as far as it is not out.
    pub fn unsay(&mut self, mark: usize) -> Vec<u8> {
        self.out.split_off(mark.saturating_sub(self.gone).min(self.out.len()))
    }

    /// Writes once enough is gathered.
    pub async fn relieve(&mut self) -> io::Result<()> {
        if self.out.len() < GATHERED { Ok(()) } else { self.flush().await }
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.travel().await?;
        let out = std::mem::take(&mut self.out);
        // Noted before, so that who has read the reply finds it counted.
        self.journal.sent(out.len(), std::mem::take(&mut self.asked));
        match self.drip {
            None => self.write(&out).await?,
            Some(drip) => {
                for octets in out.chunks(drip.octets.max(1)) {
                    self.write(octets).await?;
                    sleep(drip.pause).await;
                }
            }
        }
        self.gone += out.len();
        self.out = out;
        self.out.clear();
        Ok(())
    }

    /// True if the client has closed the connection.
    pub async fn peer_is_gone(&mut self) -> bool {
        if self.ended {
            return true;
        }
        match timeout(Duration::from_millis(20), self.read()).await {
            Err(_) => false,
            Ok(read) => !read.unwrap_or(false),
        }
    }

    /// Says farewell in TLS too.
    pub async fn close(&mut self) {
        let _ = self.flush().await;
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Gone => Ok(()),
        };
    }

    /// Waits until the reply may leave; reads meanwhile, so that arrivals are dated truly.
    async fn travel(&mut self) -> io::Result<()> {
        let due = self.asked_at + self.round_trip;
        while Instant::now() < due {
            if self.ended || self.incoming.len() > AHEAD {
                sleep_until(due).await;
                return Ok(());
            }
            tokio::select! {
                () = sleep_until(due) => {}
                read = self.read() => { read?; }
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> io::Result<bool> {
        self.incoming.reserve(AT_ONCE);
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.incoming).await,
            Stream::Tls(stream) => stream.read_buf(&mut self.incoming).await,
            Stream::Gone => Ok(0),
        };
        let octets = read.inspect_err(|_| self.ended = true)?;
        self.ended |= octets == 0;
        self.received += octets as u64;
        self.arrivals.push_back((self.received, Instant::now()));
        Ok(octets > 0)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn took(&mut self, octets: u64) {
        self.consumed += octets;
        self.asked = true;
        while let Some((upto, at)) = self.arrivals.front().copied() {
            self.asked_at = at;
            if upto > self.consumed {
                break;
            }
            self.arrivals.pop_front();
            if upto == self.consumed {
                break;
            }
        }
    }
}
