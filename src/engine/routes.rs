//! How each peer is reached, with what files of the configuration hold for it.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ClientConfig;

use super::files::Named;
use crate::config::{Config, Network, Proxy, ProxyKind};
use crate::error::{Error, Result, Status};
use crate::model::{Account, TokenSource};
use crate::net::route::Route;
use crate::secret::Secret;

pub struct Routes {
    general: Arc<Route>,
    /// HTTPS to providers without a network of their own.
    https: Arc<Route>,
    providers: HashMap<String, Arc<Route>>,
}

impl Routes {
    /// `tls` is for a proxy that is spoken to over TLS, `secret` is told what files hold.
    pub fn prove(
        config: &Config,
        general_tls: Option<&Arc<ClientConfig>>,
        provider_tls: &HashMap<String, Arc<ClientConfig>>,
        mut secret: impl FnMut(&Secret),
    ) -> Result<Routes> {
        // `place` is what stands before the members' names.
        let mut prove = |place: &str, network: &Network, tls: Option<&Arc<ClientConfig>>| {
            let proxy_password =
                network.proxy.as_ref().map(|proxy| password(place, proxy)).transpose()?.flatten();
            proxy_password.iter().for_each(&mut secret);
            if tls.is_none() && network.proxy.as_ref().is_some_and(|proxy| proxy.kind == ProxyKind::Https) {
                let what = format!("{place}proxy: no trusted root certificate for a proxy over TLS");
                return Err(Error::new(Status::Config, "config.roots", what)
                    .advice("Name a ca_file at the top of the configuration, or set system_roots to true."));
            }
            let proxy_password = proxy_password.map(Arc::new);
            Ok(Arc::new(Route { network: network.clone(), proxy_password, proxy_tls: tls.cloned() }))
        };
        let general = prove("network.", &config.network, general_tls)?;
        let https = match &config.proxy {
            Some(proxy) => {
                let network = Network { proxy: Some(proxy.clone()), ..config.network.clone() };
                prove("", &network, general_tls)?
            }
            None => general.clone(),
        };
        let mut providers = HashMap::new();
        for (id, provider) in &config.providers {
            if let Some(network) = &provider.network {
                let place = format!("providers.{id}.network.");
                providers.insert(id.clone(), prove(&place, network, provider_tls.get(id))?);
            }
        }
        Ok(Routes { general, https, providers })
    }

    /// To the account's mail server.
    pub fn of_account(&self, account: &Account) -> &Arc<Route> {
        match &account.source {
            TokenSource::Provider(id) => self.providers.get(id).unwrap_or(&self.general),
            TokenSource::File(_) | TokenSource::Password(_) => &self.general,
        }
    }

    /// To the provider itself.
    pub fn of_provider(&self, id: &str) -> &Arc<Route> {
        self.providers.get(id).unwrap_or(&self.https)
    }
}

fn password(place: &str, proxy: &Proxy) -> Result<Option<Secret>> {
    let Some(login) = &proxy.login else {
        return Ok(None);
    };
    let member = format!("{place}proxy_password_file");
    let password = Named { member: &member, path: &login.password_file }.password()?;
    if proxy.kind.is_socks() && password.len() > 255 {
        let what = format!("{member}: a SOCKS5 password has at most 255 bytes (RFC 1929)");
        return Err(Error::new(Status::Config, "config.invalid", what)
            .advice("Correct this member of the configuration; until then the former one holds."));
    }
    Ok(Some(password))
}
