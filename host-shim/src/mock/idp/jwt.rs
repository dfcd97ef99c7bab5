//! The provider's signing keys, RFC 7515 and RFC 7517, and the id_token, right or wrong on request.

use std::io;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use super::settings::{Alg, IdToken, Settings, User};

/// Two keys; which signs is the settings' choice, both are published.
pub(super) struct Keys {
    es256: EcdsaKeyPair,
}

/// Making one takes a noticeable moment, so all providers of a process share it.
static RSA: LazyLock<Option<RsaKey>> = LazyLock::new(|| RsaKey::generate(KeySize::Rsa2048).ok());

impl Keys {
    pub fn new() -> io::Result<Keys> {
        let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| io::Error::other("no signing key could be made"))?;
        Ok(Keys { es256 })
    }

    /// The published keys; Entra's carry the issuer they sign for.
    pub fn jwks(&self, issuer: &str, entra: bool) -> Value {
        let point = self.es256.public_key().as_ref();
        let mut keys = vec![json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "mock-es256",
            "x": encode(&point[1..33]), "y": encode(&point[33..65]),
        })];
        if let Some((n, e)) = RSA.as_ref().and_then(|key| rsa_numbers(key.public_key().as_ref())) {
            keys.push(json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "mock-rs256",
                "n": encode(n), "e": encode(e),
            }));
        }
        if entra {
            keys.iter_mut().for_each(|key| key["issuer"] = issuer.into());
        }
        json!({ "keys": keys })
    }

    /// A signed token of these claims.
    pub fn sign(&self, alg: Alg, claims: &Value) -> Option<String> {
        let (name, kid) = match alg {
            Alg::Es256 => ("ES256", "mock-es256"),
            Alg::Rs256 => ("RS256", "mock-rs256"),
        };
        let head = encode(json!({ "alg": name, "typ": "JWT", "kid": kid }).to_string().as_bytes());
        let signed = format!("{head}.{}", encode(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let signature = match alg {
            Alg::Es256 => self.es256.sign(&random, signed.as_bytes()).ok()?.as_ref().to_vec(),
            Alg::Rs256 => {
                let key = RSA.as_ref()?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).ok()?;
                signature
            }
        };
        Some(format!("{signed}.{}", encode(&signature)))
    }
}

/// What an id_token is about.
pub(super) struct Subject<'a> {
    pub issuer: &'a str,
    pub client: &'a str,
    pub user: &'a User,
    pub tenant: Option<&'a str>,
    pub nonce: Option<&'a str>,
}

/// The id_token as the settings want it; None if there is to be none.
pub(super) fn id_token(keys: &Keys, settings: &Settings, subject: &Subject<'_>) -> Option<String> {
    let kind = settings.id_token;
    let now = now();
    let (issued, expires) = match kind {
        IdToken::Expired => (now - 7200, now - 3600),
        IdToken::FromTheFuture => (now + 3600, now + 7200),
        _ => (now, now + 3600),
    };
    let mut claims = json!({
        "iss": subject.issuer, "aud": subject.client, "sub": subject.user.sub,
        "iat": issued, "nbf": issued, "exp": expires,
    });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims[name] = value;
        }
    };
    put("nonce", subject.nonce.map(Value::from));
    put("preferred_username", subject.user.preferred_username.as_deref().map(Value::from));
    put("email", subject.user.email.as_deref().map(Value::from));
    put("email_verified", subject.user.email_verified.map(Value::from));
    if let Some(tenant) = subject.tenant {
        put("tid", Some(tenant.into()));
        put("oid", Some(subject.user.oid.as_str().into()));
        put("ver", Some("2.0".into()));
    }
    match kind {
        IdToken::Absent => return None,
        IdToken::Garbage => return Some("this.is.not-a-token".to_owned()),
        IdToken::WrongNonce => claims["nonce"] = "another-nonce".into(),
        IdToken::NoNonce => {
            claims.as_object_mut()?.remove("nonce");
        }
        IdToken::WrongAudience => claims["aud"] = "another-client".into(),
        IdToken::WrongIssuer => claims["iss"] = "https://evil.example.net".into(),
        IdToken::WrongTenant => claims["tid"] = "not-a-guid".into(),
        IdToken::AlgNone => {
            let head = encode(br#"{"alg":"none","typ":"JWT"}"#);
            return Some(format!("{head}.{}.", encode(claims.to_string().as_bytes())));
        }
        IdToken::Good | IdToken::Expired | IdToken::FromTheFuture | IdToken::WrongSignature => {}
    }
    let token = keys.sign(settings.alg, &claims)?;
    if kind != IdToken::WrongSignature {
        return Some(token);
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    signature[10] ^= 0x55;
    Some(format!("{signed}.{}", encode(&signature)))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Modulus and exponent out of an RSAPublicKey (RFC 8017 A.1.1): a sequence of two integers.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, _) = element(der, 0x30)?;
    let (n, rest) = element(body, 0x02)?;
    let (e, _) = element(rest, 0x02)?;
    Some((n.strip_prefix(&[0]).unwrap_or(n), e))
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..0x80 => (length as usize, rest),
        _ => {
            let (digits, rest) = rest.split_at_checked((length & 0x7f) as usize)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | *digit as usize), rest)
        }
    };
    (first == tag).then(|| rest.split_at_checked(length)).flatten()
}
