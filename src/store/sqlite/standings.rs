//! How accounts stand: follows every change of their state in the same transaction, so that nothing stops silently.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::keys::Keys;
use super::sql;
use crate::error::Result;
use crate::model::{Account, HOUR_S, Outcome, UnixTime, hex};
use crate::store::AccountState;
use crate::store::notices::{Needs, SERVER};

/// Trouble that time heals is news once it lasted so long.
const LASTED_S: u64 = HOUR_S;

/// An account's state was written: what follows for whoever is to be told.
pub(super) fn follow(
    db: &Connection,
    keys: &Keys,
    row: i64,
    account: &Account,
    state: &AccountState,
) -> Result<()> {
    let needs = match (state.outcome, state.cause.is_empty()) {
        // Signed in anew, or never visited.
        (None, true) => Needs::Nobody,
        (outcome, _) => match Needs::of(outcome) {
            Some(needs) => needs,
            None => return Ok(()),
        },
    };
    let cause = if needs == Needs::Nobody { "" } else { &state.cause };
    let provider = match account.provider() {
        Some(provider) => provider.to_owned(),
        // Some name by which accounts of one server are the same: whose mail lies where names a person.
        None => format!("{SERVER}{}", hex(&keys.id(&format!("server {}", account.server.host)))),
    };
    let at = sql(state.last_try.unwrap_or(state.since));
    let mut next = Standing { needs: needs as i64, since: sql(state.since), before: 0, before_since: 0 };
    let mut healed = None;
    if let Some((was, cause_was, provider_was)) = standing(db, row)? {
        if (was.needs, cause_was.as_str(), provider_was.as_str()) == (next.needs, cause, provider.as_str()) {
            return Ok(());
        }
        // Cut off before it was let in: nothing new is known.
        let got_in = state.last_login.is_some_and(|at| sql(at) >= was.since);
        if was.needs != 0 && state.outcome == Some(Outcome::OkMore) && !got_in {
            return Ok(());
        }
        healed = (needs == Needs::Nobody && was.is_told(at)).then_some(at);
        next.follows(&was);
    }
    db.prepare_cached(
        "INSERT INTO standings
            (account, provider, needs, cause, since, cause_since, before, before_since, healed_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT DO UPDATE SET provider = excluded.provider, needs = excluded.needs, cause = excluded.cause,
                since = excluded.since, cause_since = excluded.cause_since, before = excluded.before,
                before_since = excluded.before_since, healed_at = excluded.healed_at",
    )?
    .execute(params![row, provider, next.needs, cause, next.since, at, next.before, next.before_since, healed])?;
    Ok(())
}

/// Whom an account needs, and whom it needed before what time heals came in between: that ends no need.
struct Standing {
    needs: i64,
    since: i64,
    before: i64,
    before_since: i64,
}

impl Standing {
    fn is_persons(needs: i64) -> bool {
        needs == Needs::User as i64 || needs == Needs::Operator as i64
    }

    /// Whether it is news that it is over.
    fn is_told(&self, at: i64) -> bool {
        let lasted = self.needs != 0 && at.saturating_sub(self.since) >= sql(LASTED_S);
        Self::is_persons(self.needs) || Self::is_persons(self.before) || lasted
    }

    fn follows(&mut self, was: &Standing) {
        if self.needs == was.needs {
            (self.since, self.before, self.before_since) = (was.since, was.before, was.before_since);
        } else if self.needs == Needs::Time as i64 && Self::is_persons(was.needs) {
            (self.before, self.before_since) = (was.needs, was.since);
        } else if self.needs != 0 && self.needs == was.before {
            self.since = was.before_since;
        }
    }
}

/// With its cause and its provider.
fn standing(db: &Connection, row: i64) -> Result<Option<(Standing, String, String)>> {
    let mut statement = db.prepare_cached(
        "SELECT needs, since, before, before_since, cause, provider FROM standings WHERE account = ?",
    )?;
    let read = |row: &Row<'_>| {
        let standing = Standing {
            needs: row.get(0)?,
            since: row.get(1)?,
            before: row.get(2)?,
            before_since: row.get(3)?,
        };
        Ok((standing, row.get(4)?, row.get(5)?))
    };
    Ok(statement.query_row([row], read).optional()?)
}

/// The active grant was written or is gone.
pub(super) fn renewed(db: &Connection, row: i64, provider: &str, at: Option<UnixTime>) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO standings (account, provider, renewed_at) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET renewed_at = excluded.renewed_at",
    )?
    .execute(params![row, provider, at.map(sql)])?;
    Ok(())
}

pub(super) fn grant_gone(db: &Connection, row: i64) -> Result<()> {
    db.prepare_cached("UPDATE standings SET renewed_at = NULL WHERE account = ?")?.execute([row])?;
    Ok(())
}
