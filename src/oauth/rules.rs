//! From a provider as the operator wrote it to one that is proved: every rule that needs no network (PROTOCOL.md G).
//!
//! A rule that is broken is told with the path of the member and what is expected; nothing is repaired silently.

mod credentials;
mod parameters;
mod place;
mod scopes;

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

use super::profile;
use super::provider::{DeviceFlow, MechanismRule, Provider, ResponseMode};
use super::redirect;
use crate::config::ProviderConfig;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use place::Place;

/// What files of the configuration hold for a provider, read at `configure`.
#[derive(Debug, Default)]
pub struct Loaded {
    pub client_secrets: Vec<Secret>,
    /// As many as the configuration names, in its order.
    pub certificates: Vec<LoadedCertificate>,
    pub extra_roots: Vec<Vec<u8>>,
}

/// DER of a certificate and of its private key.
pub struct LoadedCertificate {
    pub certificate: Vec<u8>,
    pub private_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for LoadedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadedCertificate(…)")
    }
}

impl Provider {
    /// Fills what the configuration leaves open from its profile, and proves the whole.
    pub fn new(config: &ProviderConfig, loaded: Loaded) -> Result<Provider> {
        let rules = Rules { config };
        let defaults = profile::of(config.profile, config.cloud);
        let place = Place::new(rules, defaults)?;
        let scopes = rules.scopes(defaults)?;
        let (authorize_parameters, prompts) = rules.authorize_parameters(defaults, &scopes)?;
        redirect::check(&config.redirect_uri, config.profile, place.has_personal_accounts())
            .or_else(|why| rules.broken("redirect_uri", why))?;
        if config.client_id.is_empty() || !is_printable(&config.client_id) {
            return rules.broken("client_id", "must be the application's id as the provider shows it");
        }
        let suffix = config.pop_scope_suffix.as_deref().unwrap_or(defaults.pop_scope_suffix);
        Ok(Provider {
            id: config.id.clone(),
            realm: config.realm.clone(),
            profile: config.profile,
            issuer: place.issuer(&scopes)?,
            one_organisation: place.is_one_organisation(),
            answers_with_issuer: false,
            authorize_endpoint: place.optional(
                "authorize_endpoint",
                &config.authorize_endpoint,
                defaults.authorize,
            )?,
            token_endpoint: place.optional("token_endpoint", &config.token_endpoint, defaults.token)?,
            admin_consent_endpoint: place.admin_consent()?,
            revocation_endpoint: place.optional(
                "revocation_endpoint",
                &config.revocation_endpoint,
                defaults.revocation,
            )?,
            withdraw_url: place.optional("withdraw_url", &config.withdraw_url, defaults.withdraw)?,
            device_endpoint: place.optional("device_endpoint", &config.device_endpoint, defaults.device)?,
            device_flow: rules.choice(
                "device_flow",
                &config.device_flow,
                DeviceFlow::Operator,
                &[
                    ("operator", DeviceFlow::Operator),
                    ("owners", DeviceFlow::Owners),
                    ("off", DeviceFlow::Off),
                ],
            )?,
            app_scope: rules.app_scope(defaults)?,
            client_id: config.client_id.clone(),
            client_authentication: rules.client_authentication(defaults)?,
            authentication_stated: config.client_authentication.is_some(),
            credentials: rules.credentials(loaded.certificates, loaded.client_secrets)?,
            redirect_uri: config.redirect_uri.clone(),
            response_mode: rules.choice(
                "response_mode",
                &config.response_mode,
                ResponseMode::Query,
                &[("query", ResponseMode::Query), ("form_post", ResponseMode::FormPost)],
            )?,
            scopes,
            pop_scope_suffix: (!suffix.is_empty()).then(|| suffix.to_owned()),
            authorize_parameters,
            prompts,
            servers: config.servers.clone(),
            mechanism: rules.choice(
                "mechanism",
                &config.mechanism,
                defaults.mechanism,
                &[
                    ("xoauth2", MechanismRule::Xoauth2),
                    ("oauthbearer", MechanismRule::Oauthbearer),
                    ("listed", MechanismRule::Listed),
                ],
            )?,
            mechanism_unlisted: config.mechanism_unlisted.unwrap_or(defaults.mechanism_unlisted),
            initial_response: config.initial_response.unwrap_or(false),
            retr_is_final: config.retr_is_final.unwrap_or(defaults.retr_is_final),
            login_delay_s: config.login_delay_s.unwrap_or(defaults.login_delay_s),
            keep_alive: config.keep_alive.unwrap_or(true),
            grant_idle_s: config.grant_idle_s.unwrap_or(defaults.grant_idle_s),
            extra_roots: loaded.extra_roots,
        })
    }
}

#[derive(Clone, Copy)]
struct Rules<'a> {
    config: &'a ProviderConfig,
}

impl Rules<'_> {
    fn broken<T>(&self, member: &str, why: impl AsRef<str>) -> Result<T> {
        let message = format!("providers.{}.{member}: {}", self.config.id, why.as_ref());
        Err(Error::new(Status::Config, "config.provider", message).advice(format!(
            "The operator must mend providers.{}.{member} in the configuration.",
            self.config.id
        )))
    }

    fn choice<T: Copy>(
        &self,
        member: &str,
        given: &Option<String>,
        default: T,
        all: &[(&str, T)],
    ) -> Result<T> {
        let Some(given) = given else {
            return Ok(default);
        };
        match all.iter().find(|(name, _)| name == given) {
            Some((_, value)) => Ok(*value),
            None => {
                let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                self.broken(member, format!("must be one of {}", names.join(", ")))
            }
        }
    }
}

/// An address secrets may be sent to: https always, for loopback too.
pub(super) fn address(text: &str) -> std::result::Result<Url, String> {
    if !is_printable(text) {
        return Err("must be printable ASCII".to_owned());
    }
    let url = Url::parse(text).map_err(|e| format!("is no absolute address: {e}"))?;
    if url.scheme() != "https" {
        return Err("must be https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("may not hold a user name or password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("may have no fragment".to_owned());
    }
    Ok(url)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
