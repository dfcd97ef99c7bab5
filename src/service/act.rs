//! `multipop_act`: one verb that is not about one account, one arm for each.

use serde_json::{Value, json};

use super::accounts::realm;
use super::{Instance, erase, export, notices, rights};
use crate::config::{Config, OwnerRights, ProviderConfig, Verb, words};
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::Result;
use crate::model::Actor;

impl Instance {
    pub fn act(&self, host: &mut dyn Host, actor: &str, json: &str) -> Result<String> {
        let who = words::actor(actor)?;
        let verb = Config::read_verb(json)?;
        self.run(host, |call| async move {
            let mut answer = match &verb {
                Verb::Providers => providers(&call, &who)?,
                Verb::Erase(whom) => erase::erase(&call, &who, whom)?,
                Verb::Export { owner } => export::export(&call, &who, owner)?,
                Verb::Notices { limit } => {
                    rights::operator(&who)?;
                    notices::due(&call, *limit)?
                }
                Verb::NoticesDone { ids } => {
                    rights::operator(&who)?;
                    notices::done(&call, ids)?
                }
            };
            answer["verb"] = json!(verb.name());
            Line::new("act").field("verb", verb.name()).field("actor", who.name()).info();
            Ok(answer.to_string())
        })
    }
}

/// What an account of this actor may name as its provider; the operator sees those of every realm.
fn providers(call: &Call, actor: &Actor) -> Result<Value> {
    let config = &call.settings.config;
    // `None` sees those of every realm.
    let seen_by = match actor {
        Actor::Operator => None,
        Actor::Owner(owner) => Some(realm(call, owner, None)?),
    };
    let mut list = Vec::new();
    for provider in config.providers.values() {
        if !seen_by.as_ref().is_none_or(|realm| may_choose(&config.owners, provider, realm)) {
            continue;
        }
        let servers: Vec<String> =
            provider.servers.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        list.push(json!({
            "id": provider.id,
            "profile": provider.profile.name(),
            "realm": provider.realm,
            "servers": servers,
        }));
    }
    Ok(json!({ "providers": list }))
}

fn may_choose(owners: &OwnerRights, provider: &ProviderConfig, realm: &str) -> bool {
    let allowed = owners.providers.as_ref().is_none_or(|list| list.contains(&provider.id));
    owners.edit && allowed && provider.realm == realm
}
