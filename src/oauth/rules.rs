//! From a provider as the operator wrote it to one that is proved: every rule that needs no network (PROTOCOL.md G).
//!
//! A rule that is broken is told with the path of the member and what is expected; nothing is repaired silently.

use url::Url;

use super::profile::{self, Defaults};
use super::provider::{
    ClientAuthentication, IssuerRule, MechanismRule, Provider, ResponseMode, TENANT_ID, is_guid,
};
use super::redirect;
use crate::config::ProviderConfig;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;

/// What files of the configuration hold for a provider, read at `configure`.
#[derive(Debug, Default)]
pub struct Loaded {
    pub client_secrets: Vec<Secret>,
    pub extra_roots: Vec<Vec<u8>>,
}

impl Provider {
    /// Fills what the configuration leaves open from its profile, and proves the whole.
    pub fn new(config: &ProviderConfig, loaded: Loaded) -> Result<Provider> {
        let rules = Rules { config };
        let Some(defaults) = profile::named(&config.profile) else {
            return rules.broken("profile", format!("must be one of {}", profile::names()));
        };
        let place = Place::new(rules, defaults)?;
        let scopes = rules.scopes(defaults)?;
        let (authorize_parameters, prompts) = rules.authorize_parameters(defaults, &scopes)?;
        redirect::check(
            &config.redirect_uri,
            defaults.profile,
            place.has_personal_accounts(),
        )
        .or_else(|why| rules.broken("redirect_uri", why))?;
        if config.client_id.is_empty() || !is_printable(&config.client_id) {
            return rules.broken(
                "client_id",
                "must be the application's id as the provider shows it",
            );
        }
        let suffix = config
            .pop_scope_suffix
            .as_deref()
            .unwrap_or(defaults.pop_scope_suffix);
        Ok(Provider {
            id: config.id.clone(),
            realm: config.realm.clone(),
            profile: defaults.profile,
            issuer: place.issuer()?,
            authorize_endpoint: place.required(
                "authorize_endpoint",
                &config.authorize_endpoint,
                defaults.authorize,
            )?,
            token_endpoint: place.required("token_endpoint", &config.token_endpoint, defaults.token)?,
            admin_consent_endpoint: place.admin_consent()?,
            revocation_endpoint: place.optional(
                "revocation_endpoint",
                &config.revocation_endpoint,
                defaults.revocation,
            )?,
            client_id: config.client_id.clone(),
            client_authentication: rules.choice(
                "client_authentication",
                &config.client_authentication,
                defaults.client_authentication,
                &[
                    ("post", ClientAuthentication::SecretPost),
                    ("basic", ClientAuthentication::SecretBasic),
                ],
            )?,
            client_secrets: rules.secrets(loaded.client_secrets)?,
            redirect_uri: config.redirect_uri.clone(),
            response_mode: rules.choice(
                "response_mode",
                &config.response_mode,
                ResponseMode::Query,
                &[
                    ("query", ResponseMode::Query),
                    ("form_post", ResponseMode::FormPost),
                ],
            )?,
            scopes,
            pop_scope_suffix: (!suffix.is_empty()).then(|| suffix.to_owned()),
            authorize_parameters,
            prompts,
            servers: rules.servers(defaults)?,
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
            extra_roots: loaded.extra_roots,
        })
    }
}

/// Scopes that are no resource's (OpenID Connect Core §5.4, §11).
const IDENTITY_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

/// Parameters of an authorization request that are ours; `prompt` is merged with what a call asks for.
const OUR_PARAMETERS: [&str; 11] = [
    "client_id",
    "response_type",
    "response_mode",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "claims",
];

#[derive(Clone, Copy)]
struct Rules<'a> {
    config: &'a ProviderConfig,
}

impl Rules<'_> {
    fn broken<T>(&self, member: &str, why: impl AsRef<str>) -> Result<T> {
        let message = format!("providers.{}.{member}: {}", self.config.id, why.as_ref());
        Err(Error::new(Status::Config, "config.provider", message)
            .advice("The operator must mend this member of the configuration."))
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

    fn secrets(&self, secrets: Vec<Secret>) -> Result<Vec<Secret>> {
        if secrets.is_empty() {
            return self.broken(
                "client_secret_files",
                "must name at least one file with the client secret",
            );
        }
        for (at, secret) in secrets.iter().enumerate() {
            if secret.is_empty() {
                return self.broken(&format!("client_secret_files[{at}]"), "the file is empty");
            }
            if !is_printable(secret.expose()) {
                return self.broken(
                    &format!("client_secret_files[{at}]"),
                    "the file must hold one line of printable ASCII: the secret's value",
                );
            }
        }
        Ok(secrets)
    }

    fn scopes(&self, defaults: &Defaults) -> Result<Vec<String>> {
        let scopes: Vec<String> = match &self.config.scopes {
            Some(scopes) => scopes.clone(),
            None => defaults.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        if scopes.is_empty() {
            return self.broken("scopes", "must name what allows POP at this provider");
        }
        for (at, scope) in scopes.iter().enumerate() {
            // RFC 6749 §3.3
            if scope.is_empty() || !is_printable(scope) || scope.contains(['"', '\\']) {
                return self.broken(&format!("scopes[{at}]"), "must be one scope without spaces");
            }
            if scopes[..at].contains(scope) {
                return self.broken(&format!("scopes[{at}]"), "stands twice");
            }
        }
        let microsoft = defaults.profile.is_microsoft();
        let mut resources: Vec<String> = Vec::new();
        for scope in scopes
            .iter()
            .filter(|scope| !IDENTITY_SCOPES.contains(&scope.as_str()))
        {
            let resource = match Url::parse(scope) {
                Ok(url) => url.host_str().unwrap_or(scope).to_ascii_lowercase(),
                Err(_) if microsoft => {
                    return self.broken(
                        "scopes",
                        format!(
                            "{scope:?} names no resource, which means Microsoft Graph, whose tokens no mail \
                             server takes; write https://outlook.office.com/{scope}"
                        ),
                    );
                }
                Err(_) => continue,
            };
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        if resources.len() > 1 {
            return self.broken(
                "scopes",
                format!("must belong to one resource, not to {}", resources.join(" and ")),
            );
        }
        if microsoft && resources.is_empty() {
            return self.broken("scopes", "must name POP.AccessAsUser.All with its resource");
        }
        if microsoft && !scopes.iter().any(|scope| scope == "offline_access") {
            return self.broken(
                "scopes",
                "must hold offline_access, or Microsoft gives no refresh token",
            );
        }
        Ok(scopes)
    }

    /// The parameters to add, and the values of `prompt` among them.
    fn authorize_parameters(
        &self,
        defaults: &Defaults,
        scopes: &[String],
    ) -> Result<(Vec<(String, String)>, Vec<String>)> {
        let mut all: Vec<(String, String)> = defaults
            .authorize_parameters
            .iter()
            .filter(|(name, _)| {
                !self
                    .config
                    .authorize_parameters
                    .iter()
                    .any(|(own, _)| own == name)
            })
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in &self.config.authorize_parameters {
            if name.is_empty() || OUR_PARAMETERS.contains(&name.as_str()) {
                return self.broken(
                    &format!("authorize_parameters.{name}"),
                    "is set by multipop itself and may not be given",
                );
            }
            if !value.is_empty() {
                all.push((name.clone(), value.clone()));
            }
        }
        let named = all.iter().any(|(name, _)| name == "prompt");
        let mut prompts: Vec<String> = Vec::new();
        all.retain(|(name, value)| {
            if name == "prompt" {
                prompts.extend(value.split_ascii_whitespace().map(str::to_owned));
            }
            name != "prompt"
        });
        if prompts.iter().any(|prompt| prompt == "select_account") {
            return self.broken(
                "authorize_parameters.prompt",
                "select_account cannot be combined with login_hint, which is always sent; a host asks for it \
                 with MULTIPOP_AUTHORIZE_CHOOSE_ACCOUNT",
            );
        }
        if prompts.iter().any(|prompt| prompt == "none") {
            return self.broken(
                "authorize_parameters.prompt",
                "none would show the person nothing",
            );
        }
        if defaults.profile.is_microsoft() && prompts.len() > 1 {
            return self.broken("authorize_parameters.prompt", "must be one value at Microsoft");
        }
        // OpenID Connect Core §11: offline_access is ignored without the consent page.
        let asks_offline = scopes.iter().any(|scope| scope == "offline_access");
        if !named && asks_offline && !defaults.profile.is_microsoft() {
            prompts.push("consent".to_owned());
        }
        Ok((all, prompts))
    }

    fn servers(&self, defaults: &Defaults) -> Result<Vec<(String, u16)>> {
        let all: Vec<String> = match &self.config.servers {
            Some(servers) => servers.clone(),
            None => defaults
                .servers
                .iter()
                .map(|server| (*server).to_owned())
                .collect(),
        };
        if all.is_empty() {
            return self.broken(
                "servers",
                "must name the mail servers (host:port) its tokens may go to",
            );
        }
        let mut servers = Vec::with_capacity(all.len());
        for (at, text) in all.iter().enumerate() {
            let Some(server) = host_and_port(text) else {
                return self.broken(
                    &format!("servers[{at}]"),
                    "must be host:port, such as pop.example.net:995",
                );
            };
            servers.push(server);
        }
        Ok(servers)
    }
}

/// What depends on authority and tenant.
struct Place<'a> {
    rules: Rules<'a>,
    defaults: &'static Defaults,
    authority: String,
    tenant: String,
}

impl<'a> Place<'a> {
    fn new(rules: Rules<'a>, defaults: &'static Defaults) -> Result<Place<'a>> {
        let config = rules.config;
        let entra = !defaults.authority.is_empty();
        for (member, given) in [("authority", &config.authority), ("tenant", &config.tenant)] {
            if given.is_some() && !entra {
                return rules.broken(member, "belongs to the Microsoft profiles");
            }
        }
        let authority = config.authority.as_deref().unwrap_or(defaults.authority);
        if entra {
            address(authority).or_else(|why| rules.broken("authority", why))?;
        }
        let tenant = config.tenant.as_deref().unwrap_or(defaults.tenant);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if entra && (tenant.is_empty() || !tenant.chars().all(is_name)) {
            return rules.broken(
                "tenant",
                "must be organizations, common, consumers, a tenant's id or one of its domains",
            );
        }
        Ok(Place {
            rules,
            defaults,
            authority: authority.trim_end_matches('/').to_owned(),
            tenant: tenant.to_ascii_lowercase(),
        })
    }

    /// PROTOCOL.md A.3
    fn has_personal_accounts(&self) -> bool {
        matches!(self.tenant.as_str(), "common" | "consumers" | PERSONAL_TENANT)
    }

    fn optional(&self, member: &str, given: &Option<String>, default: &str) -> Result<Option<Url>> {
        self.filled(member, given, default, &self.tenant)
    }

    fn required(&self, member: &str, given: &Option<String>, default: &str) -> Result<Url> {
        match self.optional(member, given, default)? {
            Some(url) => Ok(url),
            None => self
                .rules
                .broken(member, "is missing; this profile has no default for it"),
        }
    }

    /// Never on `common` (PROTOCOL.md A.9), and there is no administrator of personal accounts.
    fn admin_consent(&self) -> Result<Option<Url>> {
        let given = &self.rules.config.admin_consent_endpoint;
        let tenant = match self.tenant.as_str() {
            "consumers" | PERSONAL_TENANT if given.is_none() => return Ok(None),
            "common" => "organizations",
            other => other,
        };
        self.filled(
            "admin_consent_endpoint",
            given,
            self.defaults.admin_consent,
            tenant,
        )
    }

    fn filled(
        &self,
        member: &str,
        given: &Option<String>,
        default: &str,
        tenant: &str,
    ) -> Result<Option<Url>> {
        let text = match given {
            Some(text) => text.clone(),
            None if default.is_empty() => return Ok(None),
            None => default
                .replace(profile::AUTHORITY, &self.authority)
                .replace(profile::TENANT, tenant),
        };
        match address(&text) {
            Ok(url) => Ok(Some(url)),
            Err(why) => self.rules.broken(member, why),
        }
    }

    /// PROTOCOL.md A.4: a tenant named by its id or `consumers` has a fixed issuer, every other one the template.
    fn issuer(&self) -> Result<IssuerRule> {
        let text = match self.rules.config.issuer.as_deref() {
            Some(text) => text.to_owned(),
            None if self.defaults.profile.is_microsoft() => {
                let tenant = match self.tenant.as_str() {
                    "consumers" => PERSONAL_TENANT,
                    id if is_guid(id) => id,
                    _ => TENANT_ID,
                };
                format!("{}/{tenant}/v2.0", self.authority)
            }
            None => self.defaults.issuer.to_owned(),
        };
        if text.is_empty() {
            return self
                .rules
                .broken("issuer", "is missing; this profile has no default for it");
        }
        let Some((authority, rest)) = text.split_once(TENANT_ID) else {
            address(&text).or_else(|why| self.rules.broken("issuer", why))?;
            return Ok(IssuerRule::Exact(text));
        };
        let authority = authority.trim_end_matches('/');
        if rest != "/v2.0" || !self.defaults.profile.is_microsoft() {
            return self.rules.broken(
                "issuer",
                "may hold {tenantid} only as Microsoft has it: https://HOST/{tenantid}/v2.0",
            );
        }
        address(authority).or_else(|why| self.rules.broken("issuer", why))?;
        Ok(IssuerRule::Entra {
            authority: authority.to_owned(),
        })
    }
}

/// The tenant of personal Microsoft accounts.
const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// An address secrets may be sent to: https always, for loopback too.
fn address(text: &str) -> std::result::Result<Url, String> {
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

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    (!bare.is_empty() && bare.chars().all(is_part)).then(|| (bare.to_ascii_lowercase(), port))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
