//! How a peer is reached, as the configuration says it, with what its files hold.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::{TcpSocket, TcpStream};

use super::dial::Family;
use crate::config::{Network, Prefer};
use crate::error::{Error, Result, Status};
use crate::secret::Secret;

#[derive(Debug, Clone, Default)]
pub struct Route {
    pub network: Network,
    pub proxy_password: Option<Arc<Secret>>,
    /// For a proxy that is spoken to over TLS.
    pub proxy_tls: Option<Arc<ClientConfig>>,
}

impl Route {
    /// The addresses in the order they are tried: families take turns (RFC 8305 §4), or one stands before the other.
    pub(super) fn order(&self, host: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>> {
        let first = match (self.network.prefer, addresses.first()) {
            (Some(Prefer::Ipv4 | Prefer::Ipv4Only), _) => Family::V4,
            (Some(Prefer::Ipv6 | Prefer::Ipv6Only), _) => Family::V6,
            (None, Some(address)) => Family::of(*address),
            (None, None) => return Ok(addresses),
        };
        let (ones, others): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| Family::of(*address) == first);
        match self.network.prefer {
            Some(Prefer::Ipv4Only | Prefer::Ipv6Only) if ones.is_empty() => Err(no_family(host, first)),
            Some(Prefer::Ipv4Only | Prefer::Ipv6Only) => Ok(ones),
            Some(_) => Ok(ones.into_iter().chain(others).collect()),
            None => Ok(by_turns(ones, others)),
        }
    }

    /// A connection from the configured address.
    pub(super) async fn connect(&self, target: SocketAddr) -> std::result::Result<TcpStream, Unconnected> {
        let (socket, source) = match target {
            SocketAddr::V4(_) => (TcpSocket::new_v4(), self.network.source_v4.map(IpAddr::V4)),
            SocketAddr::V6(_) => (TcpSocket::new_v6(), self.network.source_v6.map(IpAddr::V6)),
        };
        let failed = |e: std::io::Error| Unconnected::Peer(format!("{target}: {e}"));
        let socket = socket.map_err(failed)?;
        if let Some(source) = source {
            let taken = socket.bind(SocketAddr::new(source, 0));
            taken.map_err(|e| Unconnected::Source(no_source(source, &e)))?;
        }
        let stream = socket.connect(target).await.map_err(failed)?;
        // Commands are small and each waits for its reply.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// Why there is no connection.
pub(super) enum Unconnected {
    /// In words.
    Peer(String),
    /// This machine's doing.
    Source(Error),
}

fn by_turns(ones: Vec<IpAddr>, others: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut ones, mut others) = (ones.into_iter(), others.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = [ones.next(), others.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

fn no_family(host: &str, family: Family) -> Error {
    const ADVICE: &str = "The operator must change prefer of the provider's network, or name a server that has such an \
                          address.";
    let what = format!("{host} has no {} address, and no other is allowed", family.name());
    Error::new(Status::Config, "network.family", what).advice(ADVICE).sentences(OPERATOR, ADVICE)
}

fn no_source(source: IpAddr, e: &std::io::Error) -> Error {
    const ADVICE: &str = "The operator must give this machine the address, or correct source of the network in the \
                          configuration.";
    let what = format!("connections cannot come from {source}: {e}");
    Error::new(Status::Config, "network.source", what).advice(ADVICE).sentences(OPERATOR, ADVICE)
}

pub(super) const OPERATOR: &str =
    "Nothing is wrong with your mailbox: the operator of this mail server must mend its network.";

#[cfg(test)]
mod tests {
    use super::*;

    fn order(prefer: Option<Prefer>, addresses: &[&str]) -> Option<Vec<String>> {
        let route = Route { network: Network { prefer, ..Network::default() }, ..Route::default() };
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let ordered = route.order("pop.example.net", addresses).ok()?;
        Some(ordered.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn families_take_turns_or_stand_in_line() {
        let all = ["::1", "::2", "::3", "192.0.2.1", "192.0.2.2"];
        let of = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(order(None, &all), of(&["::1", "192.0.2.1", "::2", "192.0.2.2", "::3"]));
        assert_eq!(order(Some(Prefer::Ipv6), &all), of(&all));
        assert_eq!(order(Some(Prefer::Ipv4), &all), of(&["192.0.2.1", "192.0.2.2", "::1", "::2", "::3"]));
        assert_eq!(order(Some(Prefer::Ipv4Only), &all), of(&["192.0.2.1", "192.0.2.2"]));
        assert_eq!(order(Some(Prefer::Ipv6Only), &["192.0.2.1"]), None);
    }
}
