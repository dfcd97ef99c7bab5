//! Secrets that show themselves to nobody: redacted in every build, wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Text such as a token, a client secret, a verifier. No `Display`, no `Clone` unless asked by `duplicate`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself. Only what must send or seal it calls this.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn duplicate(&self) -> Secret {
        Secret::new(self.0.as_str().to_owned())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    /// Without a shortcut at the first difference.
    fn eq(&self, other: &Secret) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
    }
}

impl Eq for Secret {}

/// Runs of this many octets that also stand in a secret are not repeated.
const RUN: usize = 12;

/// A peer's words without what they repeat of the secrets it was told. To be called before the words are cut: what
/// is left of a secret at a cut would not be known again.
pub fn blacken<'a>(text: &str, secrets: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hidden = vec![false; text.len()];
    // Servers repeat an unknown command in capitals.
    let lower = text.to_ascii_lowercase();
    for secret in secrets {
        let secret = Zeroizing::new(secret.to_ascii_lowercase());
        let size = secret.len().clamp(1, RUN);
        for (at, run) in lower.as_bytes().windows(size).enumerate() {
            if memchr::memmem::find(&secret, run).is_some() {
                hidden[at..at + size].fill(true);
            }
        }
    }
    text.char_indices().map(|(at, c)| if hidden[at] { '*' } else { c }).collect()
}

/// 32 bytes of key material.
pub struct KeyBytes([u8; 32]);

impl KeyBytes {
    pub fn new(bytes: [u8; 32]) -> KeyBytes {
        KeyBytes(bytes)
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}
