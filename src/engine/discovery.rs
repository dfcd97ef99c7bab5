//! A provider with its endpoints, found by its issuer where the operator named none (PROTOCOL.md E.4).
//!
//! In the call that first needs them, never at `configure`: an identity provider that is down stops no start of a
//! server, and an account with a live access token does not ask. What was found is kept in memory for an hour, and
//! longer while it cannot be had anew.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::call::Call;
use super::line::Line;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::oauth::discovery;
use crate::oauth::provider::Provider;

const FRESH_S: u64 = 3600;
/// A failure is repeated to everybody who asks meanwhile, or each would wait for it anew.
const FAILED_S: u64 = 30;

/// One at a time asks for it; the others wait for his answer.
#[derive(Default)]
pub struct Discovered(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    found: Option<(UnixTime, Arc<Provider>)>,
    failed: Option<(UnixTime, Error)>,
}

/// The provider to send requests to.
pub async fn located(call: &Call, provider: &Provider) -> Result<Arc<Provider>> {
    let Some(discovered) = call.settings.discovered(&provider.id) else {
        return call.provider(&provider.id);
    };
    call.deadline.bound(async { discovered.0.lock().await.located(call, provider).await }).await
}

impl Memory {
    async fn located(&mut self, call: &Call, provider: &Provider) -> Result<Arc<Provider>> {
        let now = call.now();
        let is_within = |at: UnixTime, seconds: u64| now.abs_diff(at) < seconds;
        let before = self.found.as_ref().map(|(_, found)| found.clone());
        match (&self.found, &self.failed) {
            (Some((at, found)), _) if is_within(*at, FRESH_S) => return Ok(found.clone()),
            (_, Some((at, error))) if is_within(*at, FAILED_S) => return before.ok_or_else(|| error.clone()),
            _ => {}
        }
        match discover(call, provider).await {
            Ok(found) => {
                let found = Arc::new(found);
                self.found = Some((now, found.clone()));
                self.failed = None;
                Ok(found)
            }
            Err(error) => {
                Line::new("discovery_failed")
                    .field("provider", &provider.id)
                    .field("kept", before.is_some())
                    .field("cause", error.cause)
                    .field("text", &error.message)
                    .warn();
                if error.status != Status::Internal {
                    self.failed = Some((now, error.clone()));
                }
                before.ok_or(error)
            }
        }
    }
}

async fn discover(call: &Call, provider: &Provider) -> Result<Provider> {
    let https = call.https(provider)?;
    let [first, second] = discovery::addresses(provider)?;
    let mut answer = https.send(discovery::request(&first)?).await?;
    if discovery::is_absent(&answer) {
        answer = https.send(discovery::request(&second)?).await?;
    }
    let found = discovery::read(provider, &answer)?;
    Line::new("provider_discovered")
        .field("provider", &provider.id)
        .field("token_endpoint", found.token_endpoint()?)
        .info();
    Ok(found)
}
