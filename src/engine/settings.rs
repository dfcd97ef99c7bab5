//! A configuration proved: every file it names was read, every provider filled and checked, the resolver known.
//!
//! Everything but the store and token files is read here, once, at `configure`: later the process may have
//! another root directory or fewer rights.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::config::Config;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::net::dial::NameService;
use crate::oauth::provider::Provider;
use crate::store::Store;

pub struct Settings {
    pub config: Config,
    pub names: NameService,
    providers: HashMap<String, Arc<Provider>>,
    provider_tls: HashMap<String, Arc<ClientConfig>>,
}

impl Settings {
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

    pub fn tls_of_provider(&self, id: &str) -> Result<Arc<ClientConfig>> {
        self.provider_tls
            .get(id)
            .cloned()
            .ok_or_else(|| Error::bug(format!("no TLS configuration for provider {id:?}")))
    }

    /// What an account's mail server is trusted by.
    pub fn tls_of_account(&self, account: &crate::model::Account) -> Result<Arc<ClientConfig>> {
        match account.provider() {
            Some(id) => self.tls_of_provider(id),
            None => Err(Error::bug("being built")),
        }
    }

    /// Opens the store for one call.
    pub fn open_store(&self, _now: UnixTime) -> Result<Arc<dyn Store>> {
        Err(Error::bug("being built"))
    }
}
