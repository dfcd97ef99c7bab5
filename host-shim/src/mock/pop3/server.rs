//! The POP3 server: its parts, its thread, its door.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;

use super::super::TokenTable;
use super::super::background::{Background, listen};
use super::super::pki::{Identity, Pki};
use super::journal::Journal;
use super::mailbox::Mailboxes;
use super::script::Script;
use super::session;
use super::stop::{Place, Stop, Stops};

/// How the connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS from the first byte, as on port 995.
    Tls,
    /// In clear, to be secured by STLS.
    Stls,
    /// In clear, with no way out.
    Clear,
    /// Takes the connection and says nothing: not even a handshake.
    Silent,
}

/// A running POP3 server. Ends when dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    _background: Background,
}

impl Server {
    /// Implicit TLS with the CA's good certificate, on a port the system chooses.
    pub fn start(pki: &Pki, tokens: &TokenTable, script: Script) -> io::Result<Server> {
        Server::builder(tokens, script).identity(&pki.good).start()
    }

    pub fn builder(tokens: &TokenTable, script: Script) -> Builder {
        Builder {
            tokens: tokens.clone(),
            script,
            tls: None,
            transport: Transport::Tls,
            port: 0,
            validator: None,
            mailboxes: Mailboxes::default(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn mailboxes(&self) -> &Mailboxes {
        &self.shared.mailboxes
    }

    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Changes the behaviour from the next command on, in open sessions too.
    pub fn change(&self, with: impl FnOnce(&mut Script)) {
        with(Arc::make_mut(&mut self.shared.script.write()));
    }

    /// Shows another certificate to the next connections.
    pub fn show(&self, identity: &Identity) -> io::Result<()> {
        *self.shared.tls.write() = Some(identity.server()?);
        Ok(())
    }

    /// Asks that the next session to come to this place halts there.
    pub fn stop_at(&self, place: Place) -> Stop {
        self.shared.stops.add(place)
    }

    /// Forgets when users last logged in, as if the login delay were over.
    pub fn forget_logins(&self) {
        self.shared.logins.lock().values_mut().for_each(|login| login.last = None);
    }
}

/// What a server begins with.
pub struct Builder {
    tokens: TokenTable,
    script: Script,
    tls: Option<io::Result<Arc<ServerConfig>>>,
    transport: Transport,
    port: u16,
    validator: Option<Validator>,
    mailboxes: Mailboxes,
}

impl Builder {
    pub fn identity(self, identity: &Identity) -> Builder {
        Builder { tls: Some(identity.server()), ..self }
    }

    /// A TLS configuration of one's own, for instance of one version: [`Identity::server_of`].
    pub fn tls(self, config: Arc<ServerConfig>) -> Builder {
        Builder { tls: Some(Ok(config)), ..self }
    }

    pub fn transport(self, transport: Transport) -> Builder {
        Builder { transport, ..self }
    }

    pub fn port(self, port: u16) -> Builder {
        Builder { port, ..self }
    }

    /// Mailboxes that outlive this server.
    pub fn mailboxes(self, mailboxes: &Mailboxes) -> Builder {
        Builder { mailboxes: mailboxes.clone(), ..self }
    }

    /// Says for (user, token) whether they fit, where the token table does not.
    pub fn validator(self, fits: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Builder {
        Builder { validator: Some(Box::new(fits)), ..self }
    }

    pub fn start(self) -> io::Result<Server> {
        let (listener, address) = listen(self.port)?;
        let shared = Arc::new(Shared {
            script: RwLock::new(Arc::new(self.script)),
            tls: RwLock::new(self.tls.transpose()?),
            transport: self.transport,
            tokens: self.tokens,
            validator: self.validator,
            mailboxes: self.mailboxes,
            journal: Journal::default(),
            stops: Stops::default(),
            logins: Mutex::default(),
            port: address.port(),
        });
        let serving = shared.clone();
        let background = Background::start("mock-pop3", listener, move |listener| async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let _ = stream.set_nodelay(true);
                tokio::spawn(session::serve(serving.clone(), stream));
            }
        })?;
        Ok(Server { shared, address, _background: background })
    }
}

type Validator = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What all sessions of a server share.
pub(super) struct Shared {
    pub script: RwLock<Arc<Script>>,
    pub tls: RwLock<Option<Arc<ServerConfig>>>,
    pub transport: Transport,
    pub mailboxes: Mailboxes,
    pub journal: Journal,
    pub stops: Stops,
    pub logins: Mutex<HashMap<String, Login>>,
    pub port: u16,
    tokens: TokenTable,
    validator: Option<Validator>,
}

/// A user's sessions.
#[derive(Default)]
pub(super) struct Login {
    pub last: Option<Instant>,
    pub open: u32,
}

impl Shared {
    /// The passwords of this user.
    pub fn passwords(&self, user: &str) -> Vec<String> {
        self.tokens.of_user(user)
    }

    pub fn fits(&self, user: &str, token: &str) -> bool {
        self.tokens.fits(token, user) || self.validator.as_ref().is_some_and(|fits| fits(user, token))
    }
}
