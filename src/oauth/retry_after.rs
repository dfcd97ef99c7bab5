//! `Retry-After`, seconds or a date (RFC 9110 §10.2.3), and what `Date` says of our clock.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;

use super::token::HttpAnswer;
use crate::model::UnixTime;

/// A peer that asks for more is asked again after a day all the same.
const LONGEST_S: u64 = 86_400;

/// 0 where nothing is asked for, or what is asked cannot be read.
pub fn seconds(answer: &HttpAnswer, now: UnixTime) -> u32 {
    let Some(text) = answer.retry_after.as_deref().map(str::trim) else {
        return 0;
    };
    let wait = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            // Counted on the provider's own clock where it told it.
            let from = answer.date.as_deref().and_then(date).unwrap_or(now);
            date(text).map_or(0, |at| at.saturating_sub(from))
        }
    };
    // At most a day: fits.
    wait.min(LONGEST_S) as u32
}

/// How far our clock is ahead of the provider's; 0 where it told no time.
pub fn skew_s(answer: &HttpAnswer, now: UnixTime) -> i64 {
    let theirs = answer.date.as_deref().and_then(date).unwrap_or(now);
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(i64::try_from(theirs).unwrap_or(i64::MAX))
}

/// All three forms of RFC 9110 §5.6.7.
fn date(text: &str) -> Option<UnixTime> {
    let rfc850 = format_description!(
        "[weekday], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT"
    );
    let asctime = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
    );
    let text = text.trim();
    let at = OffsetDateTime::parse(text, &Rfc2822)
        .ok()
        .or_else(|| Some(time::PrimitiveDateTime::parse(text, asctime).ok()?.assume_utc()))
        .or_else(|| Some(time::PrimitiveDateTime::parse(text, rfc850).ok()?.assume_utc()))?;
    UnixTime::try_from(at.unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after: &str, date: Option<&str>) -> u32 {
        let answer = HttpAnswer {
            retry_after: Some(retry_after.into()),
            date: date.map(str::to_owned),
            ..HttpAnswer::default()
        };
        // Fri, 09 Jan 2026 02:00:00 GMT
        seconds(&answer, 1_767_924_000)
    }

    #[test]
    fn seconds_dates_and_nonsense() {
        assert_eq!(asked("120", None), 120);
        assert_eq!(asked("Fri, 09 Jan 2026 02:02:00 GMT", None), 120);
        assert_eq!(asked("Fri Jan  9 02:02:00 2026", None), 120);
        assert_eq!(asked("soon", None), 0);
        assert_eq!(asked("-5", None), 0);
        assert_eq!(asked("99999999999999999999", None), 0);
        assert_eq!(asked("9999999", None), 86_400);
        assert_eq!(asked("Thu, 08 Jan 2026 02:00:00 GMT", None), 0);
    }

    #[test]
    fn a_date_is_counted_on_the_provider_s_clock() {
        let off_by_an_hour = Some("Fri, 09 Jan 2026 03:00:00 GMT");
        assert_eq!(asked("Fri, 09 Jan 2026 03:01:00 GMT", off_by_an_hour), 60);
    }
}
