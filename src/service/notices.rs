//! The verbs `notices` and `notices_done`: what is to be sent now, to whom, in words; the host only sends.
//!
//! Nothing stops silently and nobody is flooded. Only who must sign in again is written to; everything else is the
//! operator's, and trouble of many is one alert. Texts are made here when asked for and kept nowhere.

mod digest;
mod german;
mod policy;
mod texts;

use serde_json::{Value, json};

use self::digest::Digest;
use self::policy::{AHEAD_S, Forecast};
use crate::config;
use crate::engine::call::Call;
use crate::engine::line::Line;
use crate::error::Result;
use crate::model::{HOUR_S, UnixTime};
use crate::oauth::provider::Provider;
use crate::store::{About, AccountRow, Idle, Incident, Needs, SERVER, Trouble};

/// So long whoever asked has to send it, before another is given it.
const LEASE_S: u32 = 300;

/// What is due, leased to this caller; `more` where he should ask again once these were sent.
pub(super) fn due(call: &Call, limit: u32) -> Result<Value> {
    let asked = Asked::now(call)?;
    let mut matters = asked.of_operator()?;
    matters.extend(asked.forecasts()?);
    let (users, more) = asked.of_users(limit)?;
    matters.extend(users);
    matters.extend(asked.digest()?);
    let abouts: Vec<About> = matters.iter().map(Matter::about).collect();
    let ids = match abouts.is_empty() {
        true => Vec::new(),
        false => call.store.lease_notices(&abouts, asked.now, LEASE_S)?,
    };
    let mut notices = Vec::new();
    for (matter, id) in matters.iter().zip(ids) {
        if let Some(id) = id {
            notices.push(asked.notice(matter, &id)?);
        }
    }
    Ok(json!({ "notices": notices, "more": more, "lease_s": LEASE_S }))
}

pub(super) fn done(call: &Call, ids: &[String]) -> Result<Value> {
    Ok(json!({ "noted": call.store.notices_told(ids, call.now())? }))
}

/// Something somebody is to be told.
enum Matter {
    Consent { row: i64, shown: Box<AccountRow>, since: UnixTime },
    ConsentEnds { row: i64, shown: Box<AccountRow>, end: Forecast },
    Incident { incident: Incident, trouble: Trouble },
    Operator { trouble: Trouble },
    Credential { provider: String, is_certificate: bool, number: usize, end: Forecast },
    GrantsEnd { provider: String, accounts: usize, end: Forecast },
    Digest { day: UnixTime, digest: Box<Digest> },
}

impl Matter {
    fn about(&self) -> About {
        let (kind, account, topic, mark) = match self {
            Matter::Consent { row, since, .. } => ("consent_needed", *row, String::new(), *since),
            Matter::ConsentEnds { row, end, .. } => ("consent_ends", *row, String::new(), end.mark),
            Matter::Incident { incident, .. } => {
                ("incident", 0, topic(&incident.provider, &incident.cause), incident.begun_at)
            }
            Matter::Operator { trouble } => {
                ("operator_needed", 0, topic(&trouble.provider, &trouble.cause), trouble.cause_since)
            }
            Matter::Credential { provider, is_certificate, number, end } => {
                let kind = if *is_certificate { "certificate_ends" } else { "secret_ends" };
                (kind, 0, format!("{provider} {number}"), end.mark)
            }
            Matter::GrantsEnd { provider, end, .. } => ("grants_end", 0, provider.clone(), end.mark),
            Matter::Digest { day, .. } => ("digest", 0, String::new(), *day),
        };
        About { kind, account, topic, mark }
    }
}

fn topic(provider: &str, cause: &str) -> String {
    format!("{provider} {cause}")
}

/// How everything stands at the moment of asking.
struct Asked<'a> {
    call: &'a Call,
    now: UnixTime,
    troubles: Vec<Trouble>,
    /// Under way.
    incidents: Vec<Incident>,
}

impl<'a> Asked<'a> {
    fn now(call: &'a Call) -> Result<Asked<'a>> {
        let (now, rules) = (call.now(), &call.settings.config.notices);
        call.store.put_right(now)?;
        let troubles = call.store.troubles(now)?;
        let standing = call.store.incidents(now)?;
        let of = |trouble: &Trouble| standing.iter().find(|one| one.is(&trouble.provider, &trouble.cause));
        let begin: Vec<Incident> =
            troubles.iter().filter_map(|trouble| policy::begins(trouble, of(trouble), rules, now)).collect();
        let is_over =
            |one: &Incident| !troubles.iter().any(|trouble| one.is(&trouble.provider, &trouble.cause));
        let incidents = match begin.is_empty() && !standing.iter().any(is_over) {
            true => standing,
            false => call.store.settle_incidents(&begin, now)?,
        };
        Ok(Asked { call, now, troubles, incidents })
    }

    fn rules(&self) -> &config::NoticeRules {
        &self.call.settings.config.notices
    }

    fn incident_of(&self, trouble: &Trouble) -> Option<&Incident> {
        self.incidents.iter().find(|one| one.is(&trouble.provider, &trouble.cause))
    }

    fn of_operator(&self) -> Result<Vec<Matter>> {
        let (rules, now) = (self.rules(), self.now);
        let mut matters = Vec::new();
        for trouble in &self.troubles {
            if let Some(incident) = self.incident_of(trouble) {
                if policy::alerts(incident, rules, now) {
                    matters.push(Matter::Incident { incident: incident.clone(), trouble: trouble.clone() });
                }
                continue;
            }
            let matter = Matter::Operator { trouble: trouble.clone() };
            let told = self.call.store.told(&matter.about())?;
            if policy::tells_operator(trouble, told, rules, now) {
                matters.push(matter);
            }
        }
        Ok(matters)
    }

    /// The longest waiting first. Disabled accounts have nobody who waits for them.
    fn of_users(&self, limit: u32) -> Result<(Vec<Matter>, bool)> {
        let store = &self.call.store;
        let before = self.now.saturating_sub(self.rules().delay_s.into());
        let waiting = store.users_to_tell(before, self.now, limit)?;
        let mut more = waiting.len() == limit as usize;
        let mut matters = Vec::new();
        for (row, since) in waiting {
            if let Some(shown) = self.enabled(row)? {
                matters.push(Matter::Consent { row, shown, since });
            }
        }
        for (lives_s, idle) in self.mortal() {
            let waiting = store.idle_users_to_tell(&idle, self.now, limit)?;
            more |= waiting.len() == limit as usize;
            for (row, renewed_at) in waiting {
                let end = policy::forecast(renewed_at + lives_s, self.now);
                if let (Some(shown), Some(end)) = (self.enabled(row)?, end) {
                    matters.push(Matter::ConsentEnds { row, shown, end });
                }
            }
        }
        Ok((matters, more))
    }

    /// The account, if anybody waits for it.
    fn enabled(&self, row: i64) -> Result<Option<Box<AccountRow>>> {
        match self.account(row) {
            Some(Some(shown)) if shown.account.enabled => Ok(Some(Box::new(shown))),
            Some(_) => self.call.store.excuse(row).map(|()| None),
            None => Ok(None),
        }
    }

    /// `None`: it cannot be read, which silences nobody else.
    fn account(&self, row: i64) -> Option<Option<AccountRow>> {
        match self.call.store.account_at(row) {
            Ok(shown) => Some(shown),
            Err(e) => {
                Line::new("notice_unreadable").field("row", row).field("error", e).error();
                None
            }
        }
    }

    /// Grants that nothing keeps alive, and how long they live.
    fn mortal(&self) -> Vec<(u64, Idle)> {
        let providers = self.call.settings.providers();
        let mortal = providers.filter(|provider| !provider.keep_alive && provider.grant_idle_s > 0);
        let idle = |provider: &Provider| {
            let lives_s = u64::from(provider.grant_idle_s);
            policy::idle(&provider.id, lives_s, self.now).into_iter().map(move |idle| (lives_s, idle))
        };
        mortal.flat_map(idle).collect()
    }

    fn forecasts(&self) -> Result<Vec<Matter>> {
        let mut matters = Vec::new();
        let mut providers: Vec<&Provider> = self.call.settings.providers().collect();
        providers.sort_by(|a, b| a.id.cmp(&b.id));
        for provider in providers {
            let ends = self.credentials(provider);
            for (is_certificate, number, ends_at) in &ends {
                // Its successor stands beside it already.
                let succeeded =
                    ends.iter().any(|(_, _, other)| *other > *ends_at && *other > self.now + AHEAD_S);
                if let (Some(end), false) = (policy::forecast(*ends_at, self.now), succeeded) {
                    let provider = provider.id.clone();
                    matters.push(Matter::Credential {
                        provider,
                        is_certificate: *is_certificate,
                        number: *number,
                        end,
                    });
                }
            }
            matters.extend(self.grants_end(provider)?);
        }
        Ok(matters)
    }

    /// Whether it is a certificate, its number in the configuration, and when it ends, where that is known.
    fn credentials(&self, provider: &Provider) -> Vec<(bool, usize, UnixTime)> {
        let written = self.call.settings.config.providers.get(&provider.id);
        let secrets = written.into_iter().flat_map(|written| written.client_secret_ends.iter().enumerate());
        let secrets = secrets.map(|(at, ends_at)| (false, at, *ends_at));
        provider.certificate_ends().map(|(at, ends_at)| (true, at, ends_at)).chain(secrets).collect()
    }

    /// Grants that are to be kept alive, and were not for so long that they end soon.
    fn grants_end(&self, provider: &Provider) -> Result<Option<Matter>> {
        let lives = u64::from(provider.grant_idle_s);
        if !provider.keep_alive || lives == 0 {
            return Ok(None);
        }
        let from = self.now.saturating_sub(lives);
        let Some((accounts, renewed_at)) = self.call.store.idle_grants(&provider.id, from, from + AHEAD_S)?
        else {
            return Ok(None);
        };
        let end = policy::forecast(renewed_at + lives, self.now);
        let accounts = usize::try_from(accounts).unwrap_or(usize::MAX);
        Ok(end.map(|end| Matter::GrantsEnd { provider: provider.id.clone(), accounts, end }))
    }

    fn digest(&self) -> Result<Option<Matter>> {
        let Some(day) = policy::digest_of(self.rules(), self.now) else {
            return Ok(None);
        };
        let about = About { kind: "digest", account: 0, topic: String::new(), mark: day };
        let told = self.call.store.told(&about)?;
        if told.is_some_and(|told| told.mark == day) {
            return Ok(None);
        }
        let since = told.map_or(self.now.saturating_sub(AHEAD_S), |told| told.at);
        let is_shown =
            |trouble: &&Trouble| trouble.needs != Needs::Time || trouble.since + HOUR_S <= self.now;
        let is_held = |trouble: &&Trouble| {
            let incident = self.incident_of(trouble);
            trouble.needs == Needs::User && incident.is_some_and(|one| one.held_until > self.now)
        };
        let digest = Digest {
            at: self.now,
            troubles: self.troubles.iter().filter(is_shown).map(|one| self.named(one)).collect(),
            incidents: self.call.store.incidents(since)?.into_iter().map(|one| self.of_server(one)).collect(),
            held: self.troubles.iter().filter(is_held).map(|trouble| trouble.accounts).sum(),
            ends: self.forecasts()?.iter().filter_map(ends).collect(),
            recovered: self.call.store.healed_since(since)?,
        };
        let is_due = digest.says_something() || self.rules().digest == config::Digest::Always;
        Ok(is_due.then(|| Matter::Digest { day, digest: Box::new(digest) }))
    }

    /// With the mail server's name in place of what stands for it in the store.
    fn named(&self, trouble: &Trouble) -> Trouble {
        let mut named = trouble.clone();
        if trouble.provider.starts_with(SERVER)
            && let Some(sample) = self.account(trouble.sample).flatten()
        {
            named.provider = sample.account.server.host;
        }
        named
    }

    /// An incident that is over has no account any more that names its server.
    fn of_server(&self, mut incident: Incident) -> Incident {
        if incident.provider.starts_with(SERVER) {
            incident.provider = "POP3".to_owned();
        }
        incident
    }

    fn notice(&self, matter: &Matter, id: &str) -> Result<Value> {
        let page = self.rules().page_url.as_deref();
        let sample = |trouble: &Trouble| self.account(trouble.sample).flatten();
        let mut notice = json!({ "id": id, "kind": matter.about().kind, "to": "operator" });
        let texts = match matter {
            Matter::Consent { shown, since, .. } => {
                notice["cause"] = json!(shown.state.cause);
                notice["since"] = json!(since);
                to_owner(&mut notice, shown);
                texts::consent_needed(shown, page)
            }
            Matter::ConsentEnds { shown, end, .. } => {
                notice["ends_at"] = json!(end.ends_at);
                to_owner(&mut notice, shown);
                texts::consent_ends(shown, end, page)
            }
            Matter::Incident { incident, trouble } => {
                let trouble = &self.named(trouble);
                of_trouble(&mut notice, trouble);
                notice["since"] = json!(incident.begun_at);
                notice["held_until"] = json!(incident.held_until);
                texts::incident(incident, trouble, sample(trouble).as_ref())
            }
            Matter::Operator { trouble } => {
                let trouble = &self.named(trouble);
                of_trouble(&mut notice, trouble);
                texts::operator_needed(trouble, sample(trouble).as_ref())
            }
            Matter::Credential { provider, is_certificate, number, end } => {
                notice["provider"] = json!(provider);
                notice["ends_at"] = json!(end.ends_at);
                texts::credential_ends(provider, *is_certificate, *number, end)
            }
            Matter::GrantsEnd { provider, accounts, end } => {
                notice["provider"] = json!(provider);
                notice["accounts"] = json!(accounts);
                notice["ends_at"] = json!(end.ends_at);
                texts::grants_end(provider, *accounts, end)
            }
            Matter::Digest { digest, .. } => {
                notice["recovered"] = json!(digest.recovered);
                notice["held"] = json!(digest.held);
                digest.texts()
            }
        };
        notice["texts"] = texts.to_json();
        Ok(notice)
    }
}

fn to_owner(notice: &mut Value, shown: &AccountRow) {
    notice["to"] = json!("owner");
    notice["owner"] = json!(shown.account.owner);
    notice["account"] = json!(shown.account.id);
    notice["deliver_to"] = json!(shown.account.deliver_to);
}

fn of_trouble(notice: &mut Value, trouble: &Trouble) {
    notice["provider"] = json!(trouble.provider);
    notice["cause"] = json!(trouble.cause);
    notice["accounts"] = json!(trouble.accounts);
    notice["since"] = json!(trouble.cause_since);
}

/// A forecast in the digest: its subject in words that are the same in both languages.
fn ends(matter: &Matter) -> Option<(String, UnixTime)> {
    match matter {
        Matter::Credential { provider, is_certificate: true, number, end } => {
            Some((format!("certificates[{number}] ({provider})"), end.ends_at))
        }
        Matter::Credential { provider, number, end, .. } => {
            Some((format!("client_secret_files[{number}] ({provider})"), end.ends_at))
        }
        Matter::GrantsEnd { provider, accounts, end } => {
            Some((format!("{accounts} OAuth ({provider})"), end.ends_at))
        }
        _ => None,
    }
}
