//! What a pass would do with this listing: the visit's own survey and plan, and nothing carried out.
//!
//! Only UIDLs are looked at. What a pass tells by the messages' headers (a date to begin at, a UIDL that stands
//! twice, a server that renamed everything) is named, not guessed.

use crate::engine::keys::Keys;
use crate::engine::survey::{self, Question, Survey};
use crate::engine::visit::Visit;
use crate::error::Result;
use crate::model::{FirstFetch, RowState};
use crate::plan::{self, Entry, Facts};
use crate::pop3::Listing;

/// UIDLs shown of each sort.
const SHOWN: usize = 100;

#[derive(Debug, Default)]
pub struct Forecast {
    pub listed: usize,
    pub fetch: usize,
    pub delete: usize,
    /// To be told by their headers before anything is done.
    pub examine: usize,
    /// The first listing of an account for new mail only: recorded, not fetched.
    pub record: usize,
    /// Messages before the date are left out, which only their headers tell.
    pub by_date: bool,
    /// What is fetched is deleted (or taken off the list) in the same session, once it is durable.
    pub delete_after_fetch: bool,
    /// Deletions are only logged.
    pub shadow: bool,
    /// The server seems to have given every message a new UIDL.
    pub reset_suspected: bool,
    /// The first of them, escaped.
    pub fetch_uidls: Vec<String>,
    pub delete_uidls: Vec<String>,
}

pub(super) async fn forecast(visit: &Visit, listing: &Listing, retr_is_final: bool) -> Result<Forecast> {
    let account = visit.row.account.id.clone();
    let key = visit.call.with_store(move |store| store.digest_key(&account)).await?;
    let keys = Keys::new(&key, visit.head.number, visit.head.generation);
    let probing = visit.row.state.deferral.is_some();
    let question = Question::of(visit, retr_is_final, probing);
    let survey = survey::survey(&visit.call, &keys, listing, &question).await?;
    let mut seen = Forecast {
        listed: listing.len(),
        delete_after_fetch: retr_is_final || visit.delete_age_s() == Some(0),
        shadow: visit.call.settings.config.shadow,
        ..Forecast::default()
    };
    if survey.same {
        return Ok(seen);
    }
    let state = &visit.row.state;
    let first = !state.first_done && state.resetting.is_none();
    seen.reset_suspected =
        survey.whole && state.resetting.is_none() && plan::reset_is_suspected(&survey.entries, &survey.rows);
    match visit.row.account.first_fetch {
        FirstFetch::NewOnly if first && !was_recorded(&survey) => {
            let new = survey.entries.iter().filter(|entry| !survey.rows.contains_key(&entry.key));
            seen.record = new.count();
            return Ok(seen);
        }
        FirstFetch::Since(_) => seen.by_date = first,
        _ => {}
    }
    let facts = Facts {
        now: visit.call.now(),
        rows: &survey.rows,
        retry_deferred: probing,
        max_message_bytes: visit.row.account.limits.max_message_bytes,
        delete_suspended: visit.suspends_deletion_by_age(),
        delete_age_s: visit.delete_age_s(),
        delete_older: visit.deletes_older(),
        retr_is_final,
    };
    let plan = plan::plan(&survey.entries, &facts);
    let fetched: Vec<Entry> = plan.fetch.iter().map(|fetch| fetch.entry).collect();
    let deleted = if retr_is_final { plan.pop_again } else { plan.delete };
    seen.fetch = fetched.len();
    seen.delete = deleted.len();
    seen.examine = plan.examine.len();
    seen.fetch_uidls = shown(listing, &fetched);
    seen.delete_uidls = shown(listing, &deleted);
    Ok(seen)
}

/// By a visit that died: what is listed beyond it came since.
fn was_recorded(survey: &Survey) -> bool {
    survey.rows.values().any(|row| row.state == RowState::Imported)
}

fn shown(listing: &Listing, entries: &[Entry]) -> Vec<String> {
    let uidls = entries.iter().filter_map(|entry| listing.get(entry.place as usize));
    uidls.take(SHOWN).map(|(_, uidl)| uidl.escape_ascii().to_string()).collect()
}
