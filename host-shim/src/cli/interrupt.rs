//! Ctrl-C and SIGTERM end a fetch tidily: what is queued is flushed and recorded. A second one ends the process.

use multipop_host::library::Canceller;
use nix::sys::signal::{SigSet, Signal};

use super::Trouble;

/// Held back from before the first thread starts, so that every thread inherits the mask.
pub struct Interrupt(SigSet);

impl Interrupt {
    pub fn hold() -> Result<Interrupt, Trouble> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block().map_err(|e| Trouble::here(format!("cannot hold signals back: {e}"), ""))?;
        Ok(Interrupt(signals))
    }

    /// From now on the first one cancels. No handler is installed: a thread waits for them.
    pub fn cancels(self, canceller: Canceller) -> Result<(), Trouble> {
        let wait = move || {
            if self.0.wait().is_ok() {
                canceller.cancel();
            }
            if let Ok(signal) = self.0.wait() {
                std::process::exit(128 + signal as i32);
            }
        };
        let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
        thread.map_err(|e| Trouble::io("cannot wait for signals", &e, ""))?;
        Ok(())
    }
}
