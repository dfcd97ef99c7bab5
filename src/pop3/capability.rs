//! CAPA's answer, line by line (RFC 2449 §3; PROTOCOL.md D.3). Unknown tags mean nothing to us.

use super::Capabilities;
use super::limits::{SASL_MECHANISM_BYTES, SASL_MECHANISMS};

impl Capabilities {
    pub(super) fn take(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let Some(tag) = words.next() else {
            return;
        };
        match tag.to_ascii_uppercase().as_slice() {
            b"TOP" => self.top = true,
            b"UIDL" => self.uidl = true,
            b"USER" => self.user = true,
            b"STLS" => self.stls = true,
            b"PIPELINING" => self.pipelining = true,
            b"RESP-CODES" => self.resp_codes = true,
            b"AUTH-RESP-CODE" => self.auth_resp_code = true,
            b"SASL" => words.for_each(|word| self.mechanism(word)),
            b"LOGIN-DELAY" => {
                self.login_delay_s = words.next().and_then(number);
                self.changes_after_login |= words.any(is_user);
            }
            b"EXPIRE" => {
                self.expire_days = words.next().and_then(|word| {
                    if word.eq_ignore_ascii_case(b"NEVER") {
                        return Some(u32::MAX);
                    }
                    number(word)
                });
                self.changes_after_login |= words.any(is_user);
            }
            _ => {}
        }
    }

    fn mechanism(&mut self, word: &[u8]) {
        if self.sasl.len() == SASL_MECHANISMS || word.len() > SASL_MECHANISM_BYTES {
            return;
        }
        if let Ok(name) = str::from_utf8(word)
            && name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            self.sasl.push(name.to_ascii_uppercase());
        }
    }
}

fn number(word: &[u8]) -> Option<u32> {
    if !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(word).ok()?.parse().ok()
}

fn is_user(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"USER")
}
