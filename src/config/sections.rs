//! The sections of the configuration that stand for themselves, each with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::account::{INTERVAL_S, read_limits};
use super::field::{Field, Members};
use super::json::{self, Fault, Read};
use super::{AccountDefaults, Limits, OwnerRights, ProviderConfig, Realm, Timeouts, words};
use crate::model::{AccountLimits, DEFAULT_REALM, DeletePolicy, FirstFetch, Pipelining};

pub(super) fn boolean(members: &mut Members, name: &'static str, default: bool) -> Read<bool> {
    members.take(name).map_or(Ok(default), |field| field.boolean())
}

pub(super) fn whole(
    members: &mut Members,
    name: &'static str,
    range: std::ops::RangeInclusive<u32>,
    default: u32,
) -> Read<u32> {
    members.take(name).map_or(Ok(default), |field| field.whole32(range))
}

pub(super) fn keys(field: Field) -> Read<Vec<PathBuf>> {
    let none = field.fault("expected at least one key file");
    let keys: Vec<PathBuf> = field.list()?.iter().map(words::path).collect::<Read<_>>()?;
    if keys.is_empty() { Err(none) } else { Ok(keys) }
}

pub(super) fn limits(field: Option<Field>) -> Read<Limits> {
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

pub(super) fn timeouts(field: Option<Field>) -> Read<Timeouts> {
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

pub(super) fn defaults(field: Option<Field>) -> Read<AccountDefaults> {
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
pub(super) fn realms(field: Option<Field>) -> Read<BTreeMap<String, Realm>> {
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

pub(super) fn owners(field: Option<Field>, known: &BTreeMap<String, ProviderConfig>) -> Read<OwnerRights> {
    let mut rights = OwnerRights {
        edit: true,
        classic_servers: false,
        accounts_per_owner: 10,
        providers: None,
        delete: true,
        least_interval_s: 300,
        most_interval_s: 86_400,
    };
    let Some(field) = field else {
        return Ok(rights);
    };
    let mut members = field.members()?;
    rights.edit = boolean(&mut members, "edit", rights.edit)?;
    rights.delete = boolean(&mut members, "delete", rights.delete)?;
    rights.classic_servers = boolean(&mut members, "classic_servers", rights.classic_servers)?;
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
            if !known.contains_key(id) {
                return Err(field.fault(format!("there is no provider {id:?}")));
            }
            list.push(id.to_owned());
        }
        rights.providers = Some(list);
    }
    members.finish()?;
    Ok(rights)
}

/// `host` or `host:port`, in lower case.
pub(super) fn servers(field: Option<Field>) -> Read<Vec<String>> {
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
