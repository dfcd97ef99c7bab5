//! A ledger row to and from its columns. UIDL and reason are sealed, and kept only while somebody may need them.

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::history::Teller;
use super::keys::Keys;
use super::{accounts, natural, sql};
use crate::error::Result;
use crate::model::{LedgerRow, RowState, UidlKey, UnixTime};
use crate::store::seal::DataKey;
use crate::store::{What, fault};

pub(super) const COLUMNS: &str =
    "key, state, noted_at, recorded_at, digest, size, ends, begun, not_before, delete_at, sealed";

pub(super) fn opened(
    db: &Connection,
    keys: &Keys,
    account: i64,
    mut rows: Rows<'_>,
) -> Result<Vec<LedgerRow>> {
    let mut opener = Opener::new(db, keys, account);
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(opener.open(row)?);
    }
    Ok(all)
}

pub(super) struct Opener<'a> {
    key: AccountKey<'a>,
}

impl<'a> Opener<'a> {
    pub fn new(db: &'a Connection, keys: &'a Keys, account: i64) -> Opener<'a> {
        Opener { key: AccountKey::new(db, keys, account) }
    }

    pub fn open(&mut self, row: &Row<'_>) -> Result<LedgerRow> {
        let key: UidlKey = row.get(0)?;
        let (uidl, reason) = match row.get::<_, Option<Vec<u8>>>(10)? {
            Some(sealed) => from_words(&self.key.get()?.open("ledger", &key, &sealed)?)?,
            None => (None, String::new()),
        };
        Ok(LedgerRow {
            key,
            state: state_of(row.get(1)?)?,
            noted_at: natural(row.get(2)?),
            recorded_at: natural(row.get(3)?),
            digest: row.get(4)?,
            message_id: None,
            size: natural(row.get(5)?),
            ends: row.get(6)?,
            begun: row.get(7)?,
            not_before: natural(row.get(8)?),
            delete_at: row.get::<_, Option<i64>>(9)?.map(natural),
            uidl,
            reason,
        })
    }
}

pub(super) struct Writer<'a> {
    db: &'a Connection,
    key: AccountKey<'a>,
    account: i64,
    generation: u32,
    now: UnixTime,
    /// The next turn of a row first noted; unknown until one is.
    turn: Option<i64>,
    teller: Teller,
}

impl<'a> Writer<'a> {
    pub fn new(
        db: &'a Connection,
        keys: &'a Keys,
        account: i64,
        generation: u32,
        now: UnixTime,
    ) -> Result<Writer<'a>> {
        let (key, teller) = (AccountKey::new(db, keys, account), Teller::new(account, generation, now));
        Ok(Writer { db, key, account, generation, now, turn: None, teller })
    }

    pub fn state_of(&self, key: &UidlKey) -> Result<Option<RowState>> {
        let state = self
            .db
            .prepare_cached("SELECT state FROM ledger WHERE account = ? AND generation = ? AND key = ?")?
            .query_row(params![self.account, self.generation, key], |row| row.get(0))
            .optional()?;
        state.map(state_of).transpose()
    }

    /// A time of 0 that the state must have is `now`. A row that stood keeps when, and in which turn, it was noted.
    /// `what` that means is told in the history.
    pub fn write(&mut self, row: &LedgerRow, state: RowState, what: Option<What>) -> Result<()> {
        let open = is_open(state);
        let turn = if open { Some(self.next_turn()?) } else { None };
        let sealed = if open && (row.uidl.is_some() || !row.reason.is_empty()) {
            let words = to_words(row.uidl.as_deref(), &row.reason);
            Some(self.key.get()?.seal("ledger", &row.key, &words)?)
        } else {
            None
        };
        let noted_at = if row.noted_at == 0 { self.now } else { row.noted_at };
        let recorded_at = match state {
            RowState::Durable if row.recorded_at == 0 => self.now,
            _ => row.recorded_at,
        };
        let message_id = self
            .db
            .prepare_cached(
                "INSERT INTO ledger (account, generation, key, state, noted_at, recorded_at, digest, message_id, size,
                    ends, begun, not_before, delete_at, turn, sealed)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET state = excluded.state, recorded_at = excluded.recorded_at,
                    digest = excluded.digest, message_id = coalesce(excluded.message_id, message_id),
                    size = excluded.size, ends = excluded.ends, begun = excluded.begun,
                    not_before = excluded.not_before, delete_at = excluded.delete_at, sealed = excluded.sealed,
                    turn = iif(excluded.turn IS NULL, NULL, coalesce(turn, excluded.turn))
                 RETURNING message_id",
            )?
            .query_row(
                params![
                    self.account,
                    self.generation,
                    row.key,
                    state as u8,
                    sql(noted_at),
                    sql(recorded_at),
                    row.digest,
                    row.message_id,
                    sql(row.size),
                    row.ends,
                    row.begun,
                    sql(row.not_before),
                    row.delete_at.map(sql),
                    turn,
                    sealed
                ],
                |row| row.get(0),
            )?;
        match what {
            Some(what) => self.teller.tell(self.db, &mut self.key, what, row, message_id),
            None => Ok(()),
        }
    }

    /// One that was still to come is told as one that will not.
    pub fn forget(&mut self, key: &UidlKey) -> Result<()> {
        let forgotten = self
            .db
            .prepare_cached(
                "DELETE FROM ledger WHERE account = ? AND generation = ? AND key = ?
                    RETURNING state, ends, size, message_id",
            )?
            .query_row(params![self.account, self.generation, key], |row| {
                Ok((row.get::<_, u8>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((state, ends, size, message_id)) = forgotten else {
            return Ok(());
        };
        let state = state_of(state)?;
        match What::of_forgotten(state, ends) {
            // A note about a header that could not be read is no message of its own.
            Some(_) if state == RowState::InHand && !self.teller.knows(self.db, key)? => Ok(()),
            Some(what) => {
                let row = LedgerRow { size: natural(size), ..LedgerRow::new(*key, state, self.now) };
                self.teller.tell(self.db, &mut self.key, what, &row, message_id)
            }
            None => Ok(()),
        }
    }

    pub fn is_of(&self, generation: u32) -> bool {
        self.generation == generation
    }

    /// To be called when all is written.
    pub fn finish(self) -> Result<()> {
        self.teller.finish(self.db)
    }

    fn next_turn(&mut self) -> Result<i64> {
        let turn = match self.turn {
            Some(turn) => turn,
            None => self
                .db
                .prepare_cached(
                    "SELECT coalesce(max(turn), 0) + 1 FROM ledger
                        WHERE account = ? AND generation = ? AND turn IS NOT NULL",
                )?
                .query_row(params![self.account, self.generation], |row| row.get(0))?,
        };
        self.turn = Some(turn + 1);
        Ok(turn)
    }
}

/// Fetched when the first sealed column needs it: most rows have none.
pub(super) struct AccountKey<'a> {
    db: &'a Connection,
    keys: &'a Keys,
    account: i64,
    key: Option<DataKey>,
}

impl<'a> AccountKey<'a> {
    pub fn new(db: &'a Connection, keys: &'a Keys, account: i64) -> AccountKey<'a> {
        AccountKey { db, keys, account, key: None }
    }

    pub fn get(&mut self) -> Result<&DataKey> {
        let key = match self.key.take() {
            Some(key) => key,
            None => accounts::data_key(self.db, self.keys, self.account)?,
        };
        Ok(self.key.insert(key))
    }
}

/// Whether something may still be done about the message.
fn is_open(state: RowState) -> bool {
    !matches!(state, RowState::Durable | RowState::Imported | RowState::Gone)
}

fn state_of(number: u8) -> Result<RowState> {
    Ok(match number {
        1 => RowState::InHand,
        2 => RowState::Durable,
        3 => RowState::Deferred,
        4 => RowState::Refused,
        5 => RowState::Oversize,
        6 => RowState::SetAside,
        7 => RowState::Imported,
        8 => RowState::Gone,
        _ => return Err(fault::corrupt(&format!("a ledger row of state {number}"))),
    })
}

/// 0 or 1 (no UIDL, one), its length, UIDL, reason.
pub(super) fn to_words(uidl: Option<&[u8]>, reason: &str) -> Vec<u8> {
    let bytes = uidl.unwrap_or_default();
    let mut words = vec![u8::from(uidl.is_some())];
    words.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    words.extend_from_slice(bytes);
    words.extend_from_slice(reason.as_bytes());
    words
}

pub(super) fn from_words(words: &[u8]) -> Result<(Option<Vec<u8>>, String)> {
    let parse = || {
        let (has, rest) = words.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (uidl, reason) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let reason = String::from_utf8(reason.to_vec()).ok()?;
        Some(((*has == 1).then(|| uidl.to_vec()), reason))
    };
    parse().ok_or_else(|| fault::corrupt("what is sealed of a ledger row does not parse"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_went() {
        for (uidl, reason) in [(None, ""), (Some(&b""[..]), "no"), (Some(b"\xff\0x"), ""), (None, "Grüße")]
        {
            let (back, words) = from_words(&to_words(uidl, reason)).unwrap();
            assert_eq!((back.as_deref(), words.as_str()), (uidl, reason));
        }
        assert!(from_words(b"").is_err());
        assert!(from_words(&[1, 0, 0, 0, 9, 1]).is_err());
    }
}
