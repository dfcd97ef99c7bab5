//! What the application proves itself with at the token endpoint: secrets and certificates, in the order they are
//! tried (RFC 6749 §2.3.1, RFC 7523 §2.2).

use super::assertion::{JTI_BYTES, Signer};
use super::provider::{ClientAuthentication, Provider};
use crate::error::Result;
use crate::model::UnixTime;
use crate::secret::Secret;

#[derive(Debug)]
pub enum Credential {
    Secret(Secret),
    Certificate(Signer),
}

/// The proof one request carries. None is used for two requests.
#[derive(Debug)]
pub enum Proof {
    Secret(Secret, ClientAuthentication),
    Assertion(Secret),
}

impl Credential {
    /// `jti` must never have been used before.
    pub fn prove(&self, provider: &Provider, now: UnixTime, jti: &[u8; JTI_BYTES]) -> Result<Proof> {
        match self {
            Credential::Secret(secret) => {
                Ok(Proof::Secret(secret.duplicate(), provider.client_authentication))
            }
            Credential::Certificate(signer) => {
                let audience = provider.token_endpoint()?.as_str();
                signer.assertion(&provider.client_id, audience, now, jti).map(Proof::Assertion)
            }
        }
    }

    pub fn is_certificate(&self) -> bool {
        matches!(self, Credential::Certificate(_))
    }

    /// When the provider stops taking it, where that is known.
    pub fn not_after(&self) -> Option<UnixTime> {
        match self {
            Credential::Secret(_) => None,
            Credential::Certificate(signer) => Some(signer.not_after()),
        }
    }
}
