//! `explain`, `trace`, `support-bundle`: where a mail is, and what to send to whoever helps.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use multipop_host::library::Instance;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

use super::console::{Console, members, text};
use super::opened::{self, Configured, LogLines};
use super::{Common, Done, Trouble};

#[derive(Debug, Args)]
pub struct Explain {
    /// Whose mail: the account's id
    account: String,
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Wanted {
    /// The message's Message-ID, with its angle brackets or without
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// The message's UIDL
    #[arg(long, value_name = "UIDL")]
    uidl: Option<String>,
    /// Everything since: 2026-11-24, 2026-11-24T08:00:00Z, or 90m, 12h, 3d ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
}

#[derive(Debug, Args)]
pub struct Trace {
    /// The account's id
    account: String,
    #[command(flatten)]
    configured: Configured,
    /// Trace what is said to the mail server for so long, 60 at the most; 0 ends it. Left out: show the trace
    #[arg(long, value_name = "N")]
    minutes: Option<u32>,
}

#[derive(Debug, Args)]
pub struct SupportBundle {
    /// The account's id
    account: String,
    #[command(flatten)]
    configured: Configured,
    /// Where to write it, never over a file; else to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Explain {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let mut act = json!({ "verb": "explain" });
        if let Some(id) = &self.wanted.message_id {
            act["message_id"] = json!(id);
        }
        if let Some(uidl) = &self.wanted.uidl {
            act["uidl"] = json!(uidl);
        }
        if let Some(since) = self.wanted.since {
            act["since"] = json!(since);
        }
        let answer = ask(common, console, &self.configured, &self.account, &act)?;
        console.object(&answer);
        console.say(&format!("{}: {}", self.account, text(&answer["sentence"])));
        for one in members(&answer["happenings"]) {
            let uidl = match text(&one["uidl"]) {
                uidl if uidl.is_empty() => uidl,
                uidl => format!("UIDL {uidl}"),
            };
            let line = format!(
                "  {}  {:<13} {}  {}  {uidl}  {}",
                when(&one["at"]),
                text(&one["what"]).replace('_', " "),
                text(&one["message"]),
                text(&one["process"]),
                text(&one["answer"]),
            );
            console.say(line.trim_end());
        }
        if answer["more"] == true {
            console.say("  There are more, and older ones: ask for one message, or for a shorter time.");
        }
        Ok(())
    }
}

impl Trace {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let act = match self.minutes {
            Some(minutes) => json!({ "verb": "trace", "minutes": minutes }),
            None => json!({ "verb": "trace_read" }),
        };
        let answer = ask(common, console, &self.configured, &self.account, &act)?;
        console.object(&answer);
        let until = when(&answer["until"]);
        if self.minutes.is_some() {
            console.say(&match answer["until"].as_i64() {
                Some(0) => format!("{}: no trace is kept any more.", self.account),
                _ => format!(
                    "{}: sessions are traced until {until}, whoever visits the account.",
                    self.account
                ),
            });
            return Ok(());
        }
        console.say(&match (answer["on"] == true, answer["until"].as_i64()) {
            (true, _) => format!("{}: traced until {until}.", self.account),
            (false, Some(0)) => format!("{}: not traced.", self.account),
            (false, _) => format!("{}: the trace ended at {until}.", self.account),
        });
        for line in members(&answer["lines"]) {
            let (at, process) = (when(&line["at"]), text(&line["process"]));
            let ms = line["ms"].as_u64().unwrap_or_default();
            console.say(&format!("  {at} {ms:>7} ms  {process}  {}", text(&line["line"])));
        }
        Ok(())
    }
}

impl SupportBundle {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let act = json!({ "verb": "support_bundle" });
        let answer = ask(common, console, &self.configured, &self.account, &act)?;
        let Some(file) = &self.out else {
            console.object(&answer);
            console.say(&format!("{answer:#}"));
            return Ok(());
        };
        let mut options = fs::File::options();
        let written =
            options.write(true).create_new(true).open(file).and_then(|mut file| {
                std::io::Write::write_all(&mut file, format!("{answer:#}\n").as_bytes())
            });
        written.map_err(|e| {
            Trouble::io(
                file.display(),
                &e,
                "Name a file that is not there yet, in a folder that can be written.",
            )
        })?;
        console.say(&format!("{}: written to {}", self.account, file.display()));
        console.object(&json!({ "type": "bundle", "account": self.account, "file": file }));
        Ok(())
    }
}

fn ask(
    common: &Common,
    console: &Console,
    configured: &Configured,
    account: &str,
    act: &Value,
) -> Result<Value, Trouble> {
    let log = Box::new(LogLines(console.clone()));
    let mut instance: Instance = opened::open(common, console, &configured.config, log)?;
    let answer = instance.account_act(&configured.actor, account, None, &act.to_string())?;
    opened::parsed(&answer)
}

/// Seconds since the Unix epoch.
fn since(text: &str) -> Result<i64, String> {
    let ago = |count: &str, unit: fn(i64) -> Duration| {
        let count: i64 = count.parse().ok().filter(|count| (0..=100_000).contains(count))?;
        Some((OffsetDateTime::now_utc() - unit(count)).unix_timestamp())
    };
    let found = match text.char_indices().last() {
        Some((at, 'm')) => ago(&text[..at], Duration::minutes),
        Some((at, 'h')) => ago(&text[..at], Duration::hours),
        Some((at, 'd')) => ago(&text[..at], Duration::days),
        _ => None,
    };
    let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
    found
        .or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp))
        .or_else(|| day().map(|day| day.midnight().assume_utc().unix_timestamp()))
        .filter(|at| *at >= 0)
        .ok_or_else(|| "give a day (2026-11-24), a time (2026-11-24T08:00:00Z), or 90m, 12h, 3d".to_owned())
}

fn when(at: &Value) -> String {
    let time = at.as_i64().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_ago() {
        assert_eq!(since("2026-11-24"), Ok(1_795_478_400));
        assert_eq!(since("2026-11-24T01:00:00+01:00"), Ok(1_795_478_400));
        let now = OffsetDateTime::now_utc().unix_timestamp();
        for (text, ago) in [("90m", 5_400), ("12h", 43_200), ("3d", 259_200)] {
            assert!((since(text).unwrap() - (now - ago)).abs() <= 1, "{text}");
        }
        for wrong in ["", "tuesday", "-3d", "d", "3w", "2026-13-01", "1969-12-31"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
