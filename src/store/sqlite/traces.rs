//! Traces: until when an account is traced, and the ring of lines. Lines are sealed some at a time.

use rusqlite::{Connection, OptionalExtension, params};

use super::keys::Keys;
use super::state::{from_json, to_json};
use super::{accounts, leases, natural, sql};
use crate::error::Result;
use crate::model::UnixTime;
use crate::store::{HAPPENINGS_S, TRACE_BYTES, TRACE_LINES, Trace, TraceLine};

/// Lines sealed together: a ring is cut by as many.
const TOGETHER: usize = 50;

pub(super) fn until(db: &Connection, keys: &Keys, account: &str, until: UnixTime) -> Result<()> {
    let row = accounts::row_of(db, keys, account)?;
    if until == 0 {
        db.execute("UPDATE traces SET until = 0 WHERE account = ?", [row])?;
        return Ok(());
    }
    db.execute("INSERT OR REPLACE INTO traces (account, until) VALUES (?, ?)", params![row, sql(until)])?;
    db.execute("DELETE FROM trace_lines WHERE account = ?", [row])?;
    Ok(())
}

pub(super) fn on(db: &Connection, keys: &Keys, account: &str, now: UnixTime) -> Result<Option<UnixTime>> {
    let row = accounts::row_of(db, keys, account)?;
    Ok(stored(db, row)?.filter(|until| *until > now))
}

fn stored(db: &Connection, row: i64) -> Result<Option<UnixTime>> {
    let until = db
        .prepare_cached("SELECT until FROM traces WHERE account = ?")?
        .query_row([row], |row| row.get(0))
        .optional()?;
    Ok(until.map(natural))
}

pub(super) fn add(
    db: &Connection,
    keys: &Keys,
    account: i64,
    lines: &[TraceLine],
    now: UnixTime,
) -> Result<()> {
    // Old ones go whether others come or not.
    db.prepare_cached("DELETE FROM trace_lines WHERE account = ? AND at < ?")?
        .execute(params![account, sql(now.saturating_sub(HAPPENINGS_S))])?;
    if lines.is_empty() {
        return Ok(());
    }
    let key = accounts::data_key(db, keys, account)?;
    let mut number: i64 = db.query_row(
        "SELECT coalesce(max(number), 0) FROM trace_lines WHERE account = ?",
        [account],
        |row| row.get(0),
    )?;
    for some in lines.chunks(TOGETHER) {
        number += 1;
        let text = to_json(&some)?;
        let sealed = key.seal("trace_lines", &number.to_be_bytes(), &text)?;
        db.prepare_cached(
            "INSERT INTO trace_lines (account, number, at, process, lines, bytes, sealed)
                VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            account,
            number,
            sql(now),
            leases::process(),
            some.len() as i64,
            text.len() as i64,
            sealed
        ])?;
    }
    cut(db, account)
}

/// The ring keeps its bounds whatever a server says.
fn cut(db: &Connection, account: i64) -> Result<()> {
    let mut statement = db.prepare_cached(
        "SELECT number, lines, bytes FROM trace_lines WHERE account = ? ORDER BY number DESC",
    )?;
    let mut rows = statement.query([account])?;
    let (mut lines, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        lines += row.get::<_, u32>(1)?;
        bytes += row.get::<_, u32>(2)?;
        if lines > TRACE_LINES || bytes > TRACE_BYTES {
            db.prepare_cached("DELETE FROM trace_lines WHERE account = ? AND number <= ?")?
                .execute(params![account, row.get::<_, i64>(0)?])?;
            break;
        }
    }
    Ok(())
}

pub(super) fn read(db: &Connection, keys: &Keys, account: &str) -> Result<Trace> {
    let row = accounts::row_of(db, keys, account)?;
    let mut trace = Trace { until: stored(db, row)?.unwrap_or(0), lines: Vec::new() };
    let mut statement =
        db.prepare("SELECT number, process, sealed FROM trace_lines WHERE account = ? ORDER BY number")?;
    let mut rows = statement.query([row])?;
    let mut key = None;
    while let Some(columns) = rows.next()? {
        let number: i64 = columns.get(0)?;
        let process: String = columns.get(1)?;
        let key = match &key {
            Some(key) => key,
            None => key.insert(accounts::data_key(db, keys, row)?),
        };
        let clear = key.open("trace_lines", &number.to_be_bytes(), &columns.get::<_, Vec<u8>>(2)?)?;
        let lines: Vec<TraceLine> = from_json(&clear)?;
        trace.lines.extend(lines.into_iter().map(|line| (process.clone(), line)));
    }
    Ok(trace)
}
