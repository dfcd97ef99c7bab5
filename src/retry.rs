//! When to try again after an outcome (PROTOCOL.md G). Pure: the jitter is an argument.

use crate::model::Outcome;

/// Seconds until the next visit after `failures` visits in a row ended with `outcome` (1 = the first one).
///
/// `wish_s` is what the peer asked for (`Retry-After`, `LOGIN-DELAY`), which is never undercut. `jitter` is uniform in
/// 0..=1 and spreads the wait by 20 % either way, so that accounts that failed together do not come back together.
pub fn wait_s(outcome: Outcome, failures: u32, wish_s: u32, jitter: f64) -> u32 {
    let doublings = failures.saturating_sub(1).min(6);
    let base = match outcome {
        Outcome::Ok | Outcome::OkMore | Outcome::Busy => 0,
        Outcome::Transient => (60u32 << doublings).min(HOUR),
        Outcome::ReauthUser => HOUR,
        Outcome::AdminAction | Outcome::ConfigError | Outcome::MailboxPolicy | Outcome::Bug => 6 * HOUR,
        Outcome::ProtocolError => (300u32 << doublings).min(6 * HOUR),
        // A host without room is asked again soon: the question costs no download.
        Outcome::HostFull | Outcome::HostRecipient | Outcome::Host => (300u32 << doublings).min(HOUR),
    };
    let spread = f64::from(base) * 0.2 * (jitter.clamp(0.0, 1.0) * 2.0 - 1.0);
    ((f64::from(base) + spread).round() as u32).max(wish_s)
}

const HOUR: u32 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_trouble_doubles_from_a_minute_to_an_hour() {
        let waits: Vec<u32> = (1..=8).map(|failures| wait_s(Outcome::Transient, failures, 0, 0.5)).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_the_peer_s_wish_is_never_undercut() {
        assert_eq!(wait_s(Outcome::Transient, 1, 0, 0.0), 48);
        assert_eq!(wait_s(Outcome::Transient, 1, 0, 1.0), 72);
        assert_eq!(wait_s(Outcome::Transient, 1, 900, 0.0), 900);
    }

    #[test]
    fn who_must_be_waited_for_is_probed_by_the_hour() {
        assert_eq!(wait_s(Outcome::ReauthUser, 5, 0, 0.5), 3600);
        assert_eq!(wait_s(Outcome::AdminAction, 1, 0, 0.5), 21600);
        assert_eq!(wait_s(Outcome::ConfigError, 9, 0, 0.5), 21600);
    }
}
