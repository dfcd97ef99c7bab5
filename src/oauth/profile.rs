//! The providers that are known to OAuth, as data: everything here is a default that the configuration may override.
//!
//! PROTOCOL.md A.1 to A.3, C.1: what is verified there, and nothing else.

use super::provider::{ClientAuthentication, MechanismRule, Profile};
use crate::config::Cloud;

/// Stands for the configured authority and tenant in the addresses below.
pub const AUTHORITY: &str = "{authority}";
pub const TENANT: &str = "{tenant}";

const DAY_S: u32 = 86_400;

pub struct Defaults {
    /// Empty: no such thing at this provider.
    pub authority: &'static str,
    pub tenant: &'static str,
    /// Empty: the operator must name it, or the issuer by whose metadata it is found.
    pub authorize: &'static str,
    pub token: &'static str,
    pub admin_consent: &'static str,
    pub revocation: &'static str,
    pub withdraw: &'static str,
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
    /// A grant that rests so long is over; 0: not known.
    pub grant_idle_s: u32,
}

pub fn of(profile: Profile, cloud: Cloud) -> &'static Defaults {
    match profile {
        Profile::Microsoft365 if cloud == Cloud::UsGovHigh => &US_GOV_HIGH,
        Profile::Microsoft365 => &MICROSOFT365,
        Profile::Outlook => &OUTLOOK,
        Profile::Google => &GOOGLE,
        Profile::Yahoo => &YAHOO,
        Profile::Aol => &AOL,
        Profile::Fastmail => &FASTMAIL,
        Profile::Comcast => &COMCAST,
        Profile::Generic => &GENERIC,
    }
}

static MICROSOFT365: Defaults = WORK_ACCOUNTS;

/// An application is registered in each cloud separately, and no token of one is good in another.
static US_GOV_HIGH: Defaults = Defaults {
    authority: "https://login.microsoftonline.us",
    scopes: &[
        "openid",
        "profile",
        "email",
        "offline_access",
        "https://outlook.office365.us/POP.AccessAsUser.All",
    ],
    app_scope: "https://outlook.office365.us/.default",
    withdraw: "",
    ..WORK_ACCOUNTS
};

// There is no revocation endpoint: a person withdraws his consent by hand, at work or at home.

const WORK_ACCOUNTS: Defaults =
    Defaults { tenant: "organizations", withdraw: "https://myapps.microsoft.com/", ..ENTRA };

static OUTLOOK: Defaults =
    Defaults { tenant: "consumers", withdraw: "https://account.microsoft.com/privacy", ..ENTRA };

static GOOGLE: Defaults = Defaults {
    authority: "",
    tenant: "",
    authorize: "https://accounts.google.com/o/oauth2/v2/auth",
    token: "https://oauth2.googleapis.com/token",
    admin_consent: "",
    revocation: "https://oauth2.googleapis.com/revoke",
    withdraw: "",
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
    // Six months (PROTOCOL.md C.2).
    grant_idle_s: 180 * DAY_S,
};

// None of the next four publishes an issuer that is verified: it must be named where `openid` is asked for, and
// without it the owner confirms who signed in.

static YAHOO: Defaults = Defaults {
    authorize: "https://api.login.yahoo.com/oauth2/request_auth",
    token: "https://api.login.yahoo.com/oauth2/get_token",
    scopes: &["mail-w"],
    mechanism: MechanismRule::Xoauth2,
    ..PLAIN
};

static AOL: Defaults = Defaults {
    authorize: "https://api.login.aol.com/oauth2/request_auth",
    token: "https://api.login.aol.com/oauth2/get_token",
    scopes: &["mail-w"],
    mechanism: MechanismRule::Xoauth2,
    ..PLAIN
};

static FASTMAIL: Defaults = Defaults {
    authorize: "https://api.fastmail.com/oauth/authorize",
    token: "https://api.fastmail.com/oauth/refresh",
    scopes: &["https://www.fastmail.com/dev/protocol-pop"],
    mechanism: MechanismRule::Xoauth2,
    ..PLAIN
};

static COMCAST: Defaults = Defaults {
    authorize: "https://oauth.xfinity.com/oauth/authorize",
    token: "https://oauth.xfinity.com/oauth/token",
    scopes: &["https://email.comcast.net/", "profile", "openid"],
    mechanism: MechanismRule::Xoauth2,
    ..PLAIN
};

static GENERIC: Defaults = PLAIN;

/// Knows nothing of its own.
const PLAIN: Defaults = Defaults {
    authority: "",
    tenant: "",
    authorize: "",
    token: "",
    admin_consent: "",
    revocation: "",
    withdraw: "",
    device: "",
    app_scope: "",
    issuer: "",
    // What every server understands (RFC 6749 §2.3.1), its metadata saying so or not (RFC 8414 §2).
    client_authentication: ClientAuthentication::SecretBasic,
    scopes: &[],
    pop_scope_suffix: "",
    authorize_parameters: &[],
    mechanism: MechanismRule::Listed,
    mechanism_unlisted: false,
    retr_is_final: false,
    login_delay_s: 0,
    grant_idle_s: 0,
};

const ENTRA: Defaults = Defaults {
    authority: "https://login.microsoftonline.com",
    tenant: "",
    authorize: "{authority}/{tenant}/oauth2/v2.0/authorize",
    token: "{authority}/{tenant}/oauth2/v2.0/token",
    admin_consent: "{authority}/{tenant}/v2.0/adminconsent",
    revocation: "",
    withdraw: "",
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
    // PROTOCOL.md A.8
    grant_idle_s: 90 * DAY_S,
};
