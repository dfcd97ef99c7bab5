//! What a fetch shows while it runs: a bar for each account on a terminal, a line for each that ends, or JSON lines.

use std::collections::HashMap;

use indicatif::{ProgressBar, ProgressStyle};
use multipop_host::library::{Event, EventKind, HostEvents, Level};
use serde_json::json;

use super::console::Console;

pub struct Progress {
    console: Console,
    bars: HashMap<String, ProgressBar>,
}

impl Progress {
    pub fn new(console: Console) -> Progress {
        Progress { console, bars: HashMap::new() }
    }

    fn draw(&mut self, event: &Event<'_>) {
        let Some(all) = &self.console.bars else { return };
        let bar = self.bars.entry(event.account.to_owned()).or_insert_with(|| {
            let mut bar = ProgressBar::new(0).with_prefix(event.account.to_owned());
            // The template is constant; a wrong one would only cost the looks.
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar = bar.with_style(style);
            }
            all.add(bar)
        });
        bar.set_length(event.bytes_total.max(event.bytes_done));
        bar.set_position(event.bytes_done);
        bar.set_message(format!("{}/{}", event.messages_done, event.messages_total));
    }

    fn end(&mut self, event: &Event<'_>) {
        if let Some(bar) = self.bars.remove(event.account) {
            bar.finish_and_clear();
        }
        let words = sentence(&self.console, event);
        match event.outcome {
            "ok" | "ok_more" | "busy" => self.console.say(&words),
            _ => self.console.note(&words),
        }
    }
}

const BAR: &str = "{prefix:24!} [{bar:30}] {bytes}/{total_bytes}, messages {msg}, {bytes_per_sec}";

impl HostEvents for Progress {
    fn log(&mut self, level: Level, line: &str) {
        self.console.note(&format!("{} {line}", level.name()));
    }

    fn event(&mut self, event: &Event<'_>) {
        if self.console.json {
            return self.console.object(&object(event));
        }
        match event.kind {
            EventKind::Progress => self.draw(event),
            EventKind::AccountEnd => self.end(event),
            EventKind::ConsentNeeded
            | EventKind::ConsentRestored
            | EventKind::OperatorNeeded
            | EventKind::Throttled
            | EventKind::SetAside
            | EventKind::Recovered => self.console.note(&sentence(&self.console, event)),
            EventKind::PassBegin | EventKind::PassEnd | EventKind::AccountBegin | EventKind::Other(_) => {}
        }
    }
}

/// One line for a person: what happened, and what helps.
fn sentence(console: &Console, event: &Event<'_>) -> String {
    let mut words = match event.kind {
        EventKind::AccountEnd => format!("{}: {}", event.account, event.outcome),
        kind => format!("{}: {}", event.account, kind.name().replace('_', " ")),
    };
    let counts = [
        (event.messages_done, "messages"),
        (event.messages_deferred, "deferred"),
        (event.messages_refused, "refused"),
        (event.messages_deleted, "deleted at the server"),
    ];
    if event.kind == EventKind::AccountEnd {
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            words.push_str(&format!(", {count} {what}"));
        }
    }
    if console.is_news(event.message) {
        for more in [event.message, event.advice].iter().filter(|more| !more.is_empty()) {
            words.push_str("\n  ");
            words.push_str(more);
        }
    }
    if event.retry_after_s > 0 {
        words.push_str(&format!("\n  Next try in {} s.", event.retry_after_s));
    }
    words
}

fn object(event: &Event<'_>) -> serde_json::Value {
    json!({
        "type": "event",
        "event": event.kind.name(),
        "account": event.account,
        "owner": event.owner,
        "outcome": event.outcome,
        "status": event.status,
        "cause": event.cause,
        "message": event.message,
        "advice": event.advice,
        "retry_after_s": event.retry_after_s,
        "messages_done": event.messages_done,
        "messages_total": event.messages_total,
        "bytes_done": event.bytes_done,
        "bytes_total": event.bytes_total,
        "messages_deferred": event.messages_deferred,
        "messages_refused": event.messages_refused,
        "messages_deleted": event.messages_deleted,
    })
}
