//! `multipop_check`: the doctor's findings of one account, or of those the actor reaches, as JSON.
//!
//! `$defs/check` of `config.schema.json`; members are only added. A finding is an answer, not a failed call.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{Id, JoinError, JoinSet};

use super::{Instance, rights};
use crate::config::words;
use crate::engine::call::Call;
use crate::engine::check::{self, Findings, Forecast, State, Step, StepName};
use crate::engine::deadline::Halt;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::error::{Error, Result};
use crate::model::Actor;
use crate::store::{AccountQuery, AccountRow};

pub struct CheckRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    /// 0 = 600.
    pub deadline_s: u32,
    /// Also what a pass would fetch and delete.
    pub dry_run: bool,
}

/// Where the host says 0.
const DEADLINE_S: u32 = 600;
/// Accounts looked at in one call, and at once.
const MOST: u32 = 1_000;
const AT_ONCE: usize = 16;

impl Instance {
    pub fn check(&self, host: &mut dyn Host, request: &CheckRequest<'_>) -> Result<String> {
        let actor = words::actor(request.actor)?;
        if let Some(id) = request.account {
            words::account_id(id)?;
        }
        let account = request.account.map(str::to_owned);
        let dry_run = request.dry_run;
        let after_s = if request.deadline_s == 0 { DEADLINE_S } else { request.deadline_s };
        self.run_long(host, Duration::from_secs(after_s.into()), |call| async move {
            rights::enabled(&call.settings.config, &actor)?;
            let (rows, left) = rows(&call, &actor, account).await?;
            let (findings, unseen) = look(&call, rows, dry_run).await?;
            Ok(answer(&findings, left || unseen).to_string())
        })
    }
}

/// The accounts to look at, and whether there are more.
async fn rows(call: &Call, actor: &Actor, account: Option<String>) -> Result<(Vec<AccountRow>, bool)> {
    let actor = actor.clone();
    call.with_store(move |store| {
        if let Some(id) = account {
            return Ok((vec![rights::visible(store, &actor, &id)?], false));
        }
        let query = AccountQuery {
            owner: match actor {
                Actor::Operator => None,
                Actor::Owner(owner) => Some(owner),
            },
            account: None,
            realm: None,
            after: None,
            limit: MOST + 1,
        };
        let mut rows = store.accounts(&query)?;
        let more = rows.len() > MOST as usize;
        rows.truncate(MOST as usize);
        Ok((rows, more))
    })
    .await
}

/// In the order of their ids; the flag says that the deadline left some out.
async fn look(call: &Call, rows: Vec<AccountRow>, dry_run: bool) -> Result<(Vec<Findings>, bool)> {
    let at_once = AT_ONCE.min(call.settings.config.limits.sessions.max(1) as usize);
    let mut waiting = rows.into_iter().peekable();
    let mut running = JoinSet::new();
    let mut names: HashMap<Id, (String, String)> = HashMap::new();
    let mut findings = Vec::new();
    loop {
        while running.len() < at_once && call.deadline.halt() == Halt::Go {
            let Some(row) = waiting.next() else { break };
            let name = (row.account.id.clone(), row.account.owner.clone());
            let call = call.clone();
            let task = running.spawn(async move { check::check(&call, row, dry_run).await });
            names.insert(task.id(), name);
        }
        let Some(ended) = running.join_next_with_id().await else { break };
        findings.push(ended.map_or_else(|e| panicked(&mut names, &e), |(_, found)| found)?);
    }
    if call.deadline.is_cancelled() {
        return Err(call.deadline.error());
    }
    findings.sort_by(|one, other| one.account.cmp(&other.account));
    for found in &findings {
        log(found);
    }
    Ok((findings, waiting.peek().is_some()))
}

/// A panic over one account costs only its findings.
fn panicked(names: &mut HashMap<Id, (String, String)>, panic: &JoinError) -> Result<Findings> {
    let Some((account, owner)) = names.remove(&panic.id()) else {
        return Err(Error::bug("a check that was never begun ended"));
    };
    let state = State::Red(Box::new(Error::bug("the check panicked; see the log line before this one")));
    let steps = vec![Step { name: StepName::Configuration, state, ms: 0, note: String::new() }];
    Ok(Findings { account, owner, steps, forecast: None })
}

fn log(found: &Findings) {
    let line = Line::new("check").field("account", &found.account).field("well", found.is_well());
    match found.red() {
        Some(Step { name, state: State::Red(error), .. }) => {
            line.field("step", name.name()).field("cause", error.cause).field("text", &error.message).info()
        }
        _ => line.info(),
    }
}

fn answer(findings: &[Findings], more: bool) -> Value {
    json!({
        "ok": !more && findings.iter().all(Findings::is_well),
        "more": more,
        "accounts": findings.iter().map(shown).collect::<Vec<_>>(),
    })
}

fn shown(found: &Findings) -> Value {
    let mut shown = json!({
        "account": found.account,
        "owner": found.owner,
        "ok": found.is_well(),
        "steps": found.steps.iter().map(step).collect::<Vec<_>>(),
    });
    if let Some(red) = found.red() {
        shown["first"] = json!(red.name.name());
    }
    if let Some(forecast) = &found.forecast {
        shown["forecast"] = foreseen(forecast);
    }
    shown
}

fn step(step: &Step) -> Value {
    let mut shown = json!({ "step": step.name.name(), "ms": step.ms });
    if !step.note.is_empty() {
        shown["note"] = json!(step.note);
    }
    match &step.state {
        State::Green => shown["state"] = json!("green"),
        State::Grey => shown["state"] = json!("grey"),
        State::Red(error) => {
            shown["state"] = json!("red");
            shown["status"] = json!(error.status.code());
            shown["who"] = json!(who(error.status.code()));
            shown["cause"] = json!(error.cause);
            shown["message"] = json!(error.message);
            shown["advice"] = json!(error.advice);
            if !error.provider_code.is_empty() {
                shown["provider_code"] = json!(error.provider_code);
            }
            if error.retry_after_s > 0 {
                shown["retry_after_s"] = json!(error.retry_after_s);
            }
        }
    }
    shown
}

/// The tens of a status: who can help.
fn who(status: i32) -> &'static str {
    match status {
        -19..=-10 => "operator",
        -29..=-20 => "user",
        -39..=-30 => "time",
        -49..=-40 => "sink",
        -9..=0 => "host",
        _ => "maintainer",
    }
}

fn foreseen(forecast: &Forecast) -> Value {
    json!({
        "listed": forecast.listed,
        "fetch": forecast.fetch,
        "delete": forecast.delete,
        "examine": forecast.examine,
        "record": forecast.record,
        "by_date": forecast.by_date,
        "delete_after_fetch": forecast.delete_after_fetch,
        "shadow": forecast.shadow,
        "reset_suspected": forecast.reset_suspected,
        "fetch_uidls": forecast.fetch_uidls,
        "delete_uidls": forecast.delete_uidls,
    })
}
