//! `authorize ACCOUNT`: the user signs in at the provider in a browser and comes back here, or pastes where he was
//! sent, or enters a code on another device.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use multipop_abi as abi;
use multipop_host::library::{self, Failure, Instance, Who};
use serde_json::{Value, json};
use url::Url;

use super::console::{self, Console};
use super::landing::{Answer, Landing};
use super::opened::{self, Configured, LogLines};
use super::{Common, Done, Trouble};

#[derive(Debug, Args)]
pub struct Authorize {
    /// The account to connect
    account: String,
    #[command(flatten)]
    configured: Configured,
    /// Let the provider ask which account to sign in with
    #[arg(long)]
    choose_account: bool,
    /// Let the provider ask for consent even if it was given before
    #[arg(long)]
    force_consent: bool,
    /// An administrator's consent for the whole tenant
    #[arg(long)]
    admin_consent: bool,
    /// Listen on no port; take the address the browser was sent to from the terminal
    #[arg(long)]
    paste: bool,
    /// Show a code to be entered on another device (RFC 8628), and wait
    #[arg(long, conflicts_with_all = ["paste", "choose_account", "force_consent", "admin_consent"])]
    device: bool,
    /// Begin nothing here: print a one-time link's token for the owner, whose browser is elsewhere
    #[arg(long, conflicts_with_all = ["paste", "device", "choose_account", "force_consent", "admin_consent"])]
    link: bool,
    /// Begin with the token of such a link; the owner's own, so only with --as
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["link", "device", "choose_account", "force_consent", "admin_consent"])]
    redeem: Option<String>,
    /// Say yes where another name signed in than is configured; the owner's own, so only with --as
    #[arg(long)]
    yes: bool,
}

impl Authorize {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let log = Box::new(LogLines(console.clone()));
        let mut instance = opened::open(common, console, &self.configured.config, log)?;
        let session = session()?;
        if self.device {
            return self.by_device(&mut instance, &session, console);
        }
        if self.link {
            return self.offer_link(&mut instance, console);
        }
        let url = self.url(&mut instance, &session)?;
        let landing = self.landing(&url, console);
        console.say(&format!("Open this page in a browser and sign in:\n\n  {url}\n"));
        console.object(&json!({"type": "authorize", "account": self.account, "url": url}));
        let (result, answer, json) = match landing {
            Some(landing) => {
                let answer = landing.answer();
                let answer =
                    answer.map_err(|e| Trouble::io("waiting for the browser", &e, "Start again."))?;
                let (result, json) = instance.handle_callback(&answer.uri, answer.form.as_deref(), &session);
                (result, Some(answer), json)
            }
            None => {
                let pasted = console.line("Paste the address the browser was sent to at the end: ");
                let (result, json) = instance.handle_callback(pasted.trim(), None, &session);
                (result, None, json)
            }
        };
        self.told(&mut instance, &session, result, answer, json, console)
    }

    fn url(&self, instance: &mut Instance, session: &str) -> Result<String, Trouble> {
        if let Some(token) = &self.redeem {
            let verb = json!({"verb": "redeem_link", "token": token});
            let answer = self.act(instance, Some(session), &verb)?;
            return Ok(answer["url"].as_str().unwrap_or_default().to_owned());
        }
        Ok(instance.authorize_url(&library::Authorize {
            actor: &self.configured.actor,
            account: &self.account,
            session,
            choose_account: self.choose_account,
            force_consent: self.force_consent,
            admin_consent: self.admin_consent,
        })?)
    }

    /// A host with pages sends the address of the page that redeems it; here that page is a terminal.
    fn offer_link(&self, instance: &mut Instance, console: &Console) -> Done {
        let answer = self.act(instance, None, &json!({"verb": "offer_link"}))?;
        let query = library::Query {
            actor: &self.configured.actor,
            account: Some(&self.account),
            realm: None,
            after: None,
            limit: 0,
        };
        let shown: Option<Value> = serde_json::from_str(&instance.accounts(&query)?).ok();
        let owner =
            shown.as_ref().and_then(|shown| shown["accounts"][0]["owner"].as_str()).unwrap_or("OWNER");
        console.say(&format!(
            "The owner signs in himself, once and within a day, with\n\n  multipop-host authorize {} --config {} --as {owner} --redeem {}\n",
            self.account,
            self.configured.config.display(),
            answer["token"].as_str().unwrap_or_default(),
        ));
        console.object(&json!({"type": "link", "account": self.account, "link": answer}));
        Ok(())
    }

    fn act(&self, instance: &mut Instance, session: Option<&str>, verb: &Value) -> Result<Value, Trouble> {
        let answer =
            instance.account_act(&self.configured.actor, &self.account, session, &verb.to_string())?;
        opened::parsed(&answer)
    }

    /// Asks as often as the library says, which says as often as the provider.
    fn by_device(&self, instance: &mut Instance, session: &str, console: &Console) -> Done {
        let request = library::Authorize {
            actor: &self.configured.actor,
            account: &self.account,
            session,
            ..library::Authorize::default()
        };
        let begun = opened::parsed(&instance.device_begin(&request)?)?;
        console.say(begun["message"].as_str().unwrap_or_default());
        console.object(&json!({"type": "device", "account": self.account, "device": begun}));
        let lasts = Duration::from_secs(begun["expires_in_s"].as_u64().unwrap_or_default());
        let until = Instant::now() + lasts;
        let mut wait_s = begun["interval_s"].as_u64().unwrap_or(1);
        loop {
            sleep(Duration::from_secs(wait_s.max(1)));
            let (result, json) = instance.device_poll(&request);
            match &result {
                Err(failure) if failure.who() == Who::Time && Instant::now() < until => {
                    wait_s = failure.retry_after_s.into();
                }
                _ => return self.told(instance, session, result, None, json, console),
            }
        }
    }

    /// A port that is taken is no reason to give up: pasting works as well.
    fn landing(&self, url: &str, console: &Console) -> Option<Landing> {
        let url = Url::parse(url).ok().filter(|_| !self.paste)?;
        let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri")?.1;
        let redirect = Url::parse(&redirect).ok()?;
        match Landing::at(&redirect)? {
            Ok(landing) => Some(landing),
            Err(e) => {
                console.note(&format!("cannot listen at {redirect}: {e}"));
                None
            }
        }
    }

    fn told(
        &self,
        instance: &mut Instance,
        session: &str,
        result: Result<(), Failure>,
        answer: Option<Answer>,
        json: Option<String>,
        console: &Console,
    ) -> Done {
        let json = json.and_then(|json| serde_json::from_str::<Value>(&json).ok());
        console.object(&json!({
            "type": "callback",
            "status": result.as_ref().err().map_or(0, |failure| failure.status),
            "error": result.as_ref().err().map(console::failure),
            "callback": json,
        }));
        let failure = match result {
            Ok(()) => {
                if let Some(answer) = answer {
                    answer.tell("Connected", "The mailbox is connected. You may close this page.");
                }
                console.say(&format!("{}: connected", self.account));
                return Ok(());
            }
            Err(failure) => failure,
        };
        let needs_yes = failure.status == abi::E_CONFIRM;
        if let Some(answer) = answer {
            let title = if needs_yes { "One more question" } else { "Not connected" };
            answer.tell(title, &format!("{} See the terminal.", failure.advice));
        }
        if !needs_yes {
            return Err(failure.into());
        }
        console.note(&format!("{failure}\n{}", failure.advice));
        if self.configured.actor == abi::OPERATOR {
            let owner = json.as_ref().and_then(|json| json["owner"].as_str()).unwrap_or("OWNER");
            return Err(Trouble {
                advice: format!(
                    "Only the owner can say yes. Once he agrees, sign in again with --as {owner}"
                ),
                ..failure.into()
            });
        }
        if !self.yes && !console.asks("Is that what you want?") {
            return Err(failure.into());
        }
        let confirm = json!({"verb": "confirm"}).to_string();
        instance.account_act(&self.configured.actor, &self.account, Some(session), &confirm)?;
        console.say(&format!("{}: connected", self.account));
        console.object(&json!({"type": "account", "account": self.account, "done": "confirm"}));
        Ok(())
    }
}

/// What binds the consent to this run: nobody else has it.
pub fn session() -> Result<String, Trouble> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| Trouble::here(format!("no random bytes: {e}"), ""))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
