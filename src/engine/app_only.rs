//! The token of an account the application itself has access to (RFC 6749 §4.4; PROTOCOL.md A.10).
//!
//! Asked for with the provider's own credentials, kept like any other; there is no consent, no identity and no refresh
//! token, and a refusal is never the mailbox's owner's to mend. It is the same token for all mailboxes of a provider:
//! one of them asks, and the others of the instance take what he got, or hear what he heard.

use tokio::sync::Mutex;
use url::Url;

use super::ask;
use super::call::Call;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::oauth::credential::Proof;
use crate::oauth::diagnosis::Refusal;
use crate::oauth::provider::Provider;
use crate::oauth::token::{self, Token};
use crate::secret::Secret;
use crate::store::{Grant, StoredGrant};

/// A failure is repeated to everybody who asks meanwhile, or each would wait for it anew.
const FAILED_S: u64 = 30;

/// What a provider last gave this application, or said in place of it. One at a time asks.
#[derive(Default)]
pub struct Latest(Mutex<Option<Said>>);

struct Said {
    at: UnixTime,
    of: String,
    token: Result<Token>,
}

/// What is kept, or a place for it.
pub fn held(found: Option<StoredGrant>, provider: &Provider) -> StoredGrant {
    let version = match found {
        Some(found) if found.grant.provider == provider.id && found.grant.scope == whose(provider) => {
            return found;
        }
        Some(found) => found.version,
        None => 0,
    };
    let grant = Grant {
        provider: provider.id.clone(),
        refresh_token: None,
        access_token: None,
        renew_at: 0,
        expires_at: 0,
        scope: String::new(),
        identity: None,
        obtained_at: 0,
        refreshed_at: 0,
        session: None,
        dead: false,
    };
    StoredGrant { version, grant }
}

/// `/.default` tells nothing of POP; so in place of a scope stands whom the token was asked of, and for what: one of
/// another tenant is not used after the provider was changed.
fn whose(provider: &Provider) -> String {
    let scope = provider.app_scope.as_deref().unwrap_or_default();
    // Whether its endpoints were found by now must make no difference.
    let place = provider.token_endpoint.as_ref().map_or_else(|| provider.issuer_text(), Url::to_string);
    format!("{scope} of {} at {place}", provider.client_id)
}

/// A token other than `had`, which is no good any more, and when it was got.
pub async fn ask(
    call: &Call,
    provider: &Provider,
    had: Option<&Secret>,
) -> std::result::Result<(Token, UnixTime), Box<Refusal>> {
    let latest = call.settings.latest_app_token(&provider.id)?;
    let mut latest = call.deadline.bound(async { Ok(latest.0.lock().await) }).await?;
    let now = call.now();
    match latest.as_ref().filter(|said| said.of == whose(provider)) {
        Some(Said { at, token: Ok(token), .. })
            if now < token.renew_at && *at <= now && had != Some(&token.access_token) =>
        {
            return Ok((again(token), *at));
        }
        Some(Said { at, token: Err(error), .. }) if now.abs_diff(*at) < FAILED_S => {
            return Err(error.clone().into());
        }
        _ => {}
    }
    let asked = request(call, provider).await;
    let at = call.now();
    let is_of_the_call =
        |error: &Error| matches!(error.status, Status::Cancelled | Status::Deadline | Status::Internal);
    *latest = match &asked {
        Ok(token) => Some(Said { at, of: whose(provider), token: Ok(again(token)) }),
        Err(refusal) if is_of_the_call(&refusal.error) => None,
        Err(refusal) => Some(Said { at, of: whose(provider), token: Err(refusal.error.clone()) }),
    };
    asked.map(|token| (token, at))
}

fn again(token: &Token) -> Token {
    Token {
        access_token: token.access_token.duplicate(),
        refresh_token: None,
        id_token: None,
        scope: token.scope.clone(),
        ..*token
    }
}

async fn request(call: &Call, provider: &Provider) -> std::result::Result<Token, Box<Refusal>> {
    let Some(scope) = &provider.app_scope else {
        let what = format!("the provider {:?} gives an application no token of its own", provider.id);
        return Err(Error::new(Status::Config, "config.app_only", what)
            .advice(
                "The operator must name one tenant at this provider, and its app_scope outside Microsoft.",
            )
            .into());
    };
    let request = |provider: &Provider, proof: &Proof| token::of_application(provider, proof, scope);
    let asked = ask::of(call, provider, request, |provider, answer, now| {
        token::read_any_token(provider, answer, scope, now)
    });
    match asked.await {
        Ok(token) => Ok(Token { refresh_token: None, id_token: None, scope: whose(provider), ..token }),
        Err(refusal) => Err(Box::new(operators(*refusal))),
    }
}

fn operators(refusal: Refusal) -> Refusal {
    let mut error = refusal.error;
    if error.status == Status::Consent {
        error.status = Status::Provider;
        error.advice = "The organisation's administrator must agree to the application's permission \
                        POP.AccessAsApp, and the operator checks client_id, tenant and app_scope."
            .into();
    }
    Refusal { error, dead: false, claims: None, rotated: None, ..refusal }
}
