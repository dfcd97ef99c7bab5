//! One call: the calling thread runs callbacks, a driving thread with its own runtime does everything else.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::deadline::Deadline;
use super::line;
use super::pump::{self, Host, Pump};
use super::settings::Settings;
use super::trace::Trace;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::net::dial::Names;
use crate::net::https::Https;
use crate::oauth::provider::Provider;
use crate::store::Store;

/// The clock is given, so that a test can step a day in no time.
pub trait Clock: Send + Sync {
    fn now(&self) -> UnixTime;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// Everything a step of the call needs. Cheap to clone; gone when the call returns.
#[derive(Clone)]
pub struct Call {
    pub settings: Arc<Settings>,
    pub store: Arc<dyn Store>,
    pub pump: Pump,
    pub deadline: Deadline,
    pub clock: Arc<dyn Clock>,
    pub names: Names,
    /// Who hears the sessions of the account that is visited, where it is traced.
    pub trace: Option<Arc<Trace>>,
}

impl Call {
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Runs a step on the store without holding up the other sessions; local I/O only.
    pub async fn with_store<T: Send + 'static>(
        &self,
        step: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || step(&*store)).await.map_err(|e| {
            self.pump.botch();
            Error::bug(format!("a step on the store panicked: {e}"))
        })?
    }

    pub fn provider(&self, id: &str) -> Result<Arc<Provider>> {
        self.settings.provider(id)
    }

    /// A client that trusts what this provider's configuration says.
    pub fn https(&self, provider: &Provider) -> Result<Https> {
        let limit = Duration::from_secs(self.settings.config.timeouts.https_s.into());
        let tls = self.settings.tls_of_provider(&provider.id)?;
        let route = self.settings.routes.of_provider(&provider.id).clone();
        Ok(Https::new(&tls, self.names.clone(), route, limit))
    }
}

/// Runs `work` as one call of the host's. It ends by itself within the deadline's grace.
pub fn run<T: Send, F: Future<Output = Result<T>>>(
    host: &mut dyn Host,
    settings: &Arc<Settings>,
    clock: &Arc<dyn Clock>,
    cancel: &Arc<AtomicBool>,
    after: Duration,
    work: impl FnOnce(Call) -> F + Send,
) -> Result<T> {
    let pool = usize::try_from(settings.config.limits.prefetch_bytes).unwrap_or(usize::MAX >> 4);
    run_with(host, pool, || Ok(settings.clone()), clock, cancel, after, work)
}

/// The same where the settings are yet to be had: `prepare` runs on the driving thread too.
pub fn run_with<T: Send, F: Future<Output = Result<T>>>(
    host: &mut dyn Host,
    pool: usize,
    prepare: impl FnOnce() -> Result<Arc<Settings>> + Send,
    clock: &Arc<dyn Clock>,
    cancel: &Arc<AtomicBool>,
    after: Duration,
    work: impl FnOnce(Call) -> F + Send,
) -> Result<T> {
    pump::run(host, pool, |pump| {
        let runtime = runtime(&pump)?;
        let done = runtime.block_on(async {
            let settings = prepare()?;
            let call = Call {
                store: settings.open_store(clock.now())?,
                names: settings.names.open()?,
                settings,
                deadline: Deadline::start(after, cancel.clone()),
                clock: clock.clone(),
                pump: pump.clone(),
                trace: None,
            };
            work(call).await
        });
        // Waits for every thread of the runtime: between calls there is none (I6).
        drop(runtime);
        line::leave();
        done
    })?
}

/// One thread drives; the store's steps run on a few more, which all log to this call's pump.
fn runtime(pump: &Pump) -> Result<tokio::runtime::Runtime> {
    line::enter(pump);
    let for_threads = pump.clone();
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(4)
        .thread_name("multipop")
        .on_thread_start(move || line::enter(&for_threads))
        .on_thread_stop(line::leave)
        .build()
        .map_err(|e| Error::new(Status::Resources, "resources.runtime", e.to_string()))
}
