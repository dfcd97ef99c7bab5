//! The providers that are known to OAuth, as data: everything here is a default that the configuration may override.
//!
//! PROTOCOL.md A.1, A.3, C.1. Sovereign clouds are the same profile with another `authority`, `scopes` and `servers`.

use super::provider::{ClientAuthentication, MechanismRule, Profile};

/// Stands for the configured authority and tenant in the addresses below.
pub const AUTHORITY: &str = "{authority}";
pub const TENANT: &str = "{tenant}";

pub struct Defaults {
    /// Empty: no such thing at this provider.
    pub authority: &'static str,
    pub tenant: &'static str,
    /// Empty: the operator must name it.
    pub authorize: &'static str,
    pub token: &'static str,
    pub admin_consent: &'static str,
    pub revocation: &'static str,
    pub device: &'static str,
    /// Empty: the operator names it, or an application gets no token of its own.
    pub app_scope: &'static str,
    pub issuer: &'static str,
    pub client_authentication: ClientAuthentication,
    pub scopes: &'static [&'static str],
    pub pop_scope_suffix: &'static str,
    pub authorize_parameters: &'static [(&'static str, &'static str)],
    pub mechanism: MechanismRule,
    pub mechanism_unlisted: bool,
    pub retr_is_final: bool,
    pub login_delay_s: u32,
}

pub fn of(profile: Profile) -> &'static Defaults {
    match profile {
        Profile::Microsoft365 => &MICROSOFT365,
        Profile::Outlook => &OUTLOOK,
        Profile::Google => &GOOGLE,
        Profile::Generic => &GENERIC,
    }
}

static MICROSOFT365: Defaults = Defaults { tenant: "organizations", ..ENTRA };

static OUTLOOK: Defaults = Defaults { tenant: "consumers", ..ENTRA };

static GOOGLE: Defaults = Defaults {
    authority: "",
    tenant: "",
    authorize: "https://accounts.google.com/o/oauth2/v2/auth",
    token: "https://oauth2.googleapis.com/token",
    admin_consent: "",
    revocation: "https://oauth2.googleapis.com/revoke",
    // Google gives no mail scope to other devices.
    device: "",
    app_scope: "",
    issuer: "https://accounts.google.com",
    client_authentication: ClientAuthentication::SecretPost,
    scopes: &["openid", "email", "https://mail.google.com/"],
    pop_scope_suffix: "//mail.google.com/",
    // A refresh token is issued only when the consent page was shown (PROTOCOL.md C.2).
    authorize_parameters: &[("access_type", "offline"), ("prompt", "consent")],
    mechanism: MechanismRule::Xoauth2,
    mechanism_unlisted: false,
    retr_is_final: true,
    login_delay_s: 300,
};

static GENERIC: Defaults = Defaults {
    authority: "",
    tenant: "",
    authorize: "",
    token: "",
    admin_consent: "",
    revocation: "",
    device: "",
    app_scope: "",
    issuer: "",
    // What a server understands whose metadata does not say (RFC 8414 §2).
    client_authentication: ClientAuthentication::SecretBasic,
    scopes: &[],
    pop_scope_suffix: "",
    authorize_parameters: &[],
    mechanism: MechanismRule::Listed,
    mechanism_unlisted: false,
    retr_is_final: false,
    login_delay_s: 0,
};

const ENTRA: Defaults = Defaults {
    authority: "https://login.microsoftonline.com",
    tenant: "",
    authorize: "{authority}/{tenant}/oauth2/v2.0/authorize",
    token: "{authority}/{tenant}/oauth2/v2.0/token",
    admin_consent: "{authority}/{tenant}/v2.0/adminconsent",
    revocation: "",
    device: "{authority}/{tenant}/oauth2/v2.0/devicecode",
    // Not outlook.office.com: PROTOCOL.md A.7, A.10.
    app_scope: "https://outlook.office365.com/.default",
    // Filled from the tenant; see `provider::issuer_rule`.
    issuer: "",
    client_authentication: ClientAuthentication::SecretPost,
    scopes: &[
        "openid",
        "profile",
        "email",
        "offline_access",
        "https://outlook.office.com/POP.AccessAsUser.All",
    ],
    pop_scope_suffix: "/POP.AccessAsUser.All",
    authorize_parameters: &[],
    mechanism: MechanismRule::Xoauth2,
    // Exchange lists its mechanisms only after some requests; the documented one is tried anyway.
    mechanism_unlisted: true,
    retr_is_final: false,
    login_delay_s: 0,
};
