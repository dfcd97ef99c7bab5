//! Giving a grant back (RFC 7009; PROTOCOL.md E 15).

use oauth2::{RefreshToken, RevocationUrl, StandardRevocableToken};

use super::credential::Proof;
use super::diagnosis::{self, Refusal};
use super::provider::Provider;
use super::token::{HttpAnswer, HttpRequest, assertion, built, client};
use crate::error::{Error, Result};
use crate::model::UnixTime;
use crate::secret::Secret;

/// Asks that the refresh token, and what was given for it, opens nothing any more.
pub fn request(provider: &Provider, proof: &Proof, refresh_token: &Secret) -> Result<HttpRequest> {
    let endpoint = provider
        .revocation_endpoint
        .clone()
        .ok_or_else(|| Error::bug(format!("the provider {:?} takes no grant back", provider.id)))?;
    let client = client(provider, proof)?.set_revocation_url(RevocationUrl::from_url(endpoint));
    let token = StandardRevocableToken::from(RefreshToken::new(refresh_token.expose().to_owned()));
    let mut request = client
        .revoke_token(token)
        .map_err(|e| Error::bug(format!("a proved revocation endpoint is refused: {e}")))?;
    for (name, value) in assertion(proof) {
        request = request.add_extra_param(name, value);
    }
    built(|keep| drop(request.request(&keep)))
}

/// §2.2: 200 for a token nobody knows, too. A provider that revokes no such tokens is not asked again (§2.2.1).
pub fn read(
    provider: &Provider,
    answer: &HttpAnswer,
    now: UnixTime,
) -> std::result::Result<(), Box<Refusal>> {
    if answer.status == 200 {
        return Ok(());
    }
    let refusal = diagnosis::token_refused(provider, answer, now);
    if refusal.error.provider_code == "unsupported_token_type" { Ok(()) } else { Err(refusal) }
}
