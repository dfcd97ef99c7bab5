//! AUTH: RFC 5034's exchange with XOAUTH2's string and RFC 7628's OAUTHBEARER, taken apart.

use base64::prelude::{BASE64_STANDARD, Engine};

/// What a client showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub user: String,
    pub token: String,
    /// OAUTHBEARER: the port the client thinks it is connected to.
    pub port: Option<u16>,
}

/// The mechanisms this server can take apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Xoauth2,
    Oauthbearer,
    Plain,
    ScramSha256,
}

impl Mechanism {
    pub fn named(name: &str) -> Option<Mechanism> {
        match name.to_ascii_uppercase().as_str() {
            "XOAUTH2" => Some(Mechanism::Xoauth2),
            "OAUTHBEARER" => Some(Mechanism::Oauthbearer),
            "PLAIN" => Some(Mechanism::Plain),
            "SCRAM-SHA-256" => Some(Mechanism::ScramSha256),
            _ => None,
        }
    }

    /// What the client must answer to a JSON challenge.
    pub fn farewell(self) -> &'static str {
        match self {
            Mechanism::Oauthbearer => "AQ==",
            _ => "",
        }
    }
}

/// The credentials in a base64 line; None if it is not well formed, to the byte.
pub(super) fn credentials(mechanism: Mechanism, line: &str) -> Option<Credentials> {
    let text = String::from_utf8(BASE64_STANDARD.decode(line).ok()?).ok()?;
    if mechanism == Mechanism::Plain {
        let (user, password) = text.strip_prefix('\0')?.split_once('\0')?;
        return Some(Credentials { user: user.to_owned(), token: password.to_owned(), port: None });
    }
    let text = text.strip_suffix("\x01\x01")?;
    match mechanism {
        Mechanism::Xoauth2 => {
            let (user, rest) = text.strip_prefix("user=")?.split_once('\x01')?;
            let token = bearer(rest.strip_prefix("auth=")?)?;
            Some(Credentials { user: user.to_owned(), token, port: None })
        }
        Mechanism::Oauthbearer => {
            let mut parts = text.split('\x01');
            let header = parts.next()?.strip_prefix("n,a=")?.strip_suffix(',')?;
            let user = header.replace("=2C", ",").replace("=3D", "=");
            let (mut token, mut port) = (None, None);
            for part in parts {
                match part.split_once('=')? {
                    ("auth", value) => token = bearer(value),
                    ("port", value) => port = Some(value.parse().ok()?),
                    _ => {}
                }
            }
            Some(Credentials { user, token: token?, port })
        }
        Mechanism::Plain | Mechanism::ScramSha256 => None,
    }
}

fn bearer(value: &str) -> Option<String> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples_are_understood() {
        let line = "dXNlcj1hbGljZUBjb250b3NvLmV4YW1wbGUBYXV0aD1CZWFyZXIgVE9LRU4xMjMBAQ==";
        let alice = credentials(Mechanism::Xoauth2, line).unwrap();
        assert_eq!((alice.user.as_str(), alice.token.as_str()), ("alice@contoso.example", "TOKEN123"));
        let line = "bixhPWFsaWNlQGNvbnRvc28uZXhhbXBsZSwBaG9zdD1wb3AuZXhhbXBsZS5uZXQBcG9ydD05OTUBYXV0aD1CZWFyZXIgVE9LRU4xMjMBAQ==";
        let alice = credentials(Mechanism::Oauthbearer, line).unwrap();
        assert_eq!((alice.user.as_str(), alice.port), ("alice@contoso.example", Some(995)));
        assert_eq!(credentials(Mechanism::Xoauth2, "AAAA"), None);
    }
}
