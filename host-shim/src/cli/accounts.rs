//! `accounts`: list, put, remove, act. What an account is stands in config.schema.json.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use multipop_host::library::{Instance, Query};
use serde_json::{Map, Value, json};

use super::console::Console;
use super::opened::{self, LogLines};
use super::{Common, Done, Trouble, personal};

#[derive(Debug, Args)]
pub struct Accounts {
    // Before the verb or behind it; clap takes none for required then.
    /// The configuration (docs: config.schema.json); required
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The owner who acts; * is the operator
    #[arg(long = "as", value_name = "OWNER", default_value = "*", global = true)]
    actor: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// All accounts the actor reaches, with their state
    List {
        /// Only this one
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only those of this realm
        #[arg(long)]
        realm: Option<String>,
        /// Only those after this id, to turn the page
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many; 0 is 1,000
        #[arg(long, default_value_t = 0)]
        limit: u32,
    },
    /// Create or change an account
    Put {
        /// The account's id: 1 to 128 letters, digits and . _ @ -
        id: String,
        /// Whose account it is; an account never changes its owner
        #[arg(long)]
        owner: String,
        /// The account's JSON, or - to read it from stdin
        #[arg(value_name = "JSON")]
        account: String,
    },
    /// Remove an account, its grant and its ledger
    Remove {
        /// The account's id
        id: String,
    },
    /// pause, resume, offer_again, delete_older, keep_older, uidl_reset; others have commands of their own
    Act {
        /// The account's id
        id: String,
        /// What multipop_account_act calls it: include/multipop.h says what each does
        verb: String,
        /// What the verb needs besides, as JSON, such as {"count": 12}
        #[arg(long, value_name = "JSON", default_value = "{}")]
        with: String,
    },
}

impl Accounts {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let Some(config) = &self.config else {
            return Err(Trouble::here("no configuration", "Give --config."));
        };
        let log = Box::new(LogLines(console.clone()));
        let mut instance = opened::open(common, console, config, log)?;
        let actor = &self.actor;
        match &self.verb {
            Verb::List { account, realm, after, limit } => {
                let query = Query {
                    actor,
                    account: account.as_deref(),
                    realm: realm.as_deref(),
                    after: after.as_deref(),
                    limit: *limit,
                };
                list(&mut instance, &query, console)
            }
            Verb::Put { id, owner, account } => {
                instance.account_put(actor, owner, id, &text(account)?)?;
                console.say(&format!("{id}: stored"));
                console.object(&json!({"type": "account", "account": id, "done": "put"}));
                Ok(())
            }
            Verb::Remove { id } => {
                let withdraw = personal::withdraw(&mut instance, actor, id);
                instance.account_remove(actor, id)?;
                console.say(&format!("{id}: removed"));
                let mut object = json!({"type": "account", "account": id, "done": "remove"});
                if let Some(withdraw) = withdraw {
                    personal::say_withdraw(console, &withdraw);
                    object["withdraw"] = withdraw;
                }
                console.object(&object);
                Ok(())
            }
            Verb::Act { id, verb, with } => {
                let answer = instance.account_act(actor, id, None, &act(verb, with)?)?;
                told(console, &answer);
                Ok(())
            }
        }
    }
}

fn list(instance: &mut Instance, query: &Query<'_>, console: &Console) -> Done {
    let answer = instance.accounts(query)?;
    let listed: Option<Value> = serde_json::from_str(&answer).ok().filter(|_| !console.json);
    let Some(accounts) = listed.as_ref().and_then(|listed| listed["accounts"].as_array()) else {
        told(console, &answer);
        return Ok(());
    };
    // The library's order is for turning pages.
    let mut accounts: Vec<_> = accounts.iter().collect();
    accounts.sort_by_key(|account| account["id"].as_str());
    for account in accounts {
        let text = |name: &str| account[name].as_str().unwrap_or("-").to_owned();
        let columns = [text("id"), text("owner"), text("user"), text("server"), state(account)];
        console.say(&columns.join("  "));
    }
    Ok(())
}

/// What a person wants to know first.
fn state(account: &Value) -> String {
    let state = &account["state"];
    let mut words = Vec::new();
    if account["enabled"] == false {
        words.push("disabled".to_owned());
    }
    if state["paused"] == true {
        words.push("paused".to_owned());
    }
    for need in state["needs"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        words.push(format!("needs {}", need.replace('_', " ")));
    }
    if words.is_empty() {
        words.push(state["outcome"].as_str().unwrap_or("not visited yet").to_owned());
    }
    words.push(format!("{} messages so far", state["messages_taken"]));
    words.join(", ")
}

/// The library's JSON: as it is in one line for scripts, spread out for people.
fn told(console: &Console, answer: &str) {
    match serde_json::from_str::<Value>(answer) {
        Ok(value) if console.json => console.object(&value),
        Ok(value) => console.say(&format!("{value:#}")),
        Err(_) => console.say(answer),
    }
}

fn text(json: &str) -> Result<String, Trouble> {
    if json != "-" {
        return Ok(json.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|e| Trouble::io("stdin", &e, "Pass the account's JSON."))?;
    Ok(text)
}

fn act(verb: &str, with: &str) -> Result<String, Trouble> {
    let mut members: Map<String, Value> = serde_json::from_str(with)
        .map_err(|e| Trouble::here(format!("--with: {e}"), "Pass a JSON object."))?;
    members.insert("verb".into(), verb.into());
    Ok(Value::Object(members).to_string())
}
