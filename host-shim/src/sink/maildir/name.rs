//! The name of a file in a Maildir: unique, and carrying the message's key, by which an earlier delivery is found.
//!
//! `<seconds>.M<key>P<pid>Q<count>.<host>,S=<size>`. A mail reader appends `:2,<flags>` and keeps the rest. Pid and
//! count make the name this process's own: a stopped process that goes on can never rename another's file.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A `dedupe_key` in the letters a file name may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    pub fn new(dedupe_key: &str) -> Key {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
        if (1..=LONGEST_PLAIN).contains(&dedupe_key.len()) && dedupe_key.bytes().all(is_plain) {
            return Key(dedupe_key.to_owned());
        }
        // `x,` begins no plain key. A key too long for a name is told from another by its digest.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, dedupe_key.as_bytes());
        let mut hex = String::from("x,");
        for byte in digest.as_ref() {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Key(hex)
    }

    /// The key of a file of ours, whatever a mail reader appended.
    pub fn of(file_name: &str) -> Option<Key> {
        let middle = file_name.split('.').nth(1)?.strip_prefix('M')?;
        let (rest, count) = middle.rsplit_once('Q')?;
        let (key, pid) = rest.rsplit_once('P')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(pid) && is_number(count)).then(|| Key(key.to_owned()))
    }

    /// A new name for a file of this key.
    pub fn name(&self, seconds: u64, host: &str) -> String {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{seconds}.M{}P{}Q{count}.{host}", self.0, std::process::id())
    }
}

/// Leaves room in 255 bytes for the rest.
const LONGEST_PLAIN: usize = 100;
const LONGEST_HOST: usize = 64;

/// The host's name as Maildir wants it.
pub fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().replace('/', "\\057").replace(':', "\\072");
    match name.chars().take(LONGEST_HOST).collect::<String>() {
        empty if empty.is_empty() => "localhost".into(),
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_name() {
        let long = "k".repeat(400);
        for text in ["0af3", "aPb_Q-9=", "P1Q2", "with/slash", "", "ü", long.as_str()] {
            let key = Key::new(text);
            let name = key.name(1_700_000_000, "mail.example.com");
            assert!(name.len() < 255 - ",S=123456789012:2,DFPRST".len() && !name.contains('/'), "{name}");
            assert_eq!(Key::of(&name).as_ref(), Some(&key));
            assert_eq!(Key::of(&format!("{name},S=12:2,RS")).as_ref(), Some(&key));
        }
        assert_ne!(Key::new("a/b"), Key::new("a:b"));
        for other in ["1700000000.M123P45.host", "1.a.b", "", "x", "1.MkP1Q.h", "1.MkPxQ1.h"] {
            assert_eq!(Key::of(other), None, "{other}");
        }
    }
}
