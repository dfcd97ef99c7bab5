//! From a host name to a connected socket. Names are resolved without blocking a thread.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::proxy::{self, Target, Unproxied};
use super::route::{Route, Unconnected};
use super::socket::Socket;
use super::{address, tls};
use crate::config::{Proxy, ProxyKind};
use crate::error::{Error, Result, Status};

/// The system's resolver configuration, read at `configure`.
#[derive(Clone)]
pub struct NameService {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl NameService {
    pub fn new(config: ResolverConfig, options: ResolverOpts) -> NameService {
        NameService { config, options }
    }

    /// Reads the system's configuration. A machine without one still reaches literal addresses and its hosts file.
    pub fn from_system() -> Result<NameService> {
        match hickory_resolver::system_conf::read_system_conf() {
            Ok((config, options)) => Ok(NameService::new(config, options)),
            Err(_) if !std::path::Path::new("/etc/resolv.conf").exists() => {
                Ok(NameService::new(ResolverConfig::default(), ResolverOpts::default()))
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
    /// The peer sees a proxy's address, of whatever family.
    Proxy,
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
            Family::Proxy => "proxy",
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
        let found = self.resolver.lookup_ip(host).await.map_err(|e| unresolved(host, &e.to_string()))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(unresolved(host, "it has no address"));
        }
        Ok(addresses)
    }

    async fn look_up_until(&self, host: &str, until: Until) -> Result<Vec<IpAddr>> {
        let found = until.wait(self.look_up(host)).await;
        found.unwrap_or_else(|| Err(unresolved(host, &until.over())))
    }

    /// Connects to the first address within reach that answers; `None` where every one is of a family that is shut.
    /// All of it, look-up and proxy included, ends within the peer's limit. The address that was judged is the one dialled: a name that changes its mind meanwhile
    /// changes nothing.
    pub async fn connect(
        &self,
        peer: &Peer<'_>,
        is_shut: impl Fn(Family) -> bool,
    ) -> Result<Option<(Socket, Family)>> {
        let until = Until::begun(peer.limit);
        if let Some(proxy) = &peer.route.network.proxy {
            if is_shut(Family::Proxy) {
                return Ok(None);
            }
            return Ok(Some((self.by_proxy(peer, proxy, until).await?, Family::Proxy)));
        }
        let mut addresses = peer.route.order(peer.host, self.judged(peer, until).await?)?;
        addresses.retain(|address| !is_shut(Family::of(*address)));
        if addresses.is_empty() {
            return Ok(None);
        }
        let stream = race(peer.route, addresses, peer.port, until).await.map_err(|why| match why {
            Unconnected::Peer(words) => unconnected(peer, &words),
            Unconnected::Source(error) => error,
        })?;
        let family = stream.peer_addr().map_or(Family::V4, |address| Family::of(address.ip()));
        Ok(Some((Box::new(stream), family)))
    }

    /// The peer's addresses, those that are out of reach left out, within its limit.
    pub async fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<IpAddr>> {
        self.judged(peer, Until::begun(peer.limit)).await
    }

    async fn judged(&self, peer: &Peer<'_>, until: Until) -> Result<Vec<IpAddr>> {
        let mut addresses = self.look_up_until(peer.host, until).await?;
        addresses.retain(|address| peer.reach == Reach::Anywhere || address::is_public(*address));
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        // Which address it was is not for whoever chose the name.
        let what = format!("{} is no server of the public Internet", peer.host);
        Err(Error::new(Status::Config, "config.server_private", what).advice(
            "Name a public mail server, or ask the operator to list this one in `servers` of the configuration.",
        ))
    }

    /// A proxy that resolves names is given the name, unless the address must be judged: then it is given that.
    async fn by_proxy(&self, peer: &Peer<'_>, proxy: &Proxy, until: Until) -> Result<Socket> {
        let targets = if peer.is_resolved_by(proxy) {
            vec![Target::Name(peer.host.to_owned(), peer.port)]
        } else {
            let addresses = self.judged(peer, until).await?;
            addresses.into_iter().map(|ip| Target::Address(SocketAddr::new(ip, peer.port))).collect()
        };
        let mut last = String::new();
        for target in targets {
            let socket = self.to_proxy(peer, proxy, until).await?;
            match until.wait(proxy::through(socket, peer.route, proxy, &target)).await {
                Some(Ok(socket)) => return Ok(socket),
                Some(Err(Unproxied::Peer(words))) => last = words,
                Some(Err(Unproxied::Proxy(error))) => return Err(error),
                None => return Err(proxy::no_answer(proxy, &target.text(), peer.limit.as_secs())),
            }
        }
        Err(unconnected(peer, &last))
    }

    async fn to_proxy(&self, peer: &Peer<'_>, proxy: &Proxy, until: Until) -> Result<Socket> {
        let unreachable = |e: Error| proxy::unreachable(proxy, &e.message);
        let addresses = self.look_up_until(&proxy.host, until).await.map_err(unreachable)?;
        let addresses = peer.route.order(&proxy.host, addresses)?;
        let stream = race(peer.route, addresses, proxy.port, until).await.map_err(|why| match why {
            Unconnected::Peer(words) => proxy::unreachable(proxy, &words),
            Unconnected::Source(error) => error,
        })?;
        let socket: Socket = Box::new(stream);
        let Some(tls) = peer.route.proxy_tls.as_ref().filter(|_| proxy.kind == ProxyKind::Https) else {
            return Ok(socket);
        };
        match until.wait(tls::secure(tls, &proxy.host, socket)).await {
            Some(secured) => Ok(Box::new(secured.map_err(unreachable)?)),
            None => Err(proxy::unreachable(proxy, "no TLS handshake in time")),
        }
    }
}

/// Whom to connect to, and how.
pub struct Peer<'a> {
    pub host: &'a str,
    pub port: u16,
    pub reach: Reach,
    pub route: &'a Arc<Route>,
    /// Until the connection stands.
    pub limit: Duration,
}

/// When a connection must stand.
#[derive(Clone, Copy)]
struct Until {
    end: Instant,
    limit: Duration,
}

impl Until {
    fn begun(limit: Duration) -> Until {
        Until { end: Instant::now() + limit, limit }
    }

    /// `None` where the step is not done by then.
    async fn wait<T>(self, step: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.end, step).await.ok()
    }

    fn over(self) -> String {
        format!("no answer within {} s", self.limit.as_secs())
    }
}

impl Peer<'_> {
    /// Whether its name is resolved elsewhere, not here.
    pub fn is_resolved_by(&self, proxy: &Proxy) -> bool {
        let is_literal = self.host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        proxy.kind != ProxyKind::Socks5 && self.reach == Reach::Anywhere && !is_literal
    }
}

/// So long an address is waited for before the next one is tried beside it (RFC 8305 §5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// The first connection that stands; those begun beside it end with this future.
async fn race(
    route: &Arc<Route>,
    addresses: Vec<IpAddr>,
    port: u16,
    until: Until,
) -> std::result::Result<TcpStream, Unconnected> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = Unconnected::Peer("it has no address".to_owned());
    loop {
        if let Some(address) = waiting.next() {
            let (route, target) = (route.clone(), SocketAddr::new(address, port));
            attempts.spawn(async move {
                let connected = until.wait(route.connect(target)).await;
                connected.unwrap_or_else(|| Err(Unconnected::Peer(format!("{target}: {}", until.over()))))
            });
        }
        let is_last = waiting.len() == 0;
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(why))) => last = why,
                Some(Err(e)) => last = Unconnected::Source(Error::bug(format!("a connection's attempt: {e}"))),
                None => return Err(last),
            },
            () = tokio::time::sleep(NEXT_AFTER), if !is_last => {}
        }
    }
}

fn unresolved(host: &str, why: &str) -> Error {
    let what = format!("the name {host} could not be resolved: {why}");
    Error::new(Status::Transient, "dns.failed", what)
        .advice("Check the server's name and this machine's name service.")
}

fn unconnected(peer: &Peer<'_>, why: &str) -> Error {
    let (host, port) = (peer.host, peer.port);
    Error::new(Status::Transient, "connect.failed", format!("no connection to {host}:{port}: {why}"))
        .advice("Check that the server runs and that no firewall stands between.")
}
