//! A request to a provider: where it is found, proved by one credential after the other.

use super::call::Call;
use super::discovery;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::oauth::assertion::JTI_BYTES;
use crate::oauth::credential::Proof;
use crate::oauth::diagnosis::Refusal;
use crate::oauth::provider::Provider;
use crate::oauth::token::{self, HttpAnswer, HttpRequest, Token};

/// Sends a token request. `request` is given the provider with its endpoints.
pub async fn for_token(
    call: &Call,
    provider: &Provider,
    request: impl Fn(&Provider, &Proof) -> Result<HttpRequest>,
) -> std::result::Result<Token, Box<Refusal>> {
    of(call, provider, request, |provider, answer, now| {
        token::read_token(provider, answer, &provider.scope(), now)
    })
    .await
}

/// Sends a request, with the next credential where one is refused (roll-over), and reads what it answers. Both are
/// given the provider with its endpoints.
pub async fn of<T>(
    call: &Call,
    provider: &Provider,
    request: impl Fn(&Provider, &Proof) -> Result<HttpRequest>,
    read: impl Fn(&Provider, &HttpAnswer, UnixTime) -> std::result::Result<T, Box<Refusal>>,
) -> std::result::Result<T, Box<Refusal>> {
    let provider = &*discovery::located(call, provider).await?;
    let https = call.https(provider)?;
    let mut first_refusal = None;
    for credential in provider.credentials.iter() {
        let proof = credential.prove(provider, call.now(), &jti()?)?;
        let answer = call.deadline.bound_to_answer(https.send(request(provider, &proof)?)).await?;
        match read(provider, &answer, call.now()) {
            Ok(read) => return Ok(read),
            Err(refusal) if refusal.wrong_credential => {
                first_refusal.get_or_insert(refusal);
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Err(first_refusal.unwrap_or_else(|| Error::bug("a provider without a credential").into()))
}

/// From the operating system each time: two children of one parent never draw the same.
fn jti() -> Result<[u8; JTI_BYTES]> {
    let mut bytes = [0; JTI_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Status::Resources, "resources.random", e.to_string()))?;
    Ok(bytes)
}
