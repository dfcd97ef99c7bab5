//! From the host's JSON to the meant configuration, all or nothing (I12).
//!
//! A wrong member is named by its path, with what is expected; an unknown one with the nearest known. No file is
//! opened here, and nothing comes from the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::account::{AccountForm, Origin};
use super::act::{self, Act};
use super::field::Field;
use super::json::{self, Fault, Read, Value};
use super::meant::Frame;
use super::verb::{self, Verb};
use super::{Config, ProviderConfig, Realm, network, notices, provider, sections, words};
use crate::error::{Error, Result, Status};
use crate::model::{Account, Actor, DEFAULT_REALM};

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
            let form = AccountForm::read(&mut members, Origin::Call)?;
            members.finish()?;
            Ok(form)
        };
        read().map_err(|fault| argument(json).error(fault))
    }

    /// The JSON of `account_act`.
    pub fn read_act(json: &str) -> Result<Act> {
        act::read(json).map_err(|fault| argument(json).error(fault))
    }

    /// The JSON of `act`.
    pub fn read_verb(json: &str) -> Result<Verb> {
        verb::read(json).map_err(|fault| argument(json).error(fault))
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

    /// Whether an account whose token comes from a file may be there.
    pub fn may_take_token_files(&self, host: &str, port: u16) -> bool {
        self.servers.is_empty() || self.lists_server(host, port)
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
    let realms = sections::realms(members.take("realms"))?;
    let providers = providers(members.take("providers"), &realms)?;
    let mut config = Config {
        store: words::path(&members.need("store", "the absolute path of the database")?)?,
        keys: sections::keys(
            members.need("keys", "the absolute paths of the key files, the sealing one first")?,
        )?,
        hostname: words::hostname(&members.need("hostname", "this machine's name, for Received: lines")?)?,
        enabled: sections::boolean(&mut members, "enabled", true)?,
        always_delete: sections::boolean(&mut members, "always_delete", false)?,
        shadow: sections::boolean(&mut members, "shadow", false)?,
        delete_grace_s: sections::whole(&mut members, "delete_grace_s", 0..=365 * 86_400, 86_400)?,
        ca_file: members.take("ca_file").map(|field| words::path(&field)).transpose()?,
        system_roots: sections::boolean(&mut members, "system_roots", true)?,
        proxy: None,
        network: members.take("network").map(network::network).transpose()?.unwrap_or_default(),
        limits: sections::limits(members.take("limits"))?,
        timeouts: sections::timeouts(members.take("timeouts"))?,
        defaults: sections::defaults(members.take("defaults"))?,
        owners: sections::owners(members.take("owners"), &providers)?,
        notices: notices::read(members.take("notices"))?,
        realms,
        providers,
        accounts: None,
        password_files: BTreeMap::new(),
        servers: sections::servers(members.take("servers"))?,
    };
    if let Some(field) = members.take("proxy") {
        config.proxy = Some(network::proxy(&field)?);
        if config.network.proxy.is_some() {
            return Err(field.fault("network.proxy is for HTTPS too; name one of the two"));
        }
    }
    if let Some(field) = members.take("accounts") {
        let (accounts, password_files) = accounts(field, &config)?;
        config.accounts = Some(accounts);
        config.password_files = password_files;
    }
    members.finish()?;
    Ok(config)
}

fn providers(
    field: Option<Field>,
    realms: &BTreeMap<String, Realm>,
) -> Read<BTreeMap<String, ProviderConfig>> {
    let mut providers = BTreeMap::new();
    for (id, field) in field.map(Field::entries).transpose()?.unwrap_or_default() {
        words::id(&id, &field)?;
        let (path, at) = (json::below(&field.path, "realm"), field.node.at);
        let provider = provider::read(&id, field)?;
        if !realms.contains_key(&provider.realm) {
            return Err(Fault::new(path, at, format!("there is no realm {:?}", provider.realm)));
        }
        providers.insert(id, provider);
    }
    Ok(providers)
}

/// In order of id. An owner's realm named with one account is that of his others.
fn accounts(field: Field, config: &Config) -> Read<(Vec<Account>, BTreeMap<String, PathBuf>)> {
    let mut forms = BTreeMap::new();
    let mut realms: BTreeMap<String, String> = BTreeMap::new();
    for (id, field) in field.entries()? {
        words::id(&id, &field)?;
        let mut members = field.members()?;
        let owner = words::owner_name(&members.need("owner", "the user this mailbox belongs to")?)?;
        let form = AccountForm::read(&mut members, Origin::Configuration)?;
        members.finish()?;
        if let Some(realm) = &form.realm {
            let first = realms.entry(owner.clone()).or_insert_with(|| realm.clone());
            if first != realm {
                let what = format!(
                    "another account has this owner in realm {first:?}; an owner belongs to one realm only"
                );
                return Err(form.fault("realm", what));
            }
        }
        forms.insert(id, (owner, form));
    }
    let mut accounts = Vec::with_capacity(forms.len());
    let mut password_files = BTreeMap::new();
    for (id, (owner, form)) in &forms {
        let realm = realms.get(owner).map_or_else(|| config.realm_by_domain(owner), String::as_str);
        accounts.push(form.for_operator(config, &Frame { id, owner, realm, kept: None })?);
        if let Some(path) = &form.password_file {
            password_files.insert(id.clone(), path.clone());
        }
    }
    Ok((accounts, password_files))
}
