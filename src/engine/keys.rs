//! What a message is known by: keyed digests for the ledger, the dedupe key for the host.
//!
//! All are keyed with the account's own key, so that a store that leaks tells no UIDL and no subject, and an account
//! whose key was destroyed is forgotten.

use aws_lc_rs::{digest, hmac};

use super::header;
use crate::model::UidlKey;
use crate::secret::KeyBytes;

pub struct Keys {
    key: hmac::Key,
    number: [u8; 16],
    generation: u32,
}

impl Keys {
    pub fn new(key: &KeyBytes, number: [u8; 16], generation: u32) -> Keys {
        Keys { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()), number, generation }
    }

    /// The same keys under another generation.
    pub fn of_generation(&self, generation: u32) -> Keys {
        Keys { key: self.key.clone(), number: self.number, generation }
    }

    /// The ledger's key of a UIDL that stands once in its listing.
    pub fn uidl(&self, uidl: &[u8]) -> UidlKey {
        self.digest(&[b"uidl", uidl])
    }

    /// The ledger's key where a UIDL stands more than once: the header block tells the messages apart.
    pub fn uidl_with_header(&self, uidl: &[u8], header: &[u8]) -> UidlKey {
        let header = digest::digest(&digest::SHA256, header);
        self.digest(&[b"uidl+header", uidl, header.as_ref()])
    }

    /// The ledger's key of the note that a message's header could not be read.
    pub fn unread(&self, uidl: &[u8]) -> UidlKey {
        self.digest(&[b"unread", uidl])
    }

    /// Digest of what stays the same however a server renders a message. `None` where it has none of the three.
    pub fn identity(&self, header: &[u8]) -> Option<[u8; 16]> {
        let fields = ["message-id", "date", "from"].map(|name| field(header, name));
        if fields.iter().all(Option::is_none) {
            return None;
        }
        let [id, date, from] = fields.map(Option::unwrap_or_default);
        Some(self.digest(&[b"identity", &id, &date, &from]))
    }

    /// Digest of the Message-ID alone, by which a person asks for a message.
    pub fn message_id(&self, header: &[u8]) -> Option<[u8; 16]> {
        header::message_id(header).map(|id| self.message_id_of(&id))
    }

    /// The same of a Message-ID without what may stand around it. Programs that show it change its case, and fold it.
    pub fn message_id_of(&self, bare: &[u8]) -> [u8; 16] {
        let mut plain = bare.to_ascii_lowercase();
        plain.retain(|byte| !byte.is_ascii_whitespace());
        self.digest(&[b"message-id", &plain])
    }

    /// Text, safe in a file name, 32 octets: the same message has the same key whenever it comes again.
    pub fn dedupe(&self, key: &UidlKey) -> String {
        let generation = self.generation.to_be_bytes();
        let hash = parts(digest::Context::new(&digest::SHA256), &[b"dedupe", &self.number, &generation, key]);
        hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn digest(&self, all: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in all {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        first_half(context.sign().as_ref())
    }
}

/// What a message's header makes it known by; nothing where no header was fetched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    pub digest: Option<[u8; 16]>,
    pub message_id: Option<[u8; 16]>,
}

impl Known {
    pub fn of(keys: &Keys, header: &header::Header) -> Known {
        Known { digest: keys.identity(header.bytes()), message_id: keys.message_id(header.bytes()) }
    }
}

fn parts(mut context: digest::Context, all: &[&[u8]]) -> [u8; 32] {
    for part in all {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn first_half(tag: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&tag[..16]);
    half
}

/// A digest over UIDLs in their order, which can be asked at every length.
#[derive(Clone)]
pub struct ListingDigest(digest::Context);

impl Default for ListingDigest {
    fn default() -> Self {
        ListingDigest(digest::Context::new(&digest::SHA256))
    }
}

impl ListingDigest {
    pub fn push(&mut self, uidl: &[u8]) {
        self.0.update(&(uidl.len() as u32).to_be_bytes());
        self.0.update(uidl);
    }

    pub fn value(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.clone().finish().as_ref());
        hash
    }
}

/// The unfolded, trimmed value of the first such field of a header block (RFC 5322 §2.2).
pub fn field(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut lines = header.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        if !line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
            continue;
        }
        let mut value = line[colon + 1..].trim_ascii().to_vec();
        while let Some(next) = lines.peek() {
            if !next.starts_with(b" ") && !next.starts_with(b"\t") {
                break;
            }
            value.push(b' ');
            value.extend_from_slice(next.trim_ascii());
            lines.next();
        }
        return Some(value.trim_ascii().to_vec());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(generation: u32) -> Keys {
        Keys::new(&KeyBytes::new([7; 32]), [9; 16], generation)
    }

    #[test]
    fn dedupe_key_depends_on_generation_and_uidl_and_is_file_name_safe() {
        let a = keys(1).dedupe(&keys(1).uidl(b"x"));
        assert_eq!(a, keys(1).dedupe(&keys(1).uidl(b"x")));
        assert_ne!(a, keys(2).dedupe(&keys(2).uidl(b"x")));
        assert_ne!(a, keys(1).dedupe(&keys(1).uidl(b"y")));
        assert!(a.len() <= 64 && a.bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_message_id_is_found_in_whatever_case_and_folding_it_is_shown() {
        let header = b"Message-ID: <CAF+x\r\n y@Mail.Example>\r\n\r\n";
        assert_eq!(keys(1).message_id(header), Some(keys(1).message_id_of(b"caf+xy@mail.example")));
        assert_ne!(keys(1).message_id(header), Some(keys(1).message_id_of(b"caf+x@mail.example")));
    }

    #[test]
    fn identity_survives_folding_and_other_headers() {
        let one = b"Received: x\r\nMessage-ID: <a@b>\r\nDate: D\r\nFrom: f\r\n\r\nbody";
        let two = b"message-id:\r\n <a@b>\nDATE:  D \nfrom: f\nX: y\n\n";
        assert_eq!(keys(1).identity(one), keys(1).identity(two));
        assert_eq!(keys(1).identity(b"Subject: s\r\n\r\n"), None);
    }
}
