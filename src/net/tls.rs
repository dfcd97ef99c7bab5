//! TLS as a client: which roots are trusted, and the one way a stream is secured (I8).
//!
//! TLS 1.2 or later, chain and host name always verified; there is no switch to turn that off.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::socket::Socket;
use crate::error::{Error, Result, Status};

/// Where distributions keep the bundle of trusted roots. Read by path, never named by the environment.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

/// The system's roots, DER; empty where no bundle is found.
pub fn system_roots() -> Vec<CertificateDer<'static>> {
    SYSTEM_BUNDLES
        .iter()
        .map(Path::new)
        .filter(|path| path.exists())
        .find_map(|path| {
            let roots: Vec<_> = CertificateDer::pem_file_iter(path).ok()?.flatten().collect();
            (!roots.is_empty()).then_some(roots)
        })
        .unwrap_or_default()
}

/// A client configuration that trusts these roots.
pub fn client(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    if store.is_empty() {
        return Err(Error::new(
            Status::Config,
            "config.roots",
            "no trusted root certificate: no system bundle was found and no ca_file is configured",
        )
        .advice(
            "Install the system's CA certificates (Debian: package ca-certificates) or name a ca_file.",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS versions: {e}")))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Secures a connected stream for `host`, which the certificate must name.
pub async fn secure(config: &Arc<ClientConfig>, host: &str, stream: Socket) -> Result<TlsStream<Socket>> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::new(
            Status::Config,
            "config.server_name",
            format!("{host:?} is no host name or address a certificate could name"),
        )
    })?;
    TlsConnector::from(config.clone()).connect(name, stream).await.map_err(|e| diagnose(host, &e))
}

/// The version as the `Received:` line and the message name it.
pub fn version(stream: &TlsStream<Socket>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    }
}

fn diagnose(host: &str, error: &std::io::Error) -> Error {
    use rustls::CertificateError as C;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let certificate =
        |cause, what: String, advice: &str| Error::new(Status::Server, cause, what).advice(advice);
    match inner {
        Some(rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. })) => certificate(
            "tls.expired",
            format!("the certificate of {host} is expired"),
            "The mail server's operator must renew its certificate; also check this machine's clock.",
        ),
        Some(rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. })) => {
            certificate(
                "tls.not_yet_valid",
                format!("the certificate of {host} is not valid yet"),
                "Check this machine's clock.",
            )
        }
        Some(rustls::Error::InvalidCertificate(
            name @ (C::NotValidForName | C::NotValidForNameContext { .. }),
        )) => certificate(
            "tls.wrong_name",
            format!("the certificate is not for {host}{}", names_instead(name)),
            "Check the server's name in the account; if it is right, the mail server's operator must install a \
             certificate that holds it, or somebody else answers there.",
        ),
        Some(rustls::Error::InvalidCertificate(C::UnknownIssuer)) => certificate(
            "tls.unknown_issuer",
            format!("the certificate of {host} comes from an authority that is not trusted here"),
            "If the server has a private authority, name its certificate as ca_file; else somebody listens in.",
        ),
        Some(rustls::Error::InvalidCertificate(other)) => certificate(
            "tls.certificate",
            format!("the certificate of {host} does not hold: {other:?}"),
            "The mail server's operator must mend its certificate.",
        ),
        Some(other) => certificate(
            "tls.handshake",
            format!("no TLS with {host}: {other}"),
            "Check that the port speaks TLS from the first byte, or set security to stls.",
        ),
        None => Error::new(
            Status::Transient,
            "tls.interrupted",
            format!("the connection to {host} broke during the TLS handshake: {error}"),
        )
        .advice(
            "multipop tries again later. If it stays so, check that the port speaks TLS from the first byte.",
        ),
    }
}

/// The first names a certificate does hold: most often the one that should have been configured.
fn names_instead(error: &rustls::CertificateError) -> String {
    let rustls::CertificateError::NotValidForNameContext { presented, .. } = error else {
        return String::new();
    };
    // As rustls tells them: `DnsName("pop.example.com")`.
    let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).chars().take(100).collect();
    let names: Vec<String> = presented.iter().take(3).map(bare).collect();
    if names.is_empty() { String::new() } else { format!(" but for {}", names.join(", ")) }
}
