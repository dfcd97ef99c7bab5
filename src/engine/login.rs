//! From an account to a session that is logged in: name, TCP, TLS, greeting, CAPA, AUTH.
//!
//! No credential is sent before TLS with a verified name and chain (I8), and there is no fallback to a password;
//! accounts that have one log in by `password`.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::Gate;
use super::call::Call;
use super::deadline::Deadline;
use super::line::Line;
use crate::error::{Error, Result, Status};
use crate::model::{Security, Server};
use crate::net::dial::{Family, Peer};
use crate::net::socket::Socket;
use crate::net::tls;
use crate::net::wire::Wire;
use crate::oauth::provider::{MechanismRule, Provider};
use crate::pop3::{Capabilities, Command, Event, Limits, Listing, Login, Mechanism, Refusal, Verb, Witness};
use crate::secret::Secret;
use crate::store::AccountRow;

/// A connection with its waits.
pub struct Connection {
    pub wire: Wire,
    /// The breakers it passed, and by which family of addresses.
    pub gate: Gate,
    pub family: Family,
    pub capabilities: Capabilities,
    pub deadline: Deadline,
    /// Between two reads while a reply is due.
    pub reply: Duration,
    /// For the replies to credentials, UIDL and LIST, which a server may have to think about.
    pub login: Duration,
}

/// How an AUTH ended that did not fail for the network's or the protocol's sake.
pub enum Answer {
    Welcome,
    Refused(Refusal),
    /// The connection was closed, or the protocol broken, in place of the reply to the credentials.
    Broken(Error),
}

/// Connects and learns what the server can.
pub async fn connect(call: &Call, row: &AccountRow) -> Result<Connection> {
    let dialled = dial(call, row).await?;
    let mut connection = secure(call, row, dialled).await?;
    connection.introduce(&row.account.server).await?;
    Ok(connection)
}

/// A socket, and the breakers it passed.
pub struct Dialled {
    stream: Socket,
    gate: Gate,
    family: Family,
}

/// A socket to the account's server, if its token may go there and the server is not left in peace just now.
pub async fn dial(call: &Call, row: &AccountRow) -> Result<Dialled> {
    call.settings.tls_of_account(&row.account)?;
    let server = &row.account.server;
    let gate = Gate::of(call, server).await?;
    let is_shut = |family| gate.is_shut(family, call.now());
    let peer = peer(call, row);
    let found = call.names.connect(&peer, is_shut);
    let Some((stream, family)) = call.deadline.bound(found).await? else {
        return Err(gate.shut(call.now()));
    };
    gate.enter(call, family).await?;
    Ok(Dialled { stream, gate, family })
}

/// The account's server, and how it is reached.
pub fn peer<'a>(call: &'a Call, row: &'a AccountRow) -> Peer<'a> {
    let server = &row.account.server;
    Peer {
        host: &server.host,
        port: server.port,
        reach: call.settings.reach_of_account(&row.account),
        route: call.settings.routes.of_account(&row.account),
        limit: Duration::from_secs(call.settings.config.timeouts.connect_s.into()),
    }
}

/// TLS over it: at once, or after what must be said in clear to have it.
pub async fn secure(call: &Call, row: &AccountRow, dialled: Dialled) -> Result<Connection> {
    let Dialled { stream, gate, family } = dialled;
    let server = &row.account.server;
    let timeouts = &call.settings.config.timeouts;
    let limit = Duration::from_secs(timeouts.connect_s.into());
    let limits = Limits {
        listing_entries: call.settings.config.limits.listing_entries,
        message_bytes: row.account.limits.max_message_bytes,
    };
    let config = call.settings.tls_of_account(&row.account)?;
    let wire = match server.security {
        Security::Implicit => {
            let secured = call
                .deadline
                .within(limit, "the TLS handshake", tls::secure(&config, &server.host, stream))
                .await?;
            Wire::secured(secured, limits)
        }
        Security::Stls => Wire::plain(stream, limits),
    };
    if let Some(trace) = &call.trace {
        trace.note(&format!("connected to {}:{}, TLS: {}", server.host, server.port, wire.tls_version()));
    }
    let mut connection = Connection {
        wire: wire.heard_by(call.trace.clone().map(|trace| trace as Arc<dyn Witness>)),
        gate,
        family,
        capabilities: Capabilities::default(),
        deadline: call.deadline.clone(),
        reply: Duration::from_secs(timeouts.reply_s.into()),
        login: Duration::from_secs(timeouts.login_s.into()),
    };
    if server.security == Security::Stls {
        connection.greeting(server).await.map_err(silent_in_clear)?;
        connection.capabilities = connection.ask_capabilities().await?;
        connection.start_tls(server).await?;
        let secure = connection.wire.upgrade(&config, &server.host, limits);
        call.deadline.within(limit, "the TLS handshake", secure).await?;
    }
    Ok(connection)
}

impl Connection {
    /// What is said under TLS before a credential. What was said in clear counts for nothing (RFC 2595 §4).
    pub async fn introduce(&mut self, server: &Server) -> Result<()> {
        if server.security == Security::Implicit {
            self.greeting(server).await?;
        }
        self.capabilities = self.ask_capabilities().await?;
        Ok(())
    }

    /// Logs in; the answer to a no is the caller's to understand.
    pub async fn log_in(
        &mut self,
        server: &Server,
        provider: Option<&Provider>,
        user: &str,
        token: &Secret,
    ) -> Result<Answer> {
        let mechanism = self.mechanism(provider)?;
        Line::new("auth")
            .field("mechanism", format!("{mechanism:?}"))
            .field("token_octets", token.len())
            .debug();
        let login = Login {
            mechanism,
            user,
            token,
            host: &server.host,
            port: server.port,
            initial_response: provider.is_some_and(|provider| provider.initial_response),
        };
        self.wire.send(Command::Login(login))?;
        self.answer_to_credentials().await
    }

    pub async fn answer_to_credentials(&mut self) -> Result<Answer> {
        match self.answer(self.login).await {
            Ok(Said::Done) => {}
            Ok(Said::Refused(refusal)) => return Ok(Answer::Refused(refusal)),
            Ok(_) => return Err(out_of_step()),
            Err(e) if e.cause == "connection.no_reply" || e.status == Status::Server => {
                return Ok(Answer::Broken(e));
            }
            Err(e) => return Err(e),
        }
        if self.capabilities.changes_after_login {
            self.capabilities = self.ask_capabilities().await?;
        }
        Ok(Answer::Welcome)
    }

    fn mechanism(&self, provider: Option<&Provider>) -> Result<Mechanism> {
        let lists = |name: &str| self.capabilities.sasl.iter().any(|listed| listed == name);
        let rule = provider.map_or(MechanismRule::Listed, |provider| provider.mechanism);
        let unlisted = provider.is_some_and(|provider| provider.mechanism_unlisted);
        let mechanism = match rule {
            MechanismRule::Xoauth2 => Mechanism::Xoauth2,
            MechanismRule::Oauthbearer => Mechanism::Oauthbearer,
            MechanismRule::Listed if lists("OAUTHBEARER") => Mechanism::Oauthbearer,
            MechanismRule::Listed => Mechanism::Xoauth2,
        };
        let name = match mechanism {
            Mechanism::Xoauth2 => "XOAUTH2",
            Mechanism::Oauthbearer => "OAUTHBEARER",
        };
        // Some servers leave the list out, or the mechanism off it, and take it nevertheless (PROTOCOL.md B.2).
        if lists(name) || unlisted || self.capabilities.sasl.is_empty() {
            return Ok(mechanism);
        }
        Err(Error::new(
            Status::Config,
            "server.mechanism",
            format!("the server offers {:?} and not {name}", self.capabilities.sasl),
        )
        .advice("This mail server takes no OAuth log-in of the configured kind; check the server's name and the provider's mechanism."))
    }

    async fn greeting(&mut self, server: &Server) -> Result<()> {
        let limit = self.reply;
        match self.answer(limit).await? {
            Said::Greeting => Ok(()),
            Said::Unwelcome(refusal) => Err(Error::new(
                Status::Transient,
                "server.unwelcome",
                format!("{} turned the connection away: {}", server.host, refusal.text),
            )
            .advice("The mail server takes no connections at the moment; multipop tries again later.")
            .provider_code(refusal.code.map_or(String::new(), |code| format!("[{}]", code.name())))),
            _ => Err(out_of_step()),
        }
    }

    async fn ask_capabilities(&mut self) -> Result<Capabilities> {
        self.wire.send(Command::Capa)?;
        match self.answer(self.reply).await? {
            Said::Capabilities(capabilities) => Ok(capabilities),
            _ => Err(out_of_step()),
        }
    }

    async fn start_tls(&mut self, server: &Server) -> Result<()> {
        let refuse = |why: &str| {
            Error::new(
                Status::Server,
                "tls.stls_refused",
                format!("{} offers no TLS on this port: {why}", server.host),
            )
            .advice("Nothing is sent without TLS. Use the server's POP3S port (995) with implicit TLS.")
        };
        if self.capabilities.answered && !self.capabilities.stls {
            return Err(refuse("STLS is not announced"));
        }
        self.wire.send(Command::Stls)?;
        match self.answer(self.reply).await? {
            Said::Done => Ok(()),
            Said::Refused(refusal) => Err(refuse(&refusal.text)),
            _ => Err(out_of_step()),
        }
    }

    /// A command whose answer is yes or no; the no is handed back.
    pub async fn ask(&mut self, command: Command<'_>, limit: Duration) -> Result<Option<Refusal>> {
        self.wire.send(command)?;
        match self.answer(limit).await? {
            Said::Done => Ok(None),
            Said::Refused(refusal) => Ok(Some(refusal)),
            _ => Err(out_of_step()),
        }
    }

    /// UIDL of the whole mailbox, the proof of login.
    pub async fn list(&mut self) -> Result<Listing> {
        self.wire.send(Command::Uidl)?;
        match self.answer(self.login).await? {
            Said::Uidl(listing) => Ok(listing),
            Said::Refused(refusal) if self.capabilities.uidl => Err(Error::new(
                Status::Transient,
                "server.no_listing",
                format!("the server refused UIDL: {}", refusal.text),
            )
            .advice("The mail server has trouble with this mailbox; multipop tries again by itself. If it stays, ask its operator.")),
            Said::Refused(refusal) => Err(Error::new(
                Status::Config,
                "server.no_uidl",
                format!("the server knows no UIDL: {}", refusal.text),
            )
            .advice("Without UIDL (RFC 1939) messages cannot be told apart, and none is fetched twice or lost only with it. Use another server or protocol.")),
            _ => Err(out_of_step()),
        }
    }

    /// The next answer that stands alone.
    pub async fn answer(&mut self, limit: Duration) -> Result<Said> {
        loop {
            if let Some(event) = self.wire.step()? {
                return Said::of(event);
            }
            self.deadline.bound(self.wire.fill(limit)).await?;
        }
    }
}

/// An event that borrows nothing.
pub enum Said {
    Greeting,
    Unwelcome(Refusal),
    Capabilities(Capabilities),
    Done,
    Refused(Refusal),
    Uidl(Listing),
    List(crate::pop3::Sizes),
}

impl Said {
    fn of(event: Event<'_>) -> Result<Said> {
        Ok(match event {
            Event::Greeting => Said::Greeting,
            Event::Unwelcome(refusal) => Said::Unwelcome(refusal),
            Event::Capabilities(capabilities) => Said::Capabilities(capabilities),
            Event::Done { .. } => Said::Done,
            Event::Refused { verb: Verb::Login, refusal, .. } => Said::Refused(refusal),
            Event::Refused { refusal, .. } => Said::Refused(refusal),
            Event::Uidl(listing) => Said::Uidl(listing),
            Event::List(sizes) => Said::List(sizes),
            Event::Stat { .. } => Said::Done,
            Event::MessageBegin { .. } | Event::MessageData { .. } | Event::MessageEnd { .. } => {
                return Err(out_of_step());
            }
        })
    }
}

/// A port that begins with TLS waits for us as we wait for its greeting.
fn silent_in_clear(error: Error) -> Error {
    if error.cause != "timeout.reply" {
        return error;
    }
    error.advice(
        "A port that says nothing in clear most often wants TLS from the first byte (995): set the account's security \
         to implicit, or name the port of STLS (110). If it is right, multipop tries again later.",
    )
}

pub fn out_of_step() -> Error {
    Error::bug("an answer came that no command asked for")
}
