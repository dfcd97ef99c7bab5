//! The keys of a store: the operator's ring, the data keys it seals, and what the store looks ids and owners up by.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::sql;
use crate::error::Result;
use crate::model::{Identity, UnixTime};
use crate::store::seal::{DataKey, Index, KeyId, KeyRing, random};

pub(super) struct Keys {
    ring: KeyRing,
    index: Index,
}

/// An account's or an owner's name, as it stands in the store.
pub(super) type Hash = [u8; 16];

impl Keys {
    /// Every key the store is sealed with must be at hand, or the configuration is wrong.
    pub fn open(connection: &mut Connection, ring: &KeyRing, now: UnixTime) -> Result<Keys> {
        prove(connection, ring)?;
        let own = match key_in(connection, ring, OWN)? {
            Some(own) => own,
            None => {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                // Another process may have been quicker.
                let own = match key_in(&transaction, ring, OWN)? {
                    Some(own) => own,
                    None => draw_into(&transaction, ring, Some(OWN), now)?.1,
                };
                transaction.commit()?;
                own
            }
        };
        Ok(Keys { ring: ring.clone(), index: own.index() })
    }

    pub fn id(&self, account: &str) -> Hash {
        self.index.of("account", account)
    }

    pub fn owner(&self, name: &str) -> Hash {
        self.index.of("owner", name)
    }

    pub fn person(&self, identity: Option<&Identity>, sign_in_name: &str) -> Hash {
        match identity {
            Some(identity) => self.index.of("person", &identity.person().join("\0")),
            None => self.index.of("person", &sign_in_name.to_ascii_lowercase()),
        }
    }

    pub fn unwrap(&self, number: [u8; 16], data_key: &[u8]) -> Result<DataKey> {
        DataKey::unwrap(&self.ring, number, data_key)
    }

    /// A new data key, and the slot it stands in.
    pub fn draw(&self, db: &Connection, now: UnixTime) -> Result<(i64, DataKey)> {
        let free = db
            .prepare_cached("SELECT slot FROM data_keys WHERE used = 0 LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        draw_into(db, &self.ring, free, now)
    }

    pub fn has_older(&self, db: &Connection) -> Result<bool> {
        let older = "SELECT EXISTS (SELECT 1 FROM keys WHERE id <> ?)";
        Ok(db.query_row(older, [self.ring.first()], |row| row.get(0))?)
    }

    /// Key roll-over: afterwards the older key files open nothing in this store any more.
    pub fn seal_with_first(&self, db: &Connection, now: UnixTime) -> Result<()> {
        if !self.has_older(db)? {
            return Ok(());
        }
        let first = self.ring.first();
        let mut older =
            db.prepare("SELECT slot, number, data_key FROM data_keys WHERE used = 1 AND key_id <> ?")?;
        let older: Vec<(i64, [u8; 16], Vec<u8>)> = older
            .query_map([first], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (slot, number, sealed) in older {
            let wrapped = self.unwrap(number, &sealed)?.wrap(&self.ring)?;
            db.prepare_cached("UPDATE data_keys SET key_id = ?, data_key = ? WHERE slot = ?")?
                .execute(params![first, wrapped, slot])?;
        }
        db.execute("DELETE FROM keys WHERE id <> ?", [first])?;
        note(db, first, now)
    }
}

/// What was sealed with it opens nowhere any more, once the log is gone too.
pub(super) fn destroy(db: &Connection, slot: i64) -> Result<()> {
    db.prepare_cached(
        "UPDATE data_keys SET used = 0, number = zeroblob(length(number)), key_id = zeroblob(length(key_id)),
            data_key = zeroblob(length(data_key)) WHERE slot = ?",
    )?
    .execute([slot])?;
    Ok(())
}

const OWN: i64 = 0;

fn draw_into(db: &Connection, ring: &KeyRing, slot: Option<i64>, now: UnixTime) -> Result<(i64, DataKey)> {
    let mut number = [0; 16];
    random(&mut number)?;
    let key = DataKey::draw(number)?;
    note(db, ring.first(), now)?;
    let slot = db
        .prepare_cached(
            "INSERT INTO data_keys (slot, used, number, key_id, data_key) VALUES (?, 1, ?, ?, ?)
                ON CONFLICT DO UPDATE SET used = 1, number = excluded.number, key_id = excluded.key_id,
                    data_key = excluded.data_key RETURNING slot",
        )?
        .query_row(params![slot, number, ring.first(), key.wrap(ring)?], |row| row.get(0))?;
    Ok((slot, key))
}

fn note(db: &Connection, first: KeyId, now: UnixTime) -> Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO keys (id, since) VALUES (?, ?)")?
        .execute(params![first, sql(now)])?;
    Ok(())
}

fn key_in(db: &Connection, ring: &KeyRing, slot: i64) -> Result<Option<DataKey>> {
    let found: Option<([u8; 16], Vec<u8>)> = db
        .query_row("SELECT number, data_key FROM data_keys WHERE slot = ?", [slot], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    found.map(|(number, data_key)| DataKey::unwrap(ring, number, &data_key)).transpose()
}

fn prove(db: &Connection, ring: &KeyRing) -> Result<()> {
    let mut used =
        db.prepare("SELECT id FROM keys WHERE EXISTS (SELECT 1 FROM data_keys WHERE key_id = keys.id)")?;
    for id in used.query_map([], |row| row.get::<_, KeyId>(0))? {
        let id = id?;
        if !ring.knows(&id) {
            return Err(ring.unknown(&id));
        }
    }
    Ok(())
}
