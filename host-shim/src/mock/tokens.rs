//! Which access token is good for whom: what the identity provider writes and the POP3 server reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The tokens accepted now. Cheap to clone; all clones are one table.
#[derive(Clone, Default)]
pub struct TokenTable(Arc<Mutex<HashMap<String, Accepted>>>);

struct Accepted {
    users: Vec<String>,
    scope: String,
    until: Option<Instant>,
}

impl Accepted {
    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| until > Instant::now())
    }
}

impl TokenTable {
    pub fn new() -> TokenTable {
        TokenTable::default()
    }

    /// Accepts this token for this user until it is revoked.
    pub fn accept(&self, token: &str, user: &str) {
        self.put(token, vec![user.to_owned()], "", None);
    }

    /// Accepts this token for this user for so long.
    pub fn accept_for(&self, token: &str, user: &str, scope: &str, lifetime: Duration) {
        self.put(token, vec![user.to_owned()], scope, Some(Instant::now() + lifetime));
    }

    /// Accepts an application's own token, which opens all these mailboxes.
    pub fn accept_for_all(&self, token: &str, users: &[String], scope: &str, lifetime: Duration) {
        self.put(token, users.to_vec(), scope, Some(Instant::now() + lifetime));
    }

    /// True if the token is good and belongs to this user (ASCII case ignored).
    pub fn fits(&self, token: &str, user: &str) -> bool {
        let table = self.0.lock();
        let good = table.get(token).filter(|entry| entry.is_good());
        good.is_some_and(|entry| entry.users.iter().any(|owner| owner.eq_ignore_ascii_case(user)))
    }

    /// The user, the first where it is an application's, and scope of a good token.
    pub fn look_up(&self, token: &str) -> Option<(String, String)> {
        let table = self.0.lock();
        let entry = table.get(token).filter(|entry| entry.is_good())?;
        Some((entry.users.first().cloned().unwrap_or_default(), entry.scope.clone()))
    }

    /// What is good for this user now: for mechanisms that show no more than a proof of it.
    pub(super) fn of_user(&self, user: &str) -> Vec<String> {
        let tokens: Vec<String> = self.0.lock().keys().cloned().collect();
        tokens.into_iter().filter(|token| self.fits(token, user)).collect()
    }

    /// Every token issued so far expires now.
    pub fn expire_all(&self) {
        self.0.lock().clear();
    }

    /// The tokens of this user are good no longer.
    pub fn revoke_user(&self, user: &str) {
        self.0.lock().retain(|_, entry| !entry.users.iter().any(|owner| owner.eq_ignore_ascii_case(user)));
    }

    /// This token is good no longer.
    pub fn revoke(&self, token: &str) {
        self.0.lock().remove(token);
    }

    fn put(&self, token: &str, users: Vec<String>, scope: &str, until: Option<Instant>) {
        let entry = Accepted { users, scope: scope.to_owned(), until };
        self.0.lock().insert(token.to_owned(), entry);
    }
}
