//! The words members are made of: ids, owners, paths, servers, dates, policies.
//!
//! Each is checked once, here; whoever holds the type need not look again.

use std::path::PathBuf;

use time::macros::format_description;

use super::field::Field;
use super::json::{Read, Value};
use crate::error::{Error, Result, Status};
use crate::model::{Actor, DeletePolicy, FirstFetch, OPERATOR, Pipelining, Security, Server, UnixTime};
use crate::secret::Secret;

/// The longest name of an owner, a user or a host, in bytes.
const NAME_BYTES: usize = 255;
const ID_BYTES: usize = 128;
const PASSWORD_BYTES: usize = 1024;
const YEARS_100_DAYS: u32 = 36_500;

/// Who acts: the text `"*"` is the operator. An empty or broken text is nobody, never the operator.
pub fn actor(text: &str) -> Result<Actor> {
    if text == OPERATOR {
        return Ok(Actor::Operator);
    }
    Ok(Actor::Owner(owner(text)?.to_owned()))
}

pub fn owner(text: &str) -> Result<&str> {
    match owner_fault(text) {
        None => Ok(text),
        Some(what) => Err(Error::new(
            Status::Argument,
            "argument.owner",
            format!("the owner or actor is not valid: {what}"),
        )
        .advice("Pass the name of the user whose session this is, or MULTIPOP_OPERATOR.")),
    }
}

/// An account's id.
pub fn account_id(text: &str) -> Result<&str> {
    match id_fault(text) {
        None => Ok(text),
        Some(what) => Err(Error::new(
            Status::Argument,
            "argument.account",
            format!("the account's id is not valid: {what}"),
        )
        .advice("Ids are chosen by the host: 1 to 128 characters of letters, digits and ._@-")),
    }
}

fn owner_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text == OPERATOR {
        Some("\"*\" is the operator, never an owner")
    } else if text.len() > NAME_BYTES {
        Some("it is longer than 255 bytes")
    } else if text.chars().any(char::is_control) {
        Some("it holds control characters")
    } else {
        None
    }
}

fn id_fault(text: &str) -> Option<&'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    if text.is_empty() || text.len() > ID_BYTES {
        Some("it must have 1 to 128 characters")
    } else if !text.bytes().all(fits) {
        Some("it may hold letters, digits and ._@- only")
    } else {
        None
    }
}

/// The name under which an entry stands is its id.
pub(super) fn id<'a>(name: &'a str, field: &Field) -> Read<&'a str> {
    match id_fault(name) {
        None => Ok(name),
        Some(what) => Err(field.fault(format!("this id is not valid: {what}"))),
    }
}

pub(super) fn owner_name(field: &Field) -> Read<String> {
    let name = field.text()?;
    match owner_fault(name) {
        None => Ok(name.to_owned()),
        Some(what) => Err(field.fault(format!("this owner is not valid: {what}"))),
    }
}

/// Text that is shown or sent in one line.
pub(super) fn line(field: &Field) -> Read<String> {
    let text = field.text()?;
    if text.is_empty() || text.len() > 4 * NAME_BYTES || text.chars().any(char::is_control) {
        return Err(field.fault("expected 1 to 1020 bytes of text without control characters"));
    }
    Ok(text.to_owned())
}

/// A name sent in SASL, where control characters separate (RFC 7628 §3.1).
pub(super) fn mailbox_name(field: &Field) -> Read<String> {
    let text = field.text()?;
    if text.is_empty() || text.len() > NAME_BYTES || text.chars().any(char::is_control) {
        return Err(field.fault("expected a mailbox's name: 1 to 255 bytes without control characters"));
    }
    if text.trim() != text {
        return Err(field.fault("a mailbox's name neither begins nor ends with a space"));
    }
    Ok(text.to_owned())
}

/// Sent in one line, or between NULs (RFC 1939 §7, RFC 4616 §2). No fault quotes it.
pub(super) fn password(field: Field) -> Read<Secret> {
    field.text()?;
    let wrong = field.fault("expected a password: 1 to 1024 bytes without control characters");
    let Value::Text(text) = field.node.value else {
        return Err(wrong);
    };
    let password = Secret::new(text);
    match is_password(password.expose()) {
        true => Ok(password),
        false => Err(wrong),
    }
}

pub fn is_password(text: &str) -> bool {
    !text.is_empty() && text.len() <= PASSWORD_BYTES && !text.chars().any(char::is_control)
}

pub(super) fn path(field: &Field) -> Read<PathBuf> {
    let text = field.text()?;
    let wrong = if !text.starts_with('/') {
        "does not begin with /"
    } else if text.ends_with('/') {
        "ends with /"
    } else if text.contains('\0') {
        "holds a NUL"
    } else {
        return Ok(PathBuf::from(text));
    };
    // Not quoted: in a hurry somebody writes the secret where its file is to be named.
    Err(field.fault(format!("expected the absolute path of a file, found a text that {wrong}")))
}

pub(super) fn hostname(field: &Field) -> Read<String> {
    let text = field.text()?;
    if !is_host(text) || text.starts_with('[') {
        return Err(
            field.fault(format!("expected this machine's name such as mail.example.com, found {text:?}"))
        );
    }
    Ok(text.to_ascii_lowercase())
}

pub(super) fn domain(field: &Field) -> Read<String> {
    let text = field.text()?;
    if !is_host(text) || text.starts_with('[') {
        return Err(field.fault(format!("expected a domain such as example.com, found {text:?}")));
    }
    Ok(text.to_ascii_lowercase())
}

/// A name or an address, in lower case.
pub(super) fn host(field: &Field) -> Read<String> {
    let text = field.text()?;
    if !is_host(text) {
        return Err(field.fault(format!("expected a host or host:port, found {text:?}")));
    }
    Ok(text.trim_matches(['[', ']']).to_ascii_lowercase())
}

/// `host:port`; the host in lower case, an IPv6 address without the brackets it stands in.
pub(super) fn host_port(field: &Field) -> Read<(String, u16)> {
    let text = field.text()?;
    parse_host_port(text)
        .ok_or_else(|| field.fault(format!("expected host:port such as pop.example.com:995, found {text:?}")))
}

pub(super) fn parse_host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port > 0 && is_number)?;
    is_host(host).then(|| (host.trim_matches(['[', ']']).to_ascii_lowercase(), port))
}

/// A name (RFC 1123 §2.1; underscores are met in the wild) or an address.
fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

pub(super) fn security(field: &Field) -> Read<Security> {
    Ok(match field.word(&["implicit", "stls"])? {
        "stls" => Security::Stls,
        _ => Security::Implicit,
    })
}

pub fn server_text(server: &Server) -> String {
    host_port_text(&server.host, server.port)
}

pub fn host_port_text(host: &str, port: u16) -> String {
    if host.contains(':') {
        return format!("[{host}]:{port}");
    }
    format!("{host}:{port}")
}

pub(super) fn delete(field: Field) -> Read<DeletePolicy> {
    if field.is_text() {
        return Ok(match field.word(&["never", "now"])? {
            "now" => DeletePolicy::Now,
            _ => DeletePolicy::Never,
        });
    }
    let wanted = field.fault("expected \"never\", \"now\" or {\"after_days\": n}");
    let mut members = field.members().map_err(|_| wanted)?;
    let days =
        members.need("after_days", "days from the recording to the deletion")?.whole32(1..=YEARS_100_DAYS)?;
    members.finish()?;
    Ok(DeletePolicy::AfterDays(days))
}

pub(super) fn first_fetch(field: Field) -> Read<FirstFetch> {
    if field.is_text() {
        return Ok(match field.word(&["all", "new_only"])? {
            "new_only" => FirstFetch::NewOnly,
            _ => FirstFetch::All,
        });
    }
    let wanted = field.fault("expected \"all\", \"new_only\" or {\"since\": \"YYYY-MM-DD\"}");
    let mut members = field.members().map_err(|_| wanted)?;
    let since = members.need("since", "the first day whose mail is fetched, YYYY-MM-DD")?;
    let at = day(&since)?;
    members.finish()?;
    Ok(FirstFetch::Since(at))
}

pub(super) fn pipelining(field: &Field) -> Read<Pipelining> {
    Ok(match field.word(&["auto", "on", "off", "probe"])? {
        "on" => Pipelining::On,
        "off" => Pipelining::Off,
        "probe" => Pipelining::Probe,
        _ => Pipelining::Auto,
    })
}

pub(super) fn day(field: &Field) -> Read<UnixTime> {
    date(field.text()?).ok_or_else(|| field.fault("expected a day from 1970 on, as YYYY-MM-DD"))
}

/// Midnight UTC of `YYYY-MM-DD`.
fn date(text: &str) -> Option<UnixTime> {
    let day = time::Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    day.midnight().assume_utc().unix_timestamp().try_into().ok()
}

pub(super) fn date_text(at: UnixTime) -> String {
    let day = i64::try_from(at).ok().and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok());
    let day = day.map(time::OffsetDateTime::date).unwrap_or(time::Date::MAX);
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}
