//! An account as it is asked for: its JSON read, and an account written as such JSON again.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use super::field::{Field, Members};
use super::json::Read;
use super::words;
use crate::model::{Account, DeletePolicy, FirstFetch, Pipelining, Security, TokenSource};
use crate::secret::Secret;

/// The members of an account's JSON, `None` where it does not name one.
#[derive(Debug, Default)]
pub struct AccountForm {
    pub(super) path: String,
    pub(super) at: usize,
    pub(super) places: Vec<(&'static str, usize)>,
    pub realm: Option<String>,
    pub deliver_to: Option<String>,
    pub provider: Option<String>,
    pub token_file: Option<PathBuf>,
    /// `use_oauth` is false.
    pub classic: bool,
    pub apop: Option<bool>,
    /// In a call.
    pub password: Option<Secret>,
    /// In the configuration.
    pub password_file: Option<PathBuf>,
    pub server: Option<(String, u16)>,
    pub security: Option<Security>,
    pub user: String,
    pub sign_in: Option<String>,
    pub app_only: Option<bool>,
    pub enabled: Option<bool>,
    pub delete: Option<DeletePolicy>,
    pub first_fetch: Option<FirstFetch>,
    pub max_message_bytes: Option<u64>,
    pub session_messages: Option<u32>,
    pub session_s: Option<u32>,
    pub interval_s: Option<u32>,
    pub pipelining: Option<Pipelining>,
}

/// Seconds between two visits: the least keeps a misprint from looking like an attack.
pub(super) const INTERVAL_S: std::ops::RangeInclusive<u32> = 10..=30 * 86_400;

impl AccountForm {
    pub(super) fn read(members: &mut Members, origin: Origin) -> Read<AccountForm> {
        let mut form = AccountForm { path: members.path.clone(), at: members.at, ..AccountForm::default() };
        let mut take = |name: &'static str| {
            let field = members.take(name)?;
            form.places.push((name, field.node.at));
            Some(field)
        };
        form.realm = take("realm").map(|field| realm_name(&field)).transpose()?;
        form.deliver_to = take("deliver_to").map(|field| words::line(&field)).transpose()?;
        form.provider = take("provider").map(|field| field.text().map(str::to_owned)).transpose()?;
        form.token_file = take("token_file").map(|field| words::path(&field)).transpose()?;
        form.server = take("server").map(|field| words::host_port(&field)).transpose()?;
        form.security = take("security").map(|field| words::security(&field)).transpose()?;
        form.sign_in = take("sign_in").map(|field| words::mailbox_name(&field)).transpose()?;
        form.app_only = take("app_only").map(|field| field.boolean()).transpose()?;
        form.enabled = take("enabled").map(|field| field.boolean()).transpose()?;
        form.delete = take("delete").map(words::delete).transpose()?;
        form.first_fetch = take("first_fetch").map(words::first_fetch).transpose()?;
        form.interval_s = take("interval_s").map(|field| field.whole32(INTERVAL_S)).transpose()?;
        form.pipelining = take("pipelining").map(|field| words::pipelining(&field)).transpose()?;
        if let Some(limits) = take("limits") {
            let mut limits = limits.members()?;
            (form.max_message_bytes, form.session_messages, form.session_s) = read_limits(&mut limits)?;
            limits.finish()?;
        }
        form.classic = !take("use_oauth").map_or(Ok(true), |field| field.boolean())?;
        form.apop = take("apop").map(|field| field.boolean()).transpose()?;
        match origin {
            Origin::Call => form.password = take("password").map(words::password).transpose()?,
            Origin::Configuration => {
                form.password_file = take("password_file").map(|field| words::path(&field)).transpose()?;
            }
        }
        let user = members.need("user", "the mailbox's user name, such as alice@contoso.example")?;
        form.user = words::mailbox_name(&user)?;
        if form.provider.is_some() && form.token_file.is_some() {
            return Err(form.fault("token_file", "an account has a provider or a token_file, not both"));
        }
        form.refuse_mixture(origin)?;
        Ok(form)
    }

    /// A password and a token are never each other's stand-in.
    fn refuse_mixture(&self, origin: Origin) -> Read<()> {
        let of_passwords = [
            ("password", self.password.is_some()),
            ("password_file", self.password_file.is_some()),
            ("apop", self.apop.is_some()),
        ];
        let of_tokens = [
            ("provider", self.provider.is_some()),
            ("token_file", self.token_file.is_some()),
            ("sign_in", self.sign_in.is_some()),
        ];
        let strangers = if self.classic { of_tokens } else { of_passwords };
        match strangers.into_iter().find(|(_, named)| *named) {
            Some((name, _)) if self.classic => {
                return Err(self.fault("use_oauth", format!("an account with a password has no {name}")));
            }
            Some((name, _)) => {
                return Err(self.fault(name, "only an account with \"use_oauth\": false has this member"));
            }
            None => {}
        }
        if self.classic && origin == Origin::Configuration && self.password_file.is_none() {
            return Err(
                self.fault("password_file", "this member is missing: the file that holds the password")
            );
        }
        Ok(())
    }
}

/// Where an account's JSON stands: a secret stands in a call's, and never in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Call,
    Configuration,
}

pub(super) fn realm_name(field: &Field) -> Read<String> {
    Ok(words::id(field.text()?, field)?.to_owned())
}

type LimitsRead = (Option<u64>, Option<u32>, Option<u32>);

pub(super) fn read_limits(limits: &mut Members) -> Read<LimitsRead> {
    let bytes = limits.take("max_message_bytes").map(|field| field.whole(1024..=1 << 40)).transpose()?;
    let messages = limits.take("session_messages").map(|field| field.whole32(1..=1_000_000)).transpose()?;
    let seconds = limits.take("session_s").map(|field| field.whole32(10..=86_400)).transpose()?;
    Ok((bytes, messages, seconds))
}

/// The members under which an account can be put again. `shown_file`: the operator sees where a token lies.
pub fn to_json(account: &Account, shown_file: bool) -> Map<String, Json> {
    let mut members = Map::new();
    let mut set = |name: &str, value: Json| {
        members.insert(name.to_owned(), value);
    };
    set("realm", json!(account.realm));
    set("deliver_to", json!(account.deliver_to));
    match &account.source {
        TokenSource::Provider(id) => set("provider", json!(id)),
        TokenSource::File(path) if shown_file => set("token_file", json!(path)),
        TokenSource::File(_) => {}
        TokenSource::Password(classic) => {
            set("use_oauth", json!(false));
            set("apop", json!(classic.apop));
        }
    }
    set("server", json!(words::server_text(&account.server)));
    set(
        "security",
        json!(match account.server.security {
            Security::Implicit => "implicit",
            Security::Stls => "stls",
        }),
    );
    set("user", json!(account.user));
    if let Some(name) = &account.sign_in {
        set("sign_in", json!(name));
    }
    if account.app_only {
        set("app_only", json!(true));
    }
    set("enabled", json!(account.enabled));
    set(
        "delete",
        match account.delete {
            DeletePolicy::Never => json!("never"),
            DeletePolicy::Now => json!("now"),
            DeletePolicy::AfterDays(days) => json!({ "after_days": days }),
        },
    );
    set(
        "first_fetch",
        match account.first_fetch {
            FirstFetch::All => json!("all"),
            FirstFetch::NewOnly => json!("new_only"),
            FirstFetch::Since(at) => json!({ "since": words::date_text(at) }),
        },
    );
    set(
        "limits",
        json!({
            "max_message_bytes": account.limits.max_message_bytes,
            "session_messages": account.limits.session_messages,
            "session_s": account.limits.session_s,
        }),
    );
    set("interval_s", json!(account.interval_s));
    set(
        "pipelining",
        json!(match account.pipelining {
            Pipelining::Auto => "auto",
            Pipelining::On => "on",
            Pipelining::Off => "off",
            Pipelining::Probe => "probe",
        }),
    );
    members
}
