//! A valid access token for one account: cached, read from its file, or refreshed exactly once (I10).
//!
//! A rotated refresh token is durable before the access token that came with it is used. A grant is never deleted
//! here: trouble and wrong configuration leave it as it is, and one the provider called over is marked so and kept
//! until a new consent is stored.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;
use super::line::Line;
use super::{app_only, ask, revoke, token_file};
use crate::error::{Error, Result, Status};
use crate::model::{TokenSource, UnixTime};
use crate::oauth::credential::Proof;
use crate::oauth::diagnosis::{self, Refusal};
use crate::oauth::identity;
use crate::oauth::provider::Provider;
use crate::oauth::token::{self, Token};
use crate::secret::Secret;
use crate::store::{AccountRow, Grant, GrantSlot, Lease, LeaseName, Store, StoredGrant, fault};

/// What a session logs in with.
#[derive(Debug)]
pub struct Access {
    pub token: Secret,
    pub obtained_at: UnixTime,
    /// Obtained for this very use: another one would be refused just the same.
    pub fresh: bool,
    pub scope: String,
    /// Of the stored grant; 0 for a token file.
    pub version: u64,
}

/// The token to log in with now.
pub async fn access(call: &Call, row: &AccountRow) -> Result<Access> {
    let provider = match &row.account.source {
        TokenSource::File(path) => return from_file(path).await,
        TokenSource::Password(_) => return Err(no_token()),
        TokenSource::Provider(id) => call.provider(id)?,
    };
    let found = obtain(call, row, &provider, None).await?;
    found.ok_or_else(|| Error::bug("no token and no reason"))
}

/// Another token after the mail server refused `used`; `None` where another would be no better.
pub async fn renew_after_refusal(call: &Call, row: &AccountRow, used: &Access) -> Result<Option<Access>> {
    if used.fresh {
        return Ok(None);
    }
    let provider = match &row.account.source {
        TokenSource::File(path) => {
            let now = from_file(path).await?;
            return Ok((now.token != used.token).then_some(now));
        }
        TokenSource::Password(_) => return Err(no_token()),
        TokenSource::Provider(id) => call.provider(id)?,
    };
    obtain(call, row, &provider, Some(used.version)).await
}

fn no_token() -> Error {
    Error::bug("a token was asked for an account with a password")
}

async fn from_file(path: &Path) -> Result<Access> {
    let path = path.to_owned();
    let found = tokio::task::spawn_blocking(move || token_file::read(&path))
        .await
        .map_err(|e| Error::bug(format!("reading a token file panicked: {e}")))??;
    Ok(Access {
        token: found.token,
        obtained_at: found.written_at,
        fresh: false,
        scope: String::new(),
        version: 0,
    })
}

const POLL_FIRST: Duration = Duration::from_millis(20);
const POLL_SLOWEST: Duration = Duration::from_millis(500);

/// `refused` is the version whose access token is no good any more.
async fn obtain(
    call: &Call,
    row: &AccountRow,
    provider: &Provider,
    refused: Option<u64>,
) -> Result<Option<Access>> {
    let give_up = Instant::now() + one_refresh(call, provider);
    let mut pause = POLL_FIRST;
    loop {
        let stored = stored(call, row, provider).await?;
        if let Some(access) = usable(&stored, call.now(), refused) {
            return Ok(Some(access));
        }
        if stored.grant.refresh_token.is_none() && !row.account.app_only {
            return without_refresh_token(call, stored, refused);
        }
        if let Some(lease) = lease(call, row, provider).await? {
            let done = refresh(call, row, provider, refused).await;
            give_back(call, lease).await;
            match done {
                Ok(Some(access)) => return Ok(Some(access)),
                // Somebody else wrote meanwhile (a new consent): look again.
                Ok(None) => {}
                Err(error) => return unexpired(call, row, provider, refused, error).await.map(Some),
            }
        }
        // Somebody else refreshes just now; his token will do.
        if Instant::now() >= give_up {
            let error = Error::new(
                Status::Transient,
                "grant.busy",
                "another process is still refreshing this sign-in",
            )
            .advice("multipop tries again by itself; nothing needs to be done.");
            return unexpired(call, row, provider, refused, error).await.map(Some);
        }
        call.deadline
            .bound(async {
                tokio::time::sleep(pause).await;
                Ok(())
            })
            .await?;
        pause = (pause * 2).min(POLL_SLOWEST);
    }
}

/// One refresh, however slow: every credential its own request, and two where the provider is to be found.
fn one_refresh(call: &Call, provider: &Provider) -> Duration {
    let each = u64::from(call.settings.config.timeouts.https_s);
    let search = if provider.is_to_be_discovered() { 2 } else { 0 };
    Duration::from_secs(each * (provider.credentials.len() as u64 + search) + 10)
}

/// The account's grant, if the provider has not ended it.
async fn stored(call: &Call, row: &AccountRow, provider: &Provider) -> Result<StoredGrant> {
    let id = row.account.id.clone();
    let found = call.with_store(move |store| store.grant(&id, GrantSlot::Active)).await?;
    if row.account.app_only {
        return Ok(app_only::held(found, provider));
    }
    match found.filter(|found| found.grant.provider == provider.id) {
        None => Err(nobody(row)),
        Some(found) if found.grant.dead => Err(over(row)),
        Some(found) => provider.vouch_for(found.grant.identity.as_ref()).map(|()| found),
    }
}

fn nobody(row: &AccountRow) -> Error {
    let agreed = diagnosis::administrator_agreed();
    if row.state.cause == agreed.cause {
        return agreed;
    }
    Error::new(Status::Consent, "consent.none", "nobody signed in for this account yet")
        .advice("Sign in to the mailbox (Authorise), so that its mail can be collected.")
}

/// What ended a grant was said when it ended, and is still shown.
fn over(row: &AccountRow) -> Error {
    let error = Error::new(Status::Consent, "consent.revoked", "the provider ended this account's sign-in")
        .advice("Sign in to the mailbox again.");
    match diagnosis::known_cause(&row.state.cause) {
        Some(cause) if row.state.status == Status::Consent.code() => Error {
            cause,
            provider_code: row.state.provider_code.clone(),
            advice: row.state.advice.clone(),
            ..error
        }
        .sentences(&row.state.for_user, &row.state.for_operator),
        _ => error,
    }
}

fn usable(stored: &StoredGrant, now: UnixTime, refused: Option<u64>) -> Option<Access> {
    let token = stored.grant.access_token.as_ref()?;
    if now >= stored.grant.renew_at || refused == Some(stored.version) {
        return None;
    }
    Some(access_of(stored, token, refused.is_some()))
}

fn access_of(stored: &StoredGrant, token: &Secret, fresh: bool) -> Access {
    Access {
        token: token.duplicate(),
        obtained_at: stored.grant.refreshed_at.max(stored.grant.obtained_at),
        fresh,
        scope: stored.grant.scope.clone(),
        version: stored.version,
    }
}

/// Such a grant lives as long as its access token.
fn without_refresh_token(call: &Call, stored: StoredGrant, refused: Option<u64>) -> Result<Option<Access>> {
    if refused == Some(stored.version) {
        return Ok(None);
    }
    match &stored.grant.access_token {
        Some(token) if call.now() < stored.grant.expires_at => Ok(Some(access_of(&stored, token, true))),
        _ => Err(Error::new(
            Status::Consent,
            "consent.no_refresh_token",
            "the sign-in ended, and the provider gave nothing to renew it with",
        )
        .advice(
            "Sign in again. If this returns soon, the provider's scopes lack offline_access, or its consent page \
             was not shown.",
        )),
    }
}

/// After a refresh that failed for a reason that passes: the old access token, while it still lives.
async fn unexpired(
    call: &Call,
    row: &AccountRow,
    provider: &Provider,
    refused: Option<u64>,
    error: Error,
) -> Result<Access> {
    if refused.is_some() || error.status != Status::Transient || error.cause == fault::LEASE_LOST {
        return Err(error);
    }
    let stored = stored(call, row, provider).await?;
    match &stored.grant.access_token {
        Some(token) if call.now() < stored.grant.expires_at => {
            Line::new("refresh_postponed")
                .field("account", &row.account.id)
                .field("cause", error.cause)
                .warn();
            Ok(access_of(&stored, token, true))
        }
        _ => Err(error),
    }
}

async fn lease(call: &Call, row: &AccountRow, provider: &Provider) -> Result<Option<Lease>> {
    let name = LeaseName::Grant(row.account.id.clone());
    let now = call.now();
    // Longer than the work can take: a lease that runs out under its holder would let a second refresh begin.
    let for_s = u32::try_from(one_refresh(call, provider).as_secs() + 30).unwrap_or(u32::MAX);
    call.with_store(move |store| store.lease(&name, now, for_s)).await
}

async fn give_back(call: &Call, lease: Lease) {
    // It frees itself by expiry and lock; a failure here is only slower.
    let released = call.with_store(move |store| store.release(&lease, true)).await;
    if let Err(error) = released {
        Line::new("lease_not_released").field("error", &error).warn();
    }
}

/// Under the lease. `Ok(None)`: another writer was quicker, and his grant is the one to use.
async fn refresh(
    call: &Call,
    row: &AccountRow,
    provider: &Provider,
    refused: Option<u64>,
) -> Result<Option<Access>> {
    // Who held the lease before may have done the work already.
    let stored = stored(call, row, provider).await?;
    if let Some(access) = usable(&stored, call.now(), refused) {
        return Ok(Some(access));
    }
    let began = call.now();
    let asked = match &stored.grant.refresh_token {
        _ if row.account.app_only => app_only::ask(call, provider, stored.grant.access_token.as_ref()).await,
        Some(refresh_token) => {
            let request = |provider: &Provider, proof: &Proof| token::refresh(provider, proof, refresh_token);
            let asked = ask::for_token(call, provider, request).await;
            if let Ok(token) = &asked {
                let bound = stored.grant.identity.as_ref();
                identity::vouch_for_renewal(provider, token.id_token.as_ref(), bound)?;
            }
            asked.map(|token| (token, call.now()))
        }
        None => return Ok(None),
    };
    let now = call.now();
    let (grant, got_at) = match asked {
        Ok((token, at)) => (renewed(stored.grant, token, at), at),
        Err(refusal) => {
            let error = refusal.error.clone();
            refused_by_provider(call, row, stored, *refusal).await?;
            return Err(error);
        }
    };
    let account = row.known();
    let write = move |store: &dyn Store| {
        Ok((store.put_grant_of(&account, GrantSlot::Active, stored.version, &grant), grant))
    };
    let (written, grant) = call.with_store(write).await?;
    if written.as_ref().is_err_and(|error| error.status == Status::Rights) {
        // Erased meanwhile, and the token it had then is of no use to whoever revokes.
        revoke::later(call, &provider.id, grant.refresh_token).await;
        return Err(fault::lease_lost());
    }
    let Some(version) = written? else {
        return Ok(None);
    };
    Line::new("token_refreshed")
        .field("account", &row.account.id)
        .field("provider", &provider.id)
        .field("renew_in_s", grant.renew_at.saturating_sub(now))
        .info();
    let stored = StoredGrant { version, grant };
    let token = stored.grant.access_token.as_ref();
    Ok(token.map(|token| access_of(&stored, token, got_at >= began)))
}

fn renewed(old: Grant, token: Token, at: UnixTime) -> Grant {
    Grant {
        // RFC 6749 §6: none in the answer means that the old one stays.
        refresh_token: token.refresh_token.or(old.refresh_token),
        access_token: Some(token.access_token),
        renew_at: token.renew_at,
        expires_at: token.expires_at,
        scope: token.scope,
        refreshed_at: at,
        ..old
    }
}

async fn refused_by_provider(
    call: &Call,
    row: &AccountRow,
    stored: StoredGrant,
    refusal: Refusal,
) -> Result<()> {
    Line::new("token_refused")
        .field("account", &row.account.id)
        .field("cause", refusal.error.cause)
        .field("code", &refusal.error.provider_code)
        .field("over", refusal.dead)
        .field("text", &refusal.error.message)
        .warn();
    Line::new("token_refused_words")
        .field("account", &row.account.id)
        .field("text", &refusal.description)
        .debug();
    if !refusal.dead && refusal.claims.is_none() && refusal.rotated.is_none() {
        return Ok(());
    }
    let account = row.known();
    call.with_store(move |store| {
        if refusal.dead || refusal.rotated.is_some() {
            let refresh_token = refusal.rotated.or(stored.grant.refresh_token);
            let grant = Grant { dead: refusal.dead, refresh_token, ..stored.grant };
            // Where somebody was quicker, his grant is another one and lives.
            store.put_grant_of(&account, GrantSlot::Active, stored.version, &grant)?;
        }
        if refusal.claims.is_some() {
            store.update_state_of(&account, &mut |state| state.claims.clone_from(&refusal.claims))?;
        }
        Ok(())
    })
    .await
}
