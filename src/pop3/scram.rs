//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as a client, without channel binding: pure, given its nonce.
//!
//! The server's signature is verified: a `+OK` before it is no log-in. The work a server can ask for is bounded.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::limits::SCRAM_ITERATIONS;
use super::sasl::{OutOfPlace, encode};
use crate::secret::Secret;

pub(super) struct Scram {
    user: String,
    password: Zeroizing<Vec<u8>>,
    nonce: String,
    step: Step,
}

enum Step {
    /// The first `+` is due.
    Begun,
    /// `client-first` was sent.
    Named,
    /// `client-final` was sent; what the server must answer to prove that it knows the password.
    Shown {
        key: Box<hmac::Key>,
        message: Vec<u8>,
    },
    Proved,
    /// `e=`, with the server's word.
    Refused(String),
}

impl Scram {
    /// `nonce` is fresh and random, of printable characters without a comma.
    pub fn new(user: &str, password: &Secret, nonce: &str) -> Scram {
        let prepared = |text: &str| match stringprep::saslprep(text) {
            Ok(prepared) => prepared.into_owned(),
            // What is prohibited or unassigned there may be in use nevertheless, as it stands.
            Err(_) => text.to_owned(),
        };
        Scram {
            user: prepared(user).replace('=', "=3D").replace(',', "=2C"),
            password: Zeroizing::new(prepared(password.expose()).into_bytes()),
            nonce: nonce.to_owned(),
            step: Step::Begun,
        }
    }

    /// The line that answers a challenge, in base64; empty after the server's last word.
    pub fn challenge(&mut self, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, OutOfPlace> {
        let (step, line) = match &self.step {
            Step::Begun => {
                let first = format!("n,,{}", self.first_bare());
                (Step::Named, encode(first.as_bytes()))
            }
            Step::Named => self.show(&decoded(text)?)?,
            Step::Shown { key, message } => (proof(key, message, &decoded(text)?)?, Zeroizing::default()),
            Step::Proved | Step::Refused(_) => return Err(OutOfPlace::TooManyChallenges),
        };
        self.step = step;
        Ok(line)
    }

    pub fn is_proved(&self) -> bool {
        matches!(self.step, Step::Proved)
    }

    /// The server's word for its no.
    pub fn refusal(&self) -> Option<&str> {
        match &self.step {
            Step::Refused(why) => Some(why),
            _ => None,
        }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// `server-first` taken apart, and the answer to it.
    fn show(&self, server_first: &str) -> Result<(Step, Zeroizing<Vec<u8>>), OutOfPlace> {
        let mut parts = server_first.split(',');
        let mut value = |name: &str| parts.next()?.strip_prefix(name);
        // An `m=` in front is an extension that must not be overlooked: it fits no `r=`.
        let (nonce, salt, count) = (value("r="), value("s="), value("i="));
        let (Some(nonce), Some(salt), Some(count)) = (nonce, salt, count) else {
            return Err(OutOfPlace::Scram);
        };
        let grown = nonce.strip_prefix(self.nonce.as_str()).is_some_and(|own| !own.is_empty());
        if !grown || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OutOfPlace::Scram);
        }
        let salt = STANDARD.decode(salt).map_err(|_| OutOfPlace::Scram)?;
        let count = count.parse().ok().filter(|count| SCRAM_ITERATIONS.contains(count));
        let count = count.and_then(NonZeroU32::new).ok_or(OutOfPlace::Scram)?;
        let mut salted = Zeroizing::new([0; digest::SHA256_OUTPUT_LEN]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, &salt, &self.password, &mut *salted);
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare()).into_bytes();
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref()), &message);
        let both = client_key.as_ref().iter().zip(signature.as_ref());
        let proof = Zeroizing::new(both.map(|(key, signed)| key ^ signed).collect::<Vec<u8>>());
        let last = Zeroizing::new(format!("{without_proof},p={}", STANDARD.encode(&*proof)));
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref()));
        Ok((Step::Shown { key, message }, encode(last.as_bytes())))
    }
}

/// `server-final`: the server's signature, or its no.
fn proof(key: &hmac::Key, message: &[u8], server_final: &str) -> Result<Step, OutOfPlace> {
    let first = server_final.split(',').next().unwrap_or_default();
    if let Some(why) = first.strip_prefix("e=") {
        return Ok(Step::Refused(why.to_owned()));
    }
    let signature = first.strip_prefix("v=").and_then(|text| STANDARD.decode(text).ok());
    let signature = signature.ok_or(OutOfPlace::Scram)?;
    hmac::verify(key, message, &signature).map_err(|_| OutOfPlace::Unproved)?;
    Ok(Step::Proved)
}

fn decoded(challenge: &[u8]) -> Result<String, OutOfPlace> {
    let bytes = STANDARD.decode(challenge).map_err(|_| OutOfPlace::Scram)?;
    String::from_utf8(bytes).map_err(|_| OutOfPlace::Scram)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677 §3.
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn begun() -> Scram {
        let mut scram = Scram::new("user", &Secret::new("pencil".to_owned()), "rOprNGfwEbeRWgbNEkqO");
        let first = scram.challenge(b"").ok().unwrap();
        assert_eq!(STANDARD.decode(&*first).unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        scram
    }

    fn say(scram: &mut Scram, text: &str) -> Result<Vec<u8>, OutOfPlace> {
        let line = scram.challenge(STANDARD.encode(text).as_bytes())?;
        Ok(STANDARD.decode(&*line).unwrap())
    }

    #[test]
    fn the_exchange_is_as_rfc_7677_shows_it() {
        let mut scram = begun();
        let last = say(&mut scram, SERVER_FIRST).unwrap();
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(String::from_utf8(last).unwrap(), expected);
        assert!(!scram.is_proved());
        assert_eq!(say(&mut scram, SERVER_FINAL).unwrap(), b"");
        assert!(scram.is_proved());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut scram = begun();
        say(&mut scram, SERVER_FIRST).unwrap();
        let other = "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(say(&mut scram, other), Err(OutOfPlace::Unproved));
        assert!(!scram.is_proved());
    }

    #[test]
    fn a_first_answer_that_is_none_is_refused() {
        for bad in [
            "",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=otherNonce%hvYDpWUa2,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "m=x,r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO1,s=***,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            "r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        ] {
            assert_eq!(say(&mut begun(), bad), Err(OutOfPlace::Scram), "{bad}");
        }
    }

    #[test]
    fn names_are_escaped_and_prepared() {
        let secret = Secret::new("x".to_owned());
        assert_eq!(Scram::new("a=b,c", &secret, "n").first_bare(), "n=a=3Db=2Cc,r=n");
        // RFC 4013 §3: SOFT HYPHEN is mapped to nothing, and IX is one character's compatible form.
        assert_eq!(Scram::new("I\u{AD}X", &secret, "n").first_bare(), "n=IX,r=n");
        assert_eq!(Scram::new("\u{2168}", &secret, "n").first_bare(), "n=IX,r=n");
    }
}
