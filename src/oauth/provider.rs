//! A provider as it is meant: every endpoint, rule and peculiarity as data (PROTOCOL.md A, C).

use url::Url;

use crate::secret::Secret;

#[derive(Debug)]
pub struct Provider {
    pub id: String,
    pub realm: String,
    pub profile: Profile,
    pub issuer: IssuerRule,
    pub authorize_endpoint: Url,
    pub token_endpoint: Url,
    pub admin_consent_endpoint: Option<Url>,
    /// RFC 7009; Microsoft has none.
    pub revocation_endpoint: Option<Url>,
    pub client_id: String,
    pub client_authentication: ClientAuthentication,
    /// The first is tried first; the next ones on `invalid_client` (roll-over).
    pub client_secrets: Vec<Secret>,
    /// As registered, byte for byte; may carry its own query.
    pub redirect_uri: String,
    pub response_mode: ResponseMode,
    /// One resource, and the OIDC scopes.
    pub scopes: Vec<String>,
    /// What a granted scope must end with (ASCII case ignored), percent-decoded, for POP to work; `None`: not checked.
    pub pop_scope_suffix: Option<String>,
    /// Added to every authorization request (Google's `access_type=offline`).
    pub authorize_parameters: Vec<(String, String)>,
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
    /// Roots for this provider's HTTPS and POP3S besides the system's, DER.
    pub extra_roots: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Microsoft365,
    Outlook,
    Google,
    Generic,
}

/// What the `iss` of this provider's answers and id_tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerRule {
    Exact(String),
    /// Entra: `{authority}/{tenantid}/v2.0`, the tenant a GUID that must equal `tid` (PROTOCOL.md A.4).
    Entra {
        authority: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    SecretPost,
    SecretBasic,
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
