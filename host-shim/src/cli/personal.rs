//! `export` and `erase`: what is held about a person, told and ended.

use clap::Args;
use multipop_host::library::Instance;
use serde_json::{Value, json};

use super::console::Console;
use super::opened::{self, Configured, LogLines};
use super::{Common, Done, Trouble};

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    configured: Configured,
    /// About whom
    #[arg(long)]
    owner: String,
}

impl Export {
    /// The same for people and scripts, but for its line ends.
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let verb = json!({ "verb": "export", "owner": self.owner });
        let answer = act(common, console, &self.configured, &verb)?;
        if console.json {
            console.object(&answer);
        } else {
            console.say(&format!("{answer:#}"));
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// All accounts of this owner, and all that is known of him
    #[arg(long)]
    owner: Option<String>,
    /// All accounts of this realm, and all that is known of it
    #[arg(long)]
    realm: Option<String>,
}

impl Erase {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let verb = match (&self.whom.owner, &self.whom.realm) {
            (Some(owner), _) => json!({ "verb": "erase", "owner": owner }),
            (None, realm) => json!({ "verb": "erase", "realm": realm }),
        };
        let answer = act(common, console, &self.configured, &verb)?;
        console.object(&answer);
        console.say(&format!(
            "{} accounts erased; {} grants are given back to their providers by the next passes",
            answer["accounts"], answer["revocations"]
        ));
        if answer["complete"] == false {
            console.say(
                "Another program reads the store, so old pages stay in its files for now; nothing in them opens any \
                 more, and the next call finishes.",
            );
        }
        for withdraw in answer["withdraw"].as_array().into_iter().flatten() {
            say_withdraw(console, withdraw);
        }
        Ok(())
    }
}

/// What becomes of the consent to this account's provider; to be asked while it is there.
pub fn withdraw(instance: &mut Instance, actor: &str, id: &str) -> Option<Value> {
    let query =
        multipop_host::library::Query { actor, account: Some(id), realm: None, after: None, limit: 0 };
    let shown: Value = serde_json::from_str(&instance.accounts(&query).ok()?).ok()?;
    Some(shown["accounts"][0]["state"]["withdraw"].clone()).filter(Value::is_object)
}

pub fn say_withdraw(console: &Console, withdraw: &Value) {
    if let (Some(provider), Some(advice)) = (withdraw["provider"].as_str(), withdraw["advice"].as_str()) {
        console.say(&format!("{provider}: {advice}"));
    }
}

fn act(common: &Common, console: &Console, configured: &Configured, verb: &Value) -> Result<Value, Trouble> {
    let log = Box::new(LogLines(console.clone()));
    let mut instance = opened::open(common, console, &configured.config, log)?;
    let answer = instance.act(&configured.actor, &verb.to_string())?;
    opened::parsed(&answer)
}
