//! The verbs `offer_link` and `redeem_link`: a consent for an owner whose browser is elsewhere.
//!
//! Whoever holds the link has nothing but a token. It is redeemed by the account's owner alone, signed in at the host,
//! and the consent then belongs to the session he redeems it in (I11): who sends a link to somebody else cannot make
//! him connect a mailbox to the sender's account, nor the sender's mailbox to his.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::json;
use zeroize::Zeroizing;

use super::{AuthorizeRequest, log_begun, prepare, provider_of, session_key, visible};
use crate::config::words;
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::{Error, Result, Status};
use crate::model::Actor;
use crate::oauth::authorize::look_up_key;
use crate::secret::Secret;
use crate::service::{Instance, SHORT};
use crate::store::{Link, Redeemed};

const TOKEN_BYTES: usize = 32;
const LASTS: Duration = Duration::from_secs(24 * 3600);

impl Instance {
    /// A new link takes the place of an earlier one. The answer is JSON, see `$defs/link`.
    pub(in crate::service) fn offer_link(
        &self,
        host: &mut dyn Host,
        actor: &str,
        id: &str,
        lasts_s: Option<u32>,
    ) -> Result<String> {
        let actor = words::actor(actor)?;
        self.run(host, |call| async move { offer(&call, &actor, id, lasts_s).await })
    }

    /// The same where the answer is the address `authorize_url` would have answered.
    pub(in crate::service) fn redeem_link(
        &self,
        host: &mut dyn Host,
        actor: &str,
        id: &str,
        session: Option<&str>,
        token: &Secret,
    ) -> Result<String> {
        let who = words::actor(actor)?;
        let session = session_key(session.unwrap_or_default())?;
        let request = AuthorizeRequest {
            actor,
            account: id,
            session: "",
            choose_account: false,
            force_consent: false,
            admin_consent: false,
        };
        let token = look_up_key(token.expose());
        let work = |call| async move { redeem(&call, &who, session, &request, token).await };
        if self.settings()?.discovers() {
            return self.run_long(host, SHORT, work);
        }
        self.run(host, work)
    }
}

async fn offer(call: &Call, actor: &Actor, id: &str, lasts_s: Option<u32>) -> Result<String> {
    let row = visible(call, actor, id).await?;
    provider_of(call, &row)?;
    let mut random = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(&mut *random)
        .map_err(|e| Error::new(Status::Resources, "resources.random", e.to_string()))?;
    let token = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*random));
    let now = call.now();
    let expires_at = now + lasts_s.map_or(LASTS.as_secs(), u64::from);
    let link = Link {
        token: look_up_key(&token),
        account: row.account.id.clone(),
        owner: row.account.owner.clone(),
        expires_at,
    };
    call.with_store(move |store| store.offer_link(&link, now)).await?;
    Line::new("link_offered").field("account", id).field("actor", actor.name()).info();
    Ok(json!({ "verb": "offer_link", "token": *token, "expires_at": expires_at }).to_string())
}

async fn redeem(
    call: &Call,
    actor: &Actor,
    session: [u8; 32],
    request: &AuthorizeRequest<'_>,
    token: [u8; 32],
) -> Result<String> {
    let row = visible(call, actor, request.account).await?;
    let Actor::Owner(owner) = actor.clone() else {
        return Err(Error::new(
            Status::Rights,
            "link.owner_only",
            "only the account's owner may use the link, signed in as himself",
        )
        .advice("The owner must open the link and sign in here as himself; the link is still good."));
    };
    let begun = prepare(call, actor, session, request, &row).await?;
    let (consent, now) = (begun.consent, call.now());
    let redeemed = call.with_store(move |store| {
        store.sweep_consents(now)?;
        store.redeem_link(&token, &owner, &consent, now)
    });
    let refuse = |cause, what: &str| {
        Err(Error::new(Status::Callback, cause, what)
            .advice("Please ask for a new link, or start the sign-in from your mailbox settings."))
    };
    match redeemed.await? {
        Redeemed::Begun => {
            log_begun(&row, actor, request);
            Ok(json!({ "verb": "redeem_link", "url": begun.url }).to_string())
        }
        Redeemed::Expired => refuse("link.expired", "the link is too old"),
        Redeemed::Unknown => {
            refuse("link.unknown", "the link was used, or replaced by a newer one, or is for something else")
        }
    }
}
