//! How the provider behaves, as data: every field may be changed while it runs.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::faults::Fault;
use crate::mock::pki::ClientKey;

/// The behaviour of a provider. [`Settings::generic`] and [`Settings::entra`] are the ones to start from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Paths, issuer and claims as Microsoft's, for this tenant segment's id. None: a generic provider.
    pub entra_tenant: Option<String>,
    /// Registered clients by id; one is there from the start: [`Client::ID`].
    pub clients: HashMap<String, Client>,
    /// Who can sign in, by sign-in name in lower case; anyone else is made up when signing in.
    pub users: HashMap<String, User>,
    /// Whoever is hinted at, this one signs in.
    pub signs_in: Option<String>,
    pub consent: Consent,
    pub token_lifetime: Duration,
    pub rotation: Rotation,
    /// Giving one grant back ends every grant of that person to that client (Google).
    pub revokes_all: bool,
    pub id_token: IdToken,
    pub alg: Alg,
    /// RFC 9207: `iss` in the answer, and its announcement.
    pub iss: IssAnswer,
    pub announce_iss: bool,
    pub require_pkce: bool,
    /// `"expires_in": "3599"`.
    pub expires_in_as_text: bool,
    pub omit_expires_in: bool,
    pub omit_scope: bool,
    /// The scope answered in place of the one asked for.
    pub scope: Option<String>,
    pub omit_refresh_token: bool,
    /// A refresh token that rests so long is dead.
    pub refresh_idle: Option<Duration>,
    /// The time it rests by: nothing passes but what is set here.
    pub elapsed: Duration,
    /// A refresh token comes only with `prompt=consent`, as at Google.
    pub refresh_needs_prompt: bool,
    pub token_type: String,
    /// Access tokens are padded to this length.
    pub token_length: usize,
    /// Access tokens begin with this.
    pub token_prefix: String,
    /// Discovery names this issuer.
    pub announced_issuer: Option<String>,
    /// Mailboxes an application's own token opens.
    pub app_mailboxes: Vec<String>,
    /// How long a code for another device lives, and how often may be asked about it.
    pub device_lifetime: Duration,
    pub device_interval: Duration,
    /// As discovery lists them.
    pub authentication_methods: Vec<String>,
    pub faults: Vec<Fault>,
}

impl Settings {
    /// `<issuer>/authorize`, `/token` and so on; rotation; ids by `sub`; announces RFC 9207.
    pub fn generic() -> Settings {
        Settings {
            entra_tenant: None,
            clients: HashMap::from([(Client::ID.to_owned(), Client::default())]),
            users: HashMap::new(),
            signs_in: None,
            consent: Consent::Granted,
            token_lifetime: Duration::from_secs(3600),
            rotation: Rotation::Rotates,
            revokes_all: false,
            id_token: IdToken::Good,
            alg: Alg::Es256,
            iss: IssAnswer::Right,
            announce_iss: true,
            require_pkce: true,
            expires_in_as_text: false,
            omit_expires_in: false,
            omit_scope: false,
            scope: None,
            omit_refresh_token: false,
            refresh_idle: None,
            elapsed: Duration::ZERO,
            refresh_needs_prompt: false,
            token_type: "Bearer".to_owned(),
            token_length: 0,
            token_prefix: String::new(),
            announced_issuer: None,
            app_mailboxes: Vec::new(),
            device_lifetime: Duration::from_secs(900),
            device_interval: Duration::from_secs(5),
            authentication_methods: ["client_secret_post", "private_key_jwt", "client_secret_basic"]
                .map(str::to_owned)
                .into(),
            faults: Vec::new(),
        }
    }

    /// `/<tenant>/oauth2/v2.0/…`, any tenant segment served; `{tenantid}` in the issuer of `common` and
    /// `organizations`; `tid` and `oid`; RS256; the old refresh token stays good; no `iss` in answers.
    pub fn entra() -> Settings {
        Settings {
            entra_tenant: Some("11111111-2222-4333-8444-555555555555".to_owned()),
            rotation: Rotation::KeepsOld,
            alg: Alg::Rs256,
            iss: IssAnswer::Absent,
            announce_iss: false,
            ..Settings::generic()
        }
    }

    /// As Google: a refresh token with `access_type=offline` and `prompt=consent` only, none on refresh.
    pub fn google() -> Settings {
        Settings {
            rotation: Rotation::None,
            refresh_needs_prompt: true,
            alg: Alg::Rs256,
            announce_iss: false,
            ..Settings::generic()
        }
    }

    /// The user of this sign-in name, made up if unknown.
    pub fn user(&self, name: &str) -> User {
        let name = name.to_ascii_lowercase();
        self.users.get(&name).cloned().unwrap_or_else(|| User::named(&name))
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Good ones; two live at once for roll-over. Empty: a public client.
    pub secrets: Vec<String>,
    /// Certificates it may sign assertions with (`private_key_jwt`).
    pub certificates: Vec<ClientKey>,
    /// Compared to the byte. Empty: any.
    pub redirect_uris: Vec<String>,
}

impl Client {
    pub const ID: &str = "mock-client";
    pub const SECRET: &str = "mock~secret.+/with=odd&characters";
}

impl Default for Client {
    fn default() -> Client {
        Client {
            secrets: vec![Client::SECRET.to_owned()],
            certificates: Vec::new(),
            redirect_uris: Vec::new(),
        }
    }
}

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    pub sub: String,
    pub oid: String,
    /// The tenant, if not the provider's.
    pub tid: Option<String>,
    pub preferred_username: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    /// The POP3 user that tokens of this person are good for.
    pub mailbox: String,
}

impl User {
    pub fn named(name: &str) -> User {
        let digest = digest(&SHA256, name.as_bytes());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        User {
            sub: format!("sub-{}", &hex[12..44]),
            oid: format!("aaaaaaaa-bbbb-4ccc-8ddd-{}", &hex[..12]),
            tid: None,
            preferred_username: Some(name.to_owned()),
            email: Some(name.to_owned()),
            email_verified: None,
            mailbox: name.to_owned(),
        }
    }
}

/// What the authorize endpoint does with a good request.
#[derive(Clone, Debug)]
pub enum Consent {
    /// Answers with a code at once.
    Granted,
    /// Answers with this error and description.
    Refused(String, String),
    /// Shows people a page with two buttons.
    Page,
    /// Answers `code` and `error` both.
    Both,
}

/// What a refresh answers, and what becomes of the old token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A new one; the old one is used up, and using it again is `invalid_grant`.
    Rotates,
    /// A new one; the old one stays good (Microsoft).
    KeepsOld,
    /// None; the old one stays good (Google).
    None,
    /// A new one; using the old one again revokes the whole family (RFC 9700 §4.14.2).
    Strict,
}

/// The id_token that is answered if `openid` was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdToken {
    Good,
    Absent,
    WrongNonce,
    NoNonce,
    WrongAudience,
    WrongIssuer,
    Expired,
    FromTheFuture,
    /// `alg` is `none`, no signature.
    AlgNone,
    WrongSignature,
    WrongTenant,
    Garbage,
}

impl IdToken {
    pub const ALL_WRONG: [IdToken; 10] = [
        IdToken::WrongNonce,
        IdToken::NoNonce,
        IdToken::WrongAudience,
        IdToken::WrongIssuer,
        IdToken::Expired,
        IdToken::FromTheFuture,
        IdToken::AlgNone,
        IdToken::WrongSignature,
        IdToken::WrongTenant,
        IdToken::Garbage,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    Rs256,
    Es256,
}

/// RFC 9207's parameter in the authorization answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssAnswer {
    Right,
    Wrong,
    Absent,
}
