//! Notices: what is told is leased like any other work.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Durability, SqliteStore, accounts, natural, sql};
use crate::error::Result;
use crate::model::{HOUR_S, UnixTime};
use crate::store::notices::*;
use crate::store::{AccountRow, fault};

/// Kinds that go to users.
const CONSENT_NEEDED: &str = "consent_needed";
const CONSENT_ENDS: &str = "consent_ends";
/// Times further ahead are of a clock that was wrong; nearer ones may be another process's, or a lease.
const SKEW_S: u64 = 3600;

impl Notices for SqliteStore {
    fn put_right(&self, now: UnixTime) -> Result<()> {
        let latest = now + SKEW_S;
        let is_right = |db: &Connection| -> Result<bool> {
            let future = "SELECT EXISTS (SELECT 1 FROM standings
                    WHERE since > ?1 OR cause_since > ?1 OR before_since > ?1 OR healed_at > ?1 OR renewed_at > ?1)
                OR EXISTS (SELECT 1 FROM incidents WHERE begun_at > ?1 OR ended_at > ?1)
                OR EXISTS (SELECT 1 FROM notices WHERE leased_until > ?1 OR told_at > ?1)";
            Ok(!db.prepare_cached(future)?.query_row([sql(latest)], |row| row.get::<_, bool>(0))?)
        };
        if self.read(is_right)? {
            return Ok(());
        }
        self.write(Durability::Full, |db| {
            let not_after = |column: &str| format!("{column} = iif({column} > ?1, ?2, {column})");
            for (table, columns) in [
                ("standings", &["since", "cause_since", "before_since", "healed_at", "renewed_at"][..]),
                ("notices", &["leased_until", "told_at"]),
            ] {
                let set: Vec<String> = columns.iter().map(|column| not_after(column)).collect();
                db.execute(
                    &format!("UPDATE {table} SET {}", set.join(", ")),
                    params![sql(latest), sql(now)],
                )?;
            }
            db.execute(
                "UPDATE incidents SET begun_at = min(begun_at, ?2), ended_at = min(ended_at, ?2),
                    held_until = min(begun_at, ?2) + (held_until - begun_at)
                    WHERE begun_at > ?1 OR ended_at > ?1",
                params![sql(latest), sql(now)],
            )?;
            Ok(())
        })
    }

    fn troubles(&self, now: UnixTime) -> Result<Vec<Trouble>> {
        self.read(|db| troubles(db, now))
    }

    fn settle_incidents(&self, begin: &[Incident], now: UnixTime) -> Result<Vec<Incident>> {
        self.write(Durability::Full, |db| {
            for one in begin {
                db.prepare_cached(
                    "INSERT INTO incidents (provider, cause, begun_at, held_until) VALUES (?, ?, ?, ?)
                        ON CONFLICT DO UPDATE SET begun_at = excluded.begun_at, held_until = excluded.held_until,
                            ended_at = NULL
                        WHERE incidents.ended_at IS NOT NULL OR incidents.held_until <= excluded.begun_at",
                )?
                .execute(params![one.provider, one.cause, sql(one.begun_at), sql(one.held_until)])?;
            }
            db.prepare_cached(
                "UPDATE incidents SET ended_at = ? WHERE ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM standings
                    WHERE provider = incidents.provider AND cause = incidents.cause AND needs > 0)",
            )?
            .execute([sql(now)])?;
            incidents(db, now)
        })
    }

    fn incidents(&self, since: UnixTime) -> Result<Vec<Incident>> {
        self.read(|db| incidents(db, since))
    }

    fn users_to_tell(&self, before: UnixTime, now: UnixTime, limit: u32) -> Result<Vec<(i64, UnixTime)>> {
        self.read(|db| users_to_tell(db, before, now, limit))
    }

    fn idle_users_to_tell(&self, idle: &Idle, now: UnixTime, limit: u32) -> Result<Vec<(i64, UnixTime)>> {
        self.read(|db| idle_users_to_tell(db, idle, now, limit))
    }

    fn idle_grants(&self, provider: &str, from: UnixTime, to: UnixTime) -> Result<Option<(u64, UnixTime)>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT count(*), min(renewed_at) FROM standings
                    WHERE provider = ? AND renewed_at > ? AND renewed_at <= ? AND needs IN (0, 3)",
            )?;
            let (count, first): (i64, Option<i64>) = statement
                .query_row(params![provider, sql(from), sql(to)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(first.map(|first| (natural(count), natural(first))))
        })
    }

    fn healed_since(&self, since: UnixTime) -> Result<u64> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT count(*) FROM standings WHERE healed_at > ?")?;
            Ok(natural(statement.query_row([sql(since)], |row| row.get(0))?))
        })
    }

    fn account_at(&self, account: i64) -> Result<Option<AccountRow>> {
        self.read(|db| {
            let is_there = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM accounts WHERE row = ?)")?
                .query_row([account], |row| row.get(0))?;
            match is_there {
                true => accounts::at(db, &self.keys, account).map(|found| Some(found.shown)),
                false => Ok(None),
            }
        })
    }

    fn excuse(&self, account: i64) -> Result<()> {
        self.write(Durability::Relaxed, |db| {
            db.prepare_cached(
                "UPDATE standings SET needs = 0, before = 0, cause = '', renewed_at = NULL WHERE account = ?",
            )?
            .execute([account])?;
            Ok(())
        })
    }

    fn told(&self, about: &About) -> Result<Option<Told>> {
        self.read(|db| Ok(standing_notice(db, about)?.and_then(|notice| notice.told)))
    }

    fn lease_notices(&self, notices: &[About], now: UnixTime, for_s: u32) -> Result<Vec<Option<String>>> {
        self.write(Durability::Relaxed, |db| {
            notices.iter().map(|about| lease(db, about, now, for_s)).collect()
        })
    }

    fn told_of(&self, account: &str) -> Result<Vec<(String, UnixTime)>> {
        self.read(|db| {
            let row = accounts::row_of(db, &self.keys, account)?;
            let mut statement = db.prepare_cached(
                "SELECT kind, told_at FROM notices WHERE account = ? AND told_at IS NOT NULL ORDER BY told_at, kind",
            )?;
            let told = statement.query_map([row], |row| Ok((row.get(0)?, natural(row.get(1)?))))?;
            Ok(told.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn notices_told(&self, ids: &[String], now: UnixTime) -> Result<u32> {
        self.write(Durability::Full, |db| {
            let mut noted = 0;
            for id in ids {
                let Some((row, mark)) = parse(id) else { continue };
                noted += db
                    .prepare_cached(
                        "UPDATE notices SET told = mark, told_at = ?, leased_until = 0 WHERE row = ? AND mark = ?",
                    )?
                    .execute(params![sql(now), row, mark])?;
            }
            Ok(u32::try_from(noted).unwrap_or(u32::MAX))
        })
    }
}

/// Only failing accounts are read, and each provider's accounts are counted in an index.
fn troubles(db: &Connection, now: UnixTime) -> Result<Vec<Trouble>> {
    let mut statement = db.prepare_cached(
        "WITH hit AS MATERIALIZED (
            SELECT s.provider, s.cause, s.needs, s.since, s.cause_since, s.account,
                (s.needs <> 3 OR s.cause_since <= ?1) AND (s.cause_since > coalesce(i.held_until, 0)
                    OR (i.ended_at IS NOT NULL AND s.cause_since > i.ended_at)) AS is_new
            FROM standings s
                JOIN accounts a ON a.row = s.account AND (s.needs = 1 OR a.due_at IS NOT NULL)
                LEFT JOIN incidents i ON i.provider = s.provider AND i.cause = s.cause
            WHERE s.needs > 0
        ), counted AS (
            SELECT *, sum(is_new) OVER (PARTITION BY provider, cause ORDER BY cause_since
                RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW) AS within
            FROM hit
        ), most AS (
            SELECT *, max(within) OVER (PARTITION BY provider, cause) AS peak FROM counted
        )
        SELECT provider, cause, min(needs), count(*), max(within), min(since), min(cause_since), min(account),
            (SELECT count(*) FROM standings t WHERE t.provider = most.provider),
            min(iif(within = peak, cause_since, NULL))
        FROM most GROUP BY provider, cause ORDER BY provider, cause",
    )?;
    let mut rows = statement.query([sql(now.saturating_sub(HOUR_S))])?;
    let mut troubles = Vec::new();
    while let Some(row) = rows.next()? {
        troubles.push(Trouble {
            provider: row.get(0)?,
            cause: row.get(1)?,
            needs: needs(row.get(2)?)?,
            accounts: natural(row.get(3)?),
            within_an_hour: natural(row.get(4)?),
            since: natural(row.get(5)?),
            cause_since: natural(row.get(6)?),
            sample: row.get(7)?,
            of: natural(row.get(8)?),
            peak_at: natural(row.get(9)?),
        });
    }
    Ok(troubles)
}

fn needs(number: i64) -> Result<Needs> {
    Ok(match number {
        1 => Needs::User,
        2 => Needs::Operator,
        3 => Needs::Time,
        other => return Err(fault::corrupt(&format!("an account that needs {other}"))),
    })
}

fn users_to_tell(
    db: &Connection,
    before: UnixTime,
    now: UnixTime,
    limit: u32,
) -> Result<Vec<(i64, UnixTime)>> {
    let mut statement = db.prepare_cached(
        "SELECT s.account, s.since FROM standings s
            LEFT JOIN incidents i ON i.provider = s.provider AND i.cause = s.cause
            LEFT JOIN notices n ON n.account = s.account AND n.kind = ?1 AND n.topic = ''
            WHERE s.needs = 1 AND s.since <= ?2 AND (i.held_until IS NULL OR i.held_until <= ?3 OR i.ended_at IS NOT NULL)
                AND (n.told IS NULL OR n.told <> s.since)
                AND NOT EXISTS (SELECT 1 FROM notices m WHERE m.account = s.account
                    AND (m.leased_until > ?3 OR m.told_at > ?4))
            ORDER BY coalesce(n.leased_until, 0), s.since, s.account LIMIT ?5",
    )?;
    let rested = now.saturating_sub(TOLD_AGAIN_S);
    let found =
        statement.query_map(params![CONSENT_NEEDED, sql(before), sql(now), sql(rested), limit], dated)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn idle_users_to_tell(
    db: &Connection,
    idle: &Idle,
    now: UnixTime,
    limit: u32,
) -> Result<Vec<(i64, UnixTime)>> {
    let mut statement = db.prepare_cached(
        "SELECT s.account, s.renewed_at FROM standings s
            LEFT JOIN notices n ON n.account = s.account AND n.kind = ?1 AND n.topic = ''
            WHERE s.provider = ?2 AND s.renewed_at > ?3 AND s.renewed_at <= ?4 AND s.needs IN (0, 3)
                AND (n.told IS NULL OR n.told <> s.renewed_at + ?5)
                AND NOT EXISTS (SELECT 1 FROM notices m WHERE m.account = s.account
                    AND (m.leased_until > ?6 OR m.told_at > ?7))
            ORDER BY coalesce(n.leased_until, 0), s.renewed_at, s.account LIMIT ?8",
    )?;
    let (from, to, lasts) = (sql(idle.from), sql(idle.to), sql(idle.lasts_s));
    let rested = sql(now.saturating_sub(TOLD_AGAIN_S));
    let asked = params![CONSENT_ENDS, idle.provider, from, to, lasts, sql(now), rested, limit];
    let found = statement.query_map(asked, dated)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn incidents(db: &Connection, since: UnixTime) -> Result<Vec<Incident>> {
    let mut statement = db.prepare_cached(
        "SELECT provider, cause, begun_at, held_until, ended_at FROM incidents
            WHERE ended_at IS NULL OR ended_at > ? ORDER BY begun_at, provider, cause",
    )?;
    let found = statement.query_map([sql(since)], |row| {
        Ok(Incident {
            provider: row.get(0)?,
            cause: row.get(1)?,
            begun_at: natural(row.get(2)?),
            held_until: natural(row.get(3)?),
            ended_at: row.get::<_, Option<i64>>(4)?.map(natural),
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn dated(row: &Row<'_>) -> rusqlite::Result<(i64, UnixTime)> {
    Ok((row.get(0)?, natural(row.get(1)?)))
}

struct Notice {
    row: i64,
    leased_until: UnixTime,
    told: Option<Told>,
}

fn standing_notice(db: &Connection, about: &About) -> Result<Option<Notice>> {
    Ok(db
        .prepare_cached(
            "SELECT row, leased_until, told, told_at FROM notices WHERE account = ? AND kind = ? AND topic = ?",
        )?
        .query_row(params![about.account, about.kind, about.topic], |row| {
            let (mark, at): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            let told = mark.zip(at).map(|(mark, at)| Told { mark: natural(mark), at: natural(at) });
            Ok(Notice { row: row.get(0)?, leased_until: natural(row.get(1)?), told })
        })
        .optional()?)
}

fn lease(db: &Connection, about: &About, now: UnixTime, for_s: u32) -> Result<Option<String>> {
    let found = standing_notice(db, about)?;
    let is_taken = |notice: &Notice| {
        notice.leased_until > now || notice.told.is_some_and(|told| told.mark == about.mark)
    };
    if found.as_ref().is_some_and(is_taken) || about.account != 0 && has_heard(db, about.account, now)? {
        return Ok(None);
    }
    let until = sql(now + u64::from(for_s));
    let row = match found {
        Some(notice) => {
            db.prepare_cached("UPDATE notices SET mark = ?, leased_until = ? WHERE row = ?")?
                .execute(params![sql(about.mark), until, notice.row])?;
            notice.row
        }
        None => {
            db.prepare_cached(
                "INSERT INTO notices (kind, account, topic, mark, leased_until) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![about.kind, about.account, about.topic, sql(about.mark), until])?;
            db.last_insert_rowid()
        }
    };
    Ok(Some(format!("{row}.{}", about.mark)))
}

/// Whether its owner is being told something, or was within a day.
fn has_heard(db: &Connection, account: i64, now: UnixTime) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM notices WHERE account = ? AND (leased_until > ? OR told_at > ?))",
        )?
        .query_row(params![account, sql(now), sql(now.saturating_sub(TOLD_AGAIN_S))], |row| row.get(0))?)
}

/// Which row, and of which occasion.
fn parse(id: &str) -> Option<(i64, i64)> {
    let (row, mark) = id.split_once('.')?;
    Some((row.parse().ok()?, mark.parse().ok()?))
}
