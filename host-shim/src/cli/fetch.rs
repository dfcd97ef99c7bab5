//! `fetch`: one pass over what is due, or a visit to one account, into a Maildir or to an LMTP server.

use std::path::PathBuf;
use std::time::Instant;

use clap::{ArgGroup, Args};
use multipop_host::library::{Begun, Fetched, Instance, Message, No, Report, Sink, Yes};
use multipop_host::sink::lmtp::{Lmtp, Place};
use multipop_host::sink::maildir::{Address, Maildir};
use serde_json::{Value, json};

use super::console::{self, Console};
use super::interrupt::Interrupt;
use super::notices::Told;
use super::outcome::{Trouble, exit_code};
use super::progress::Progress;
use super::state::Mailbox;
use super::{Common, Done, opened};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["config", "server"]))]
#[command(group = ArgGroup::new("sink").required(true).args(["maildir", "lmtp"]))]
pub struct Fetch {
    /// The configuration; or name one mailbox with --server
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    mailbox: Mailbox,
    /// A Maildir, or a template for several: %n name, %d domain, %u both, of the account's deliver_to
    #[arg(long, value_name = "DIR")]
    maildir: Option<PathBuf>,
    /// An LMTP server: HOST:PORT, or the path of its socket
    #[arg(long, value_name = "ADDRESS")]
    lmtp: Option<String>,
    /// Only this account; else all that are due
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The owner who acts; * is the operator
    #[arg(long = "as", value_name = "OWNER", default_value = "*")]
    actor: String,
    /// Ignore interval and back-off
    #[arg(long)]
    now: bool,
    /// End after so many seconds, tidily
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    deadline: u32,
    /// Afterwards send what users and the operator are to be told, as the command notices does
    #[arg(long, requires = "config")]
    notices: bool,
    #[command(flatten)]
    told: Box<Told>,
}

impl Fetch {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        if !self.notices && self.told.names_somebody() {
            return Err(Trouble::here("nothing is told without --notices", "Give --notices too."));
        }
        let interrupt = Interrupt::hold()?;
        let made = self.mailbox.configuration(self.account.as_deref())?;
        // A mailbox named on the command line is meant now, whatever its interval says.
        let (config, account, now) = match (&made, &self.config) {
            (Some((config, id)), _) => (config, Some(id.as_str()), true),
            (None, Some(config)) => (config, self.account.as_deref(), self.now),
            (None, None) => return Err(Trouble::here("no configuration", "Give --config or --server.")),
        };
        let progress = Box::new(Progress::new(console.clone()));
        let mut instance = opened::open(common, console, config, progress)?;
        interrupt.cancels(instance.canceller())?;
        let what = What { actor: &self.actor, account, deadline_s: self.deadline, now };
        let done = match (&self.maildir, &self.lmtp) {
            (Some(maildir), _) => self.fetch(&what, &mut instance, Maildir::new(address(maildir)?), console),
            (None, Some(lmtp)) => {
                let place = Place::parse(lmtp).map_err(|why| Trouble::here(why, "Correct --lmtp."))?;
                self.fetch(&what, &mut instance, Lmtp::new(place), console)
            }
            (None, None) => Err(Trouble::here("no sink", "Give --maildir or --lmtp.")),
        };
        done.map(|_| ())
    }

    /// What is to be told is told although the fetch failed: then most of all.
    fn fetch<S: Sink>(
        &self,
        what: &What<'_>,
        instance: &mut Instance,
        mut sink: S,
        console: &Console,
    ) -> Result<Report, Trouble> {
        let fetched = what.fetch(instance, &mut sink, console);
        if self.notices {
            let told = self.told.send(instance, Some(&mut sink), console);
            return fetched.and_then(|report| told.map(|_| report));
        }
        fetched
    }
}

pub fn address(maildir: &std::path::Path) -> Result<Address, Trouble> {
    let absolute =
        std::path::absolute(maildir).map_err(|e| Trouble::io(maildir.display(), &e, "Correct --maildir."))?;
    let Some(template) = absolute.to_str() else {
        return Err(Trouble::here("--maildir: not UTF-8", "Name another folder."));
    };
    Address::parse(template).map_err(|why| Trouble::here(why, "Correct --maildir."))
}

/// One call, and how it is told.
pub struct What<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    pub deadline_s: u32,
    pub now: bool,
}

impl What<'_> {
    /// The report, if nothing went wrong anywhere.
    pub fn fetch<S: Sink>(
        &self,
        instance: &mut Instance,
        sink: &mut S,
        console: &Console,
    ) -> Result<Report, Trouble> {
        let mut sink = Listening { sink, stopped: None };
        let Fetched { result, report } = self.fetch_all(instance, &mut sink)?;
        console.object(&json!({
            "type": "report",
            "status": result.as_ref().err().map_or(0, |failure| failure.status),
            "error": result.as_ref().err().map(console::failure),
            "stop_reason": sink.stopped,
            "report": object(&report),
        }));
        console.say(&sentence(&report));
        if let Some(why) = sink.stopped {
            console.note(&format!("multipop-host: the fetch was stopped: {why}"));
            return Err(Trouble::told(40));
        }
        if let Err(failure) = result {
            let mut trouble = Trouble::from(failure);
            // In JSON the report has said it.
            trouble.is_told = console.json;
            return Err(trouble);
        }
        match exit_code(&report) {
            0 => Ok(report),
            code => Err(Trouble::told(code)),
        }
    }

    /// Calls again as long as there is more and the deadline allows: a long first fetch is many sessions.
    fn fetch_all<S: Sink>(
        &self,
        instance: &mut Instance,
        sink: &mut Listening<'_, S>,
    ) -> Result<Fetched, Trouble> {
        let began = Instant::now();
        let all_s = if self.deadline_s == 0 { DEADLINE_S } else { self.deadline_s };
        let mut left_s = self.deadline_s;
        let mut before: Option<Report> = None;
        loop {
            let fetched = instance.fetch_once(self.actor, self.account, left_s, self.now, sink)?;
            let goes_on = fetched.result.is_ok()
                && fetched.report.more != 0
                && fetched.report.stopped == 0
                && fetched.report.messages_taken > 0;
            let report = match before {
                None => fetched.report,
                Some(before) => added(&before, &fetched.report),
            };
            let elapsed_s = u32::try_from(began.elapsed().as_secs()).unwrap_or(u32::MAX);
            left_s = all_s.saturating_sub(elapsed_s);
            if !goes_on || left_s == 0 {
                return Ok(Fetched { result: fetched.result, report });
            }
            before = Some(report);
        }
    }
}

/// As `multipop.h` says of 0.
const DEADLINE_S: u32 = 600;

/// What two calls did; the accounts are those of the first, since the second only went on with some of them.
fn added(first: &Report, next: &Report) -> Report {
    Report {
        next_due_s: next.next_due_s,
        more: next.more,
        stopped: next.stopped,
        failed_host: first.failed_host + next.failed_host,
        failed_operator: first.failed_operator + next.failed_operator,
        failed_user: first.failed_user + next.failed_user,
        failed_time: first.failed_time + next.failed_time,
        failed_sink: first.failed_sink + next.failed_sink,
        failed_bug: first.failed_bug + next.failed_bug,
        messages_taken: first.messages_taken + next.messages_taken,
        messages_deferred: first.messages_deferred + next.messages_deferred,
        messages_refused: first.messages_refused + next.messages_refused,
        messages_deleted: first.messages_deleted + next.messages_deleted,
        bytes: first.bytes + next.bytes,
        ..*first
    }
}

/// The sink, and why it stopped the call, which no report can say.
struct Listening<'s, S> {
    sink: &'s mut S,
    stopped: Option<String>,
}

impl<S> Listening<'_, S> {
    fn hear<T>(&mut self, answer: Result<T, No>) -> Result<T, No> {
        if let Err(No::Stop(why)) = &answer {
            self.stopped.get_or_insert_with(|| why.clone());
        }
        answer
    }
}

impl<S: Sink> Sink for Listening<'_, S> {
    type Open = S::Open;

    fn offers(&self) -> bool {
        self.sink.offers()
    }
    fn offer(&mut self, message: &Message<'_>) -> Result<Option<Yes>, No> {
        let answer = self.sink.offer(message);
        self.hear(answer)
    }
    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<S::Open>, No> {
        let answer = self.sink.begin(message);
        self.hear(answer)
    }
    fn data(&mut self, open: &mut S::Open, bytes: &[u8]) -> Result<(), No> {
        let answer = self.sink.data(open, bytes);
        self.hear(answer)
    }
    fn end(&mut self, open: S::Open) -> Result<Yes, No> {
        let answer = self.sink.end(open);
        self.hear(answer)
    }
    fn abort(&mut self, open: S::Open) {
        self.sink.abort(open);
    }
    fn known_as(&mut self) -> String {
        self.sink.known_as()
    }
    fn flushes(&self) -> bool {
        self.sink.flushes()
    }
    fn flush(&mut self) -> Result<(), String> {
        self.sink.flush()
    }
}

fn sentence(report: &Report) -> String {
    let mut words = format!(
        "{} messages, {} bytes, from {} of {} accounts",
        report.messages_taken, report.bytes, report.accounts_ok, report.accounts_tried
    );
    let counts = [
        (report.messages_deferred, "deferred"),
        (report.messages_refused, "refused"),
        (report.messages_deleted, "deleted at the server"),
        (report.accounts_busy.into(), "busy elsewhere"),
    ];
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        words.push_str(&format!(", {count} {what}"));
    }
    if report.more != 0 {
        words.push_str("; there is more, run it again");
    } else if report.next_due_s != multipop_abi::NEVER {
        words.push_str(&format!("; next due in {} s", report.next_due_s));
    }
    words
}

fn object(report: &Report) -> Value {
    json!({
        "next_due_s": (report.next_due_s != multipop_abi::NEVER).then_some(report.next_due_s),
        "more": report.more != 0,
        "stopped": report.stopped != 0,
        "accounts_tried": report.accounts_tried,
        "accounts_ok": report.accounts_ok,
        "accounts_busy": report.accounts_busy,
        "failed_host": report.failed_host,
        "failed_operator": report.failed_operator,
        "failed_user": report.failed_user,
        "failed_time": report.failed_time,
        "failed_sink": report.failed_sink,
        "failed_bug": report.failed_bug,
        "messages_taken": report.messages_taken,
        "messages_deferred": report.messages_deferred,
        "messages_refused": report.messages_refused,
        "messages_deleted": report.messages_deleted,
        "bytes": report.bytes,
    })
}
