//! Breakers: places that are left in peace for a while.

use rusqlite::{Connection, OptionalExtension, params};

use super::{natural, sql};
use crate::error::Result;
use crate::store::Breaker;

const LOG_IN: &str = "login";

pub(super) fn read(db: &Connection, place: &str) -> Result<Option<Breaker>> {
    Ok(db
        .prepare_cached(
            "SELECT failures, since, open_until FROM breakers WHERE kind = ? AND name = ? AND realm = ''",
        )?
        .query_row(params![LOG_IN, place], |row| {
            Ok(Breaker {
                failures: row.get(0)?,
                since: natural(row.get(1)?),
                open_until: natural(row.get(2)?),
            })
        })
        .optional()?)
}

pub(super) fn write(db: &Connection, place: &str, breaker: Option<&Breaker>) -> Result<()> {
    let Some(breaker) = breaker else {
        db.prepare_cached("DELETE FROM breakers WHERE kind = ? AND name = ? AND realm = ''")?
            .execute(params![LOG_IN, place])?;
        return Ok(());
    };
    db.prepare_cached(
        "INSERT INTO breakers (kind, name, realm, failures, since, open_until) VALUES (?, ?, '', ?, ?, ?)
            ON CONFLICT DO UPDATE SET failures = excluded.failures, since = excluded.since,
                open_until = excluded.open_until",
    )?
    .execute(params![LOG_IN, place, breaker.failures, sql(breaker.since), sql(breaker.open_until)])?;
    Ok(())
}
