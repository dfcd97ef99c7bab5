//! A name service on loopback that does as it is told, and what becomes of names then.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use multipop::config::{Network, Proxy as ProxyConfig, ProxyKind};
use multipop::error::{Error, Status};
use multipop::net::dial::{Family, NameService, Peer, Reach};
use multipop::net::route::Route;

use super::proxy::{self, Kind, Mood};

/// Answers every question for an A with these addresses; none: it never answers.
fn name_service(addresses: &'static [Ipv4Addr]) -> NameService {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut connection = ConnectionConfig::udp();
    connection.port = socket.local_addr().unwrap().port();
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            if !addresses.is_empty() {
                socket.send_to(&answer(&question[..length], addresses), from).unwrap();
            }
        }
    });
    let mut config = ResolverConfig::default();
    config.add_name_server(server);
    let mut options = ResolverOpts::default();
    // As patient as a system may be.
    options.timeout = Duration::from_secs(30);
    NameService::new(config, options)
}

/// RFC 1035 §4.1
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let name_ends = question[12..].iter().position(|byte| *byte == 0).unwrap() + 13;
    let is_a = question[name_ends + 1] == 1;
    let given = if is_a { addresses } else { &[] };
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, given.len() as u8, 0, 0, 0, 0]);
    answer.extend(&question[12..name_ends + 4]);
    for address in given {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

fn by(kind: ProxyKind, at: SocketAddr) -> Arc<Route> {
    let proxy = ProxyConfig { kind, host: at.ip().to_string(), port: at.port(), login: None };
    Arc::new(Route { network: Network { proxy: Some(proxy), ..Network::default() }, ..Route::default() })
}

/// What becomes of a connection to this name, and how long it took.
fn connect(
    names: &NameService,
    route: &Arc<Route>,
    reach: Reach,
    limit: Duration,
) -> (Result<Option<Family>, Error>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let connected = runtime.block_on(async {
        let peer = Peer { host: "pop.contoso.example", port: 995, reach, route, limit };
        names.open().unwrap().connect(&peer, |_| false).await
    });
    (connected.map(|found| found.map(|(_, family)| family)), began.elapsed())
}

const PUBLIC: Ipv4Addr = Ipv4Addr::new(192, 88, 98, 1);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

#[test]
fn i14_a_proxy_is_asked_for_the_address_a_name_was_judged_by_and_never_for_a_private_one() {
    for (kind, speaks, refusal) in
        [(ProxyKind::Socks5h, Kind::Socks, 5), (ProxyKind::Http, Kind::Connect, 502)]
    {
        let proxy = proxy::proxy(speaks).mood(Mood::Refuse(refusal)).start();
        let route = by(kind, proxy.address);
        let limit = Duration::from_secs(10);
        let both = name_service(&[PRIVATE, PUBLIC]);
        let (connected, _) = connect(&both, &route, Reach::Public, limit);
        assert_eq!(connected.unwrap_err().cause, "connect.failed");
        assert_eq!(proxy.targets(), [format!("{PUBLIC}:995")], "{kind:?}");
        let (connected, _) = connect(&name_service(&[PRIVATE]), &route, Reach::Public, limit);
        let error = connected.unwrap_err();
        assert_eq!(error.cause, "config.server_private");
        assert!(!format!("{error:?}").contains("10.0"), "{error:?}");
        // The operator's choice is left to the proxy, by its name.
        let _ = connect(&both, &route, Reach::Anywhere, limit);
        let asked = [format!("{PUBLIC}:995"), "pop.contoso.example:995".to_owned()];
        assert_eq!(proxy.targets(), asked, "{kind:?}");
    }
}

#[test]
fn i09_a_name_service_that_is_silent_is_not_waited_for_longer_than_for_a_connection() {
    let names = name_service(&[]);
    let (connected, took) = connect(&names, &Arc::default(), Reach::Anywhere, Duration::from_secs(1));
    let error = connected.unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Transient, "dns.failed"));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn i09_all_that_a_proxy_does_before_there_is_a_connection_ends_within_one_time_out() {
    const LIMIT: Duration = Duration::from_secs(2);
    const ANSWERS_AFTER: Duration = Duration::from_millis(900);
    // Each no comes in time; all of them together do not.
    let five = name_service(&[PUBLIC, PUBLIC2, PUBLIC3, PUBLIC4, PUBLIC5]);
    let proxy = proxy::proxy(Kind::Socks).mood(Mood::RefuseLate(5, ANSWERS_AFTER)).start();
    let route = by(ProxyKind::Socks5, proxy.address);
    let (connected, took) = connect(&five, &route, Reach::Anywhere, LIMIT);
    assert_eq!(connected.unwrap_err().cause, "proxy.no_answer");
    assert!(took < LIMIT + Duration::from_secs(1), "{took:?}");
    assert!(proxy.targets().len() >= 2, "the next address is tried: {:?}", proxy.targets());
}

const PUBLIC2: Ipv4Addr = Ipv4Addr::new(192, 88, 98, 2);
const PUBLIC3: Ipv4Addr = Ipv4Addr::new(192, 88, 98, 3);
const PUBLIC4: Ipv4Addr = Ipv4Addr::new(192, 88, 98, 4);
const PUBLIC5: Ipv4Addr = Ipv4Addr::new(192, 88, 98, 5);
