//! The token of an account the application itself has access to (RFC 6749 §4.4; PROTOCOL.md A.10).
//!
//! Asked for with the provider's own credentials, kept and asked for once like any other; there is no consent, no
//! identity and no refresh token, and a refusal is never the mailbox's owner's to mend.

use url::Url;

use super::call::Call;
use super::grant;
use crate::error::{Error, Status};
use crate::oauth::credential::Proof;
use crate::oauth::diagnosis::Refusal;
use crate::oauth::provider::Provider;
use crate::oauth::token::{self, Token};
use crate::store::{Grant, StoredGrant};

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

pub async fn ask(call: &Call, provider: &Provider) -> std::result::Result<Token, Box<Refusal>> {
    let Some(scope) = &provider.app_scope else {
        let what = format!("the provider {:?} gives an application no token of its own", provider.id);
        return Err(Error::new(Status::Config, "config.app_only", what)
            .advice(
                "The operator must name one tenant at this provider, and its app_scope outside Microsoft.",
            )
            .into());
    };
    let request = |provider: &Provider, proof: &Proof| token::of_application(provider, proof, scope);
    let asked = grant::ask_for(call, provider, request, |provider, answer, now| {
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
