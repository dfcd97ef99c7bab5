//! The answers to UIDL and LIST, held compactly (RFC 1939 §5, §7; PROTOCOL.md D.6).
//!
//! Spaces too many and long or 8-bit UIDLs are taken; a listing that contradicts itself, or what the session knows,
//! is refused as a whole, for deletions hang on it (I13).

use super::limits::{LISTING_BYTES, UIDL_BYTES};

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

    pub(super) fn take(&mut self, line: &[u8], most: u32) -> Result<(), String> {
        let (number, rest) = split_number(line)?;
        room(self.entries.len(), most)?;
        let uidl = rest.trim_ascii();
        if uidl.is_empty() {
            return Err(format!("message {number} has no UIDL"));
        }
        if uidl.len() > UIDL_BYTES {
            return Err(format!("the UIDL of message {number} is too long"));
        }
        if uidl.iter().any(u8::is_ascii_control) {
            return Err(format!("the UIDL of message {number} holds control characters"));
        }
        if self.bytes.len() + uidl.len() > LISTING_BYTES {
            return Err("it is too large".to_owned());
        }
        // Both fit: LISTING_BYTES is below 2^32 and UIDL_BYTES below 2^16.
        self.entries.push((number, self.bytes.len() as u32, uidl.len() as u16));
        self.bytes.extend_from_slice(uidl);
        Ok(())
    }

    pub(super) fn prove(&self, drop: &Maildrop) -> Result<(), String> {
        let numbers = self.entries.iter().map(|(number, ..)| *number);
        if numbers.clone().is_sorted() {
            return drop.prove(numbers);
        }
        let mut sorted: Vec<u32> = numbers.collect();
        sorted.sort_unstable();
        drop.prove(sorted.into_iter())
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

    /// RFC 1939 §5 leaves open what follows the size.
    pub(super) fn take(&mut self, line: &[u8], most: u32) -> Result<(), String> {
        let (number, rest) = split_number(line)?;
        room(self.sizes.len(), most)?;
        let size = rest
            .trim_ascii_start()
            .split(u8::is_ascii_whitespace)
            .next()
            .and_then(decimal)
            .ok_or_else(|| format!("message {number} has no size"))?;
        self.sizes.push((number, size));
        Ok(())
    }

    pub(super) fn prove(&mut self, drop: &Maildrop) -> Result<(), String> {
        if !self.sizes.is_sorted_by_key(|(number, _)| *number) {
            self.sizes.sort_unstable_by_key(|(number, _)| *number);
        }
        drop.prove(self.sizes.iter().map(|(number, _)| *number))
    }
}

/// What the session knows of the mailbox: which numbers a listing must hold.
#[derive(Debug, Default)]
pub(super) struct Maildrop {
    /// Messages when the session began, once STAT told.
    total: Option<u32>,
    /// Deleted in this session, ascending: the only gaps (RFC 1939 §5).
    deleted: Vec<u32>,
}

impl Maildrop {
    /// STAT does not count what is marked as deleted.
    pub fn counted(&mut self, count: u32) {
        self.total = count.checked_add(self.deleted.len() as u32);
    }

    pub fn delete(&mut self, number: u32) {
        if let Err(at) = self.deleted.binary_search(&number) {
            self.deleted.insert(at, number);
        }
    }

    pub fn reset(&mut self) {
        self.deleted.clear();
    }

    /// Every number from 1 to the last stands there once, but for those deleted. `numbers` are ascending.
    fn prove(&self, numbers: impl Iterator<Item = u32>) -> Result<(), String> {
        let mut gaps = self.deleted.iter().copied().peekable();
        let mut due: u32 = 1;
        let mut skip = |due: &mut u32| {
            while gaps.next_if_eq(due).is_some() {
                *due = due.saturating_add(1);
            }
        };
        for number in numbers {
            skip(&mut due);
            if number > due {
                return Err(format!("message {due} is missing"));
            }
            if number < due {
                return Err(format!("message {number} stands there twice, or after its deletion"));
            }
            due = due.saturating_add(1);
        }
        skip(&mut due);
        if self.deleted.last().is_some_and(|last| *last > due) {
            return Err(format!("message {due} is missing"));
        }
        match self.total {
            Some(total) if total != due - 1 => {
                Err(format!("it ends at message {} of the {total} that STAT counted", due - 1))
            }
            _ => Ok(()),
        }
    }
}

/// Count and octets on STAT's status line.
pub(super) fn stat(text: &[u8]) -> Option<(u32, u64)> {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let count = words.next().and_then(decimal)?;
    let octets = words.next().and_then(decimal)?;
    Some((u32::try_from(count).ok()?, octets))
}

fn room(entries: usize, most: u32) -> Result<(), String> {
    if entries >= most as usize {
        return Err(format!("it has more than {most} entries"));
    }
    Ok(())
}

/// A message number and what follows its first space.
fn split_number(line: &[u8]) -> Result<(u32, &[u8]), String> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let number = decimal(&line[..end])
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number > 0)
        .ok_or("a line begins with no message number")?;
    Ok((number, &line[end..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
