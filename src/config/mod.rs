//! The configuration as it is meant, after defaults were applied and every rule that needs no file was checked.
//!
//! `read` turns the host's JSON into this, all or nothing; a member that is wrong is named by its path. Nothing
//! here opens a file: what files hold (secrets, roots, keys) is read at `configure` by the engine's `settings`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::model::{Account, AccountLimits, DeletePolicy, FirstFetch, Pipelining, UnixTime};

mod account;
mod act;
mod credentials;
mod field;
mod json;
mod meant;
mod network;
mod notices;
mod profile;
mod provider;
mod read;
mod sections;
mod verb;
pub mod words;

pub use account::{AccountForm, to_json};
pub use act::{Act, Wanted};
pub use credentials::CertificateFiles;
pub use network::{Network, Prefer, Proxy, ProxyKind, ProxyLogin};
pub use notices::{Digest, NoticeRules};
pub use profile::{Cloud, Profile};
pub use provider::PERSONAL_TENANT;
pub use read::Source;
pub use verb::{Verb, Whom};

#[derive(Debug, Clone, Serialize)]
pub struct Config {
    pub store: PathBuf,
    /// The first seals, all open.
    pub keys: Vec<PathBuf>,
    /// This machine's name, for `Received:` lines.
    pub hostname: String,
    /// The global switch: off, nothing is fetched and no consent begins.
    pub enabled: bool,
    /// Deletes after collection whatever the accounts say.
    pub always_delete: bool,
    /// Logs deletions without sending them.
    pub shadow: bool,
    /// Seconds between the confirmation of `delete_older` and the first deletion.
    pub delete_grace_s: u32,
    /// Trusted besides the system's roots.
    pub ca_file: Option<PathBuf>,
    /// Trust the system's roots at all.
    pub system_roots: bool,
    /// For HTTPS to providers without a `network` of their own; `None`: as `network` says.
    pub proxy: Option<Proxy>,
    /// How every peer is reached, unless its provider says otherwise.
    pub network: Network,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub defaults: AccountDefaults,
    pub owners: OwnerRights,
    pub notices: NoticeRules,
    pub realms: BTreeMap<String, Realm>,
    pub providers: BTreeMap<String, ProviderConfig>,
    /// `None`: the JSON has no member `accounts`, and configured accounts stay as they are in the store.
    pub accounts: Option<Vec<Account>>,
    /// Of the accounts with a password, by id.
    pub password_files: BTreeMap<String, PathBuf>,
    /// Servers (`host` or `host:port`, lower case): if any is listed, `token_file` accounts go to these only.
    pub servers: Vec<String>,
}

/// What one call may use.
#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    /// Accounts visited at once.
    pub sessions: u32,
    pub prefetch_bytes: u64,
    /// Messages in the sink's hands that are not recorded yet; a flush is asked for at half of them, ...
    pub flush_messages: u32,
    /// ... bytes ...
    pub flush_bytes: u64,
    /// ... or milliseconds, whichever comes first (`flush_after_s` in the JSON, fractions allowed).
    pub flush_ms: u64,
    /// Entries of one listing.
    pub listing_entries: u32,
}

#[derive(Debug, Clone, Serialize)]
pub struct Timeouts {
    pub connect_s: u32,
    /// Between two reads while a reply is due.
    pub reply_s: u32,
    /// The replies to credentials, STAT, LIST and UIDL.
    pub login_s: u32,
    /// One HTTPS request.
    pub https_s: u32,
}

/// What an account is where it does not say.
#[derive(Debug, Clone, Serialize)]
pub struct AccountDefaults {
    pub delete: DeletePolicy,
    pub first_fetch: FirstFetch,
    pub limits: AccountLimits,
    pub interval_s: u32,
    pub pipelining: Pipelining,
}

/// What owners may do for themselves.
#[derive(Debug, Clone, Serialize)]
pub struct OwnerRights {
    /// May owners put and remove accounts at all, and change them?
    pub edit: bool,
    pub accounts_per_owner: u32,
    /// May an owner choose a classic server, and give its password?
    pub classic_servers: bool,
    /// Providers an owner may choose; `None`: every one of his realm.
    pub providers: Option<Vec<String>>,
    /// May an owner choose a delete policy other than the default?
    pub delete: bool,
    pub least_interval_s: u32,
    pub most_interval_s: u32,
}

/// A hosting customer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Realm {
    /// Owners `name@domain` of these domains (lower case) belong here if the operator named no realm.
    pub owner_domains: Vec<String>,
    /// Overrides the global number.
    pub accounts_per_owner: Option<u32>,
    pub metrics_label: Option<String>,
}

/// A provider as the operator wrote it; `oauth::provider` fills it from its profile and proves it.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderConfig {
    pub id: String,
    pub realm: String,
    pub profile: Profile,
    pub cloud: Cloud,
    pub tenant: Option<String>,
    /// Replaces the profile's `https://login.microsoftonline.com`.
    pub authority: Option<String>,
    pub issuer: Option<String>,
    pub authorize_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    pub admin_consent_endpoint: Option<String>,
    pub revocation_endpoint: Option<String>,
    /// Where a person withdraws a consent himself.
    pub withdraw_url: Option<String>,
    /// Where a code for another device is asked for (RFC 8628).
    pub device_endpoint: Option<String>,
    /// Who may sign in by it: `operator`, `owners`, `off`.
    pub device_flow: Option<String>,
    /// What a token of the application itself is asked for with.
    pub app_scope: Option<String>,
    pub client_id: String,
    /// Tried before any secret, the first first.
    pub certificates: Vec<CertificateFiles>,
    /// Files that hold a secret each; the first is tried first.
    pub client_secret_files: Vec<PathBuf>,
    /// When each secret ends, where the operator says so; in the same order.
    pub client_secret_ends: Vec<UnixTime>,
    /// `post` or `basic` (how a secret is sent), or `private_key_jwt`.
    pub client_authentication: Option<String>,
    /// `PS256` or `RS256`.
    pub assertion_algorithm: Option<String>,
    pub redirect_uri: String,
    /// `query` or `form_post`.
    pub response_mode: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub pop_scope_suffix: Option<String>,
    pub authorize_parameters: Vec<(String, String)>,
    /// Where tokens of this provider may go, the profile's if the operator named none: at least one, in lower case.
    /// An account without a server gets the first.
    pub servers: Vec<(String, u16)>,
    /// `xoauth2`, `oauthbearer` or `listed`.
    pub mechanism: Option<String>,
    pub mechanism_unlisted: Option<bool>,
    pub initial_response: Option<bool>,
    pub retr_is_final: Option<bool>,
    pub login_delay_s: Option<u32>,
    /// Renew grants that no visit uses.
    pub keep_alive: Option<bool>,
    /// So long a grant lives unused; 0: no such end is known.
    pub grant_idle_s: Option<u32>,
    /// How its servers are reached; `None`: as all others are.
    pub network: Option<Network>,
    /// Trusted for this provider's HTTPS and POP3S besides the system's roots.
    pub ca_file: Option<PathBuf>,
}
