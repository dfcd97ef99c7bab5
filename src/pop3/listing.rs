//! The answers to UIDL and LIST, held compactly.

/// UIDLs in the server's order, with their message numbers.
#[derive(Debug, Default, Clone)]
pub struct Listing {
    bytes: Vec<u8>,
    entries: Vec<(u32, u32, u16)>,
}

impl Listing {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Message number and UIDL at a place, from 0.
    pub fn get(&self, place: usize) -> Option<(u32, &[u8])> {
        let (number, start, size) = *self.entries.get(place)?;
        let start = start as usize;
        Some((number, &self.bytes[start..start + size as usize]))
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.len()).filter_map(|place| self.get(place))
    }
}

/// Sizes by message number; estimates at some servers (PROTOCOL.md B.5).
#[derive(Debug, Default, Clone)]
pub struct Sizes {
    sizes: Vec<(u32, u64)>,
}

impl Sizes {
    pub fn of(&self, number: u32) -> Option<u64> {
        let at = self.sizes.binary_search_by_key(&number, |(n, _)| *n).ok()?;
        Some(self.sizes[at].1)
    }

    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }
}
