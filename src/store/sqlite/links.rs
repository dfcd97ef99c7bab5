//! One-time links: one for an account, used up in the transaction that begins its consent.

use rusqlite::{Connection, OptionalExtension, params};

use super::keys::Keys;
use super::{Durability, SqliteStore, accounts, consents, natural, sql};
use crate::error::Result;
use crate::model::UnixTime;
use crate::store::{Consent, Link, Links, Redeemed};

impl Links for SqliteStore {
    fn offer_link(&self, link: &Link, now: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| offer(db, &self.keys, link, now))
    }

    fn redeem_link(
        &self,
        token: &[u8; 32],
        owner: &str,
        consent: &Consent,
        now: UnixTime,
    ) -> Result<Redeemed> {
        self.write(Durability::Full, |db| redeem(db, &self.keys, token, owner, consent, now))
    }
}

fn offer(db: &Connection, keys: &Keys, link: &Link, now: UnixTime) -> Result<()> {
    let row = accounts::row_of(db, keys, &link.account)?;
    db.prepare_cached("DELETE FROM links WHERE expires_at <= ?")?.execute([sql(now)])?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO links (account, token, owner, expires_at) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![row, link.token, keys.owner(&link.owner), sql(link.expires_at)])?;
    Ok(())
}

fn redeem(
    db: &Connection,
    keys: &Keys,
    token: &[u8; 32],
    owner: &str,
    consent: &Consent,
    now: UnixTime,
) -> Result<Redeemed> {
    let row = accounts::row_of(db, keys, &consent.account)?;
    let expires_at: Option<i64> = db
        .prepare_cached("SELECT expires_at FROM links WHERE account = ? AND token = ? AND owner = ?")?
        .query_row(params![row, token, keys.owner(owner)], |row| row.get(0))
        .optional()?;
    match expires_at {
        None => Ok(Redeemed::Unknown),
        Some(at) if natural(at) <= now => Ok(Redeemed::Expired),
        Some(_) => {
            void(db, row)?;
            consents::begin(db, keys, consent)?;
            Ok(Redeemed::Begun)
        }
    }
}

/// The account is no longer what the link was offered for.
pub(super) fn void(db: &Connection, row: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM links WHERE account = ?")?.execute([row])?;
    Ok(())
}
