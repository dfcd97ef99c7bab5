//! OAuth 2.0: providers, addresses, answers and causes without a network; consent and grants with a mock provider.

#[path = "oauth/admin.rs"]
mod admin;
#[path = "oauth/app_only.rs"]
mod app_only;
#[path = "oauth/attacker.rs"]
mod attacker;
#[path = "oauth/authorize.rs"]
mod authorize;
#[path = "oauth/bad_input.rs"]
mod bad_input;
#[path = "oauth/callback.rs"]
mod callback;
#[path = "oauth/consent.rs"]
mod consent;
#[path = "oauth/credentials.rs"]
mod credentials;
#[path = "oauth/device.rs"]
mod device;
#[path = "oauth/device_wire.rs"]
mod device_wire;
#[path = "oauth/diagnosis.rs"]
mod diagnosis;
#[path = "oauth/discovery.rs"]
mod discovery;
#[path = "oauth/grant.rs"]
mod grant;
#[path = "house/mod.rs"]
mod house;
#[path = "oauth/identity.rs"]
mod identity;
#[path = "oauth/keep.rs"]
mod keep;
#[path = "oauth/link.rs"]
mod link;
#[path = "oauth/names.rs"]
mod names;
#[path = "oauth/network.rs"]
mod network;
#[path = "oauth/processes.rs"]
mod processes;
#[path = "oauth/provider.rs"]
mod provider;
#[path = "oauth/raw.rs"]
mod raw;
#[path = "oauth/revocation.rs"]
mod revocation;
#[path = "oauth/token.rs"]
mod token;
#[path = "oauth/world.rs"]
mod world;

use multipop::config::{Cloud, ProviderConfig};
use multipop::error::Error;
use multipop::oauth::credential::Proof;
use multipop::oauth::provider::{Loaded, Profile, Provider};
use multipop::secret::Secret;

/// Fri, 09 Jan 2026 02:00:00 GMT
pub const NOW: u64 = 1_767_924_000;
pub const TENANT: &str = "3f1c0a52-9d1e-4b8a-8c6f-0d9f4e7b2a11";

pub fn config(profile: Profile) -> ProviderConfig {
    ProviderConfig {
        id: "p".into(),
        realm: "default".into(),
        profile,
        cloud: Cloud::default(),
        tenant: None,
        authority: None,
        issuer: None,
        authorize_endpoint: None,
        token_endpoint: None,
        admin_consent_endpoint: None,
        revocation_endpoint: None,
        withdraw_url: None,
        device_endpoint: None,
        device_flow: None,
        app_scope: None,
        client_id: "client-1".into(),
        certificates: Vec::new(),
        client_secret_files: vec!["/etc/multipop/secret".into()],
        client_authentication: None,
        assertion_algorithm: None,
        redirect_uri: "https://mail.example.com/callback".into(),
        response_mode: None,
        scopes: None,
        pop_scope_suffix: None,
        authorize_parameters: Vec::new(),
        servers: profile
            .servers(Cloud::default())
            .iter()
            .map(|(host, port)| ((*host).to_owned(), *port))
            .collect(),
        mechanism: None,
        mechanism_unlisted: None,
        initial_response: None,
        retr_is_final: None,
        login_delay_s: None,
        keep_alive: None,
        grant_idle_s: None,
        client_secret_ends: Vec::new(),
        network: None,
        ca_file: None,
    }
}

pub fn generic() -> ProviderConfig {
    ProviderConfig {
        issuer: Some("https://id.example.com".into()),
        authorize_endpoint: Some("https://id.example.com/auth?kept=1".into()),
        token_endpoint: Some("https://id.example.com/token".into()),
        scopes: Some(vec!["openid".into(), "offline_access".into(), "mail".into()]),
        servers: vec![("pop.example.com".into(), 995)],
        ..config(Profile::Generic)
    }
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// What a request proves itself with, where that is a secret.
pub fn by_secret(provider: &Provider, text: &str) -> Proof {
    Proof::Secret(secret(text), provider.client_authentication)
}

pub fn prove(config: &ProviderConfig) -> Result<Provider, Error> {
    let loaded = Loaded { client_secrets: vec![secret("s3cr~et+/=")], ..Loaded::default() };
    Provider::new(config, loaded)
}

pub fn provider(config: &ProviderConfig) -> Provider {
    prove(config).unwrap_or_else(|e| panic!("{e}"))
}

pub fn microsoft() -> Provider {
    provider(&config(Profile::Microsoft365))
}
