//! A configuration proved: every file it names was read, every provider filled and checked, the resolver known.
//!
//! Everything but the store and token files is read here, once, at `configure`: later the process may have
//! another root directory or fewer rights.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;

use super::app_only::Latest;
use super::discovery::Discovered;
use super::files::Named;
use super::line::Line;
use super::routes::Routes;
use crate::config::words::server_text;
use crate::config::{Config, ProviderConfig};
use crate::error::{Error, Result, Status};
use crate::model::{Account, Classic, TokenSource, UnixTime};
use crate::net::dial::{NameService, Reach};
use crate::net::tls;
use crate::oauth::provider::{Loaded, LoadedCertificate, Provider};
use crate::secret::{KeyBytes, Secret};
use crate::store::Store;
use crate::store::seal::KeyRing;
use crate::store::sqlite::SqliteStore;

pub struct Settings {
    pub config: Config,
    pub names: NameService,
    pub routes: Routes,
    providers: HashMap<String, Arc<Provider>>,
    provider_tls: HashMap<String, Arc<ClientConfig>>,
    /// Of providers that are found by their issuer.
    discovered: HashMap<String, Discovered>,
    app_tokens: HashMap<String, Latest>,
    /// Of configured accounts, by id.
    pub passwords: BTreeMap<String, Secret>,
    /// For accounts with a token file or a password; `None` where nothing is trusted but providers' own authorities.
    account_tls: Option<Arc<ClientConfig>>,
    keys: KeyRing,
    digest: [u8; 32],
}

impl Settings {
    /// Reads and proves everything; nothing is written and no network used.
    pub fn prove(config: Config) -> Result<Settings> {
        let keys = read_keys(&config)?;
        let mut digest = Digest::new(&keys[0], &config)?;
        for key in &keys[1..] {
            digest.add("key", key.expose());
        }
        let roots = general_roots(&config, &mut digest)?;
        let names = NameService::from_system()?;
        let mut providers = HashMap::new();
        let mut provider_tls = HashMap::new();
        let mut discovered = HashMap::new();
        for (id, written) in &config.providers {
            let loaded = load(written, &mut digest)?;
            let own = loaded.extra_roots.iter().map(|der| CertificateDer::from(der.clone()));
            let member = format!("providers.{id}.ca_file");
            let client = tls::client(roots.iter().cloned().chain(own)).map_err(|e| named(&member, e))?;
            provider_tls.insert(id.clone(), client);
            let provider = Provider::new(written, loaded)?;
            if provider.is_to_be_discovered() {
                discovered.insert(id.clone(), Discovered::default());
            }
            providers.insert(id.clone(), Arc::new(provider));
        }
        let app_tokens = config.providers.keys().map(|id| (id.clone(), Latest::default())).collect();
        let passwords = passwords(&config, &mut digest)?;
        warn_of_shared_redirects(&config, &providers);
        let account_tls = match tls::client(roots) {
            Ok(client) => Some(client),
            Err(e) if has_other_accounts(&config) => return Err(named("ca_file", e)),
            Err(_) => None,
        };
        let routes = Routes::prove(&config, account_tls.as_ref(), &provider_tls, |password| {
            digest.add("proxy password", password.expose().as_bytes());
        })?;
        Ok(Settings {
            names,
            routes,
            providers,
            provider_tls,
            discovered,
            app_tokens,
            passwords,
            account_tls,
            keys: KeyRing::new(keys)?,
            digest: digest.value(),
            config,
        })
    }

    /// Digest over the configuration as it is meant and everything its files hold.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub fn provider(&self, id: &str) -> Result<Arc<Provider>> {
        self.providers.get(id).cloned().ok_or_else(|| {
            Error::new(
                Status::Config,
                "config.provider_missing",
                format!("the provider {id:?} is not in the configuration"),
            )
            .advice("The operator must configure this provider, or the account must name another one.")
        })
    }

    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values().map(Arc::as_ref)
    }

    /// What was found of a provider's endpoints; `None` where the configuration names them.
    pub fn discovered(&self, id: &str) -> Option<&Discovered> {
        self.discovered.get(id)
    }

    /// What the application was last given there.
    pub fn latest_app_token(&self, id: &str) -> Result<&Latest> {
        self.app_tokens.get(id).ok_or_else(|| Error::bug(format!("no memory of tokens for provider {id:?}")))
    }

    /// Whether any provider's endpoints are to be found over the network.
    pub fn discovers(&self) -> bool {
        !self.discovered.is_empty()
    }

    pub fn tls_of_provider(&self, id: &str) -> Result<Arc<ClientConfig>> {
        self.provider_tls
            .get(id)
            .cloned()
            .ok_or_else(|| Error::bug(format!("no TLS configuration for provider {id:?}")))
    }

    /// The provider of an account's tokens, if they may go to its mail server as the configuration now stands: the
    /// account may have been put under another one (I14).
    pub fn provider_for(&self, account: &Account, id: &str) -> Result<Arc<Provider>> {
        let provider = self.provider(id)?;
        let server = &account.server;
        if provider.realm == account.realm && provider.allows(&server.host, server.port) {
            return Ok(provider);
        }
        let what = format!(
            "the provider {id:?} may not send tokens to {} for realm {:?}",
            server_text(server),
            account.realm
        );
        Err(Error::new(Status::Config, "config.provider_server", what).advice(
            "The operator must list the server at the provider, or the account must name another provider.",
        ))
    }

    /// Whom this account's mail server must be certified by. Nobody connects without asking this, so a token goes
    /// nowhere the operator does not list.
    pub fn tls_of_account(&self, account: &Account) -> Result<Arc<ClientConfig>> {
        let server = &account.server;
        match &account.source {
            TokenSource::Provider(id) => {
                self.provider_for(account, id)?;
                self.tls_of_provider(id)
            }
            TokenSource::File(_) if !self.config.may_take_token_files(&server.host, server.port) => {
                let what = format!("{} is not listed in `servers` of the configuration", server_text(server));
                Err(Error::new(Status::Config, "config.server_unlisted", what)
                    .advice("The operator must list this server, or give the account another one."))
            }
            TokenSource::Password(classic)
                if classic.owners_choice && !self.config.owners.classic_servers =>
            {
                let what = format!("owners may not choose a mail server such as {}", server_text(server));
                Err(Error::new(Status::Config, "config.classic_servers", what)
                    .advice("The operator must set owners.classic_servers, or put this account himself."))
            }
            TokenSource::File(_) | TokenSource::Password(_) => self.account_tls.clone().ok_or_else(|| {
                Error::new(
                    Status::Config,
                    "config.roots",
                    "no trusted root certificate for an account without a provider",
                )
                .advice("Name a ca_file at the top of the configuration, or set system_roots to true.")
            }),
        }
    }

    /// Where this account's mail server may lie. What an owner chose must be public, unless the operator lists it.
    pub fn reach_of_account(&self, account: &Account) -> Reach {
        let server = &account.server;
        match account.source {
            TokenSource::Password(Classic { owners_choice: true, .. })
                if !self.config.lists_server(&server.host, server.port) =>
            {
                Reach::Public
            }
            _ => Reach::Anywhere,
        }
    }

    /// Opens the store for one call.
    pub fn open_store(&self, now: UnixTime) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::open(&self.config.store, &self.keys, now)?))
    }
}

fn read_keys(config: &Config) -> Result<Vec<KeyBytes>> {
    let mut keys: Vec<KeyBytes> = Vec::with_capacity(config.keys.len());
    for (i, path) in config.keys.iter().enumerate() {
        let member = format!("keys[{i}]");
        let key = Named { member: &member, path }.key()?;
        if keys.iter().any(|other| other.expose() == key.expose()) {
            let what = format!("{member}: {} holds the same key as an earlier entry", path.display());
            return Err(Error::new(Status::Key, "key.twice", what).advice("List each key once."));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn general_roots(config: &Config, digest: &mut Digest) -> Result<Vec<CertificateDer<'static>>> {
    // Not part of the digest: an update of the system's roots is no change of the configuration.
    let mut roots = if config.system_roots { tls::system_roots() } else { Vec::new() };
    if let Some(path) = &config.ca_file {
        roots.extend(certificates("ca_file", path, digest)?);
    }
    Ok(roots)
}

fn load(written: &ProviderConfig, digest: &mut Digest) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    for (i, path) in written.client_secret_files.iter().enumerate() {
        let member = format!("providers.{}.client_secret_files[{i}]", written.id);
        let secret: Secret = Named { member: &member, path }.secret()?;
        digest.add("secret", secret.expose().as_bytes());
        loaded.client_secrets.push(secret);
    }
    for (i, files) in written.certificates.iter().enumerate() {
        let member = |name: &str| format!("providers.{}.certificates[{i}].{name}", written.id);
        let certificate =
            Named { member: &member("certificate_file"), path: &files.certificate }.certificate()?;
        let private_key =
            Named { member: &member("private_key_file"), path: &files.private_key }.private_key()?;
        digest.add("client certificate", &certificate);
        digest.add("private key", &private_key);
        loaded.certificates.push(LoadedCertificate { certificate, private_key });
    }
    if let Some(path) = &written.ca_file {
        let member = format!("providers.{}.ca_file", written.id);
        let roots = certificates(&member, path, digest)?;
        loaded.extra_roots = roots.iter().map(|root| root.to_vec()).collect();
    }
    Ok(loaded)
}

fn certificates(member: &str, path: &Path, digest: &mut Digest) -> Result<Vec<CertificateDer<'static>>> {
    let roots = Named { member, path }.certificates()?;
    for root in &roots {
        digest.add("certificate", root);
    }
    Ok(roots)
}

fn passwords(config: &Config, digest: &mut Digest) -> Result<BTreeMap<String, Secret>> {
    let mut passwords = BTreeMap::new();
    for (id, path) in &config.password_files {
        let member = format!("accounts.{id}.password_file");
        let password = Named { member: &member, path }.password()?;
        digest.add("password", password.expose().as_bytes());
        passwords.insert(id.clone(), password);
    }
    Ok(passwords)
}

/// RFC 9700 §4.4.2: where several issuers answer at one address, only `iss` tells their answers apart, and not every
/// provider sends it.
fn warn_of_shared_redirects(config: &Config, providers: &HashMap<String, Arc<Provider>>) {
    let mut seen: HashMap<&str, &Provider> = HashMap::new();
    for provider in config.providers.keys().filter_map(|id| providers.get(id)) {
        let first = *seen.entry(&provider.redirect_uri).or_insert(provider);
        if first.issuer_text() != provider.issuer_text() {
            Line::new("config.shared_redirect_uri")
                .field("providers", format!("{},{}", first.id, provider.id))
                .field(
                    "advice",
                    "register a redirect_uri of its own for each, so that answers cannot be mixed up",
                )
                .warn();
        }
    }
}

fn has_other_accounts(config: &Config) -> bool {
    let mut accounts = config.accounts.iter().flatten();
    accounts.any(|account| account.provider().is_none())
}

fn named(member: &str, error: Error) -> Error {
    Error { message: format!("{member}: {}", error.message), ..error }
}

/// Keyed with the sealing key, so that the digest in the store tells nothing of a secret that could be guessed.
struct Digest(hmac::Context);

impl Digest {
    fn new(key: &KeyBytes, config: &Config) -> Result<Digest> {
        let meant = serde_json::to_vec(config).map_err(|e| Error::bug(format!("configuration: {e}")))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let mut digest = Digest(hmac::Context::with_key(&key));
        digest.add("configuration", &meant);
        Ok(digest)
    }

    fn add(&mut self, what: &str, bytes: &[u8]) {
        for part in [what.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    fn value(self) -> [u8; 32] {
        let mut value = [0; 32];
        value.copy_from_slice(self.0.sign().as_ref());
        value
    }
}
