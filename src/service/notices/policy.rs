//! When trouble is told, and when trouble of many is one incident. No I/O, no clock.

use crate::config::{Digest, NoticeRules};
use crate::model::{DAY_S, UnixTime};
use crate::store::{Idle, Incident, Needs, TOLD_AGAIN_S, Told, Trouble};

/// Of a small provider a single account is many per cent; fewer than these are no incident.
const LEAST: u64 = 3;
/// Good news for many at once: no incident, and nothing to hold back.
const GOOD_NEWS: &str = "consent.admin_granted";

/// The incident that begins with this trouble. One under way takes in what its cause still hits; once its users were
/// told, a new wave is a new incident.
pub(super) fn begins(
    trouble: &Trouble,
    standing: Option<&Incident>,
    rules: &NoticeRules,
    now: UnixTime,
) -> Option<Incident> {
    let under_way = standing.is_some_and(|one| one.ended_at.is_none() && one.held_until > now);
    let is_bad = trouble.cause != GOOD_NEWS;
    (!under_way && is_bad && hits_many(trouble, rules)).then(|| Incident {
        provider: trouble.provider.clone(),
        cause: trouble.cause.clone(),
        // However late a host asks, the operator hears as soon as it does; users are held from then on.
        begun_at: trouble.peak_at.min(now),
        held_until: now + u64::from(rules.hold_s),
        ended_at: None,
    })
}

fn hits_many(trouble: &Trouble, rules: &NoticeRules) -> bool {
    let hit = trouble.within_an_hour;
    hit > u64::from(rules.incident_accounts)
        || hit >= LEAST && hit * 100 > u64::from(rules.incident_percent) * trouble.of
}

/// One alert for each incident; none for one that healed before anybody need have known.
pub(super) fn alerts(incident: &Incident, rules: &NoticeRules, now: UnixTime) -> bool {
    incident.ended_at.is_none() && incident.begun_at + u64::from(rules.delay_s) <= now
}

/// Whether the operator hears of trouble that only he can end, and that is no incident: once as long as anything of
/// what he was told of lasts, and at most daily.
pub(super) fn tells_operator(
    trouble: &Trouble,
    told: Option<Told>,
    rules: &NoticeRules,
    now: UnixTime,
) -> bool {
    let news = told.is_none_or(|told| trouble.cause_since > told.at && told.at + TOLD_AGAIN_S <= now);
    trouble.needs == Needs::Operator && trouble.cause_since + u64::from(rules.delay_s) <= now && news
}

/// The day whose digest is due; days begin at the operator's hour.
pub(super) fn digest_of(rules: &NoticeRules, now: UnixTime) -> Option<UnixTime> {
    let hour = u64::from(rules.digest_hour) * 3600;
    (rules.digest != Digest::Never).then(|| now.saturating_sub(hour) / DAY_S)
}

/// Days before an end on which it is told.
const DAYS: [u64; 3] = [30, 7, 1];

/// A forecast of something that ends: so many days before at the most, told once for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forecast {
    pub ends_at: UnixTime,
    pub days: u64,
    /// The occasion: when it became due.
    pub mark: UnixTime,
}

pub(super) fn forecast(ends_at: UnixTime, now: UnixTime) -> Option<Forecast> {
    let left = ends_at.checked_sub(now).filter(|left| *left > 0)?;
    let days = DAYS.into_iter().rev().find(|days| left <= days * DAY_S)?;
    Some(Forecast { ends_at, days, mark: ends_at.saturating_sub(days * DAY_S) })
}

/// The grants of a provider that live `lives_s` unused, by their nearest forecast: the nearest end first.
pub(super) fn idle(provider: &str, lives_s: u64, now: UnixTime) -> Vec<Idle> {
    let mut from = now.saturating_sub(lives_s);
    let mut windows = Vec::new();
    for days in DAYS.into_iter().rev() {
        let to = (now + days * DAY_S).saturating_sub(lives_s);
        let lasts_s = lives_s.saturating_sub(days * DAY_S);
        windows.push(Idle { provider: provider.to_owned(), from, to, lasts_s });
        from = to;
    }
    windows
}

/// The furthest that is looked ahead.
pub(super) const AHEAD_S: u64 = DAYS[0] * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = 1_800_000_000;

    fn rules() -> NoticeRules {
        NoticeRules {
            page_url: None,
            delay_s: 600,
            hold_s: 21_600,
            incident_accounts: 20,
            incident_percent: 2,
            digest: Digest::Needed,
            digest_hour: 6,
        }
    }

    fn trouble(within_an_hour: u64, of: u64) -> Trouble {
        Trouble {
            provider: "p".into(),
            cause: "config.client_secret".into(),
            needs: Needs::Operator,
            accounts: within_an_hour,
            of,
            within_an_hour,
            peak_at: NOW,
            since: NOW,
            cause_since: NOW,
            sample: 1,
        }
    }

    #[test]
    fn more_than_twenty_or_two_per_cent_within_an_hour_is_an_incident() {
        let begins = |hit, of| begins(&trouble(hit, of), None, &rules(), NOW).is_some();
        assert!(begins(21, 40_000) && !begins(20, 40_000));
        assert!(begins(3, 100) && !begins(2, 100), "two of a hundred are two per cent, not more");
        assert!(begins(11, 500) && !begins(10, 500));
        assert!(begins(3, 3) && !begins(2, 2), "two accounts of two are no wave");
    }

    #[test]
    fn an_administrator_who_agreed_for_all_is_no_incident() {
        let agreed = Trouble { cause: GOOD_NEWS.into(), needs: Needs::User, ..trouble(500, 500) };
        assert_eq!(begins(&agreed, None, &rules(), NOW), None);
    }

    #[test]
    fn one_under_way_takes_in_what_follows_and_a_new_wave_is_a_new_one() {
        let first = begins(&trouble(21, 5_000), None, &rules(), NOW).unwrap();
        assert_eq!(first.held_until, NOW + 6 * 3600);
        let more = trouble(5_000, 5_000);
        assert_eq!(begins(&more, Some(&first), &rules(), NOW + 3600), None);
        assert!(begins(&more, Some(&first), &rules(), first.held_until).is_some());
        let healed = Incident { ended_at: Some(NOW + 60), ..first };
        assert!(begins(&more, Some(&healed), &rules(), NOW + 3600).is_some());
    }

    #[test]
    fn an_incident_that_heals_at_once_alerts_nobody() {
        let incident = begins(&trouble(21, 5_000), None, &rules(), NOW).unwrap();
        assert!(!alerts(&incident, &rules(), NOW + 599) && alerts(&incident, &rules(), NOW + 600));
        assert!(!alerts(&Incident { ended_at: Some(NOW + 700), ..incident }, &rules(), NOW + 800));
    }

    #[test]
    fn the_operator_hears_once_while_it_lasts_and_of_users_trouble_not_at_all() {
        let tells = |told, now| tells_operator(&trouble(1, 1_000), told, &rules(), now);
        assert!(!tells(None, NOW + 599) && tells(None, NOW + 600));
        assert!(!tells(Some(Told { mark: NOW, at: NOW + 600 }), NOW + 90 * DAY_S), "it is the same trouble");
        let before = Some(Told { mark: NOW - DAY_S, at: NOW - 3600 });
        assert!(!tells(before, NOW + 600) && tells(before, NOW - 3600 + TOLD_AGAIN_S));
        let users = Trouble { needs: Needs::User, ..trouble(1, 1_000) };
        assert!(!tells_operator(&users, None, &rules(), NOW + 600));
    }

    #[test]
    fn an_end_is_told_thirty_seven_and_one_days_before() {
        let ends_at = NOW + 40 * DAY_S;
        let mut told: Vec<Forecast> = Vec::new();
        for day in 0..50 {
            if let Some(one) = forecast(ends_at, NOW + day * DAY_S)
                && told.last() != Some(&one)
            {
                told.push(one);
            }
        }
        assert_eq!(told.iter().map(|one| one.days).collect::<Vec<_>>(), [30, 7, 1]);
        assert_eq!(
            forecast(NOW + 5 * DAY_S, NOW).unwrap().days,
            7,
            "who asks late hears of the nearest only"
        );
        assert_eq!(forecast(NOW, NOW), None);
    }

    #[test]
    fn the_operators_day_begins_at_his_hour() {
        let six = NOW / DAY_S * DAY_S + 6 * 3600;
        let day = digest_of(&rules(), six).unwrap();
        assert_eq!(digest_of(&rules(), six - 1), Some(day - 1));
        assert_eq!(digest_of(&rules(), six + DAY_S - 1), Some(day));
        assert_eq!(digest_of(&NoticeRules { digest: Digest::Never, ..rules() }, six), None);
    }
}
