//! The history of an account in rows: passes, happenings, traces. Each table is pruned by the transaction that adds.

use std::collections::HashSet;

use rusqlite::{Connection, Row, params};

use super::keys::Keys;
use super::ledger_rows::{AccountKey, COLUMNS, Opener, from_words, to_words};
use super::state::from_json;
use super::{accounts, leases, natural, sql};
use crate::error::{Error, Result};
use crate::model::{LedgerRow, UidlKey, UnixTime};
use crate::store::{Asked, Became, HAPPENINGS, HAPPENINGS_S, Happening, PASSES, Pass, What, fault};

/// Rows looked at in one pruning beyond those just written: a long-forgotten account is cleared over some visits.
const PRUNED_AT_ONCE: u32 = 256;

pub(super) fn add_pass(db: &Connection, account: i64, process: &str, pass: &Pass) -> Result<()> {
    let number: i64 = db
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM passes WHERE account = ?")?
        .query_row([account], |row| row.get(0))?;
    db.prepare_cached(
        "INSERT INTO passes (account, number, begun, ended, process, outcome, status, cause, listed, new, taken,
            deferred, refused, deleted, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        account,
        number,
        sql(pass.begun),
        sql(pass.ended),
        process,
        pass.outcome.name(),
        pass.status,
        pass.cause,
        pass.listed,
        pass.new,
        sql(pass.taken),
        sql(pass.deferred),
        sql(pass.refused),
        sql(pass.deleted),
        sql(pass.bytes)
    ])?;
    db.prepare_cached("DELETE FROM passes WHERE account = ? AND number <= ?")?
        .execute(params![account, number - i64::from(PASSES)])?;
    prune(db, account, pass.ended, 0)
}

pub(super) fn passes(db: &Connection, keys: &Keys, account: &str) -> Result<Vec<Pass>> {
    let row = accounts::row_of(db, keys, account)?;
    let mut statement = db.prepare_cached(
        "SELECT begun, ended, process, outcome, status, cause, listed, new, taken, deferred, refused, deleted, bytes
            FROM passes WHERE account = ? ORDER BY number",
    )?;
    let mut rows = statement.query([row])?;
    let mut passes = Vec::new();
    while let Some(row) = rows.next()? {
        passes.push(Pass {
            begun: natural(row.get(0)?),
            ended: natural(row.get(1)?),
            process: row.get(2)?,
            outcome: from_json(format!("\"{}\"", row.get::<_, String>(3)?).as_bytes())?,
            status: row.get(4)?,
            cause: row.get(5)?,
            listed: row.get(6)?,
            new: row.get(7)?,
            taken: natural(row.get(8)?),
            deferred: natural(row.get(9)?),
            refused: natural(row.get(10)?),
            deleted: natural(row.get(11)?),
            bytes: natural(row.get(12)?),
        });
    }
    Ok(passes)
}

/// Adds happenings of one account within a transaction; only one at a time does.
pub(super) struct Teller {
    account: i64,
    generation: u32,
    now: UnixTime,
    process: String,
    /// The next number, once one was needed.
    next: Option<i64>,
    told: u32,
}

impl Teller {
    pub fn new(account: i64, generation: u32, now: UnixTime) -> Teller {
        Teller { account, generation, now, process: leases::process(), next: None, told: 0 }
    }

    /// `message_id` is what the ledger knows by now, also where this row does not say it. One that is put back unbegun
    /// and noted again is told as seen twice; whoever reads it hears the first.
    pub fn tell(
        &mut self,
        db: &Connection,
        key: &mut AccountKey<'_>,
        what: What,
        row: &LedgerRow,
        message_id: Option<[u8; 16]>,
    ) -> Result<()> {
        let number: i64 = match self.next {
            Some(number) => number,
            None => db
                .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM happenings WHERE account = ?")?
                .query_row([self.account], |row| row.get(0))?,
        };
        // Of a message in hand the ledger has the UIDL, and later steps will: most messages are sealed once here.
        let words = what != What::Seen && (row.uidl.is_some() || !row.reason.is_empty());
        let sealed = match words {
            true => {
                let words = to_words(row.uidl.as_deref(), &row.reason);
                Some(key.get()?.seal("happenings", &number.to_be_bytes(), &words)?)
            }
            false => None,
        };
        db.prepare_cached(
            "INSERT INTO happenings (account, number, generation, key, message_id, what, at, size, process, sealed)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            self.account,
            number,
            self.generation,
            row.key,
            message_id,
            what as u8,
            sql(self.now),
            sql(row.size),
            self.process,
            sealed
        ])?;
        self.next = Some(number + 1);
        self.told += 1;
        Ok(())
    }

    /// Whether anything was told of this message.
    pub fn knows(&self, db: &Connection, key: &UidlKey) -> Result<bool> {
        Ok(db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM happenings WHERE account = ? AND generation = ? AND key = ?)",
            )?
            .query_row(params![self.account, self.generation, key], |row| row.get(0))?)
    }

    /// To be called when all is told.
    pub fn finish(self, db: &Connection) -> Result<()> {
        match self.told {
            0 => Ok(()),
            told => prune(db, self.account, self.now, told),
        }
    }
}

/// The oldest beyond the bounds go; as many are looked at as may have come, and some more.
fn prune(db: &Connection, account: i64, now: UnixTime, told: u32) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM happenings WHERE account = ?1 AND number IN (
            SELECT number FROM (SELECT number, at FROM happenings WHERE account = ?1 ORDER BY number LIMIT ?2)
            WHERE at < ?3 OR number <= (SELECT max(number) FROM happenings WHERE account = ?1) - ?4)",
    )?
    .execute(params![
        account,
        PRUNED_AT_ONCE.saturating_add(told),
        sql(now.saturating_sub(HAPPENINGS_S)),
        HAPPENINGS
    ])?;
    Ok(())
}

pub(super) fn what_became(
    db: &Connection,
    keys: &Keys,
    account: &str,
    asked: &Asked,
    now: UnixTime,
    limit: u32,
) -> Result<Became> {
    let found = accounts::find(db, keys, account)?.ok_or_else(Error::rights)?;
    let mut reader =
        Reader { key: AccountKey::new(db, keys, found.row), from: now.saturating_sub(HAPPENINGS_S) };
    let rows = ledger_rows(db, keys, found.row, found.shown.generation, asked)?;
    let mut happenings = reader.read(db, found.row, asked, &rows, limit)?;
    let more = happenings.len() > limit as usize;
    happenings.truncate(limit as usize);
    happenings.reverse();
    let mut seen = HashSet::new();
    happenings.retain(|one| one.what != What::Seen || seen.insert((one.generation, one.key)));
    let unread = db.query_row(
        "SELECT count(*) FROM ledger WHERE account = ? AND generation = ? AND message_id IS NULL
            AND state NOT IN (2, 8)",
        params![found.row, found.shown.generation],
        |row| row.get(0),
    )?;
    Ok(Became { happenings, more, rows, unread: natural(unread) })
}

fn ledger_rows(
    db: &Connection,
    keys: &Keys,
    account: i64,
    generation: u32,
    asked: &Asked,
) -> Result<Vec<LedgerRow>> {
    let (column, values): (_, Vec<[u8; 16]>) = match asked {
        Asked::All | Asked::Since(_) => return Ok(Vec::new()),
        Asked::MessageId(id) => ("message_id", vec![*id]),
        Asked::Uidl { keys, .. } => ("key", keys.clone()),
    };
    let mut statement = db.prepare(&format!(
        "SELECT {COLUMNS} FROM ledger WHERE account = ? AND generation = ? AND {column} = ?"
    ))?;
    let mut opener = Opener::new(db, keys, account);
    let mut found = Vec::new();
    for value in values {
        let mut rows = statement.query(params![account, generation, value])?;
        while let Some(row) = rows.next()? {
            found.push(opener.open(row)?);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    key: AccountKey<'a>,
    from: UnixTime,
}

impl Reader<'_> {
    /// The last first, and one more than `limit` where there is one.
    fn read(
        &mut self,
        db: &Connection,
        account: i64,
        asked: &Asked,
        rows: &[LedgerRow],
        limit: u32,
    ) -> Result<Vec<Happening>> {
        let from = match asked {
            Asked::Since(since) => self.from.max(*since),
            _ => self.from,
        };
        // Told under one key, they are of one message, whether each knew the Message-ID or not.
        let by_id = "AND (generation, key) IN
            (SELECT generation, key FROM happenings WHERE account = ?1 AND message_id = ?3)";
        let (also, id) = match asked {
            Asked::MessageId(id) => (by_id, Some(id)),
            _ => ("AND ?3 IS NULL", None),
        };
        let mut statement = db.prepare(&format!(
            "SELECT number, generation, key, what, at, size, process, sealed FROM happenings
                WHERE account = ?1 AND at >= ?2 {also} ORDER BY number DESC"
        ))?;
        let mut found = Vec::new();
        let mut columns = statement.query(params![account, sql(from), id])?;
        while let Some(columns) = columns.next()? {
            if found.len() > limit as usize {
                break;
            }
            let happening = self.open(columns)?;
            let is_asked = match asked {
                Asked::Uidl { uidl, keys } => {
                    happening.uidl.as_ref() == Some(uidl)
                        || keys.contains(&happening.key)
                        || rows.iter().any(|row| row.key == happening.key)
                }
                _ => true,
            };
            if is_asked {
                found.push(happening);
            }
        }
        Ok(found)
    }

    fn open(&mut self, row: &Row<'_>) -> Result<Happening> {
        let number: i64 = row.get(0)?;
        let what: u8 = row.get(3)?;
        let (uidl, answer) = match row.get::<_, Option<Vec<u8>>>(7)? {
            Some(sealed) => {
                from_words(&self.key.get()?.open("happenings", &number.to_be_bytes(), &sealed)?)?
            }
            None => (None, String::new()),
        };
        Ok(Happening {
            generation: row.get(1)?,
            key: row.get(2)?,
            what: What::of_number(what).ok_or_else(|| fault::corrupt(&format!("a happening {what}")))?,
            at: natural(row.get(4)?),
            size: natural(row.get(5)?),
            process: row.get(6)?,
            uidl,
            answer,
        })
    }
}

/// Of an owner who has the account no more: the one who comes is told nothing of it.
pub(super) fn forget(db: &Connection, account: i64) -> Result<()> {
    for table in TABLES {
        db.execute(&format!("DELETE FROM {table} WHERE account = ?"), [account])?;
    }
    Ok(())
}

const TABLES: [&str; 4] = ["passes", "happenings", "traces", "trace_lines"];
