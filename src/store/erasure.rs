//! Erasing accounts for good, giving their grants back to the providers afterwards, and what must be told before.

use super::{Erased, Person, Result, Revocation, TakesBack, ToRevoke, UnderWay, UnixTime, Whose};
use crate::model::Identity;

/// What is erased wins against whatever runs, in any process: it is fenced off and writes nothing more, not even to a
/// later account of the same id.
pub trait Erasure {
    /// Destroys the data keys first, then everything they had sealed, then what leads to it. Whoever is visiting one of
    /// the accounts is waited for a moment, so that he delivers nothing any more when this returns. What somebody who
    /// reads the files holds up, such as old pages of a log, is finished by a later opening.
    ///
    /// `E_RIGHTS` for accounts of the configuration, all of them named, and nothing is erased. `takes_back` tells of a
    /// provider, by id, where it takes refresh tokens back: those go to `take_revocations`, in the same transaction.
    fn erase(
        &self,
        whose: &Whose,
        takes_back: &dyn Fn(&str) -> Option<TakesBack>,
        now: UnixTime,
    ) -> Result<Erased>;

    /// Consents of an account that are under way, or of which the answer is still remembered; without what is secret.
    fn consents_of(&self, account: &str) -> Result<Vec<UnderWay>>;

    /// A token that came in when its account was gone already.
    fn revoke_later(&self, token: &ToRevoke, now: UnixTime) -> Result<()>;

    /// Who a grant is of: by its identity, or by the name he was to sign in with where the provider states none.
    fn person(&self, identity: Option<&Identity>, sign_in_name: &str) -> Person;
    /// The providers, by id, of the grants with a refresh token that this person has given and that still live, be
    /// they pending and whoever owns their accounts.
    fn living_grants_of(&self, person: &Person) -> Result<Vec<String>>;

    /// Refresh tokens that are to be given back by now. Nobody else is given the same ones for some minutes.
    fn take_revocations(&self, now: UnixTime, limit: u32) -> Result<Vec<Revocation>>;
    /// When the next one is to be tried.
    fn next_revocation(&self) -> Result<Option<UnixTime>>;
    fn put_off_revocation(&self, number: i64, at: UnixTime) -> Result<()>;
    /// Done, or given up: its key is destroyed.
    fn end_revocation(&self, number: i64) -> Result<()>;
}
