//! From the host's JSON to the meant configuration, all or nothing (I12).
//!
//! A wrong member is named by its path, with what is expected; an unknown one with the nearest known. No file is
//! opened here, and nothing comes from the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::account::{AccountForm, Frame, INTERVAL_S, read_limits};
use super::act::{self, Act};
use super::field::{Field, Members};
use super::json::{self, Fault, Read, Value};
use super::{AccountDefaults, Config, Limits, OwnerRights, Realm, Timeouts, provider, words};
use crate::error::{Error, Result, Status};
use crate::model::{Account, AccountLimits, Actor, DEFAULT_REALM, DeletePolicy, FirstFetch, Pipelining};

/// What a text turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// The configuration itself.
    Here,
    /// `{"file": "/abs/path"}`: it stands in that file.
    File(PathBuf),
}

/// A JSON text, and how its faults are told.
struct Text<'a> {
    text: &'a str,
    /// The file it came from.
    file: Option<&'a str>,
    status: Status,
}

impl Config {
    pub fn read(json: &str) -> Result<Config> {
        Config::read_named(json, None)
    }

    /// The same for a text from a file, whose lines are named in errors.
    pub fn read_named(json: &str, file: Option<&str>) -> Result<Config> {
        let source = Text { text: json, file, status: Status::Config };
        read(json).map_err(|fault| source.error(fault))
    }

    /// Where the configuration stands.
    pub fn locate(json: &str) -> Result<Source> {
        let source = Text { text: json, file: None, status: Status::Config };
        locate(json).map_err(|fault| source.error(fault))
    }

    /// An account's JSON as `account_put` takes it: an account of the configuration without id and owner.
    pub fn read_account(json: &str) -> Result<AccountForm> {
        let read = || -> Read<AccountForm> {
            let mut members = root(json)?.members()?;
            let form = AccountForm::read(&mut members)?;
            members.finish()?;
            Ok(form)
        };
        read().map_err(|fault| argument(json).error(fault))
    }

    /// The JSON of `account_act`.
    pub fn read_act(json: &str) -> Result<Act> {
        act::read(json).map_err(|fault| argument(json).error(fault))
    }

    /// What an account becomes when `actor` asks for `form` (read from `json`); `kept` is what stands already.
    pub fn account(
        &self,
        actor: &Actor,
        (id, owner, realm): (&str, &str, &str),
        (form, json): (&AccountForm, &str),
        kept: Option<&Account>,
    ) -> Result<Account> {
        let frame = Frame { id, owner, realm, kept };
        match actor {
            Actor::Operator => form.for_operator(self, &frame),
            Actor::Owner(_) => form.for_owner(self, &frame),
        }
        .map_err(|fault| argument(json).error(fault))
    }

    /// The realm of an owner nothing is known of yet: by his domain, else the default one.
    pub fn realm_by_domain(&self, owner: &str) -> &str {
        let domain = owner.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        self.realms
            .iter()
            .find(|(_, realm)| domain.as_ref().is_some_and(|domain| realm.owner_domains.contains(domain)))
            .map_or(DEFAULT_REALM, |(id, _)| id)
    }

    /// How many accounts an owner of this realm may have.
    pub fn cap(&self, realm: &str) -> u32 {
        let of_realm = self.realms.get(realm).and_then(|realm| realm.accounts_per_owner);
        of_realm.unwrap_or(self.owners.accounts_per_owner)
    }

    /// Whether the operator lists this server, with its port or as a host.
    pub fn lists_server(&self, host: &str, port: u16) -> bool {
        let with_port = words::host_port_text(host, port);
        self.servers.iter().any(|listed| *listed == with_port || listed == host)
    }
}

impl Text<'_> {
    fn error(&self, fault: Fault) -> Error {
        let line = 1 + self.text.as_bytes()[..fault.at.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let place = match (self.file, self.text.trim().contains('\n')) {
            (Some(file), _) => format!("{file}:{line}: "),
            (None, true) => format!("line {line}: "),
            (None, false) => String::new(),
        };
        let path = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
        let message = format!("{place}{path}{}", fault.what);
        if fault.right {
            return Error::new(Status::Rights, "rights.member", message)
                .advice("Ask the operator of the mail server to set this for you.");
        }
        match self.status {
            Status::Config => Error::new(Status::Config, "config.invalid", message)
                .advice("Correct this member of the configuration; until then the former one holds."),
            status => Error::new(status, "argument.json", message)
                .advice("Correct this member; nothing was changed."),
        }
    }
}

fn argument(json: &str) -> Text<'_> {
    Text { text: json, file: None, status: Status::Argument }
}

fn root(json: &str) -> Read<Field> {
    Ok(Field { path: String::new(), node: json::parse(json)? })
}

fn locate(json: &str) -> Read<Source> {
    let field = root(json)?;
    let Value::Object(members) = &field.node.value else {
        return Ok(Source::Here);
    };
    if !members.iter().any(|(name, _)| name == "file") {
        return Ok(Source::Here);
    }
    let mut members = field.members()?;
    let file = words::path(&members.need("file", "the absolute path of the configuration")?)?;
    members.finish()?;
    Ok(Source::File(file))
}

fn read(json: &str) -> Read<Config> {
    let mut members = root(json)?.members()?;
    let mut config = Config {
        store: words::path(&members.need("store", "the absolute path of the database")?)?,
        keys: keys(members.need("keys", "the absolute paths of the key files, the sealing one first")?)?,
        hostname: words::hostname(&members.need("hostname", "this machine's name, for Received: lines")?)?,
        enabled: boolean(&mut members, "enabled", true)?,
        always_delete: boolean(&mut members, "always_delete", false)?,
        shadow: boolean(&mut members, "shadow", false)?,
        delete_grace_s: whole(&mut members, "delete_grace_s", 0..=365 * 86_400, 86_400)?,
        ca_file: members.take("ca_file").map(|field| words::path(&field)).transpose()?,
        system_roots: boolean(&mut members, "system_roots", true)?,
        proxy: members.take("proxy").map(|field| proxy(&field)).transpose()?,
        limits: limits(members.take("limits"))?,
        timeouts: timeouts(members.take("timeouts"))?,
        defaults: defaults(members.take("defaults"))?,
        owners: OwnerRights {
            edit: true,
            accounts_per_owner: 10,
            providers: None,
            delete: true,
            least_interval_s: 300,
            most_interval_s: 86_400,
        },
        realms: realms(members.take("realms"))?,
        providers: BTreeMap::new(),
        accounts: None,
        servers: servers(members.take("servers"))?,
    };
    providers(members.take("providers"), &mut config)?;
    owners(members.take("owners"), &mut config)?;
    if let Some(field) = members.take("accounts") {
        config.accounts = Some(accounts(field, &config)?);
    }
    members.finish()?;
    Ok(config)
}

fn boolean(members: &mut Members, name: &'static str, default: bool) -> Read<bool> {
    members.take(name).map_or(Ok(default), |field| field.boolean())
}

fn whole(
    members: &mut Members,
    name: &'static str,
    range: std::ops::RangeInclusive<u32>,
    default: u32,
) -> Read<u32> {
    members.take(name).map_or(Ok(default), |field| field.whole32(range))
}

fn keys(field: Field) -> Read<Vec<PathBuf>> {
    let none = field.fault("expected at least one key file");
    let keys: Vec<PathBuf> = field.list()?.iter().map(words::path).collect::<Read<_>>()?;
    if keys.is_empty() { Err(none) } else { Ok(keys) }
}

fn proxy(field: &Field) -> Read<String> {
    let text = field.text()?;
    let url = url::Url::parse(text)
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h"));
    let Some(url) = url else {
        return Err(field.fault("expected a URL such as http://proxy.example.com:3128"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(field.fault("a proxy's user name and password never stand in a configuration"));
    }
    Ok(text.to_owned())
}

fn limits(field: Option<Field>) -> Read<Limits> {
    let mut limits = Limits {
        sessions: 16,
        prefetch_bytes: 4 << 20,
        flush_messages: 256,
        flush_bytes: 16 << 20,
        flush_ms: 500,
        listing_entries: 1_000_000,
    };
    let Some(field) = field else {
        return Ok(limits);
    };
    let mut members = field.members()?;
    limits.sessions = whole(&mut members, "sessions", 1..=1024, limits.sessions)?;
    if let Some(field) = members.take("prefetch_bytes") {
        limits.prefetch_bytes = field.whole(64 * 1024..=1 << 30)?;
    }
    limits.flush_messages = whole(&mut members, "flush_messages", 1..=65_536, limits.flush_messages)?;
    if let Some(field) = members.take("flush_bytes") {
        limits.flush_bytes = field.whole(1..=1 << 40)?;
    }
    if let Some(field) = members.take("flush_after_s") {
        limits.flush_ms = field.milliseconds(1..=60_000)?;
    }
    limits.listing_entries = whole(&mut members, "listing_entries", 1..=10_000_000, limits.listing_entries)?;
    members.finish()?;
    Ok(limits)
}

fn timeouts(field: Option<Field>) -> Read<Timeouts> {
    let mut timeouts = Timeouts { connect_s: 20, reply_s: 60, login_s: 120, https_s: 30 };
    let Some(field) = field else {
        return Ok(timeouts);
    };
    let mut members = field.members()?;
    timeouts.connect_s = whole(&mut members, "connect_s", 1..=600, timeouts.connect_s)?;
    timeouts.reply_s = whole(&mut members, "reply_s", 1..=3600, timeouts.reply_s)?;
    timeouts.login_s = whole(&mut members, "login_s", 1..=3600, timeouts.login_s)?;
    timeouts.https_s = whole(&mut members, "https_s", 1..=600, timeouts.https_s)?;
    members.finish()?;
    Ok(timeouts)
}

fn defaults(field: Option<Field>) -> Read<AccountDefaults> {
    let mut defaults = AccountDefaults {
        delete: DeletePolicy::Never,
        first_fetch: FirstFetch::All,
        limits: AccountLimits { max_message_bytes: 150 << 20, session_messages: 500, session_s: 600 },
        interval_s: 300,
        pipelining: Pipelining::Auto,
    };
    let Some(field) = field else {
        return Ok(defaults);
    };
    let mut members = field.members()?;
    if let Some(field) = members.take("delete") {
        defaults.delete = words::delete(field)?;
    }
    if let Some(field) = members.take("first_fetch") {
        defaults.first_fetch = words::first_fetch(field)?;
    }
    if let Some(field) = members.take("limits") {
        let mut members = field.members()?;
        let (bytes, messages, seconds) = read_limits(&mut members)?;
        members.finish()?;
        let limits = &mut defaults.limits;
        limits.max_message_bytes = bytes.unwrap_or(limits.max_message_bytes);
        limits.session_messages = messages.unwrap_or(limits.session_messages);
        limits.session_s = seconds.unwrap_or(limits.session_s);
    }
    defaults.interval_s = whole(&mut members, "interval_s", INTERVAL_S, defaults.interval_s)?;
    if let Some(field) = members.take("pipelining") {
        defaults.pipelining = words::pipelining(&field)?;
    }
    members.finish()?;
    Ok(defaults)
}

/// Every realm, and the default one, which needs no entry.
fn realms(field: Option<Field>) -> Read<BTreeMap<String, Realm>> {
    let mut realms = BTreeMap::from([(DEFAULT_REALM.to_owned(), Realm::default())]);
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (name, field) in field.map(Field::entries).transpose()?.unwrap_or_default() {
        words::id(&name, &field)?;
        let mut members = field.members()?;
        let mut realm = Realm::default();
        for field in members.take("owner_domains").map(Field::list).transpose()?.unwrap_or_default() {
            let domain = words::domain(&field)?;
            if let Some(other) = taken.insert(domain.clone(), name.clone()) {
                return Err(field.fault(format!("{domain} stands in realm {other:?} already")));
            }
            realm.owner_domains.push(domain);
        }
        if let Some(field) = members.take("accounts_per_owner") {
            realm.accounts_per_owner = Some(field.whole32(0..=10_000)?);
        }
        if let Some(field) = members.take("metrics_label") {
            realm.metrics_label = Some(words::line(&field)?);
        }
        members.finish()?;
        realms.insert(name, realm);
    }
    Ok(realms)
}

fn providers(field: Option<Field>, config: &mut Config) -> Read<()> {
    for (id, field) in field.map(Field::entries).transpose()?.unwrap_or_default() {
        words::id(&id, &field)?;
        let (path, at) = (json::below(&field.path, "realm"), field.node.at);
        let provider = provider::read(&id, field)?;
        if !config.realms.contains_key(&provider.realm) {
            return Err(Fault::new(path, at, format!("there is no realm {:?}", provider.realm)));
        }
        config.providers.insert(id, provider);
    }
    Ok(())
}

fn owners(field: Option<Field>, config: &mut Config) -> Read<()> {
    let Some(field) = field else {
        return Ok(());
    };
    let mut members = field.members()?;
    let rights = &mut config.owners;
    rights.edit = boolean(&mut members, "edit", rights.edit)?;
    rights.delete = boolean(&mut members, "delete", rights.delete)?;
    rights.accounts_per_owner =
        whole(&mut members, "accounts_per_owner", 0..=10_000, rights.accounts_per_owner)?;
    rights.least_interval_s = whole(&mut members, "least_interval_s", INTERVAL_S, rights.least_interval_s)?;
    let most = members.take("most_interval_s");
    if let Some(field) = &most {
        rights.most_interval_s = field.whole32(INTERVAL_S)?;
    }
    if rights.least_interval_s > rights.most_interval_s {
        let what = format!("least_interval_s ({}) is greater than most_interval_s", rights.least_interval_s);
        return Err(Fault::new(json::below(&members.path, "most_interval_s"), members.at, what));
    }
    if let Some(field) = members.take("providers") {
        let mut list = Vec::new();
        for field in field.list()? {
            let id = field.text()?;
            if !config.providers.contains_key(id) {
                return Err(field.fault(format!("there is no provider {id:?}")));
            }
            list.push(id.to_owned());
        }
        rights.providers = Some(list);
    }
    members.finish()
}

/// `host` or `host:port`, in lower case.
fn servers(field: Option<Field>) -> Read<Vec<String>> {
    let mut servers = Vec::new();
    for field in field.map(Field::list).transpose()?.unwrap_or_default() {
        let text = field.text()?;
        let has_port =
            text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        if has_port {
            let (host, port) = words::host_port(&field)?;
            servers.push(words::host_port_text(&host, port));
        } else {
            servers.push(words::host(&field)?);
        }
    }
    Ok(servers)
}

/// In order of id.
fn accounts(field: Field, config: &Config) -> Read<Vec<Account>> {
    let mut accounts = BTreeMap::new();
    let mut realm_of: BTreeMap<String, String> = BTreeMap::new();
    for (id, field) in field.entries()? {
        words::id(&id, &field)?;
        let mut members = field.members()?;
        let owner_field = members.need("owner", "the user this mailbox belongs to")?;
        let owner = words::owner_name(&owner_field)?;
        let form = AccountForm::read(&mut members)?;
        members.finish()?;
        let realm = match &form.realm {
            Some(realm) => realm.clone(),
            None => config.realm_by_domain(&owner).to_owned(),
        };
        let frame = Frame {
            id: &id,
            owner: &owner,
            realm: realm_of.entry(owner.clone()).or_insert(realm.clone()),
            kept: None,
        };
        let account = form.for_operator(config, &frame)?;
        if form.realm.is_none() && *frame.realm != realm {
            let what = format!(
                "this owner stands in realm {:?} by another account; name the realm here too",
                frame.realm
            );
            return Err(owner_field.fault(what));
        }
        accounts.insert(id.clone(), account);
    }
    Ok(accounts.into_values().collect())
}
