//! What follows from changing what an account means: a new generation, a void grant, a fresh start. Pure.

use crate::model::{Account, TokenSource, UnixTime};
use crate::store::{AccountState, PasswordState};

/// The difference between an account as stored and as meant now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Another mailbox: what is known of the old one's messages says nothing of this one's.
    pub generation: bool,
    /// Another person or provider would sign in.
    pub grant: bool,
    pub policy: bool,
    /// The stored password was for something else.
    pub password: bool,
}

impl Change {
    pub fn between(old: &Account, new: &Account) -> Change {
        let owner = old.owner != new.owner;
        // A user's name may differ in case between two mailboxes; a host's and a signer's may not.
        let server =
            !old.server.host.eq_ignore_ascii_case(&new.server.host) || old.server.port != new.server.port;
        let signer = !old.sign_in_name().eq_ignore_ascii_case(new.sign_in_name());
        let generation = owner || server || old.user != new.user;
        let has_one = |account: &Account| matches!(account.source, TokenSource::Password(_));
        Change {
            generation,
            grant: owner || signer || old.provider() != new.provider() || old.app_only != new.app_only,
            password: generation || !has_one(old) || !has_one(new),
            policy: old.delete != new.delete,
        }
    }

    /// The account is due now; what belonged to what it was is gone. Pauses stay, and so does what a server that
    /// is still the same asked for, and what is known of a mailbox that is still the same: without `first_done` the
    /// next listing would be taken for the first one, and new mail for old.
    pub fn reset(self, state: &mut AccountState, now: UnixTime) {
        *state = AccountState {
            paused: state.paused,
            held: state.held,
            since: now,
            last_try: state.last_try,
            last_ok: state.last_ok,
            last_login: state.last_login,
            not_before: state.not_before,
            claims: state.claims.take(),
            identity: state.identity.take(),
            first_done: state.first_done,
            resetting: state.resetting,
            reset_question: state.reset_question,
            reset_answer: state.reset_answer,
            delete_older_from: state.delete_older_from,
            policy_since: state.policy_since,
            last_clock: state.last_clock,
            called: state.called,
            password: state.password,
            taken_total: state.taken_total,
            bytes_total: state.bytes_total,
            ..AccountState::default()
        };
        if self.grant {
            // Whoever must sign in now is called for that.
            state.called.user = false;
            state.identity = None;
            state.claims = None;
            state.last_login = None;
        }
        if self.password {
            state.password = PasswordState::default();
        }
        if self.generation {
            state.not_before = 0;
            state.last_login = None;
            state.first_done = false;
            state.resetting = None;
            state.reset_question = false;
            state.reset_answer = None;
            state.delete_older_from = None;
        }
        if self.policy {
            state.policy_since = now;
            state.delete_older_from = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::*;

    fn account() -> Account {
        Account {
            id: "a".into(),
            owner: "alice@contoso.example".into(),
            realm: DEFAULT_REALM.into(),
            deliver_to: "alice".into(),
            source: TokenSource::Provider("m".into()),
            server: Server { host: "mail.example.com".into(), port: 995, security: Security::Implicit },
            user: "alice@contoso.example".into(),
            sign_in: None,
            app_only: false,
            enabled: true,
            delete: DeletePolicy::Never,
            first_fetch: FirstFetch::All,
            limits: AccountLimits { max_message_bytes: 1, session_messages: 1, session_s: 1 },
            interval_s: 300,
            pipelining: Pipelining::Auto,
        }
    }

    fn change(edit: impl FnOnce(&mut Account)) -> (bool, bool, bool) {
        let mut new = account();
        edit(&mut new);
        let change = Change::between(&account(), &new);
        (change.generation, change.grant, change.policy)
    }

    #[test]
    fn each_member_has_its_consequence() {
        assert_eq!(change(|a| a.interval_s = 9), (false, false, false));
        assert_eq!(change(|a| a.server.host = "Mail.Example.com".into()), (false, false, false));
        assert_eq!(change(|a| a.server.host = "b.example.com".into()), (true, false, false));
        assert_eq!(change(|a| a.user = "bob@contoso.example".into()), (true, true, false));
        assert_eq!(
            change(|a| {
                a.user = "info@contoso.example".into();
                a.sign_in = Some("ALICE@contoso.example".into());
            }),
            (true, false, false)
        );
        assert_eq!(change(|a| a.source = TokenSource::Provider("g".into())), (false, true, false));
        assert_eq!(change(|a| a.delete = DeletePolicy::Now), (false, false, true));
        assert_eq!(change(|a| a.owner = "bob".into()), (true, true, false));
    }
}
