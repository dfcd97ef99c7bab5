//! What UIDLs alone cannot tell is told by the messages' headers: a UIDL that stands twice, one listed again after
//! its deletion, a server that gave every message a new UIDL, a first fetch that begins at a date.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::header::{self, Header};
use super::line::Line;
use super::mailbox::Mailbox;
use super::retrieve::{ASIDE_S, ENDS};
use super::survey::Survey;
use crate::error::{Error, Result, Status};
use crate::model::{FirstFetch, LedgerRow, RowState, UidlKey};
use crate::plan::{self, Entry, Fetch};
use crate::pop3::{Command, Event};

/// Entries under the keys their headers give them. One whose message is known under its UIDL alone keeps that key.
pub async fn resolve(mailbox: &mut Mailbox<'_>, entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let now = mailbox.visit.call.now();
    let mut resolved = Vec::with_capacity(entries.len());
    let mut claimed: HashSet<UidlKey> = HashSet::new();
    for entry in entries {
        if !mailbox.goes_on() {
            mailbox.unresolved = true;
            break;
        }
        let Some(uidl) = mailbox.uidl(entry).map(<[u8]>::to_vec) else {
            continue;
        };
        let noted = mailbox.rows.get(&mailbox.keys.unread(&uidl)).cloned();
        let Some(header) = look(mailbox, entry, noted).await? else {
            mailbox.unresolved = true;
            continue;
        };
        let with_header = mailbox.keys.uidl_with_header(&uidl, header.bytes());
        let identity = mailbox.keys.identity(header.bytes());
        let base = mailbox.rows.get(&entry.key);
        let is_base = base.is_some_and(|row| row.digest.is_some() && row.digest == identity);
        let key = if mailbox.rows.contains_key(&with_header) {
            with_header
        } else if is_base && claimed.insert(entry.key) {
            entry.key
        } else {
            with_header
        };
        // An unfinished delivery under the UIDL alone is one of these, and goes on under its header's key.
        let unfinished = base.is_some_and(|row| row.digest.is_none() && row.state == RowState::InHand);
        if base.is_none() || unfinished && entry.twice {
            // A sign that this UIDL is to be told apart by headers, also when it stands alone one day.
            mailbox.change(LedgerRow::new(entry.key, RowState::Gone, now));
        }
        resolved.push(Entry { key, twice: false, ..entry });
    }
    // Identical messages under one UIDL are one message.
    let mut seen = HashSet::new();
    resolved.retain(|entry| seen.insert(entry.key));
    mailbox.write_changed().await?;
    Ok(resolved)
}

/// Before a chunk is retrieved: messages a first fetch leaves out by their date, and messages known from before the
/// server renamed them all, are recorded without being downloaded.
pub async fn look_first(mailbox: &mut Mailbox<'_>, chunk: Vec<Fetch>) -> Result<Vec<Fetch>> {
    let state = &mailbox.visit.row.state;
    let since = match mailbox.visit.row.account.first_fetch {
        FirstFetch::Since(since) if !state.first_done && state.resetting.is_none() => Some(since),
        _ => None,
    };
    if since.is_none() && state.resetting.is_none() {
        return Ok(chunk);
    }
    let before = rows_before_the_reset(mailbox).await?;
    let now = mailbox.visit.call.now();
    let mut left = Vec::with_capacity(chunk.len());
    for fetch in chunk {
        if mailbox.rows.contains_key(&fetch.entry.key) || !mailbox.goes_on() {
            left.push(fetch);
            continue;
        }
        let noted = unread(mailbox, fetch.entry).and_then(|key| mailbox.rows.get(&key)).cloned();
        let Some(header) = look(mailbox, fetch.entry, noted).await? else {
            left.push(fetch);
            continue;
        };
        let digest = mailbox.keys.identity(header.bytes());
        let known = digest.and_then(|digest| before.get(&digest));
        let too_old =
            since.is_some_and(|since| header::date(header.bytes()).is_some_and(|date| date < since));
        let message_id = mailbox.keys.message_id(header.bytes());
        let uidl = mailbox.uidl(fetch.entry).map(<[u8]>::to_vec);
        if let Some(row) = known {
            mailbox.change(LedgerRow { key: fetch.entry.key, message_id, uidl, ..row.clone() });
        } else if too_old {
            let row = LedgerRow::new(fetch.entry.key, RowState::Imported, now);
            mailbox.change(LedgerRow { digest, message_id, uidl, ..row });
        } else {
            left.push(fetch);
        }
    }
    mailbox.write_changed().await?;
    Ok(left)
}

async fn rows_before_the_reset(mailbox: &Mailbox<'_>) -> Result<HashMap<[u8; 16], LedgerRow>> {
    let Some(generation) = mailbox.visit.row.state.resetting else {
        return Ok(HashMap::new());
    };
    let account = mailbox.visit.row.account.id.clone();
    let rows = mailbox.visit.call.with_store(move |store| store.all_rows(&account, generation)).await?;
    Ok(rows.into_iter().filter_map(|row| row.digest.map(|digest| (digest, row))).collect())
}

/// Decides whether the server gave every message a new UIDL (PROTOCOL.md D.6); never stops for good.
pub async fn decide_reset(mailbox: &mut Mailbox<'_>, survey: &mut Survey) -> Result<()> {
    if mailbox.visit.row.state.resetting.is_some() {
        return Ok(());
    }
    if !plan::reset_is_suspected(&survey.entries, &survey.rows) {
        return Ok(());
    }
    match mailbox.visit.row.state.reset_answer {
        Some(true) => return take_all_as_known(mailbox, survey).await,
        // The answer holds until a listing was gone through.
        Some(false) => return Ok(()),
        None => {}
    }
    let left: Vec<&LedgerRow> = survey.rows.values().filter(|row| plan::is_left_there(row.state)).collect();
    let digests: HashSet<[u8; 16]> = left.iter().filter_map(|row| row.digest).collect();
    if digests.len() * 2 < left.len() {
        mailbox.visit.ask_about_reset();
        return Err(Error::new(
            Status::Policy,
            "mailbox.reset_question",
            format!(
                "none of the {} known messages is listed under its UIDL any more, and most were never downloaded here",
                left.len()
            ),
        )
        .advice("The mail server seems to have renamed its messages. Say with the act uidl_reset whether they are the same mail (nothing is downloaded again) or new mail (everything is)."));
    }
    let sample = plan::reset_sample(&survey.entries);
    let mut looked = 0;
    let mut known = 0;
    for entry in &sample {
        let noted = unread(mailbox, *entry).and_then(|key| survey.rows.get(&key)).cloned();
        let Some(header) = look(mailbox, *entry, noted).await? else {
            continue;
        };
        looked += 1;
        let digest = mailbox.keys.identity(header.bytes());
        known += usize::from(digest.is_some_and(|digest| digests.contains(&digest)));
    }
    let is_reset = looked > 0 && known * 2 >= looked;
    Line::new("reset_suspected")
        .field("account", &mailbox.visit.row.account.id)
        .field("looked", looked)
        .field("known", known)
        .field("reset", is_reset)
        .warn();
    if is_reset {
        let before = mailbox.visit.head.generation;
        // In this order: a death in between finds every digest in the generation that still is the present one.
        mailbox.visit.reset_decided(Some(before));
        mailbox.visit.save_resetting().await?;
        begin_generation(mailbox, survey, Vec::new()).await?;
    }
    Ok(())
}

/// The operator said that the listing is the same mail. No more of it can be than was known: what is listed behind
/// that many came since.
async fn take_all_as_known(mailbox: &mut Mailbox<'_>, survey: &mut Survey) -> Result<()> {
    let now = mailbox.visit.call.now();
    let left = survey.rows.values().filter(|row| plan::is_left_there(row.state)).count();
    let known = survey.entries.iter().take(left);
    let rows: Vec<LedgerRow> =
        known.map(|entry| LedgerRow::new(entry.key, RowState::Imported, now)).collect();
    begin_generation(mailbox, survey, rows).await?;
    mailbox.visit.reset_decided(None);
    Ok(())
}

async fn begin_generation(
    mailbox: &mut Mailbox<'_>,
    survey: &mut Survey,
    rows: Vec<LedgerRow>,
) -> Result<()> {
    let lease = mailbox.visit.lease.clone();
    let now = mailbox.visit.call.now();
    let written = rows.clone();
    let generation =
        mailbox.visit.call.with_store(move |store| store.begin_generation(&lease, &written, now)).await?;
    mailbox.visit.head.generation = generation;
    mailbox.visit.head.listing = None;
    mailbox.keys = Arc::new(mailbox.keys.of_generation(generation));
    survey.rows = rows.into_iter().map(|row| (row.key, row)).collect();
    Ok(())
}

fn unread(mailbox: &Mailbox<'_>, entry: Entry) -> Option<UidlKey> {
    mailbox.uidl(entry).map(|uidl| mailbox.keys.unread(uidl))
}

/// The header of a message, which may be one that ends the session whenever it is asked for: after three such ends
/// it is not asked for again for a day, so that it costs the others nothing (I15). `noted` is what is known of that.
async fn look(mailbox: &mut Mailbox<'_>, entry: Entry, noted: Option<LedgerRow>) -> Result<Option<Header>> {
    let now = mailbox.visit.call.now();
    if noted.as_ref().is_some_and(|row| row.ends >= ENDS && row.not_before > now) {
        return Ok(None);
    }
    let error = match read_header(mailbox, entry.number).await {
        Err(e) if !matches!(e.status, Status::Cancelled | Status::Deadline) => e,
        done => return done,
    };
    if let Some(key) = unread(mailbox, entry) {
        // In hand, so that it never counts as mail that was left there; forgotten with the next complete listing.
        let mut row = noted.unwrap_or_else(|| LedgerRow::new(key, RowState::InHand, now));
        row.ends += 1;
        row.not_before = if row.ends >= ENDS { now + ASIDE_S } else { 0 };
        mailbox.change(row);
        mailbox.write_changed().await?;
    }
    Err(error)
}

/// The header block by TOP; by RETR where the server knows no TOP and a RETR costs nothing but bytes.
async fn read_header(mailbox: &mut Mailbox<'_>, number: u32) -> Result<Option<Header>> {
    let top = Command::Top { number, lines: 0 };
    if let Some(header) = read(mailbox, top).await? {
        return Ok(Some(header));
    }
    if mailbox.retr_is_final {
        return Ok(None);
    }
    read(mailbox, Command::Retr(number)).await
}

async fn read(mailbox: &mut Mailbox<'_>, command: Command<'_>) -> Result<Option<Header>> {
    let connection = &mut mailbox.connection;
    connection.wire.send(command)?;
    let mut header = Header::default();
    loop {
        let limit = connection.reply;
        match connection.wire.step()? {
            None => connection.deadline.bound_reading(connection.wire.fill(limit)).await?,
            Some(Event::MessageData { bytes, .. }) => header.push(bytes),
            Some(Event::MessageEnd { .. }) => return Ok(Some(header)),
            Some(Event::Refused { .. }) => return Ok(None),
            Some(_) => {}
        }
    }
}
