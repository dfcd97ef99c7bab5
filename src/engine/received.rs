//! The `Received:` line a fetched message carries (RFC 5321 §4.4).

use time::OffsetDateTime;
use time::macros::format_description;

use crate::model::UnixTime;

pub struct Trace<'a> {
    pub server: &'a str,
    pub tls: &'a str,
    pub hostname: &'a str,
    /// Empty or the dedupe key.
    pub id: &'a str,
    pub deliver_to: &'a str,
    pub now: UnixTime,
}

/// Folded with CRLF TAB, ends in CRLF.
pub fn line(trace: &Trace<'_>) -> String {
    let mut text = format!(
        "Received: from {} (using {})\r\n\tby {} (multipop {}) with POP3",
        plain(trace.server),
        plain(trace.tls),
        plain(trace.hostname),
        env!("CARGO_PKG_VERSION"),
    );
    if !trace.id.is_empty() {
        text.push_str(" id ");
        text.push_str(&plain(trace.id));
    }
    if is_address(trace.deliver_to) {
        text.push_str("\r\n\tfor <");
        text.push_str(trace.deliver_to);
        text.push('>');
    }
    text.push_str(";\r\n\t");
    text.push_str(&date(trace.now));
    text.push_str("\r\n");
    text
}

/// RFC 5322 §3.3, in UTC.
fn date(now: UnixTime) -> String {
    let format = format_description!(
        "[weekday repr:short], [day padding:none] [month repr:short] [year] [hour]:[minute]:[second] +0000"
    );
    i64::try_from(now)
        .ok()
        .and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok())
        .and_then(|now| now.format(&format).ok())
        .unwrap_or_else(|| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned())
}

/// Nothing a configuration holds can end the line or begin another field.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '(' | ')' | ';' | '<' | '>') { c } else { '_' })
        .collect()
}

fn is_address(text: &str) -> bool {
    text.len() <= 254
        && text.contains('@')
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b';' | b'(' | b')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_folded_and_ends_in_crlf() {
        let line = line(&Trace {
            server: "outlook.office365.com",
            tls: "TLSv1.3",
            hostname: "mail.example.com",
            id: "00ff",
            deliver_to: "alice@example.com",
            now: 1_790_000_000,
        });
        assert_eq!(
            line,
            format!(
                "Received: from outlook.office365.com (using TLSv1.3)\r\n\tby mail.example.com (multipop {}) with \
                 POP3 id 00ff\r\n\tfor <alice@example.com>;\r\n\tMon, 21 Sep 2026 14:13:20 +0000\r\n",
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn nothing_configured_can_begin_another_field() {
        let line = line(&Trace {
            server: "a\r\nX-Evil: 1",
            tls: "TLSv1.3",
            hostname: "h",
            id: "",
            deliver_to: "x@y>\r\nBcc: z",
            now: 0,
        });
        assert_eq!(line.matches("\r\n").count(), line.matches("\r\n\t").count() + 1);
        assert!(!line.contains("Bcc"));
    }
}
