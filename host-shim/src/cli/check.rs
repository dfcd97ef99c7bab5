//! `check [ACCOUNT]`: goes the way of a fetch step by step, says which step fails, why, and who can mend it.
//!
//! A configuration that the library refuses is a finding too: the first step is red then, and no account is seen.

use clap::Args;
use multipop_host::library::{Failure, Who};
use serde_json::{Value, json};

use super::console::{Console, members, text};
use super::opened::{self, Configured, LogLines};
use super::{Common, Done, Trouble};

#[derive(Debug, Args)]
pub struct Check {
    /// Only this account; else all
    account: Option<String>,
    #[command(flatten)]
    configured: Configured,
    /// Also show what a fetch would take and delete; nothing is taken or deleted
    #[arg(long)]
    dry_run: bool,
    /// Seconds until it ends; 0 is 600
    #[arg(long, default_value_t = 0, value_name = "S")]
    deadline: u32,
}

impl Check {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let log = Box::new(LogLines(console.clone()));
        let opened = opened::open(common, console, &self.configured.config, log);
        let answer = match opened {
            Ok(mut instance) => {
                let account = self.account.as_deref();
                let json = instance.check(&self.configured.actor, account, self.deadline, self.dry_run)?;
                opened::parsed(&json)?
            }
            Err(trouble) => match &trouble.failure {
                Some(failure) if failure.who() == Who::Operator => refused(failure),
                _ => return Err(trouble),
            },
        };
        console.object(&answer);
        show(&answer, console);
        match exit_code(&answer) {
            0 => Ok(()),
            code => Err(Trouble::told(code)),
        }
    }
}

/// `configure` said no: no account can be seen before that is mended.
fn refused(failure: &Failure) -> Value {
    let mut step = super::console::failure(failure);
    step["step"] = json!("configuration");
    step["state"] = json!("red");
    step["ms"] = json!(0);
    step["who"] = json!("operator");
    json!({ "ok": false, "more": false, "configuration": step, "accounts": [] })
}

fn show(answer: &Value, console: &Console) {
    if answer["configuration"].is_object() {
        show_step(&answer["configuration"], console);
    }
    for account in members(&answer["accounts"]) {
        console.say(&format!("{} ({})", text(&account["account"]), text(&account["owner"])));
        for step in members(&account["steps"]) {
            show_step(step, console);
        }
        if account["forecast"].is_object() {
            show_forecast(&account["forecast"], console);
        }
    }
    if answer["more"] == true {
        console.say("Not all accounts were looked at: name one, or give more time with --deadline.");
    }
}

fn show_step(step: &Value, console: &Console) {
    let (sign, words) = match step["state"].as_str() {
        Some("green") => ("✓", &step["note"]),
        Some("red") => ("✗", &step["message"]),
        _ => ("–", &step["note"]),
    };
    let ms = if sign == "–" { String::new() } else { format!("{} ms", step["ms"]) };
    let line = format!("  {sign} {:<13} {ms:>9}  {}", text(&step["step"]), text(words));
    console.say(line.trim_end());
    if sign != "✗" {
        return;
    }
    let code = match text(&step["provider_code"]) {
        code if code.is_empty() => String::new(),
        code => format!(", {code}"),
    };
    console.say(&format!("      {} [{}{code}]", text(&step["advice"]), text(&step["cause"])));
    console.say(&format!("      Who can help: {}", helper(step)));
}

fn helper(step: &Value) -> &'static str {
    match step["who"].as_str() {
        Some("operator") => "the operator",
        Some("user") => "the mailbox's owner",
        Some("time") => "time; it is tried again",
        Some("sink") => "the receiving mail server",
        Some("host") => "the host's programmer",
        _ => "multipop's maintainers",
    }
}

fn show_forecast(forecast: &Value, console: &Console) {
    let shadow = if forecast["shadow"] == true { " (only logged: shadow)" } else { "" };
    console.say(&format!(
        "  A fetch would take {} and delete {}{shadow} of {} messages.",
        forecast["fetch"], forecast["delete"], forecast["listed"]
    ));
    let remarks = [
        ("delete_after_fetch", "What is taken leaves the server in the same session."),
        ("by_date", "Of those, messages from before the date of first_fetch are left out by their headers."),
        ("reset_suspected", "The server seems to have renumbered the mailbox: headers are compared first."),
    ];
    for (member, words) in remarks {
        if forecast[member] == true {
            console.say(&format!("  {words}"));
        }
    }
    if forecast["record"] != 0 {
        console.say(&format!("  {} are there already and only recorded (new_only).", forecast["record"]));
    }
    if forecast["examine"] != 0 {
        console.say(&format!("  {} are told apart by their headers first.", forecast["examine"]));
    }
    for (sign, member) in [('+', "fetch_uidls"), ('-', "delete_uidls")] {
        for uidl in members(&forecast[member]) {
            console.say(&format!("    {sign} {}", text(uidl)));
        }
    }
}

/// The one whose helper must act first, as a fetch has it; grey without a red is a matter of time.
fn exit_code(answer: &Value) -> u8 {
    if answer["ok"] == true {
        return 0;
    }
    let steps = members(&answer["accounts"]).iter().flat_map(|account| members(&account["steps"]));
    let codes: Vec<u8> = steps
        .chain([&answer["configuration"]])
        .filter_map(|step| step["status"].as_i64())
        .map(|status| Who::of(i32::try_from(status).unwrap_or(i32::MIN)).exit_code())
        .collect();
    let by_urgency =
        [Who::Maintainer, Who::Operator, Who::Sink, Who::User, Who::HostsCode, Who::Time].map(Who::exit_code);
    by_urgency.into_iter().find(|code| codes.contains(code)).unwrap_or(Who::Time.exit_code())
}
