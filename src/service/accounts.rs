//! `multipop_account_put`, `_remove`, `_act` and `multipop_accounts`: accounts and the rights over them (I14).

mod act;
pub(super) mod bundle;
pub(super) mod explain;
mod verdict;
pub(super) mod view;

use serde_json::json;

use super::{Instance, erase, rights};
use crate::config::{AccountForm, Act, Config, words};
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::{Error, Result};
use crate::model::{Account, Actor};
use crate::store::{AccountQuery, Whose};
use view::Viewer;

pub struct AccountsRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    pub realm: Option<&'a str>,
    pub after: Option<&'a str>,
    /// 0 = 1,000.
    pub limit: u32,
}

const LIMIT: u32 = 1_000;
const MOST: u32 = 10_000;

impl Instance {
    /// Owner and id are arguments, never inside the JSON. A refused put changes nothing.
    pub fn account_put(
        &self,
        host: &mut dyn Host,
        actor: &str,
        owner: &str,
        id: &str,
        json: &str,
    ) -> Result<()> {
        let actor = words::actor(actor)?;
        words::owner(owner)?;
        words::account_id(id)?;
        if !actor.reaches(owner) {
            return Err(Error::rights());
        }
        self.run(host, |call| async move {
            let config = &call.settings.config;
            rights::enabled(config, &actor)?;
            rights::edit(config, &actor)?;
            let form = Config::read_account(json)?;
            let account = meant(&call, &actor, (owner, id), (&form, json))?;
            let cap = match actor {
                Actor::Operator => u32::MAX,
                Actor::Owner(_) => config.cap(&account.realm),
            };
            call.store.put_account_with(&account, form.password.as_ref(), cap, call.now())?;
            Line::new("account_put")
                .field("account", id)
                .field("owner", owner)
                .field("actor", actor.name())
                .info();
            Ok(())
        })
    }

    pub fn account_remove(&self, host: &mut dyn Host, actor: &str, id: &str) -> Result<()> {
        let actor = words::actor(actor)?;
        words::account_id(id)?;
        self.run(host, |call| async move {
            let row = rights::visible(&*call.store, &actor, id)?;
            rights::edit(&call.settings.config, &actor)?;
            rights::not_configured(&row)?;
            let whose = Whose::Account { id: id.to_owned(), forget_realm: actor == Actor::Operator };
            if erase::erase_now(&call, &whose)?.accounts == 0 {
                return Err(Error::rights());
            }
            Line::new("account_remove")
                .field("account", id)
                .field("owner", &row.account.owner)
                .field("actor", actor.name())
                .info();
            Ok(())
        })
    }

    /// The answer is JSON, see `config.schema.json`.
    pub fn accounts(&self, host: &mut dyn Host, request: &AccountsRequest<'_>) -> Result<String> {
        let actor = words::actor(request.actor)?;
        let limit = match request.limit {
            0 => LIMIT,
            limit => limit.min(MOST),
        };
        let query = AccountQuery {
            owner: match &actor {
                Actor::Operator => None,
                Actor::Owner(owner) => Some(owner.clone()),
            },
            account: request.account.map(str::to_owned),
            realm: request.realm.map(str::to_owned),
            after: request.after.map(str::to_owned),
            // One more tells whether there are more.
            limit: limit + 1,
        };
        self.run(host, |call| async move {
            let mut rows = call.store.accounts(&query)?;
            if query.account.is_some() && rows.is_empty() {
                return Err(Error::rights());
            }
            let more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            let viewer = Viewer { call: &call, actor: &actor };
            let shown = rows.iter().map(|row| match query.account {
                Some(_) => viewer.in_full(row),
                None => viewer.brief(row),
            });
            let mut answer = json!({ "accounts": shown.collect::<Result<Vec<_>>>()? });
            if let (true, Some(last)) = (more, rows.last()) {
                answer["after"] = json!(last.account.id);
            }
            Ok(answer.to_string())
        })
    }

    pub fn account_act(
        &self,
        host: &mut dyn Host,
        actor: &str,
        id: &str,
        session: Option<&str>,
        json: &str,
    ) -> Result<String> {
        let who = words::actor(actor)?;
        words::account_id(id)?;
        let act = Config::read_act(json)?;
        // Those of consent: they need no right to change the account.
        match &act {
            Act::Confirm => return self.confirm(host, actor, id, session),
            Act::OfferLink { lasts_s } => return self.offer_link(host, actor, id, *lasts_s),
            Act::RedeemLink { token } => return self.redeem_link(host, actor, id, session, token),
            _ => {}
        }
        self.run(host, |call| async move {
            let row = rights::visible(&*call.store, &who, id)?;
            if !act.is_question() {
                rights::edit(&call.settings.config, &who)?;
            }
            let answer = act::perform(&call, &who, &row, &act)?;
            Line::new("account_act")
                .field("account", id)
                .field("verb", act.verb())
                .field("actor", who.name())
                .info();
            Ok(answer.to_string())
        })
    }
}

/// What the account becomes; refused where it is another's, the configuration's, or asks for what is not this actor's.
fn meant(
    call: &Call,
    actor: &Actor,
    (owner, id): (&str, &str),
    (form, json): (&AccountForm, &str),
) -> Result<Account> {
    let config = &call.settings.config;
    let kept = call.store.account(id)?;
    if let Some(row) = &kept {
        if row.account.owner != owner {
            return Err(Error::rights());
        }
        rights::not_configured(row)?;
        rights::not_withdrawn(actor, row)?;
    }
    let named = form.realm.as_deref().filter(|_| *actor == Actor::Operator);
    let realm = realm(call, owner, named)?;
    let kept = kept.as_ref().map(|row| &row.account);
    config.account(actor, (id, owner, &realm), (form, json), kept)
}

/// The realm of an owner: the one he is in, else the one the operator names, else his domain's.
pub(super) fn realm(call: &Call, owner: &str, named: Option<&str>) -> Result<String> {
    Ok(match (call.store.realm_of(owner)?, named) {
        (Some(known), _) => known,
        (None, Some(named)) => named.to_owned(),
        (None, None) => call.settings.config.realm_by_domain(owner).to_owned(),
    })
}
