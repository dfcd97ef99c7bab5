//! From a host name to a connected socket. Names are resolved without blocking a thread.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address;
use crate::error::{Error, Result, Status};

/// The system's resolver configuration, read at `configure`.
#[derive(Clone)]
pub struct NameService {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl NameService {
    /// Reads the system's configuration. A machine without one still reaches literal addresses and its hosts file.
    pub fn from_system() -> Result<NameService> {
        match hickory_resolver::system_conf::read_system_conf() {
            Ok((config, options)) => Ok(NameService { config, options }),
            Err(_) if !std::path::Path::new("/etc/resolv.conf").exists() => {
                Ok(NameService { config: ResolverConfig::default(), options: ResolverOpts::default() })
            }
            Err(e) => Err(Error::new(
                Status::Config,
                "config.resolver",
                format!("the resolver configuration cannot be read: {e}"),
            )
            .advice("Mend /etc/resolv.conf.")),
        }
    }

    /// A resolver for one call.
    pub fn open(&self) -> Result<Names> {
        let mut builder =
            TokioResolver::builder_with_config(self.config.clone(), TokioRuntimeProvider::default());
        *builder.options_mut() = self.options.clone();
        let resolver =
            builder.build().map_err(|e| Error::new(Status::Config, "config.resolver", e.to_string()))?;
        Ok(Names { resolver })
    }
}

/// Where a host may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Anywhere,
    /// Addresses of the public Internet only: the name was chosen by somebody who must not look around in here.
    Public,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        }
    }
}

#[derive(Clone)]
pub struct Names {
    resolver: TokioResolver,
}

impl Names {
    /// Every address of a host, in the resolver's order.
    pub async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Ok(literal) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![literal]);
        }
        let unknown = |why: String| {
            Error::new(
                Status::Transient,
                "dns.failed",
                format!("the name {host} could not be resolved: {why}"),
            )
            .advice("Check the server's name and this machine's name service.")
        };
        let found = self.resolver.lookup_ip(host).await.map_err(|e| unknown(e.to_string()))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(unknown("it has no address".into()));
        }
        Ok(addresses)
    }

    /// Connects to the first address within reach that answers, each within `limit`; `None` where every one is of a
    /// family that is shut. The address that was judged is the one dialled: a name that changes its mind meanwhile
    /// changes nothing.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        reach: Reach,
        limit: Duration,
        is_shut: impl Fn(Family) -> bool,
    ) -> Result<Option<(TcpStream, Family)>> {
        let mut last = String::new();
        let mut addresses = self.look_up(host).await?;
        addresses.retain(|address| reach == Reach::Anywhere || address::is_public(*address));
        if addresses.is_empty() {
            // Which address it was is not for whoever chose the name.
            let what = format!("{host} is no server of the public Internet");
            return Err(Error::new(Status::Config, "config.server_private", what).advice(
                "Name a public mail server, or ask the operator to list this one in `servers` of the configuration.",
            ));
        }
        for address in addresses {
            let family = Family::of(address);
            if is_shut(family) {
                continue;
            }
            let target = SocketAddr::new(address, port);
            match timeout(limit, TcpStream::connect(target)).await {
                Ok(Ok(stream)) => {
                    // Commands are small and each waits for its reply.
                    let _ = stream.set_nodelay(true);
                    return Ok(Some((stream, family)));
                }
                Ok(Err(e)) => last = format!("{target}: {e}"),
                Err(_) => last = format!("{target}: no answer within {} s", limit.as_secs()),
            }
        }
        if last.is_empty() {
            return Ok(None);
        }
        Err(Error::new(
            Status::Transient,
            "connect.failed",
            format!("no connection to {host}:{port}: {last}"),
        )
        .advice("Check that the server runs and that no firewall stands between."))
    }
}
