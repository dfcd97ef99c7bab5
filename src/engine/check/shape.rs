//! What can be said of an account's configuration without a network. Rules that `configure` keeps itself (redirect
//! against audience, one resource's scopes, https) cannot be broken any more by now.

use std::sync::Arc;

use super::Shape;
use crate::engine::call::Call;
use crate::error::{Error, Result, Status};
use crate::model::TokenSource;
use crate::oauth::credential::Credential;
use crate::oauth::provider::{Provider, is_guid};
use crate::store::AccountRow;

/// The account's provider, if it has one, and what a person should know of its being left out of a pass.
pub(super) fn prove(call: &Call, row: &AccountRow) -> Result<(Shape, String)> {
    if !row.account.enabled {
        return Err(Error::new(Status::Rights, "rights.account_disabled", "the account is disabled")
            .advice("Enable the account; nothing is collected from it before."));
    }
    let provider = match &row.account.source {
        TokenSource::Provider(id) => Some(call.settings.provider_for(&row.account, id)?),
        TokenSource::File(_) => None,
    };
    call.settings.tls_of_account(&row.account)?;
    if let Some(provider) = &provider {
        secrets_are_no_ids(provider)?;
    }
    Ok((provider, left_out(call, row)))
}

/// Entra's portal shows a secret's id, a GUID, beside its value; the value never looks like one (PROTOCOL.md A.10).
fn secrets_are_no_ids(provider: &Arc<Provider>) -> Result<()> {
    if !provider.profile.is_microsoft() {
        return Ok(());
    }
    let secrets = provider.credentials.iter().filter_map(|credential| match credential {
        Credential::Secret(secret) => Some(secret),
        Credential::Certificate(_) => None,
    });
    let Some(at) = secrets.into_iter().position(|secret| is_guid(secret.expose())) else {
        return Ok(());
    };
    Err(Error::new(
        Status::Config,
        "config.secret_id",
        format!("client secret {} of the provider {:?} has the form of a Secret ID", at + 1, provider.id),
    )
    .advice(
        "The column \"Secret ID\" was copied in place of \"Value\". The value is shown only once: make a new client \
         secret (Entra: App registrations, Certificates & secrets) and put its Value into the secret's file.",
    ))
}

fn left_out(call: &Call, row: &AccountRow) -> String {
    if !call.settings.config.enabled {
        return "collecting mail is switched off on this server".to_owned();
    }
    if row.state.paused {
        return "the account is paused".to_owned();
    }
    let now = call.now();
    if row.state.aside_until > now {
        return format!("the account is set aside for {} s more", row.state.aside_until - now);
    }
    String::new()
}
