//! `private_key_jwt`: a statement signed anew for every request, in place of a secret (RFC 7523 §2.2; PROTOCOL.md A.10).
//!
//! The private key never leaves this file; an assertion is as secret as a password until it ends.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::json;

use super::certificate::Certificate;
use crate::error::{Error, Result};
use crate::model::UnixTime;
use crate::secret::Secret;

/// `client_assertion_type`
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Random bytes of a `jti`.
pub const JTI_BYTES: usize = 16;

const LIFETIME_S: u64 = 300;
/// Against a provider's clock that is behind ours.
const SKEW_S: u64 = 60;

/// A private key, and the certificate the provider knows it by.
pub struct Signer {
    key: KeyPair,
    certificate: Certificate,
    algorithm: Algorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Ps256,
    Rs256,
}

/// What cannot sign, as a sentence's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No RSA key of 2048 to 8192 bits in PKCS #8 or PKCS #1.
    Key,
    Certificate,
    /// The certificate names another key.
    Pair,
}

impl Signer {
    pub fn new(
        certificate: &[u8],
        private_key: &[u8],
        algorithm: Algorithm,
    ) -> std::result::Result<Signer, Unfit> {
        let certificate = Certificate::read(certificate).ok_or(Unfit::Certificate)?;
        let key = KeyPair::from_pkcs8(private_key)
            .or_else(|_| KeyPair::from_der(private_key))
            .map_err(|_| Unfit::Key)?;
        if key.public_key().as_ref() != certificate.public_key {
            return Err(Unfit::Pair);
        }
        Ok(Signer { key, certificate, algorithm })
    }

    /// When the provider stops taking it.
    pub fn not_after(&self) -> UnixTime {
        self.certificate.not_after
    }

    /// Good once, at `audience`, for five minutes.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: UnixTime,
        jti: &[u8; JTI_BYTES],
    ) -> Result<Secret> {
        let name = match self.algorithm {
            Algorithm::Ps256 => "PS256",
            Algorithm::Rs256 => "RS256",
        };
        let header = json!({ "alg": name, "typ": "JWT", "x5t#S256": self.certificate.thumbprint });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": BASE64_URL_SAFE_NO_PAD.encode(jti),
            "nbf": now.saturating_sub(SKEW_S), "iat": now, "exp": now + LIFETIME_S,
        });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(Secret::new(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let padding: &'static dyn RsaEncoding = match self.algorithm {
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.key.public_modulus_len()];
        // The salt of PSS is the library's own; two forked children that drew the same one would tell nothing by it.
        self.key
            .sign(padding, &SystemRandom::new(), text, &mut signature)
            .map_err(|_| Error::bug("a proved private key does not sign"))?;
        Ok(signature)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?}, {})", self.algorithm, self.certificate.thumbprint)
    }
}
