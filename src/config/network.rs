//! How peers are reached: from which address, by which family of addresses, through which proxy.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::Serialize;

use super::field::{Field, Members};
use super::json::Read;
use super::words;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// This machine's address connections come from; `None`: the system chooses.
    pub source_v4: Option<Ipv4Addr>,
    pub source_v6: Option<Ipv6Addr>,
    /// `None`: the resolver's first address decides.
    pub prefer: Option<Prefer>,
    pub proxy: Option<Proxy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Prefer {
    Ipv4,
    Ipv6,
    Ipv4Only,
    Ipv6Only,
}

impl Prefer {
    const ALL: [Prefer; 4] = [Prefer::Ipv4, Prefer::Ipv6, Prefer::Ipv4Only, Prefer::Ipv6Only];

    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Prefer::Ipv4 => "ipv4",
            Prefer::Ipv6 => "ipv6",
            Prefer::Ipv4Only => "ipv4_only",
            Prefer::Ipv6Only => "ipv6_only",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proxy {
    pub kind: ProxyKind,
    /// In lower case, an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
    pub login: Option<ProxyLogin>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyLogin {
    pub user: String,
    pub password_file: PathBuf,
}

/// RFC 1928; RFC 9110 §9.3.6
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ProxyKind {
    /// Names are resolved here.
    Socks5,
    /// Names are resolved by the proxy.
    Socks5h,
    /// CONNECT; names are resolved by the proxy.
    Http,
    /// The same, the proxy itself spoken to over TLS.
    Https,
}

impl ProxyKind {
    pub fn name(self) -> &'static str {
        match self {
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Socks5h => "socks5h",
            ProxyKind::Http => "http",
            ProxyKind::Https => "https",
        }
    }

    pub fn is_socks(self) -> bool {
        matches!(self, ProxyKind::Socks5 | ProxyKind::Socks5h)
    }

    /// The scheme, and the port where none is named.
    fn of(scheme: &str) -> Option<(ProxyKind, u16)> {
        Some(match scheme {
            "socks5" => (ProxyKind::Socks5, 1080),
            "socks5h" => (ProxyKind::Socks5h, 1080),
            "http" => (ProxyKind::Http, 80),
            "https" => (ProxyKind::Https, 443),
            _ => return None,
        })
    }
}

impl Proxy {
    /// As people know it, without its user.
    pub fn text(&self) -> String {
        format!("{}://{}", self.kind.name(), words::host_port_text(&self.host, self.port))
    }
}

pub(super) fn network(field: Field) -> Read<Network> {
    let mut members = field.members()?;
    let mut network = Network::default();
    if let Some(field) = members.take("source") {
        source(field, &mut network)?;
    }
    network.prefer =
        members.take("prefer").map(|field| field.choice(&Prefer::ALL, Prefer::name)).transpose()?;
    let at = members.take("proxy");
    network.proxy = at.as_ref().map(proxy).transpose()?;
    let login = login(&mut members)?;
    members.finish()?;
    let Some((login, field)) = login else {
        return Ok(network);
    };
    let Some(proxy) = &mut network.proxy else {
        return Err(field.fault("there is no proxy to log in at; name it as proxy"));
    };
    if proxy.kind.is_socks() && login.user.len() > 255 {
        return Err(field.fault("a SOCKS5 user name has at most 255 bytes (RFC 1929)"));
    }
    if !proxy.kind.is_socks() && login.user.contains(':') {
        return Err(field.fault("a user name for HTTP holds no colon (RFC 7617)"));
    }
    proxy.login = Some(login);
    Ok(network)
}

fn source(field: Field, network: &mut Network) -> Read<()> {
    let mut members = field.members()?;
    if let Some(field) = members.take("ipv4") {
        let found = field.text()?.parse().ok();
        let usable = |address: &Ipv4Addr| !address.is_unspecified() && !address.is_multicast();
        let wrong = || field.fault("expected one of this machine's IPv4 addresses, such as \"192.0.2.7\"");
        network.source_v4 = Some(found.filter(usable).ok_or_else(wrong)?);
    }
    if let Some(field) = members.take("ipv6") {
        let found = field.text()?.parse().ok();
        let usable = |address: &Ipv6Addr| !address.is_unspecified() && !address.is_multicast();
        let wrong = || field.fault("expected one of this machine's IPv6 addresses, such as \"2001:db8::7\"");
        network.source_v6 = Some(found.filter(usable).ok_or_else(wrong)?);
    }
    members.finish()
}

/// A user name and the file of its password, one never without the other.
fn login(members: &mut Members) -> Read<Option<(ProxyLogin, Field)>> {
    let password = members.take("proxy_password_file");
    let Some(user) = members.take("proxy_user") else {
        return match password {
            Some(field) => Err(field.fault("a password without a user; name him as proxy_user")),
            None => Ok(None),
        };
    };
    let Some(password) = password else {
        return Err(user.fault("a user without a password; name its file as proxy_password_file"));
    };
    let login = ProxyLogin { user: words::line(&user)?, password_file: words::path(&password)? };
    Ok(Some((login, user)))
}

pub(super) fn proxy(field: &Field) -> Read<Proxy> {
    let text = field.text()?;
    let wrong = || {
        field.fault(
            "expected a proxy such as socks5://proxy.example.com:1080 or http://proxy.example.com:3128; there are \
             socks5, socks5h, http and https",
        )
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (kind, port) = ProxyKind::of(scheme).ok_or_else(wrong)?;
    if rest.contains('@') {
        return Err(field.fault("a proxy's user name and password never stand in its address"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let has_port = rest.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let whole = if has_port { rest.to_owned() } else { format!("{rest}:{port}") };
    let (host, port) = words::parse_host_port(&whole).ok_or_else(wrong)?;
    Ok(Proxy { kind, host, port, login: None })
}
