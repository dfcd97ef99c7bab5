//! The SQLite schema in numbered steps, each one transaction; what stands in a released step never changes.
//!
//! A database is ours by its `application_id`; `user_version` is the number of steps it has seen. A newer or a
//! foreign one is refused and left as it is.

use rusqlite::{Connection, TransactionBehavior};

use super::fault;
use crate::error::Result;
use crate::model::UnixTime;

/// "MPOP".
const APPLICATION: i64 = 0x4d50_4f50;

/// What a database is to this version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// To be made, or upgraded from the number of steps it has.
    Behind(i64),
}

pub(super) fn standing(connection: &Connection) -> Result<Standing> {
    standing_of(connection, STEPS)
}

pub(super) fn bring_up(connection: &mut Connection, now: UnixTime) -> Result<()> {
    bring_up_by(connection, STEPS, now)
}

fn standing_of(connection: &Connection, steps: &[&str]) -> Result<Standing> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application == APPLICATION {
        let known = steps.len() as i64;
        return match version {
            _ if version == known => Ok(Standing::Current),
            _ if version > known => Err(fault::newer(version, known)),
            _ => Ok(Standing::Behind(version)),
        };
    }
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != 0 || version != 0 || tables != 0 {
        return Err(fault::foreign("another program made this database"));
    }
    Ok(Standing::Behind(0))
}

fn bring_up_by(connection: &mut Connection, steps: &[&str], now: UnixTime) -> Result<()> {
    while let Standing::Behind(done) = standing_of(connection, steps)? {
        let step = usize::try_from(done)
            .ok()
            .and_then(|done| steps.get(done))
            .ok_or_else(|| fault::corrupt(&format!("its schema number is {done}")))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have gone this step before the transaction began.
        if standing_of(&transaction, steps)? == Standing::Behind(done) {
            transaction.execute_batch(step)?;
            transaction.execute_batch(WHEN)?;
            transaction.execute(
                "INSERT INTO steps (number, gone_at) VALUES (?, ?)",
                [done + 1, i64::try_from(now).unwrap_or(i64::MAX)],
            )?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", done + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// For whoever must find out when a store was made or upgraded.
const WHEN: &str = "CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY, gone_at INTEGER NOT NULL)";

const STEPS: &[&str] = &[STEP_1];

/// What is secret or tells of a person stands, sealed, in `data_key`, `meant`, `state`, `sealed` and `answer` only; ids
/// of accounts and owners are keyed hashes (`seal::Index`). Realms stand in clear, as servers and providers do: they
/// name customers and machines. Times are Unix seconds.
const STEP_1: &str = "
    -- Configurations that were applied; the highest number stands.
    CREATE TABLE configurations (
        number      INTEGER PRIMARY KEY,
        digest      BLOB NOT NULL,
        applied_at  INTEGER NOT NULL
    );

    -- The operator's keys (by hash) that data keys are sealed with.
    CREATE TABLE keys (
        id     BLOB PRIMARY KEY,
        since  INTEGER NOT NULL
    ) WITHOUT ROWID;

    -- Where a data key stands it is overwritten when it is destroyed. No row is ever deleted and all are of one size,
    -- for SQLite leaves copies behind where it moves rows between pages. Slot 0 is the store's own.
    CREATE TABLE data_keys (
        slot      INTEGER PRIMARY KEY,
        used      INTEGER NOT NULL,
        -- Of the account: drawn at creation, never used again.
        number    BLOB NOT NULL,
        key_id    BLOB NOT NULL,
        data_key  BLOB NOT NULL
    );
    CREATE INDEX data_keys_free ON data_keys (used) WHERE used = 0;
    CREATE INDEX data_keys_key ON data_keys (key_id);

    -- An owner belongs to exactly one realm, as long as he has an account.
    CREATE TABLE owners (
        name   BLOB PRIMARY KEY,
        realm  TEXT NOT NULL
    ) WITHOUT ROWID;

    -- One-time links, one for an account; of the token its hash.
    CREATE TABLE links (
        account     INTEGER PRIMARY KEY,
        token       BLOB NOT NULL,
        owner       BLOB NOT NULL,
        expires_at  INTEGER NOT NULL
    );

    CREATE TABLE accounts (
        row         INTEGER PRIMARY KEY AUTOINCREMENT,
        id          BLOB NOT NULL UNIQUE,
        owner       BLOB NOT NULL,
        realm       TEXT NOT NULL,
        -- 0 put by a call, 1 of the configuration, 2 was of the configuration
        origin      INTEGER NOT NULL,
        slot        INTEGER NOT NULL UNIQUE,
        generation  INTEGER NOT NULL,
        -- JSON, sealed: the account as meant; what is known and shown of it
        meant       BLOB NOT NULL,
        state       BLOB NOT NULL,
        -- From `meant` and `state`; NULL: not while disabled or paused.
        due_at      INTEGER,
        ready_at    INTEGER
    );
    CREATE INDEX accounts_due ON accounts (due_at, ready_at) WHERE due_at IS NOT NULL;
    CREATE INDEX accounts_owner_due ON accounts (owner, due_at, ready_at);
    CREATE INDEX accounts_owner ON accounts (owner, id);
    CREATE INDEX accounts_realm ON accounts (realm, id);

    -- A slot keeps its version when it is emptied, so that a late writer never meets an old number again.
    CREATE TABLE grants (
        account  INTEGER NOT NULL,
        slot     INTEGER NOT NULL,
        version  INTEGER NOT NULL,
        sealed   BLOB,
        -- When it must be refreshed lest it dies of idleness; NULL: never.
        keep_at  INTEGER,
        -- Who gave it, hashed, while it lives and may be given back.
        person   BLOB,
        PRIMARY KEY (account, slot)
    ) WITHOUT ROWID;
    CREATE INDEX grants_person ON grants (person) WHERE person IS NOT NULL;
    CREATE INDEX grants_keep ON grants (keep_at) WHERE keep_at IS NOT NULL;

    CREATE TABLE consents (
        state       BLOB PRIMARY KEY,
        session     BLOB NOT NULL,
        account     INTEGER NOT NULL,
        used        INTEGER NOT NULL DEFAULT 0,
        -- Unused: of the consent. Used: of the memory of its answer.
        expires_at  INTEGER NOT NULL,
        sealed      BLOB,
        answer      BLOB
    ) WITHOUT ROWID;
    CREATE INDEX consents_expire ON consents (expires_at);
    CREATE INDEX consents_account ON consents (account);

    -- Accounts whose data key is destroyed, and of which rows or old pages of the log may be left; below 0 a revocation.
    CREATE TABLE erasures (
        account  INTEGER PRIMARY KEY
    );

    -- Refresh tokens of erased accounts that are to be given back, each under a data key of its own.
    CREATE TABLE revocations (
        number    INTEGER PRIMARY KEY AUTOINCREMENT,
        slot      INTEGER NOT NULL UNIQUE,
        sealed    BLOB NOT NULL,
        attempts  INTEGER NOT NULL,
        next_at   INTEGER NOT NULL,
        until     INTEGER NOT NULL
    );
    CREATE INDEX revocations_next ON revocations (next_at);

    -- kind: 0 visiting the account, 1 refreshing its grant
    CREATE TABLE leases (
        account     INTEGER NOT NULL,
        kind        INTEGER NOT NULL,
        fence       INTEGER NOT NULL,
        holder      TEXT NOT NULL,
        expires_at  INTEGER NOT NULL,
        attempts    INTEGER NOT NULL,
        PRIMARY KEY (account, kind)
    ) WITHOUT ROWID;

    CREATE TABLE ledger (
        account      INTEGER NOT NULL,
        generation   INTEGER NOT NULL,
        key          BLOB NOT NULL,
        state        INTEGER NOT NULL,
        noted_at     INTEGER NOT NULL,
        recorded_at  INTEGER NOT NULL,
        digest       BLOB,
        message_id   BLOB,
        size         INTEGER NOT NULL,
        ends         INTEGER NOT NULL,
        begun        INTEGER NOT NULL,
        not_before   INTEGER NOT NULL,
        delete_at    INTEGER,
        -- The order rows were first noted in; NULL once nothing more is to be done.
        turn         INTEGER,
        -- UIDL and reason, where somebody may have to look at it.
        sealed       BLOB,
        PRIMARY KEY (account, generation, key)
    ) WITHOUT ROWID;
    CREATE INDEX ledger_open ON ledger (account, generation, turn) WHERE turn IS NOT NULL;
    CREATE INDEX ledger_delete ON ledger (account, generation, delete_at)
        WHERE state = 2 AND delete_at IS NOT NULL;

    -- The last complete, well-formed listing of each account, in order.
    CREATE TABLE listings (
        account     INTEGER PRIMARY KEY,
        generation  INTEGER NOT NULL,
        count       INTEGER NOT NULL,
        digest      BLOB NOT NULL,
        seen_at     INTEGER NOT NULL
    );

    -- The last visits of each account, and what became of its messages lately; both bounded, in order of number.
    CREATE TABLE passes (
        account   INTEGER NOT NULL,
        number    INTEGER NOT NULL,
        begun     INTEGER NOT NULL,
        ended     INTEGER NOT NULL,
        process   TEXT NOT NULL,
        outcome   TEXT NOT NULL,
        status    INTEGER NOT NULL,
        cause     TEXT NOT NULL,
        -- Entries of the listing; NULL: the visit came to none.
        listed    INTEGER,
        new       INTEGER NOT NULL,
        taken     INTEGER NOT NULL,
        deferred  INTEGER NOT NULL,
        refused   INTEGER NOT NULL,
        deleted   INTEGER NOT NULL,
        bytes     INTEGER NOT NULL,
        PRIMARY KEY (account, number)
    ) WITHOUT ROWID;
    CREATE TABLE happenings (
        account     INTEGER NOT NULL,
        number      INTEGER NOT NULL,
        generation  INTEGER NOT NULL,
        key         BLOB NOT NULL,
        message_id  BLOB,
        what        INTEGER NOT NULL,
        at          INTEGER NOT NULL,
        size        INTEGER NOT NULL,
        process     TEXT NOT NULL,
        -- UIDL, and the words of whoever decided.
        sealed      BLOB,
        PRIMARY KEY (account, number)
    ) WITHOUT ROWID;

    -- Accounts whose sessions are traced, and the last lines of it, some in each row.
    CREATE TABLE traces (
        account  INTEGER PRIMARY KEY,
        until    INTEGER NOT NULL
    );
    CREATE TABLE trace_lines (
        account  INTEGER NOT NULL,
        number   INTEGER NOT NULL,
        at       INTEGER NOT NULL,
        process  TEXT NOT NULL,
        lines    INTEGER NOT NULL,
        bytes    INTEGER NOT NULL,
        sealed   BLOB NOT NULL,
        PRIMARY KEY (account, number)
    ) WITHOUT ROWID;

    -- What a provider, host or realm may still take; whose host is left in peace for a while; what was counted.
    CREATE TABLE budgets (
        kind       TEXT NOT NULL,
        name       TEXT NOT NULL,
        realm      TEXT NOT NULL,
        begins_at  INTEGER NOT NULL,
        used       INTEGER NOT NULL,
        PRIMARY KEY (kind, name, realm)
    ) WITHOUT ROWID;
    CREATE TABLE breakers (
        kind        TEXT NOT NULL,
        name        TEXT NOT NULL,
        realm       TEXT NOT NULL,
        failures    INTEGER NOT NULL,
        since       INTEGER NOT NULL,
        open_until  INTEGER NOT NULL,
        PRIMARY KEY (kind, name, realm)
    ) WITHOUT ROWID;
    CREATE TABLE counters (
        realm  TEXT NOT NULL,
        name   TEXT NOT NULL,
        label  TEXT NOT NULL,
        value  INTEGER NOT NULL,
        PRIMARY KEY (realm, name, label)
    ) WITHOUT ROWID;

    -- How each account stands for whoever is to be told; who can help: 0 nobody need, 1 its user, 2 the operator, 3 time.
    CREATE TABLE standings (
        account      INTEGER PRIMARY KEY,
        -- Of its tokens; a keyed digest of the mail server's name where there is none.
        provider     TEXT NOT NULL,
        needs        INTEGER NOT NULL DEFAULT 0,
        cause        TEXT NOT NULL DEFAULT '',
        since        INTEGER NOT NULL DEFAULT 0,
        cause_since  INTEGER NOT NULL DEFAULT 0,
        -- Who was needed, and since when, before what time heals came in between.
        before       INTEGER NOT NULL DEFAULT 0,
        before_since INTEGER NOT NULL DEFAULT 0,
        healed_at    INTEGER,
        -- When its grant was last renewed; NULL: nothing that dies of idleness.
        renewed_at   INTEGER
    );
    CREATE INDEX standings_needs ON standings (provider, cause, needs, cause_since) WHERE needs > 0;
    CREATE INDEX standings_user ON standings (since, account) WHERE needs = 1;
    CREATE INDEX standings_provider ON standings (provider);
    CREATE INDEX standings_renewed ON standings (provider, renewed_at) WHERE renewed_at IS NOT NULL;
    CREATE INDEX standings_healed ON standings (healed_at) WHERE healed_at IS NOT NULL;

    -- One cause that hit many accounts of a provider within an hour; their users are not told before `held_until`.
    CREATE TABLE incidents (
        provider    TEXT NOT NULL,
        cause       TEXT NOT NULL,
        begun_at    INTEGER NOT NULL,
        held_until  INTEGER NOT NULL,
        ended_at    INTEGER,
        PRIMARY KEY (provider, cause)
    ) WITHOUT ROWID;

    -- What was told, to whom: account 0 is the operator. `mark` is the occasion somebody is telling of until
    -- `leased_until`, `told` the last one that was told.
    CREATE TABLE notices (
        row           INTEGER PRIMARY KEY AUTOINCREMENT,
        kind          TEXT NOT NULL,
        account       INTEGER NOT NULL,
        topic         TEXT NOT NULL,
        mark          INTEGER NOT NULL,
        leased_until  INTEGER NOT NULL,
        told          INTEGER,
        told_at       INTEGER,
        UNIQUE (account, kind, topic)
    );
";

#[cfg(test)]
mod tests;
