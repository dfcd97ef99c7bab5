//! After an administrator agreed for his organisation: nothing but "try again" (PROTOCOL.md A.9).
//!
//! His answer connects nobody, and the tenant it names authenticates nobody: it only helps to find whom to tell.
//! Accounts that had a grant are due at once; the owners of the others are told that they can sign in now.

use crate::engine::call::Call;
use crate::engine::events;
use crate::engine::line::Line;
use crate::error::{Error, Result};
use crate::model::{Event, EventKind, Outcome, UnixTime};
use crate::oauth::authorize::look_up_key;
use crate::oauth::diagnosis;
use crate::oauth::provider::Provider;
use crate::store::{AccountQuery, AccountRow, GrantSlot, Known, Store};

/// An administrator has time until then to follow the link.
pub const ADMIN_CONSENT_S: u64 = 7 * 86_400;

/// What such a consent has in place of a browser session, since the administrator answers in one of his own: the
/// hash of a text that is too short to be a session's.
pub fn no_session() -> [u8; 32] {
    look_up_key("administrator")
}

const PAGE: u32 = 500;
const LEAST_PAUSE_S: u64 = 30;

/// `asked` is the account the link was made for.
pub async fn try_again(
    call: &Call,
    provider: &Provider,
    asked: &AccountRow,
    tenant: Option<&str>,
) -> Result<()> {
    let whom = Whom {
        provider: provider.id.clone(),
        everybody: provider.one_organisation,
        domain: domain(asked).to_ascii_lowercase(),
        tenant: tenant.map(str::to_ascii_lowercase),
    };
    let now = call.now();
    let (mut due, mut told) = (0_u64, 0_u64);
    let mut after = None;
    loop {
        let query = AccountQuery {
            realm: Some(provider.realm.clone()),
            after,
            limit: PAGE,
            ..AccountQuery::default()
        };
        let whom = whom.clone();
        let page = call.with_store(move |store| Page::wake(store, &query, &whom, now)).await?;
        due += page.due;
        told += page.told.len() as u64;
        for row in &page.told {
            call.pump.event(event(row)).await;
        }
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    Line::new("admin_consent")
        .field("provider", &provider.id)
        .field("account", &asked.account.id)
        .field("due", due)
        .field("told", told)
        .info();
    Ok(())
}

/// Whom an administrator spoke for, as far as can be known.
#[derive(Clone)]
struct Whom {
    provider: String,
    everybody: bool,
    domain: String,
    tenant: Option<String>,
}

impl Whom {
    fn holds(&self, row: &AccountRow) -> bool {
        let waits = matches!(row.state.outcome, None | Some(Outcome::ReauthUser | Outcome::AdminAction));
        let bound = row.state.identity.as_ref().and_then(|identity| identity.tenant.as_deref());
        let is_theirs = self.everybody
            || domain(row).eq_ignore_ascii_case(&self.domain)
            || matches!((bound, &self.tenant), (Some(bound), Some(one)) if bound.eq_ignore_ascii_case(one));
        row.account.enabled && row.account.provider() == Some(&self.provider) && waits && is_theirs
    }
}

fn domain(row: &AccountRow) -> &str {
    let name = row.account.sign_in_name();
    name.rsplit_once('@').map_or(name, |(_, domain)| domain)
}

#[derive(Default)]
struct Page {
    due: u64,
    told: Vec<AccountRow>,
    /// Where the next page begins; `None` where there is none.
    last: Option<String>,
}

impl Page {
    fn wake(store: &dyn Store, query: &AccountQuery, whom: &Whom, now: UnixTime) -> Result<Page> {
        let rows = store.accounts(query)?;
        let mut page = Page::default();
        if rows.len() == PAGE as usize {
            page.last = rows.last().map(|row| row.account.id.clone());
        }
        for row in rows.into_iter().filter(|row| whom.holds(row)) {
            let grant = store.grant(&row.account.id, GrantSlot::Active)?.map(|stored| stored.grant);
            let is_held = grant.is_some_and(|grant| !grant.dead && grant.provider == whom.provider);
            // Nobody signs in for an account of the application: there is nothing to tell its owner.
            if is_held || row.account.app_only {
                store.update_state_of(&row.known(), &mut |state| {
                    // Whoever has the link can answer it: nobody makes accounts try faster than this.
                    let earliest = state.last_try.map_or(0, |last| last + LEAST_PAUSE_S);
                    state.next_due = state.next_due.min(earliest);
                    state.failures = 0;
                })?;
                page.due += 1;
            } else if row.state.cause != "consent.admin_granted" {
                show(store, &row.known(), &diagnosis::administrator_agreed(), now)?;
                page.told.push(row);
            }
        }
        Ok(page)
    }
}

fn show(store: &dyn Store, account: &Known, what: &Error, now: UnixTime) -> Result<()> {
    store.update_state_of(account, &mut |state| {
        state.outcome = Some(Outcome::ReauthUser);
        state.status = what.status.code();
        state.cause = what.cause.to_owned();
        state.provider_code.clear();
        state.message.clone_from(&what.message);
        state.advice.clone_from(&what.advice);
        what.for_user().clone_into(&mut state.for_user);
        what.for_operator().clone_into(&mut state.for_operator);
        state.called.user = true;
        state.since = now;
    })?;
    Ok(())
}

fn event(row: &AccountRow) -> Event {
    let what = diagnosis::administrator_agreed();
    events::of(&row.account, EventKind::ConsentNeeded, Some(Outcome::ReauthUser), Some(&what))
}
