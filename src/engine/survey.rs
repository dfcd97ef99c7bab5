//! What a listing means against the ledger: which entries a session must think about, at the least cost.
//!
//! The ledger keeps a digest of the last complete listing. As long as the new listing begins with it and nothing
//! older is due, only the entries behind it are looked at, however many lie before.

use std::collections::{HashMap, HashSet};

use super::call::Call;
use super::keys::{Keys, ListingDigest};
use super::visit::Visit;
use crate::error::Result;
use crate::model::{LedgerRow, RowState, UidlKey, UnixTime};
use crate::plan::Entry;
use crate::pop3::Listing;
use crate::store::{LedgerHead, ListingMark};

pub struct Survey {
    /// What is to be planned over, in listing order.
    pub entries: Vec<Entry>,
    /// The rows of those entries; all rows of the ledger where `whole`.
    pub rows: HashMap<UidlKey, LedgerRow>,
    /// Every entry was keyed and every row read.
    pub whole: bool,
    /// The listing is the last complete one, entry for entry.
    pub same: bool,
}

/// What makes rows before the unchanged beginning matter.
pub struct Question<'a> {
    pub account: &'a str,
    pub head: &'a LedgerHead,
    pub now: UnixTime,
    /// Rows of every age may be due: a confirmed deletion of older mail, a provider where RETR is final, the first
    /// listing, a decision about a reset.
    pub whole: bool,
    /// The present policy deletes at all.
    pub deletes: bool,
    pub retry_deferred: bool,
    pub max_message_bytes: u64,
}

impl Question<'_> {
    pub fn of(visit: &Visit, retr_is_final: bool, probing: bool) -> Question<'_> {
        let state = &visit.row.state;
        Question {
            account: &visit.row.account.id,
            head: &visit.head,
            now: visit.call.now(),
            whole: retr_is_final
                || visit.deletes_older()
                || state.resetting.is_some()
                || state.reset_answer.is_some()
                || !state.first_done,
            deletes: visit.delete_age_s().is_some(),
            retry_deferred: probing,
            max_message_bytes: visit.row.account.limits.max_message_bytes,
        }
    }
}

pub async fn survey(call: &Call, keys: &Keys, listing: &Listing, question: &Question<'_>) -> Result<Survey> {
    if let Some(behind) = unchanged_beginning(listing, question.head.listing.as_ref())
        && !question.whole
        && !older_rows_are_due(call, question).await?
        && let Some(survey) = behind_the_beginning(call, keys, listing, question, behind).await?
    {
        return Ok(survey);
    }
    everything(call, keys, listing, question).await
}

/// The mark of what stays of a listing without the entries that are gone.
pub fn mark(listing: &Listing, gone: &HashSet<u32>, at: UnixTime) -> ListingMark {
    let mut digest = ListingDigest::default();
    let mut count = 0;
    for (number, uidl) in listing.iter() {
        if !gone.contains(&number) {
            digest.push(uidl);
            count += 1;
        }
    }
    ListingMark { count, digest: digest.value(), at }
}

/// How many entries at the beginning are those of the last complete listing, if all of them still are.
fn unchanged_beginning(listing: &Listing, mark: Option<&ListingMark>) -> Option<usize> {
    let mark = mark?;
    let count = usize::try_from(mark.count).ok()?;
    if listing.len() < count {
        return None;
    }
    let mut digest = ListingDigest::default();
    for (_, uidl) in listing.iter().take(count) {
        digest.push(uidl);
    }
    (digest.value() == mark.digest).then_some(count)
}

async fn older_rows_are_due(call: &Call, question: &Question<'_>) -> Result<bool> {
    let account = question.account.to_owned();
    let generation = question.head.generation;
    let (now, retry, max) = (question.now, question.retry_deferred, question.max_message_bytes);
    let deletes = question.deletes;
    call.with_store(move |store| {
        let open = store.open_rows(&account, generation)?;
        let due = open.iter().any(|row| match row.state {
            RowState::InHand => true,
            RowState::Deferred => retry || row.not_before <= now,
            RowState::SetAside => row.not_before <= now,
            RowState::Oversize => row.size > 0 && row.size <= max,
            RowState::Durable | RowState::Refused | RowState::Imported | RowState::Gone => false,
        });
        Ok(due || deletes && !store.rows_to_delete(&account, generation, now)?.is_empty())
    })
    .await
}

/// `None` where a new entry's UIDL is known already or stands twice: then the whole listing must be looked at.
async fn behind_the_beginning(
    call: &Call,
    keys: &Keys,
    listing: &Listing,
    question: &Question<'_>,
    behind: usize,
) -> Result<Option<Survey>> {
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for place in behind..listing.len() {
        let Some((number, uidl)) = listing.get(place) else {
            break;
        };
        let key = keys.uidl(uidl);
        if !seen.insert(key) {
            return Ok(None);
        }
        entries.push(Entry { place: place as u32, number, key, twice: false });
    }
    if !entries.is_empty() {
        let wanted: Vec<UidlKey> = entries.iter().map(|entry| entry.key).collect();
        let account = question.account.to_owned();
        let generation = question.head.generation;
        let found = call.with_store(move |store| store.rows(&account, generation, &wanted)).await?;
        if found.iter().any(Option::is_some) {
            return Ok(None);
        }
    }
    let same = entries.is_empty();
    Ok(Some(Survey { entries, rows: HashMap::new(), whole: false, same }))
}

async fn everything(call: &Call, keys: &Keys, listing: &Listing, question: &Question<'_>) -> Result<Survey> {
    let mut entries: Vec<Entry> = listing
        .iter()
        .enumerate()
        .map(|(place, (number, uidl))| Entry {
            place: place as u32,
            number,
            key: keys.uidl(uidl),
            twice: false,
        })
        .collect();
    let mut times: HashMap<UidlKey, u32> = HashMap::with_capacity(entries.len());
    for entry in &entries {
        *times.entry(entry.key).or_default() += 1;
    }
    for entry in &mut entries {
        entry.twice = times[&entry.key] > 1;
    }
    let account = question.account.to_owned();
    let generation = question.head.generation;
    let rows = call.with_store(move |store| store.all_rows(&account, generation)).await?;
    let rows = rows.into_iter().map(|row| (row.key, row)).collect();
    Ok(Survey { entries, rows, whole: true, same: false })
}
