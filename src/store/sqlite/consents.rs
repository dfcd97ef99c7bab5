//! Consents under way: single use, consumed in one statement, remembered for a quarter of an hour.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::grants::wiped_json;
use super::keys::Keys;
use super::{accounts, natural, sql};
use crate::error::{Error, Result};
use crate::model::{Actor, UnixTime};
use crate::secret::Secret;
use crate::store::seal::DataKey;
use crate::store::{Consent, DeviceCode, TakenConsent, UnderWay, fault};

/// How long the same callback in the same session hears the same answer.
const REMEMBERED_S: u64 = 15 * 60;

pub(super) fn begin(db: &Connection, keys: &Keys, consent: &Consent) -> Result<()> {
    let row = accounts::row_of(db, keys, &consent.account)?;
    let sealed = seal(db, keys, row, consent)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO consents (state, session, account, expires_at, sealed) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![consent.state, consent.session, row, sql(consent.expires_at), sealed])?;
    Ok(())
}

pub(super) fn put_back(db: &Connection, keys: &Keys, consent: &Consent) -> Result<bool> {
    let row = accounts::row_of(db, keys, &consent.account)?;
    let sealed = seal(db, keys, row, consent)?;
    let changed = db
        .prepare_cached(
            "UPDATE consents SET used = 0, expires_at = ?1, sealed = ?2
                WHERE state = ?3 AND session = ?4 AND account = ?5 AND used = 1 AND answer IS NULL",
        )?
        .execute(params![sql(consent.expires_at), sealed, consent.state, consent.session, row])?;
    Ok(changed == 1)
}

fn seal(db: &Connection, keys: &Keys, row: i64, consent: &Consent) -> Result<Vec<u8>> {
    let device = consent.device.as_ref();
    let clear = wiped_json(
        4096 + device.map_or(0, |device| 2 * device.code.len()),
        &Borrowed {
            actor: &consent.actor,
            provider: &consent.provider,
            redirect_uri: &consent.redirect_uri,
            verifier: consent.verifier.expose(),
            nonce: consent.nonce.expose(),
            issuer: &consent.issuer,
            admin: consent.admin,
            device: device.map(|device| BorrowedDevice {
                code: device.code.expose(),
                interval_s: device.interval_s,
                poll_at: device.poll_at,
            }),
            created_at: consent.created_at,
            expires_at: consent.expires_at,
        },
    )?;
    accounts::data_key(db, keys, row)?.seal("consent", &consent.state, &clear)
}

pub(super) fn take(
    db: &Connection,
    keys: &Keys,
    state: &[u8; 32],
    session: &[u8; 32],
    now: UnixTime,
) -> Result<TakenConsent> {
    let taken: Option<(i64, Vec<u8>)> = db
        .prepare_cached(
            "UPDATE consents SET used = 1, expires_at = ?1
                WHERE state = ?2 AND session = ?3 AND used = 0 AND expires_at > ?4 RETURNING account, sealed",
        )?
        .query_row(params![sql(now.saturating_add(REMEMBERED_S)), state, session, sql(now)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((row, sealed)) = taken else {
        return why_not(db, keys, state, session, now);
    };
    // The verifier has no further use.
    db.prepare_cached("UPDATE consents SET sealed = NULL WHERE state = ?")?.execute([state])?;
    let clear = open(&accounts::data_key(db, keys, row)?, state, &sealed)?;
    let of = accounts::at(db, keys, row)?.shown;
    Ok(TakenConsent::Taken(Consent {
        state: *state,
        session: *session,
        account: of.account.id,
        number: Some(of.number),
        actor: clear.actor,
        provider: clear.provider,
        redirect_uri: clear.redirect_uri,
        verifier: Secret::new(clear.verifier),
        nonce: Secret::new(clear.nonce),
        issuer: clear.issuer,
        admin: clear.admin,
        device: clear.device.map(|device| DeviceCode {
            code: Secret::new(device.code),
            interval_s: device.interval_s,
            poll_at: device.poll_at,
        }),
        created_at: clear.created_at,
        expires_at: clear.expires_at,
    }))
}

pub(super) fn answer(db: &Connection, keys: &Keys, state: &[u8; 32], answer: &str) -> Result<()> {
    let row: Option<i64> = db
        .prepare_cached("SELECT account FROM consents WHERE state = ? AND used = 1")?
        .query_row([state], |row| row.get(0))
        .optional()?;
    // The account, and its consents with it, may have been removed meanwhile: nobody will ask again.
    let Some(row) = row else {
        return Ok(());
    };
    let sealed = accounts::data_key(db, keys, row)?.seal("answer", state, answer.as_bytes())?;
    db.prepare_cached("UPDATE consents SET answer = ? WHERE state = ?")?.execute(params![sealed, state])?;
    Ok(())
}

pub(super) fn of_account(db: &Connection, keys: &Keys, account: &str) -> Result<Vec<UnderWay>> {
    let row = accounts::row_of(db, keys, account)?;
    let key = accounts::data_key(db, keys, row)?;
    let mut statement = db.prepare_cached(
        "SELECT state, used, expires_at, sealed FROM consents WHERE account = ? ORDER BY expires_at",
    )?;
    let mut rows = statement.query([row])?;
    let mut told = Vec::new();
    while let Some(row) = rows.next()? {
        let sealed: Option<Vec<u8>> = row.get(3)?;
        let clear = sealed.map(|sealed| open(&key, &row.get(0)?, &sealed)).transpose()?;
        told.push(UnderWay {
            used: row.get(1)?,
            expires_at: natural(row.get(2)?),
            admin: clear.as_ref().is_some_and(|clear| clear.admin),
            device: clear.as_ref().is_some_and(|clear| clear.device.is_some()),
            created_at: clear.as_ref().map(|clear| clear.created_at),
            provider: clear.as_ref().map(|clear| clear.provider.clone()),
            actor: clear.map(|clear| clear.actor),
        });
    }
    Ok(told)
}

fn open(key: &DataKey, state: &[u8; 32], sealed: &[u8]) -> Result<Clear> {
    let clear = key.open("consent", state, sealed)?;
    serde_json::from_slice(&clear).map_err(|_| fault::corrupt("a consent under way does not parse"))
}

pub(super) fn sweep(db: &Connection, now: UnixTime) -> Result<()> {
    db.prepare_cached("DELETE FROM consents WHERE expires_at <= ?")?.execute([sql(now)])?;
    Ok(())
}

/// Nothing was consumed; a stranger hears nothing of what there is.
fn why_not(
    db: &Connection,
    keys: &Keys,
    state: &[u8; 32],
    session: &[u8; 32],
    now: UnixTime,
) -> Result<TakenConsent> {
    let found: Option<(i64, bool, i64, Option<Vec<u8>>)> = db
        .prepare_cached(
            "SELECT account, used, expires_at, answer FROM consents WHERE state = ? AND session = ?",
        )?
        .query_row(params![state, session], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((row, used, expires_at, sealed)) = found else {
        return Ok(TakenConsent::Unknown);
    };
    if natural(expires_at) <= now {
        return Ok(TakenConsent::Expired);
    }
    if !used {
        return Err(Error::bug("a consent that could be taken was not"));
    }
    let Some(sealed) = sealed else {
        return Ok(TakenConsent::Unanswered);
    };
    let answer = accounts::data_key(db, keys, row)?.open("answer", state, &sealed)?;
    let answer = String::from_utf8(answer.to_vec()).map_err(|_| fault::corrupt("an answer is not UTF-8"))?;
    Ok(TakenConsent::Answered(answer))
}

#[derive(Serialize)]
struct Borrowed<'a> {
    actor: &'a Actor,
    provider: &'a str,
    redirect_uri: &'a str,
    verifier: &'a str,
    nonce: &'a str,
    issuer: &'a str,
    admin: bool,
    device: Option<BorrowedDevice<'a>>,
    created_at: UnixTime,
    expires_at: UnixTime,
}

#[derive(Serialize)]
struct BorrowedDevice<'a> {
    code: &'a str,
    interval_s: u32,
    poll_at: UnixTime,
}

#[derive(Deserialize)]
struct Clear {
    actor: Actor,
    provider: String,
    redirect_uri: String,
    verifier: String,
    nonce: String,
    issuer: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    device: Option<ClearDevice>,
    created_at: UnixTime,
    expires_at: UnixTime,
}

#[derive(Deserialize)]
struct ClearDevice {
    code: String,
    interval_s: u32,
    poll_at: UnixTime,
}
