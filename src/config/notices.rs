//! `notices`: who is told what of trouble, how soon, and when trouble of many is one incident.

use serde::Serialize;

use super::field::Field;
use super::json::Read;
use super::sections::whole;

#[derive(Debug, Clone, Serialize)]
pub struct NoticeRules {
    /// Where a user presses Authorise; named in what he is told.
    pub page_url: Option<String>,
    /// Nobody is told of trouble that has not lasted so long.
    pub delay_s: u32,
    /// Users hit by an incident are not told before.
    pub hold_s: u32,
    /// A cause that hits more accounts of one provider within an hour is an incident, ...
    pub incident_accounts: u32,
    /// ... and so is one that hits more than this part of them.
    pub incident_percent: u32,
    pub digest: Digest,
    /// The hour (UTC) the operator's day begins at.
    pub digest_hour: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Digest {
    /// When there is something to say.
    Needed,
    Always,
    Never,
}

pub(super) fn read(field: Option<Field>) -> Read<NoticeRules> {
    let mut rules = NoticeRules {
        page_url: None,
        delay_s: 600,
        hold_s: 6 * 3600,
        incident_accounts: 20,
        incident_percent: 2,
        digest: Digest::Needed,
        digest_hour: 6,
    };
    let Some(field) = field else {
        return Ok(rules);
    };
    let mut members = field.members()?;
    rules.page_url = members.take("page_url").map(|field| page(&field)).transpose()?;
    rules.delay_s = whole(&mut members, "delay_s", 0..=86_400, rules.delay_s)?;
    rules.hold_s = whole(&mut members, "hold_s", 0..=604_800, rules.hold_s)?;
    rules.incident_accounts =
        whole(&mut members, "incident_accounts", 1..=1_000_000, rules.incident_accounts)?;
    rules.incident_percent = whole(&mut members, "incident_percent", 1..=100, rules.incident_percent)?;
    if let Some(field) = members.take("digest") {
        rules.digest = match field.word(&["needed", "always", "never"])? {
            "always" => Digest::Always,
            "never" => Digest::Never,
            _ => Digest::Needed,
        };
    }
    rules.digest_hour = whole(&mut members, "digest_hour", 0..=23, rules.digest_hour)?;
    members.finish()?;
    Ok(rules)
}

/// For people, so that a page on an inner network may be plain http.
fn page(field: &Field) -> Read<String> {
    let text = field.text()?;
    let is_page = text.len() <= 2048
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if is_page {
        Ok(text.to_owned())
    } else {
        Err(field.fault(format!("expected an https:// URL, found {text:?}")))
    }
}
