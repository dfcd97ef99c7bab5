//! Holding an account's lease: renewed long before it ends, and looked for often, so that a visit whose account was
//! erased, changed or taken over ends at once and delivers nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::call::Call;
use super::deadline::Sever;
use crate::store::{Lease, Store, fault};

pub const LEASE_S: u32 = 120;
const RENEW_EVERY: Duration = Duration::from_secs(30);
/// Whoever erases an account waits a little longer for its visitor (`store::Erasure`).
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Holds a lease until it is dropped.
pub struct Held(tokio::task::JoinHandle<()>);

/// Once it is lost, `lost` is set and `sever` ends everything of the visit that waits.
pub fn hold(call: &Call, lease: Arc<Lease>, lost: Arc<AtomicBool>, sever: Sever) -> Held {
    let call = call.clone();
    Held(tokio::spawn(async move {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let lease = lease.clone();
            let is_due = renewed.elapsed() >= RENEW_EVERY;
            let now = call.now();
            let step = move |store: &dyn Store| match is_due {
                true => store.renew(&lease, now, LEASE_S),
                false => store.holds(&lease),
            };
            match call.with_store(step).await {
                Ok(true) if is_due => renewed = Instant::now(),
                Ok(true) => {}
                // A store that cannot be read just now says nothing of the lease; one that cannot renew it does.
                Err(_) if !is_due => {}
                _ => {
                    lost.store(true, Ordering::Release);
                    sever.now(fault::lease_lost());
                    return;
                }
            }
        }
    }))
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}
