//! XOAUTH2 and OAUTHBEARER over AUTH (RFC 5034, RFC 7628; PROTOCOL.md B.3, D.5).
//!
//! Two lines unless asked otherwise. The credentials live here only until the server's last word, and never in what
//! is told of it: a server that repeats them finds its own words blackened.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::limits::{CHALLENGES, QUOTE_CHARS};
use super::output::Output;
use super::reply::printable;
use super::{Login, Mechanism, Misuse};
use crate::secret;

pub(super) struct Exchange {
    mechanism: Mechanism,
    /// Base64 in one line, standard alphabet with padding.
    line: Zeroizing<Vec<u8>>,
    token: Zeroizing<Vec<u8>>,
    step: Step,
    status: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `AUTH mechanism` was said, the first `+` is due.
    Bare,
    /// The credentials went with AUTH.
    Early,
    /// The credentials were sent, and so many challenges answered since.
    Sent(u8),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum OutOfPlace {
    EarlyYes,
    YesAfterRefusal,
    TooManyChallenges,
    /// SCRAM: what the server says is not of the exchange.
    Scram,
    /// SCRAM: the server did not prove that it knows the password.
    Unproved,
}

impl Exchange {
    /// Queues the first line.
    pub fn begin(login: &Login<'_>, output: &mut Output) -> Result<Exchange, Misuse> {
        let injects = |text: &str| text.bytes().any(|byte| byte.is_ascii_control());
        if injects(login.user) || injects(login.host) || injects(login.token.expose()) {
            return Err(Misuse::Injection);
        }
        let exchange = Exchange {
            mechanism: login.mechanism,
            line: encode(&message(login)),
            token: Zeroizing::new(login.token.expose().as_bytes().to_vec()),
            step: if login.initial_response { Step::Early } else { Step::Bare },
            status: None,
        };
        output.push(b"AUTH ");
        output.push(exchange.mechanism.name().as_bytes());
        if login.initial_response {
            output.push(b" ");
            output.push(&exchange.line);
        }
        output.push(b"\r\n");
        Ok(exchange)
    }

    /// Answers a `+`.
    pub fn challenge(&mut self, text: &[u8], output: &mut Output) -> Result<(), OutOfPlace> {
        match self.step {
            // What the first challenge says does not matter; one that is empty although the credentials were sent
            // comes from a server that overlooked them.
            Step::Bare => self.send(output),
            Step::Early if text.is_empty() => self.send(output),
            Step::Early => self.refused(text, output),
            Step::Sent(0) => self.refused(text, output),
            Step::Sent(answered) if answered < CHALLENGES => {
                output.push(b"*\r\n");
                self.step = Step::Sent(answered + 1);
            }
            Step::Sent(_) => return Err(OutOfPlace::TooManyChallenges),
        }
        Ok(())
    }

    /// Whether `+OK` may stand here.
    pub fn accepted(&self) -> Result<(), OutOfPlace> {
        match self.step {
            Step::Bare => Err(OutOfPlace::EarlyYes),
            Step::Sent(answered) if answered > 1 || self.status.is_some() => Err(OutOfPlace::YesAfterRefusal),
            _ => Ok(()),
        }
    }

    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// The server's words without what it repeats of the credentials.
    pub fn blacken(&self, text: &str) -> String {
        secret::blacken(text, self.secrets())
    }

    pub fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        [self.token.as_slice(), self.line.as_slice()].into_iter()
    }

    fn send(&mut self, output: &mut Output) {
        output.push(&self.line);
        output.push(b"\r\n");
        self.step = Step::Sent(0);
    }

    /// The no of these mechanisms comes as a challenge, and wants its empty answer before the `-ERR`.
    fn refused(&mut self, text: &[u8], output: &mut Output) {
        self.status = status(text).map(|status| self.blacken(&status));
        output.push(match self.mechanism {
            Mechanism::Xoauth2 => b"\r\n",
            Mechanism::Oauthbearer => b"AQ==\r\n",
        });
        self.step = Step::Sent(1);
    }
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Xoauth2 => "XOAUTH2",
            Mechanism::Oauthbearer => "OAUTHBEARER",
        }
    }
}

fn message(login: &Login<'_>) -> Zeroizing<Vec<u8>> {
    let port = login.port.to_string();
    // Escaping at most triples the user's length; with room for all of it the buffer never moves and leaves a copy.
    let room = 3 * login.user.len() + login.host.len() + port.len() + login.token.len() + 64;
    let mut message = Zeroizing::new(Vec::with_capacity(room));
    let mut push = |text: &str| message.extend_from_slice(text.as_bytes());
    match login.mechanism {
        Mechanism::Xoauth2 => {
            push("user=");
            push(login.user);
        }
        Mechanism::Oauthbearer => {
            push("n,a=");
            for c in login.user.chars() {
                match c {
                    '=' => push("=3D"),
                    ',' => push("=2C"),
                    c => push(c.encode_utf8(&mut [0; 4])),
                }
            }
            push(",\x01host=");
            push(login.host);
            push("\x01port=");
            push(&port);
        }
    }
    push("\x01auth=Bearer ");
    push(login.token.expose());
    push("\x01\x01");
    message
}

/// Into one buffer of the right size, so that no copy is left behind.
pub(super) fn encode(message: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(vec![0; message.len().div_ceil(3) * 4]);
    match STANDARD.encode_slice(message, &mut line) {
        Ok(length) => line.truncate(length),
        // The size above is the encoding's.
        Err(_) => line.clear(),
    }
    line
}

/// The `status` of a refusal: base64 of JSON (RFC 7628 §3.2.2).
fn status(challenge: &[u8]) -> Option<String> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let json = TOLERANT.decode(challenge).ok()?;
    let refusal: serde_json::Value = serde_json::from_slice(&json).ok()?;
    match refusal.get("status")? {
        serde_json::Value::String(status) => Some(printable(status.as_bytes(), QUOTE_CHARS)),
        serde_json::Value::Number(status) => Some(status.to_string()),
        _ => None,
    }
}
