//! `notices`: what the library says is to be told, sent: users' through the sink their mail takes, the operator's by
//! mail, webhook or command.
//!
//! At least once: a notice is called sent after everybody it is for has it. A Maildir drops the second copy where this
//! program died in between.

use std::path::PathBuf;

use clap::Args;
use multipop_host::library::{Begun, Instance, Message, No, Sink, Yes};
use multipop_host::sink::lmtp::{Lmtp, Place};
use multipop_host::sink::maildir::Maildir;
use serde_json::{Value, json};

use super::console::Console;
use super::fetch::address;
use super::opened::{self, LogLines};
use super::outcome::Trouble;
use super::{Common, Done};

mod message;
mod operator;

use message::{Languages, Mail};

#[derive(Debug, Args)]
pub struct Notices {
    /// The configuration (docs: config.schema.json)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Deliver into a Maildir, or a template for several: %n name, %d domain, %u both, of the account's deliver_to
    #[arg(long, value_name = "DIR", conflicts_with = "lmtp")]
    maildir: Option<PathBuf>,
    /// Deliver to an LMTP server: HOST:PORT, or the path of its socket
    #[arg(long, value_name = "ADDRESS")]
    lmtp: Option<String>,
    #[command(flatten)]
    told: Told,
}

/// How notices are worded and who the operator is.
#[derive(Debug, Args)]
pub struct Told {
    /// The operator's own address, delivered to as users are
    #[arg(long, value_name = "ADDRESS")]
    operator: Option<String>,
    /// POST the operator's notices there as JSON
    #[arg(long, value_name = "URL")]
    operator_webhook: Option<String>,
    /// Run this by the shell for each of the operator's notices, its JSON on stdin; it has half a minute
    #[arg(long, value_name = "COMMAND")]
    operator_command: Option<String>,
    /// Who the mail is from; else multipop at this machine
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The language of what is mailed
    #[arg(long, value_enum, default_value = "both")]
    language: Languages,
}

impl Notices {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let log = Box::new(LogLines(console.clone()));
        let mut instance = opened::open(common, console, &self.config, log)?;
        let found = match (&self.maildir, &self.lmtp) {
            (Some(maildir), _) => {
                self.told.send(&mut instance, Some(&mut Maildir::new(address(maildir)?)), console)
            }
            (None, Some(lmtp)) => {
                let place = Place::parse(lmtp).map_err(|why| Trouble::here(why, "Correct --lmtp."))?;
                self.told.send(&mut instance, Some(&mut Lmtp::new(place)), console)
            }
            (None, None) if self.told.operator.is_some() => {
                Err(Trouble::here("the operator's mail has no way", "Give --maildir or --lmtp too."))
            }
            (None, None) => self.told.send(&mut instance, None::<&mut Maildir>, console),
        }?;
        if found == 0 {
            console.say("Nothing is to be sent now.");
        }
        Ok(())
    }
}

impl Told {
    /// Whether a way to somebody, or a sender, is given.
    pub fn names_somebody(&self) -> bool {
        [&self.operator, &self.operator_webhook, &self.operator_command, &self.from]
            .into_iter()
            .any(Option::is_some)
    }

    /// Everything that is due; answers how many those were. Without a way for somebody, his is shown, and is due again
    /// a little later.
    pub fn send<S: Sink>(
        &self,
        instance: &mut Instance,
        mut sink: Option<&mut S>,
        console: &Console,
    ) -> Result<usize, Trouble> {
        let (mut found, mut failed) = (0, 0);
        loop {
            let answer = instance.act("*", r#"{"verb":"notices"}"#)?;
            let answer = opened::parsed(&answer)?;
            let notices = answer["notices"].as_array().map(Vec::as_slice).unwrap_or_default();
            found += notices.len();
            let mut sent = Vec::new();
            for notice in notices {
                let outcome = self.send_one(notice, sink.as_deref_mut());
                console.object(&json!({
                    "type": "notice",
                    "sent": outcome == Ok(true),
                    "error": outcome.as_ref().err(),
                    "notice": notice,
                }));
                let to = notice["owner"].as_str().unwrap_or("operator");
                let subject = notice["texts"]["en"]["subject"].as_str().unwrap_or_default();
                match outcome {
                    Ok(true) => {
                        console.say(&format!("{to}: sent: {subject}"));
                        sent.push(&notice["id"]);
                    }
                    Ok(false) => console.say(&format!(
                        "{to}: not sent, no way was given; due again in {} s: {subject}",
                        answer["lease_s"]
                    )),
                    Err(why) => {
                        failed += 1;
                        console.note(&format!("multipop-host: {to}: not sent: {why}: {subject}"));
                    }
                }
            }
            if !sent.is_empty() {
                instance.act("*", &json!({ "verb": "notices_done", "ids": sent }).to_string())?;
            }
            if answer["more"] != true || sent.is_empty() {
                break;
            }
        }
        // What was not sent is due again once its lease is over.
        if failed > 0 { Err(Trouble::told(40)) } else { Ok(found) }
    }

    /// `false`: there is no way to whom it is for.
    fn send_one<S: Sink>(&self, notice: &Value, sink: Option<&mut S>) -> Result<bool, String> {
        let mail = Mail { from: self.from.as_deref(), languages: self.language };
        if notice["to"] == "owner" {
            let (Some(sink), Some(to)) = (sink, notice["deliver_to"].as_str()) else {
                return Ok(false);
            };
            return deliver(sink, notice, to, &mail).map(|()| true);
        }
        let mut has_way = false;
        if let (Some(to), Some(sink)) = (&self.operator, sink) {
            deliver(sink, notice, to, &mail)?;
            has_way = true;
        }
        if let Some(url) = &self.operator_webhook {
            operator::post(url, notice)?;
            has_way = true;
        }
        if let Some(command) = &self.operator_command {
            operator::run(command, notice)?;
            has_way = true;
        }
        Ok(has_way)
    }
}

/// As if it had been fetched; durable when this returns.
fn deliver<S: Sink>(sink: &mut S, notice: &Value, to: &str, mail: &Mail<'_>) -> Result<(), String> {
    let text = |name: &str| notice[name].as_str().unwrap_or_default();
    let (key, bytes) = mail.written(notice, to)?;
    let message = Message {
        account: text("account"),
        owner: text("owner"),
        deliver_to: to,
        uidl: text("id").as_bytes(),
        size_hint: bytes.len() as u64,
        server: "",
        tls: "",
        received: "",
        dedupe_key: Some(&key),
        // Whoever died after the delivery delivered it: a sink that can tell says so.
        may_repeat: true,
    };
    let answer = match sink.begin(&message).map_err(words)? {
        Begun::Already(yes) => yes,
        Begun::Go(mut open) => {
            if let Err(no) = sink.data(&mut open, &bytes) {
                sink.abort(open);
                return Err(words(no));
            }
            sink.end(open).map_err(words)?
        }
    };
    if answer == Yes::Queued { sink.flush() } else { Ok(()) }
}

fn words(no: No) -> String {
    match no {
        No::Defer(why) | No::Full(why) | No::Recipient(why) | No::Refuse(why) | No::Stop(why) => why,
    }
}
