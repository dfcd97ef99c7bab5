//! Sealed columns: AES-256-GCM under each account's own data key, which the operator's key seals.
//!
//! A sealed value is: id of the key (8 octets), nonce (12, from the operating system), ciphertext, tag (16). Account,
//! column and place within it are associated data, so that no value can be moved to where another stood. Whoever
//! destroys an account's data key has destroyed every value of that account. A key never leaves this file but as
//! the digest key derived from it.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result, Status};
use crate::secret::KeyBytes;

/// A short hash of a key, by which a sealed value says what opens it.
pub type KeyId = [u8; 8];

/// The operator's keys. The first seals, all open.
#[derive(Clone)]
pub struct KeyRing(Arc<[SealingKey]>);

impl KeyRing {
    pub fn new(keys: Vec<KeyBytes>) -> Result<KeyRing> {
        if keys.is_empty() {
            return Err(Error::new(Status::Key, "key.none", "no key to seal the store with")
                .advice("Name at least one key file in `keys` of the configuration."));
        }
        let keys = keys.iter().map(SealingKey::new).collect::<Result<Vec<_>>>()?;
        Ok(KeyRing(keys.into()))
    }

    /// The id of the key that seals.
    pub fn first(&self) -> KeyId {
        self.0[0].id
    }

    pub fn knows(&self, id: &KeyId) -> bool {
        self.0.iter().any(|key| key.id == *id)
    }

    /// What to say where a value was sealed with none of these keys.
    pub fn unknown(&self, id: &KeyId) -> Error {
        let files = self.0.len();
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let have = match files {
            1 => "the one key file holds another key".to_owned(),
            _ => format!("none of the {files} key files holds it"),
        };
        Error::new(
            Status::Key,
            "key.unknown",
            format!("the store was sealed with key {hex}, and {have}"),
        )
        .advice(
            "Put the key file this store was made with back into `keys` of the configuration (a second entry is \
             enough: every key listed opens, the first seals). If it is lost, every user must sign in again with a \
             new store.",
        )
    }

    fn key(&self, id: &KeyId) -> Result<&SealingKey> {
        self.0.iter().find(|key| key.id == *id).ok_or_else(|| self.unknown(id))
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.len())
    }
}

/// What the store looks things up by whose text it keeps sealed. Whoever has no key of the ring learns nothing by it,
/// not even by guessing.
pub(super) struct Index(hmac::Key);

impl Index {
    /// `kind` tells texts apart that may be the same: an id, an owner.
    pub fn of(&self, kind: &str, text: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind.as_bytes());
        context.update(b"\0");
        context.update(text.as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&context.sign().as_ref()[..16]);
        hash
    }
}

/// An account's own key: it seals the account's columns and digests its UIDLs. Never changes while the account
/// lives; only the operator's key around it does.
pub(super) struct DataKey {
    account: [u8; 16],
    bytes: KeyBytes,
    columns: SealingKey,
}

impl DataKey {
    pub fn draw(account: [u8; 16]) -> Result<DataKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        random(&mut *bytes)?;
        DataKey::of(account, *bytes)
    }

    pub fn unwrap(ring: &KeyRing, account: [u8; 16], sealed: &[u8]) -> Result<DataKey> {
        let id = key_id(sealed)?;
        let clear = ring.key(&id)?.open(&aad(&account, "data_key", b""), sealed)?;
        let mut bytes: [u8; 32] = clear.as_slice().try_into().map_err(|_| damaged())?;
        let key = DataKey::of(account, bytes);
        bytes.zeroize();
        key
    }

    pub fn wrap(&self, ring: &KeyRing) -> Result<Vec<u8>> {
        ring.0[0].seal(&aad(&self.account, "data_key", b""), self.bytes.expose())
    }

    pub fn digest_key(&self) -> KeyBytes {
        derive(&self.bytes, "digest")
    }

    pub fn index(&self) -> Index {
        Index(hmac::Key::new(hmac::HMAC_SHA256, derive(&self.bytes, "index").expose()))
    }

    /// `place` tells values of one column apart (a ledger key, a grant's slot).
    pub fn seal(&self, column: &str, place: &[u8], clear: &[u8]) -> Result<Vec<u8>> {
        self.columns.seal(&aad(&self.account, column, place), clear)
    }

    pub fn open(&self, column: &str, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        if key_id(sealed)? != self.columns.id {
            return Err(damaged());
        }
        self.columns.open(&aad(&self.account, column, place), sealed)
    }

    fn of(account: [u8; 16], bytes: [u8; 32]) -> Result<DataKey> {
        let bytes = KeyBytes::new(bytes);
        let columns = SealingKey::new(&derive(&bytes, "columns"))?;
        Ok(DataKey { account, bytes, columns })
    }
}

struct SealingKey {
    id: KeyId,
    key: LessSafeKey,
}

impl SealingKey {
    fn new(bytes: &KeyBytes) -> Result<SealingKey> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"multipop key id\0");
        context.update(bytes.expose());
        let mut id = KeyId::default();
        id.copy_from_slice(&context.finish().as_ref()[..8]);
        let key = UnboundKey::new(&AES_256_GCM, bytes.expose())
            .map_err(|_| Error::bug("a key of 32 octets is no key for AES-256"))?;
        Ok(SealingKey { id, key: LessSafeKey::new(key) })
    }

    fn seal(&self, aad: &[u8], clear: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let mut body = Vec::with_capacity(clear.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(clear);
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body)
            .map_err(|_| Error::bug("a column could not be sealed"))?;
        Ok([&self.id[..], &nonce, &body].concat())
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, body) =
            sealed.get(8..).and_then(|rest| rest.split_at_checked(NONCE_LEN)).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.key.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| damaged())?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// From the operating system each time: a generator in user space repeats in forked children.
pub(super) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(
            Status::Resources,
            "resources.random",
            format!("the operating system gave no random numbers: {error}"),
        )
        .advice("getrandom(2) must work in the process that hosts this library.")
    })
}

fn derive(bytes: &KeyBytes, purpose: &str) -> KeyBytes {
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes.expose());
    let tag = hmac::sign(&key, format!("multipop {purpose} 1").as_bytes());
    let mut derived = Zeroizing::new([0; 32]);
    derived.copy_from_slice(tag.as_ref());
    KeyBytes::new(*derived)
}

fn aad(account: &[u8; 16], column: &str, place: &[u8]) -> Vec<u8> {
    let mut all = account.to_vec();
    for part in [column.as_bytes(), place] {
        all.extend_from_slice(&(part.len() as u32).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}

fn key_id(sealed: &[u8]) -> Result<KeyId> {
    let id = sealed.get(..8).ok_or_else(damaged)?;
    id.try_into().map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(
        Status::Store,
        "store.sealed",
        "a sealed value of the store does not open: it was changed or moved",
    )
    .advice("Somebody or something changed the store behind the library. Restore it from a backup.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[u8]) -> KeyRing {
        KeyRing::new(keys.iter().map(|key| KeyBytes::new([*key; 32])).collect()).unwrap()
    }

    #[test]
    fn a_value_opens_only_where_it_was_sealed() {
        let key = DataKey::draw([1; 16]).unwrap();
        let sealed = key.seal("grant", b"0", b"refresh").unwrap();
        assert_eq!(key.open("grant", b"0", &sealed).unwrap().as_slice(), b"refresh");
        assert!(!sealed.windows(7).any(|part| part == b"refresh"));
        for (column, place) in [("grant", &b"1"[..]), ("consent", b"0"), ("grant0", b"")] {
            assert_eq!(key.open(column, place, &sealed).unwrap_err().cause, "store.sealed");
        }
        let other = DataKey::draw([1; 16]).unwrap();
        assert_eq!(other.open("grant", b"0", &sealed).unwrap_err().cause, "store.sealed");
    }

    #[test]
    fn every_octet_of_a_sealed_value_matters() {
        let key = DataKey::draw([1; 16]).unwrap();
        let sealed = key.seal("grant", b"0", b"refresh").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(key.open("grant", b"0", &changed).is_err());
            assert!(key.open("grant", b"0", &sealed[..place]).is_err());
        }
    }

    #[test]
    fn an_older_key_of_the_ring_opens_and_a_stranger_is_named() {
        let key = DataKey::draw([1; 16]).unwrap();
        let wrapped = key.wrap(&ring(&[1])).unwrap();
        let again = DataKey::unwrap(&ring(&[2, 1]), [1; 16], &wrapped).unwrap();
        assert_eq!(again.digest_key().expose(), key.digest_key().expose());
        let error = DataKey::unwrap(&ring(&[2, 3]), [1; 16], &wrapped).err().unwrap();
        assert_eq!((error.status, error.cause), (Status::Key, "key.unknown"));
        assert!(error.message.contains("none of the 2 key files"));
        let moved = DataKey::unwrap(&ring(&[1]), [2; 16], &wrapped).err().unwrap();
        assert_eq!(moved.cause, "store.sealed");
    }

    #[test]
    fn digest_key_and_column_key_differ_from_the_data_key() {
        let key = DataKey::of([1; 16], [7; 32]).unwrap();
        assert_ne!(key.digest_key().expose(), &[7; 32]);
        assert_ne!(key.digest_key().expose(), derive(&key.bytes, "columns").expose());
    }
}
