//! `private_key_jwt`: what a client signed, verified as Microsoft does (RFC 7523 §3, RFC 7515 §4.1.8).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::Value;

use super::jwt::encode;
use crate::mock::pki::ClientKey;

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion may live for so long at most, and begin so long ago.
const LONGEST_S: u64 = 600;

pub(super) struct Expected<'a> {
    pub client: &'a str,
    pub audience: &'a str,
    pub certificates: &'a [ClientKey],
}

#[derive(Debug)]
pub(super) enum Why {
    Form,
    Thumbprint,
    Signature,
    Subject,
    Audience,
    Time,
}

impl Why {
    /// Microsoft's.
    pub fn number(&self) -> u64 {
        match self {
            Why::Form | Why::Audience => 50_013,
            Why::Thumbprint => 50_012,
            Why::Signature => 700_027,
            Why::Subject => 50_048,
            Why::Time => 500_133,
        }
    }
}

/// The `jti` of a good one; whether it is new is the caller's to see.
pub(super) fn verify(text: &str, expected: &Expected<'_>) -> Result<String, Why> {
    let (signed, signature) = text.rsplit_once('.').ok_or(Why::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(Why::Form)?;
    let (header, claims) = (part(header)?, part(claims)?);
    let algorithm: &dyn VerificationAlgorithm = match header["alg"].as_str() {
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Why::Form),
    };
    if header["typ"] != "JWT" {
        return Err(Why::Form);
    }
    let known = |key: &&ClientKey| header["x5t#S256"] == encode(digest(&SHA256, &key.certificate).as_ref());
    let key = expected.certificates.iter().find(known).ok_or(Why::Thumbprint)?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| Why::Form)?;
    UnparsedPublicKey::new(algorithm, &key.public_key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Why::Signature)?;
    if claims["iss"] != expected.client || claims["sub"] != expected.client {
        return Err(Why::Subject);
    }
    if claims["aud"] != expected.audience {
        return Err(Why::Audience);
    }
    let second = |name: &str| claims[name].as_u64().ok_or(Why::Time);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (begin, end) = (second("nbf")?, second("exp")?);
    if begin > now || end <= now || end - begin > LONGEST_S || second("iat")? < begin {
        return Err(Why::Time);
    }
    let jti = claims["jti"].as_str().filter(|jti| jti.len() >= 22).ok_or(Why::Form)?;
    Ok(jti.to_owned())
}

fn part(text: &str) -> Result<Value, Why> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Why::Form)?;
    serde_json::from_slice(&json).map_err(|_| Why::Form)
}
