//! A private certificate authority for tests: server certificates that are good, and that are not.
//!
//! Everything is made anew in memory each time; [`Pki::write`] puts it into PEM files where asked.
//! Nothing of it may ever be trusted by a system.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    RsaKeySize,
};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate chain and its key, for one server.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    chain_pem: String,
    key_pem: String,
}

/// An RSA key a client proves itself with, and its self-signed certificate.
#[derive(Clone, Debug)]
pub struct ClientKey {
    pub certificate_pem: String,
    pub certificate: CertificateDer<'static>,
    pub private_key_pem: String,
    /// RSAPublicKey (RFC 8017 A.1.1).
    pub public_key: Vec<u8>,
}

impl ClientKey {
    /// Its certificate ends on the first day of this year.
    pub fn until(year: i32) -> io::Result<ClientKey> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(io::Error::other)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "multipop mock client");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(ClientKey {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().clone(),
            private_key_pem: key.serialize_pem(),
            public_key: key.public_key_raw().to_vec(),
        })
    }
}

/// A CA, and the identities a server can show.
pub struct Pki {
    ca: Authority,
    /// Of the CA, valid, for `127.0.0.1` and `localhost`.
    pub good: Identity,
    /// Of the CA, valid, for `other.example.com` only.
    pub wrong_name: Identity,
    /// Of the CA, right names, over since 2021.
    pub expired: Identity,
    /// Right names, valid, of a CA nobody trusts.
    pub other_ca: Identity,
}

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

impl Pki {
    pub fn new() -> io::Result<Pki> {
        let ca = Authority::new("multipop mock CA")?;
        let stranger = Authority::new("multipop mock stranger CA")?;
        Ok(Pki {
            good: ca.certify(&NAMES, (2020, 2100))?,
            wrong_name: ca.certify(&["other.example.com"], (2020, 2100))?,
            expired: ca.certify(&NAMES, (2020, 2021))?,
            other_ca: stranger.certify(&NAMES, (2020, 2100))?,
            ca,
        })
    }

    /// A valid certificate of the CA for these names.
    pub fn for_names(&self, names: &[&str]) -> io::Result<Identity> {
        self.ca.certify(names, (2020, 2100))
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca.pem
    }

    pub fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca.der
    }

    /// Writes `ca.pem`, and `<name>.pem` with `<name>.key` for each identity, into an existing folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("ca.pem"), &self.ca.pem)?;
        let identities = [
            ("good", &self.good),
            ("wrong-name", &self.wrong_name),
            ("expired", &self.expired),
            ("other-ca", &self.other_ca),
        ];
        for (name, identity) in identities {
            std::fs::write(folder.join(format!("{name}.pem")), &identity.chain_pem)?;
            std::fs::write(folder.join(format!("{name}.key")), &identity.key_pem)?;
        }
        Ok(())
    }

    /// A client that trusts this CA and nothing else.
    pub fn client(&self) -> io::Result<Arc<ClientConfig>> {
        self.client_of(rustls::ALL_VERSIONS)
    }

    /// The same, with these TLS versions only.
    pub fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> io::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der.clone()).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

impl Identity {
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// A server that shows this identity, with TLS 1.2 and 1.3.
    pub fn server(&self) -> io::Result<Arc<ServerConfig>> {
        self.server_of(rustls::ALL_VERSIONS)
    }

    /// The same, with these TLS versions only.
    pub fn server_of(&self, versions: &[&'static SupportedProtocolVersion]) -> io::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> io::Result<Authority> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Authority {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    fn certify(&self, names: &[&str], (from, to): (i32, i32)) -> io::Result<Identity> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, names[0].as_str());
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok(Identity {
            chain: vec![certificate.der().clone()],
            key: key.serialize_der(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

/// The one cryptography of this program, named so that no process-wide default is needed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
