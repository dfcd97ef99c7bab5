//! A provider as it is meant: every endpoint, rule and peculiarity as data (PROTOCOL.md A, C).
//!
//! `rules` makes one from the configuration; nothing else does.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::Url;

use super::credential::Credential;
pub use super::rules::{Loaded, LoadedCertificate};
pub use crate::config::Profile;
use crate::error::{Error, Result, Status};
use crate::model::{Identity, UnixTime};

#[derive(Debug, Clone)]
pub struct Provider {
    pub id: String,
    pub realm: String,
    pub profile: Profile,
    pub issuer: IssuerRule,
    /// `None`: found by the issuer's metadata (`discovery`), once in a while.
    pub authorize_endpoint: Option<Url>,
    /// The same.
    pub token_endpoint: Option<Url>,
    pub admin_consent_endpoint: Option<Url>,
    /// RFC 7009; Microsoft has none. Found by the metadata too.
    pub revocation_endpoint: Option<Url>,
    /// Where a person withdraws his consent himself.
    pub withdraw_url: Option<Url>,
    /// RFC 8628; found by the metadata too.
    pub device_endpoint: Option<Url>,
    pub device_flow: DeviceFlow,
    /// `None`: an application gets no token of its own there.
    pub app_scope: Option<String>,
    pub client_id: String,
    /// How a secret is sent.
    pub client_authentication: ClientAuthentication,
    /// The operator said so; else metadata may say otherwise.
    pub authentication_stated: bool,
    /// The first is tried first; the next ones on `invalid_client` (roll-over).
    pub credentials: Arc<[Credential]>,
    /// Every answer carries `iss` (RFC 9207 §3); one without it is another's.
    pub answers_with_issuer: bool,
    /// Whoever signs in belongs to the same organisation.
    pub one_organisation: bool,
    /// As registered, byte for byte; may carry its own query.
    pub redirect_uri: String,
    pub response_mode: ResponseMode,
    /// One resource, and the OIDC scopes.
    pub scopes: Vec<String>,
    /// What a granted scope must end with (ASCII case ignored), percent-decoded, for POP to work; `None`: not checked.
    pub pop_scope_suffix: Option<String>,
    /// Added to every authorization request (Google's `access_type=offline`).
    pub authorize_parameters: Vec<(String, String)>,
    /// The values of `prompt` every authorization request has.
    pub prompts: Vec<String>,
    /// Where tokens may go: `host:port`, lower case.
    pub servers: Vec<(String, u16)>,
    pub mechanism: MechanismRule,
    /// Try the mechanism although CAPA does not list it.
    pub mechanism_unlisted: bool,
    /// One-line AUTH, only for a server that refuses the bare command.
    pub initial_response: bool,
    /// RETR followed by QUIT pops the message for good (Gmail).
    pub retr_is_final: bool,
    /// Least seconds between two log-ins, where known before CAPA says so.
    pub login_delay_s: u32,
    /// Grants that no visit uses are renewed weekly.
    pub keep_alive: bool,
    /// A grant that is not renewed for so long dies; 0: not known.
    pub grant_idle_s: u32,
    /// Roots for this provider's HTTPS and POP3S besides the system's, DER.
    pub extra_roots: Vec<Vec<u8>>,
}

impl Provider {
    pub fn authorize_endpoint(&self) -> Result<&Url> {
        self.authorize_endpoint.as_ref().ok_or_else(|| self.unlocated())
    }

    pub fn token_endpoint(&self) -> Result<&Url> {
        self.token_endpoint.as_ref().ok_or_else(|| self.unlocated())
    }

    /// Whether its endpoints are yet to be found by its issuer.
    pub fn is_to_be_discovered(&self) -> bool {
        self.authorize_endpoint.is_none() || self.token_endpoint.is_none()
    }

    fn unlocated(&self) -> Error {
        Error::bug(format!("the provider {:?} was used before its endpoints were found", self.id))
    }

    /// When each of its certificates ends, with its number in the configuration.
    pub fn certificate_ends(&self) -> impl Iterator<Item = (usize, UnixTime)> {
        // They stand first.
        self.credentials.iter().enumerate().filter_map(|(at, one)| Some((at, one.not_after()?)))
    }

    /// Whether a token of this provider may go there.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']);
        self.servers.iter().any(|(name, number)| *number == port && name.eq_ignore_ascii_case(host))
    }

    /// The scopes as one parameter.
    pub fn scope(&self) -> String {
        self.scopes.join(" ")
    }

    pub fn asks_for(&self, scope: &str) -> bool {
        self.scopes.iter().any(|asked| asked == scope)
    }

    /// Whether consent to these scopes must bring a refresh token.
    pub fn expects_refresh_token(&self) -> bool {
        self.asks_for("offline_access") || self.profile == Profile::Google
    }

    /// Whether a grant for this identity is this provider's still: the operator may have given its id to another one,
    /// and tokens of the former must not go to the latter. Without an identity nothing is known against it.
    pub fn vouch_for(&self, identity: Option<&Identity>) -> Result<()> {
        if identity.is_none_or(|identity| self.issuer.accepts(&identity.issuer, identity.tenant.as_deref())) {
            return Ok(());
        }
        Err(Error::new(
            Status::Consent,
            "consent.other_issuer",
            format!("the provider {:?} has another issuer now than when this account signed in", self.id),
        )
        .advice(
            "Sign in to the mailbox again. If nobody meant to change the provider, the operator must put its issuer \
             back; the old sign-in is kept and then goes on.",
        ))
    }

    /// The issuer as text: what a consent remembers, to notice that the configuration changed meanwhile.
    pub fn issuer_text(&self) -> String {
        match &self.issuer {
            IssuerRule::Exact(issuer) => issuer.clone(),
            IssuerRule::Entra { authority } => format!("{authority}/{TENANT_ID}/v2.0"),
            IssuerRule::Unknown => String::new(),
        }
    }

    /// Whether a granted scope allows POP (PROTOCOL.md A.7): by its end, since the resource's alias may differ.
    pub fn grants_pop(&self, scope: &str) -> bool {
        let Some(suffix) = &self.pop_scope_suffix else {
            return true;
        };
        let suffix = suffix.to_ascii_lowercase();
        scope.split_ascii_whitespace().any(|one| {
            let one = percent_decode_str(one).decode_utf8_lossy();
            one.to_ascii_lowercase().ends_with(&suffix)
        })
    }
}

/// The placeholder in the issuer of Entra's tenant-independent metadata.
pub(super) const TENANT_ID: &str = "{tenantid}";

impl IssuerRule {
    /// RFC 9207 §2.4, OpenID Connect Core §3.1.3.7: compared as text. The tenant of Entra's template is a GUID;
    /// where the caller knows which (`tid`), it must be that one.
    pub fn accepts(&self, issuer: &str, tenant: Option<&str>) -> bool {
        match self {
            IssuerRule::Exact(expected) => issuer == expected,
            IssuerRule::Unknown => false,
            IssuerRule::Entra { authority } => issuer
                .strip_prefix(authority.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                .and_then(|rest| rest.strip_suffix("/v2.0"))
                .is_some_and(|id| is_guid(id) && tenant.is_none_or(|known| known == id)),
        }
    }
}

pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What the `iss` of this provider's answers and id_tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerRule {
    Exact(String),
    /// Entra: `{authority}/{tenantid}/v2.0`, the tenant a GUID that must equal `tid` (PROTOCOL.md A.4).
    Entra {
        authority: String,
    },
    /// Nothing to compare with: an answer that names one is refused, and no id_token is asked for.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    SecretPost,
    SecretBasic,
}

/// Who may begin a sign-in on another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceFlow {
    Operator,
    Owners,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    FormPost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MechanismRule {
    Xoauth2,
    Oauthbearer,
    /// OAUTHBEARER if both are listed, else XOAUTH2.
    Listed,
}
