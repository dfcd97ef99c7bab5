//! The trait's promises, each handed to the file that keeps it, in one transaction of its kind.

use std::collections::BTreeMap;

use super::{
    Durability, SqliteStore, accounts, apply, breakers, consents, grants, history, leases, ledger, passwords,
    state, traces,
};
use crate::secret::Secret;
use crate::store::*;

impl Store for SqliteStore {
    fn apply_with(
        &self,
        desired: &Desired,
        passwords: &BTreeMap<String, Secret>,
        mine: Option<u64>,
        now: UnixTime,
    ) -> Result<Applied> {
        if let Some(applied) = self.read(|db| apply::unchanged(db, &self.keys, desired))? {
            return Ok(applied);
        }
        self.write(Durability::Full, |db| apply::apply(db, &self.keys, desired, passwords, mine, now))
    }

    fn put_account_with(
        &self,
        account: &Account,
        password: Option<&Secret>,
        cap: u32,
        now: UnixTime,
    ) -> Result<()> {
        self.write(Durability::Full, |db| {
            accounts::put(db, &self.keys, account, cap, now)?;
            passwords::put(db, &self.keys, account, password)
        })
    }

    fn password(&self, account: &str) -> Result<Option<StoredPassword>> {
        self.read(|db| passwords::read(db, &self.keys, account))
    }

    fn account(&self, id: &str) -> Result<Option<AccountRow>> {
        self.read(|db| Ok(accounts::find(db, &self.keys, id)?.map(|found| found.shown)))
    }

    fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRow>> {
        self.read(|db| accounts::list(db, &self.keys, query))
    }

    fn realm_of(&self, owner: &str) -> Result<Option<String>> {
        self.read(|db| accounts::realm_of(db, &self.keys, owner))
    }

    fn due(&self, reach: &Reach, now: UnixTime, regardless: bool, limit: u32) -> Result<Vec<String>> {
        self.read(|db| state::due(db, &self.keys, reach, now, regardless, limit))
    }

    fn next_due(&self, reach: &Reach) -> Result<Option<UnixTime>> {
        self.read(|db| state::next_due(db, &self.keys, reach))
    }

    fn update_state_of(&self, account: &Known, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool> {
        self.write(Durability::Full, |db| match accounts::is_known(db, &self.keys, account)? {
            true => state::update(db, &self.keys, &account.id, change),
            false => Ok(false),
        })
    }

    fn lease(&self, what: &LeaseName, now: UnixTime, for_s: u32) -> Result<Option<Lease>> {
        let row = self.read(|db| accounts::row_of(db, &self.keys, what.account()))?;
        let Some(lock) =
            self.locks.take(leases::byte(row, what)).map_err(|error| fault::at(&self.path, error))?
        else {
            return Ok(None);
        };
        let taken = self.write(Durability::Relaxed, |db| leases::take(db, row, what, now, for_s))?;
        Ok(Some(Lease {
            name: what.clone(),
            fence: taken.fence,
            attempts: taken.attempts,
            row,
            lock: Some(lock),
        }))
    }

    fn renew(&self, lease: &Lease, now: UnixTime, for_s: u32) -> Result<bool> {
        self.write(Durability::Relaxed, |db| leases::renew(db, lease, now, for_s))
    }

    fn holds(&self, lease: &Lease) -> Result<bool> {
        self.read(|db| Ok(leases::holds(db, lease)?.is_some()))
    }

    fn release(&self, lease: &Lease, clean: bool) -> Result<()> {
        let released = self.write(Durability::Relaxed, |db| leases::release(db, lease, clean));
        if let Some(lock) = &lease.lock {
            lock.unlock();
        }
        released
    }

    fn clear_attempts(&self, lease: &Lease) -> Result<()> {
        self.write(Durability::Relaxed, |db| match leases::holds(db, lease)? {
            Some(row) => leases::clear_attempts(db, row),
            None => Ok(()),
        })
    }

    fn breaker(&self, place: &str) -> Result<Option<Breaker>> {
        self.read(|db| breakers::read(db, place))
    }

    fn change_breaker(
        &self,
        place: &str,
        change: &mut dyn FnMut(Option<Breaker>) -> Option<Breaker>,
    ) -> Result<Option<Breaker>> {
        self.write(Durability::Relaxed, |db| {
            let before = breakers::read(db, place)?;
            let after = change(before);
            if after != before {
                breakers::write(db, place, after.as_ref())?;
            }
            Ok(after)
        })
    }

    fn grant(&self, account: &str, which: GrantSlot) -> Result<Option<StoredGrant>> {
        self.read(|db| grants::read(db, &self.keys, account, which))
    }

    fn put_grant_of(
        &self,
        account: &Known,
        which: GrantSlot,
        expected: u64,
        grant: &Grant,
    ) -> Result<Option<u64>> {
        self.write(Durability::Full, |db| {
            accounts::prove_known(db, &self.keys, account)?;
            grants::put(db, &self.keys, &account.id, which, expected, grant)
        })
    }

    fn drop_grant_of(&self, account: &Known, which: GrantSlot) -> Result<()> {
        self.write(Durability::Full, |db| {
            accounts::prove_known(db, &self.keys, account)?;
            grants::empty(db, accounts::row_of(db, &self.keys, &account.id)?, which)
        })
    }

    fn confirm_grant_of(&self, account: &Known, expected_pending: u64) -> Result<bool> {
        self.write(Durability::Full, |db| {
            accounts::prove_known(db, &self.keys, account)?;
            grants::confirm(db, &self.keys, &account.id, expected_pending)
        })
    }

    fn grants_to_keep(&self, reach: &Reach, now: UnixTime, limit: u32) -> Result<Vec<String>> {
        self.read(|db| grants::to_keep(db, &self.keys, reach, now, limit))
    }

    fn put_off_keeping(&self, account: &str, at: UnixTime) -> Result<()> {
        self.write(Durability::Relaxed, |db| grants::put_off_keeping(db, &self.keys, account, at))
    }

    fn begin_consent(&self, consent: &Consent) -> Result<()> {
        self.write(Durability::Full, |db| consents::begin(db, &self.keys, consent))
    }

    fn take_consent(&self, state: &[u8; 32], session: &[u8; 32], now: UnixTime) -> Result<TakenConsent> {
        self.write(Durability::Full, |db| consents::take(db, &self.keys, state, session, now))
    }

    fn put_back_consent(&self, consent: &Consent) -> Result<bool> {
        self.write(Durability::Full, |db| consents::put_back(db, &self.keys, consent))
    }

    fn answer_consent(&self, state: &[u8; 32], answer: &str) -> Result<()> {
        self.write(Durability::Full, |db| consents::answer(db, &self.keys, state, answer))
    }

    fn sweep_consents(&self, now: UnixTime) -> Result<()> {
        self.write(Durability::Relaxed, |db| consents::sweep(db, now))
    }

    fn ledger(&self, account: &str) -> Result<LedgerHead> {
        self.read(|db| ledger::head(db, &self.keys, account))
    }

    fn open_rows(&self, account: &str, generation: u32) -> Result<Vec<LedgerRow>> {
        self.read(|db| ledger::open_rows(db, &self.keys, account, generation))
    }

    fn rows_to_delete(&self, account: &str, generation: u32, now: UnixTime) -> Result<Vec<LedgerRow>> {
        self.read(|db| ledger::rows_to_delete(db, &self.keys, account, generation, now))
    }

    fn rows(&self, account: &str, generation: u32, keys: &[UidlKey]) -> Result<Vec<Option<LedgerRow>>> {
        self.read(|db| ledger::rows(db, &self.keys, account, generation, keys))
    }

    fn all_rows(&self, account: &str, generation: u32) -> Result<Vec<LedgerRow>> {
        self.read(|db| ledger::all_rows(db, &self.keys, account, generation))
    }

    fn note_in_hand(&self, lease: &Lease, generation: u32, rows: &[NewRow], now: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| ledger::note_in_hand(db, &self.keys, lease, generation, rows, now))
    }

    fn record(&self, deliveries: &[Delivery<'_>], now: UnixTime) -> Result<Vec<bool>> {
        self.write(Durability::Full, |db| ledger::record(db, &self.keys, deliveries, now))
    }

    fn write_rows(&self, lease: &Lease, generation: u32, rows: &[NewRow], now: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| ledger::write_rows(db, &self.keys, lease, generation, rows, now))
    }

    fn forget(&self, lease: &Lease, generation: u32, keys: &[UidlKey], now: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| ledger::forget(db, &self.keys, lease, generation, keys, now))
    }

    fn mark_listing(&self, lease: &Lease, mark: &ListingMark) -> Result<()> {
        self.write(Durability::Relaxed, |db| ledger::mark_listing(db, lease, mark))
    }

    fn begin_generation(&self, lease: &Lease, rows: &[NewRow], now: UnixTime) -> Result<u32> {
        self.write(Durability::Full, |db| ledger::begin_generation(db, &self.keys, lease, rows, now))
    }

    fn update_state_fenced(&self, lease: &Lease, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool> {
        self.write(Durability::Relaxed, |db| match leases::holds(db, lease)? {
            Some(_) => state::update(db, &self.keys, lease.name.account(), change),
            None => Ok(false),
        })
    }

    fn digest_key(&self, account: &str) -> Result<crate::secret::KeyBytes> {
        self.read(|db| {
            let row = accounts::row_of(db, &self.keys, account)?;
            Ok(accounts::data_key(db, &self.keys, row)?.digest_key())
        })
    }
}

impl History for SqliteStore {
    fn end_visit(
        &self,
        lease: &Lease,
        pass: &Pass,
        trace: &[TraceLine],
        change: &mut dyn FnMut(&mut AccountState),
    ) -> Result<bool> {
        self.write(Durability::Relaxed, |db| {
            let Some(row) = leases::holds(db, lease)? else {
                return Ok(false);
            };
            history::add_pass(db, row, &leases::process(), pass)?;
            traces::add(db, &self.keys, row, trace, pass.ended)?;
            state::update(db, &self.keys, lease.name.account(), change)
        })
    }

    fn add_pass(
        &self,
        account: &Known,
        pass: &Pass,
        change: &mut dyn FnMut(&mut AccountState),
    ) -> Result<bool> {
        self.write(Durability::Full, |db| {
            if !accounts::is_known(db, &self.keys, account)? {
                return Ok(false);
            }
            let row = accounts::row_of(db, &self.keys, &account.id)?;
            history::add_pass(db, row, &leases::process(), pass)?;
            leases::told(db, row)?;
            state::update(db, &self.keys, &account.id, change)
        })
    }

    fn passes(&self, account: &str) -> Result<Vec<Pass>> {
        self.read(|db| history::passes(db, &self.keys, account))
    }

    fn what_became(&self, account: &str, asked: &Asked, now: UnixTime, limit: u32) -> Result<Became> {
        self.read(|db| history::what_became(db, &self.keys, account, asked, now, limit))
    }

    fn trace_until(&self, account: &str, until: UnixTime) -> Result<()> {
        self.write(Durability::Full, |db| traces::until(db, &self.keys, account, until))
    }

    fn traced(&self, account: &str, now: UnixTime) -> Result<Option<UnixTime>> {
        self.read(|db| traces::on(db, &self.keys, account, now))
    }

    fn add_trace(&self, lease: &Lease, lines: &[TraceLine], now: UnixTime) -> Result<()> {
        self.write(Durability::Relaxed, |db| match leases::holds(db, lease)? {
            Some(row) => traces::add(db, &self.keys, row, lines, now),
            None => Ok(()),
        })
    }

    fn trace(&self, account: &str) -> Result<Trace> {
        self.read(|db| traces::read(db, &self.keys, account))
    }
}
