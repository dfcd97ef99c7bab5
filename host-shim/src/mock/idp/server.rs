//! The provider: its parts, its thread, its addresses.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::{ClientConfig, ServerConfig};

use super::super::TokenTable;
use super::super::background::{Background, listen};
use super::super::pki::{Identity, Pki};
use super::browser::{Answer, Browser};
use super::endpoints;
use super::journal::Journal;
use super::jwt::Keys;
use super::settings::{Settings, User};
use super::state::State;

/// A running provider. Ends when dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    client: Arc<ClientConfig>,
    _background: Background,
}

impl Server {
    /// HTTPS with the CA's good certificate, on a port the system chooses.
    pub fn start(pki: &Pki, tokens: &TokenTable, settings: Settings) -> io::Result<Server> {
        Server::start_at(0, pki, &pki.good, tokens, settings)
    }

    /// The same on this port, with this certificate.
    pub fn start_at(
        port: u16,
        pki: &Pki,
        identity: &Identity,
        tokens: &TokenTable,
        settings: Settings,
    ) -> io::Result<Server> {
        let (listener, address) = listen(port)?;
        let shared = Arc::new(Shared {
            base: format!("https://127.0.0.1:{}", address.port()),
            settings: RwLock::new(Arc::new(settings)),
            state: Mutex::default(),
            journal: Journal::default(),
            tokens: tokens.clone(),
            keys: Keys::new()?,
            tls: RwLock::new(identity.server()?),
        });
        let serving = shared.clone();
        let background = Background::start("mock-idp", listener, move |listener| async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let _ = stream.set_nodelay(true);
                tokio::spawn(endpoints::connection(serving.clone(), stream));
            }
        })?;
        Ok(Server { shared, address, client: pki.client()?, _background: background })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.0.0.1:<port>`; as Entra, the authority.
    pub fn base(&self) -> &str {
        &self.shared.base
    }

    /// What a configuration names as issuer; as Entra, of the provider's own tenant.
    pub fn issuer(&self) -> String {
        let settings = self.shared.settings();
        self.shared.issuer(&settings, settings.entra_tenant.as_deref().unwrap_or_default())
    }

    /// The authorization endpoint; as Entra, of `common`.
    pub fn authorize_url(&self) -> String {
        self.endpoint("authorize")
    }

    /// The token endpoint; as Entra, of `common`.
    pub fn token_url(&self) -> String {
        self.endpoint("token")
    }

    pub fn jwks_url(&self) -> String {
        match self.shared.settings().entra_tenant {
            Some(_) => format!("{}/common/discovery/v2.0/keys", self.base()),
            None => format!("{}/jwks", self.base()),
        }
    }

    pub fn introspection_url(&self) -> String {
        format!("{}/introspect", self.base())
    }

    pub fn revocation_url(&self) -> String {
        format!("{}/revoke", self.base())
    }

    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// Changes the behaviour from the next request on.
    pub fn change(&self, with: impl FnOnce(&mut Settings)) {
        with(Arc::make_mut(&mut self.shared.settings.write()));
    }

    /// Shows another certificate to the next connections.
    pub fn show(&self, identity: &Identity) -> io::Result<()> {
        *self.shared.tls.write() = identity.server()?;
        Ok(())
    }

    /// Everything granted by this sign-in name is dead.
    pub fn revoke(&self, user: &str) {
        self.shared.state.lock().revoke_user(user, &self.shared.tokens);
    }

    /// How many refresh tokens would be granted now.
    pub fn live_refresh_tokens(&self) -> usize {
        let rotation = self.shared.settings().rotation;
        self.shared.state.lock().live_refresh_tokens(rotation)
    }

    /// Plays the browser in which `user` is signed in: from an authorize URL to the redirect's address.
    pub fn consent(&self, authorize_url: &str, user: &str) -> io::Result<String> {
        Ok(self.consent_form(authorize_url, user)?.url)
    }

    /// The same where the answer may be a form (`form_post`).
    pub fn consent_form(&self, authorize_url: &str, user: &str) -> io::Result<Answer> {
        Browser::new(self.client.clone(), user).consent(authorize_url)
    }

    pub fn device_url(&self) -> String {
        self.endpoint("devicecode")
    }

    /// Plays the person who enters a code on another device, and allows or refuses. `false`: no such code is open.
    pub fn enter_code(&self, user_code: &str, user: &str, allow: bool) -> io::Result<bool> {
        let decision = if allow { "allow" } else { "deny" };
        let url = format!("{}/device?user_code={user_code}&mock_decision={decision}", self.base());
        Ok(Browser::new(self.client.clone(), user).get(&url)?.status == 200)
    }

    /// No code given out so far is good any longer.
    pub fn expire_codes(&self) {
        self.shared.state.lock().devices.expire();
    }

    fn endpoint(&self, name: &str) -> String {
        match self.shared.settings().entra_tenant {
            Some(_) => format!("{}/common/oauth2/v2.0/{name}", self.base()),
            None => format!("{}/{name}", self.base()),
        }
    }
}

/// What all connections share.
pub(super) struct Shared {
    pub base: String,
    pub settings: RwLock<Arc<Settings>>,
    pub state: Mutex<State>,
    pub journal: Journal,
    pub tokens: TokenTable,
    pub keys: Keys,
    pub tls: RwLock<Arc<ServerConfig>>,
}

impl Shared {
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// What the endpoints' addresses begin with.
    pub fn endpoints(&self, settings: &Settings, segment: &str) -> String {
        match settings.entra_tenant {
            Some(_) => format!("{}/{segment}/oauth2/v2.0", self.base),
            None => self.base.clone(),
        }
    }

    /// The issuer that speaks for this user: as Entra, that of his tenant.
    pub fn issuer_for(&self, settings: &Settings, user: &User) -> String {
        match user.tid.as_ref().or(settings.entra_tenant.as_ref()) {
            Some(tenant) if settings.entra_tenant.is_some() => format!("{}/{tenant}/v2.0", self.base),
            _ => self.base.clone(),
        }
    }

    /// The issuer as discovery on this tenant segment names it.
    pub fn issuer(&self, settings: &Settings, segment: &str) -> String {
        match (&settings.entra_tenant, segment) {
            (None, _) => self.base.clone(),
            (Some(_), "common" | "organizations" | "") => format!("{}/{{tenantid}}/v2.0", self.base),
            (Some(_), "consumers") => format!("{}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", self.base),
            (Some(tenant), _) => format!("{}/{tenant}/v2.0", self.base),
        }
    }
}
