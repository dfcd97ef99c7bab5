//! Log-in with a password: SCRAM-SHA-256 and PLAIN over AUTH (RFC 5034, 4616), APOP and USER/PASS (RFC 1939 §7).
//!
//! Two lines for PLAIN, so that the password is sent only once the server asks for it. The password lives here only
//! until the server's last word; what the server repeats of it, in whatever encoding, is blackened.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::limits::QUOTE_CHARS;
use super::output::Output;
use super::reply::printable;
use super::sasl::{OutOfPlace, encode};
use super::scram::Scram;
use super::{Misuse, PasswordLogin, PasswordMechanism};
use crate::secret;

pub(super) struct Exchange {
    step: Step,
    /// The password as it may come back: itself, and every encoding of it that was sent or that is usual.
    told: Vec<Zeroizing<Vec<u8>>>,
    status: Option<String>,
}

enum Step {
    /// `AUTH PLAIN` was said; the line follows the first `+`.
    Plain(Zeroizing<Vec<u8>>),
    Scram(Box<Scram>),
    /// `USER` was said; the line follows its `+OK`.
    User(Zeroizing<Vec<u8>>),
    /// All was sent, and so many challenges answered since.
    Sent(u8),
}

/// Challenges answered with `*` after everything was sent.
const CANCELS: u8 = 2;

impl Exchange {
    /// Queues the first line. `timestamp` is the greeting's, for APOP.
    pub fn begin(
        login: &PasswordLogin<'_>,
        timestamp: Option<&str>,
        output: &mut Output,
    ) -> Result<Exchange, Misuse> {
        let injects = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
        if injects(login.user) || injects(login.password.expose()) || injects(login.nonce) {
            return Err(Misuse::Injection);
        }
        let mut told = encodings(login.password.expose());
        let step = match login.mechanism {
            PasswordMechanism::ScramSha256 => {
                output.push(b"AUTH SCRAM-SHA-256\r\n");
                Step::Scram(Box::new(Scram::new(login.user, login.password, login.nonce)))
            }
            PasswordMechanism::Plain => {
                output.push(b"AUTH PLAIN\r\n");
                let line = encode(&joined(&["\0", login.user, "\0", login.password.expose()]));
                told.push(line.clone());
                Step::Plain(line)
            }
            PasswordMechanism::Apop => {
                let timestamp = timestamp.ok_or(Misuse::NoTimestamp)?;
                let digest = Md5::digest(joined(&[timestamp, login.password.expose()]).as_slice());
                let digest = Zeroizing::new(hex(&digest));
                output.push(&joined(&["APOP ", login.user, " "]));
                output.push(&digest);
                output.push(b"\r\n");
                told.push(digest);
                Step::Sent(0)
            }
            PasswordMechanism::UserPass => {
                output.push(&joined(&["USER ", login.user, "\r\n"]));
                Step::User(joined(&["PASS ", login.password.expose(), "\r\n"]))
            }
        };
        Ok(Exchange { step, told, status: None })
    }

    /// Answers a `+`.
    pub fn challenge(&mut self, text: &[u8], output: &mut Output) -> Result<(), OutOfPlace> {
        match &mut self.step {
            Step::Plain(line) => {
                output.push(line);
                output.push(b"\r\n");
                self.step = Step::Sent(0);
            }
            Step::Scram(scram) => {
                let answer = scram.challenge(text)?;
                if let Some(why) = scram.refusal() {
                    self.status = Some(printable(blacken(&self.told, why).as_bytes(), QUOTE_CHARS));
                    output.push(b"*\r\n");
                    self.step = Step::Sent(CANCELS);
                    return Ok(());
                }
                output.push(&answer);
                output.push(b"\r\n");
                if !answer.is_empty() {
                    self.told.push(answer);
                }
            }
            // Neither APOP nor USER has a `+`.
            Step::User(_) => return Err(OutOfPlace::TooManyChallenges),
            Step::Sent(answered) if *answered < CANCELS => {
                output.push(b"*\r\n");
                *answered += 1;
            }
            Step::Sent(_) => return Err(OutOfPlace::TooManyChallenges),
        }
        Ok(())
    }

    /// `+OK`. Answers whether it was the last word; after `USER` it is not.
    pub fn accepted(&mut self, output: &mut Output) -> Result<bool, OutOfPlace> {
        match &self.step {
            Step::Plain(_) => Err(OutOfPlace::EarlyYes),
            Step::Scram(scram) if !scram.is_proved() => Err(OutOfPlace::Unproved),
            Step::User(line) => {
                output.push(line);
                self.step = Step::Sent(0);
                Ok(false)
            }
            Step::Sent(answered) if *answered > 0 => Err(OutOfPlace::YesAfterRefusal),
            _ => Ok(true),
        }
    }

    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// The server's words without what it repeats of the credentials.
    pub fn blacken(&self, text: &str) -> String {
        blacken(&self.told, text)
    }

    pub fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.told.iter().map(|told| told.as_slice())
    }
}

fn blacken(told: &[Zeroizing<Vec<u8>>], text: &str) -> String {
    secret::blacken(text, told.iter().map(|told| told.as_slice()))
}

impl PasswordMechanism {
    pub fn name(self) -> &'static str {
        match self {
            PasswordMechanism::ScramSha256 => "SCRAM-SHA-256",
            PasswordMechanism::Plain => "PLAIN",
            PasswordMechanism::Apop => "APOP",
            PasswordMechanism::UserPass => "USER",
        }
    }
}

/// The timestamp of a greeting (RFC 1939 §7): a well-formed msg-id. What is none is no challenge to hash a password
/// with (CVE-2007-1558).
pub(super) fn timestamp(greeting: &[u8]) -> Option<String> {
    let start = memchr::memchr(b'<', greeting)?;
    let length = memchr::memchr(b'>', &greeting[start..])? + 1;
    let text = str::from_utf8(&greeting[start..start + length]).ok()?;
    let inner = &text[1..length - 1];
    let (left, right) = inner.split_once('@')?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'@');
    (is_part(left) && is_part(right)).then(|| text.to_owned())
}

/// In one buffer of the right size, so that it never moves and leaves a copy.
fn joined(parts: &[&str]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| all.extend_from_slice(part.as_bytes()));
    all
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}

fn encodings(password: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let lower = Zeroizing::new(hex(password.as_bytes()));
    let upper = Zeroizing::new(lower.to_ascii_uppercase());
    let url = percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC);
    let url = Zeroizing::new(url.to_string().into_bytes());
    // Without what a neighbour changes: the last group, and with it the padding.
    let mut base64 = Zeroizing::new(STANDARD.encode(password).into_bytes());
    let whole = password.len() / 3 * 4;
    if whole >= 4 {
        base64.truncate(whole);
    }
    vec![Zeroizing::new(password.as_bytes().to_vec()), base64, lower, upper, url]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn begin(mechanism: PasswordMechanism, timestamp: Option<&str>) -> (Exchange, Output) {
        let mut output = Output::default();
        let password = Secret::new("tanstaaf".to_owned());
        let login = PasswordLogin { mechanism, user: "mrose", password: &password, nonce: "n" };
        let exchange = Exchange::begin(&login, timestamp, &mut output).ok().unwrap();
        (exchange, output)
    }

    #[test]
    fn apop_is_as_rfc_1939_shows_it() {
        let greeting = b" POP3 server ready <1896.697170952@dbc.mtview.ca.us>";
        let found = timestamp(greeting).unwrap();
        let (_, output) = begin(PasswordMechanism::Apop, Some(&found));
        assert_eq!(output.pending(), b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    }

    #[test]
    fn what_is_no_message_id_is_no_timestamp() {
        for greeting in
            [&b"ready"[..], b"<>", b"<a>", b"<@b>", b"<a@>", b"<a\x80@b>", b"<a@b", b"<a b@c>", b"<a@b@c>"]
        {
            assert_eq!(timestamp(greeting), None, "{greeting:?}");
        }
    }

    #[test]
    fn every_encoding_is_blackened() {
        let (exchange, _) = begin(PasswordMechanism::Plain, None);
        let line = STANDARD.encode("\0mrose\0tanstaaf");
        for said in ["tanstaaf", &line, "dGFuc3RhYWY=", "74616e7374616166", "74616E7374616166"] {
            let shown = exchange.blacken(&format!("no, {said}!"));
            assert!(!shown.contains(&said[..said.len() - 4]), "{shown}");
        }
    }
}
