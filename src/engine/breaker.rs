//! Log-ins refused to many at once are the server's trouble, not theirs (DESIGN.md 6).
//!
//! Three refusals within a minute at one server and address family, each to an account whose last log-in worked with
//! the same sort of token, open its breaker: nobody logs in there for a while, then one tries for all. No account is
//! marked for a refusal a throttling server may have meant, before that has lasted.

use super::call::Call;
use super::line::Line;
use crate::error::{Error, Result, Status};
use crate::model::{Server, UnixTime};
use crate::net::dial::Family;
use crate::store::Breaker;

/// Nobody was let in, and most were not even tried.
pub const SHUT: &str = "server.logins_refused";
/// One was refused that worked before.
pub const ONCE: &str = "server.refused_for_now";

const REFUSALS: u32 = 3;
const WITHIN_S: u64 = 60;
const OPEN_S: u64 = 120;
/// So long the others wait for the one that tries.
const TRY_S: u64 = 60;
/// An account refused for so long is refused for its own sake, while others get in or nobody else is refused ...
const PATIENCE_S: u64 = 15 * 60;
/// ... and after this even where all are: then it is no outage of minutes.
const LONG_PATIENCE_S: u64 = 2 * 3600;

/// The breakers of one server as they stood before connecting.
pub struct Gate {
    places: [(Family, String); 3],
    found: [Option<Breaker>; 3],
}

impl Gate {
    pub async fn of(call: &Call, server: &Server) -> Result<Gate> {
        let place = |family: Family| (family, format!("{}:{} {}", server.host, server.port, family.name()));
        let places = [Family::V4, Family::V6, Family::Proxy].map(place);
        let names = places.clone();
        let found = call
            .with_store(move |store| {
                let [v4, v6, proxy] = names;
                Ok([store.breaker(&v4.1)?, store.breaker(&v6.1)?, store.breaker(&proxy.1)?])
            })
            .await?;
        Ok(Gate { places, found })
    }

    fn breaker(&self, family: Family) -> (&str, Option<Breaker>) {
        let at = self.places.iter().position(|(one, _)| *one == family).unwrap_or_default();
        (&self.places[at].1, self.found[at])
    }

    pub fn is_shut(&self, family: Family, now: UnixTime) -> bool {
        self.breaker(family).1.is_some_and(|breaker| breaker.open_until > now)
    }

    /// No address of an open family was left.
    pub fn shut(&self, now: UnixTime) -> Error {
        let until =
            self.found.iter().flatten().map(|breaker| breaker.open_until).filter(|until| *until > now);
        shut(until.min().unwrap_or(now + TRY_S), now)
    }

    /// Connected: after an open breaker's time only one may try.
    pub async fn enter(&self, call: &Call, family: Family) -> Result<()> {
        let (place, Some(before)) = self.breaker(family) else {
            return Ok(());
        };
        if before.open_until == 0 {
            return Ok(());
        }
        let (place, now) = (place.to_owned(), call.now());
        let mut mine = false;
        let (mine, breaker) = call
            .with_store(move |store| {
                let breaker = store.change_breaker(&place, &mut |breaker| {
                    let breaker = breaker?;
                    mine = breaker.open_until <= now;
                    Some(if mine { Breaker { open_until: now + TRY_S, ..breaker } } else { breaker })
                })?;
                Ok((mine, breaker))
            })
            .await?;
        match breaker {
            Some(breaker) if !mine => Err(shut(breaker.open_until, now)),
            _ => Ok(()),
        }
    }

    /// Somebody got in: so may the others.
    pub async fn let_in(&self, call: &Call, family: Family) -> Result<()> {
        let (place, Some(before)) = self.breaker(family) else {
            return Ok(());
        };
        if before.open_until > 0 {
            Line::new("breaker_closed").field("place", place).info();
        }
        let place = place.to_owned();
        call.with_store(move |store| store.change_breaker(&place, &mut |_| None)).await.map(|_| ())
    }

    /// Refused although it worked before, since `refused_since`: what this is for the account, where it is not for
    /// the refusal's own reason.
    pub async fn refused(
        &self,
        call: &Call,
        family: Family,
        refused_since: Option<UnixTime>,
        words: &str,
    ) -> Result<Option<Error>> {
        let now = call.now();
        let lasted = refused_since.map_or(0, |since| now.saturating_sub(since));
        if lasted >= LONG_PATIENCE_S {
            return Ok(None);
        }
        let place = self.breaker(family).0.to_owned();
        let name = place.clone();
        let first = refused_since.is_none();
        let breaker = call
            .with_store(move |store| store.change_breaker(&name, &mut |before| noted(before, first, now)))
            .await?;
        if let Some(breaker) = breaker.filter(|breaker| breaker.open_until > now) {
            Line::new("breaker_open").field("place", place).field("for_s", breaker.open_until - now).warn();
            return Ok(Some(shut(breaker.open_until, now)));
        }
        Ok((lasted < PATIENCE_S).then(|| once(words)))
    }
}

/// Each account counts once between two log-ins that work.
fn noted(before: Option<Breaker>, first: bool, now: UnixTime) -> Option<Breaker> {
    match before {
        // It was opened and nobody has got in since.
        Some(before) if before.open_until > 0 => Some(Breaker { open_until: now + OPEN_S, ..before }),
        before if !first => before,
        Some(before) if now.saturating_sub(before.since) < WITHIN_S => {
            let failures = before.failures + 1;
            let open_until = if failures >= REFUSALS { now + OPEN_S } else { 0 };
            Some(Breaker { failures, open_until, ..before })
        }
        _ => Some(Breaker { failures: 1, since: now, open_until: 0 }),
    }
}

fn shut(until: UnixTime, now: UnixTime) -> Error {
    const OPERATOR: &str = "The mail server refuses many accounts that worked before: it limits log-ins, or this server's \
        address. multipop waits and lets one account try; if it stays, look at Microsoft 365 admin center, Health > \
        Service health, and at whether POP was switched off for all (Get-CASMailbox | fl Name,PopEnabled).";
    let wait = u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX);
    Error::new(Status::Transient, SHUT, "the mail server refuses the log-ins of many accounts")
        .advice(OPERATOR)
        .sentences("Nothing needs to be done; multipop tries again by itself.", OPERATOR)
        .retry_after(wait)
}

fn once(words: &str) -> Error {
    const OPERATOR: &str = "It worked before, and a server that throttles says the same: multipop tries again for a \
                            quarter of an hour before it believes the refusal.";
    Error::new(Status::Transient, ONCE, words)
        .advice(OPERATOR)
        .sentences("Nothing needs to be done; multipop tries again by itself.", OPERATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_within_a_minute_open_it_and_three_of_one_account_do_not() {
        let one = noted(None, true, 100);
        let two = noted(one, true, 120);
        assert_eq!(two.map(|breaker| breaker.open_until), Some(0));
        assert_eq!(noted(two, false, 130), two);
        assert_eq!(noted(two, true, 159).map(|breaker| breaker.open_until), Some(159 + OPEN_S));
        assert_eq!(noted(two, true, 160), Some(Breaker { failures: 1, since: 160, open_until: 0 }));
    }

    #[test]
    fn one_that_tries_in_vain_opens_it_again() {
        let open = Some(Breaker { failures: 3, since: 100, open_until: 220 });
        assert_eq!(noted(open, false, 230).map(|breaker| breaker.open_until), Some(230 + OPEN_S));
    }
}
