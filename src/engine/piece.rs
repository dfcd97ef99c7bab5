//! Pieces of messages on their way to the sink: whole ones are used again, so that however much mail goes by, memory
//! is touched once (I7) and no allocator is asked a piece.

use parking_lot::Mutex;

/// At most so much is handed to the sink at once.
pub const PIECE_BYTES: usize = 64 * 1024;

/// Up to so much is collected in a buffer that grows with it: most messages are small.
const SMALL_BYTES: usize = PIECE_BYTES / 4;

/// Whole pieces nobody fills. There are never more than were once under way at the same time.
#[derive(Default)]
pub struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES))
    }

    pub fn give_back(&self, mut piece: Vec<u8>) {
        if piece.capacity() == PIECE_BYTES {
            piece.clear();
            self.0.lock().push(piece);
        }
    }
}

/// What of a message was read and not handed over yet.
#[derive(Default)]
pub struct Filling(Vec<u8>);

impl Filling {
    /// Takes what fits of `bytes` and answers the rest; a full piece is to be taken out first.
    pub fn push<'a>(&mut self, bytes: &'a [u8], spare: &Spare) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.0.len()));
        if self.0.len() + now.len() > SMALL_BYTES && self.0.capacity() < PIECE_BYTES {
            let mut whole = spare.take();
            whole.extend_from_slice(&self.0);
            self.0 = whole;
        }
        self.0.extend_from_slice(now);
        later
    }

    pub fn is_full(&self) -> bool {
        self.0.len() == PIECE_BYTES
    }

    pub fn take_full(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// The last piece; one that is mostly empty does not hold a whole one's room.
    pub fn take_last(&mut self, spare: &Spare) -> Vec<u8> {
        let last = std::mem::take(&mut self.0);
        if last.len() > SMALL_BYTES || last.capacity() < PIECE_BYTES {
            return last;
        }
        let small = last.as_slice().to_vec();
        spare.give_back(last);
        small
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as they would be handed over, each as long as it is and as large as its buffer.
    fn pieces(spare: &Spare, message: &[u8], cut: usize) -> Vec<(Vec<u8>, usize)> {
        let (mut filling, mut handed) = (Filling::default(), Vec::new());
        for mut rest in message.chunks(cut) {
            while !rest.is_empty() {
                rest = filling.push(rest, spare);
                if filling.is_full() {
                    handed.push(filling.take_full());
                }
            }
        }
        handed.push(filling.take_last(spare));
        handed.into_iter().map(|piece| (piece.clone(), piece.capacity())).collect()
    }

    #[test]
    fn a_message_comes_out_as_it_went_in_however_it_was_cut() {
        for length in
            [0, 1, 4096, SMALL_BYTES, SMALL_BYTES + 1, PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 7]
        {
            let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            for cut in [1, 16 * 1024, 2 * PIECE_BYTES] {
                let pieces = pieces(&Spare::default(), &message, cut);
                assert!(pieces.iter().all(|(piece, _)| piece.len() <= PIECE_BYTES));
                let joined: Vec<u8> = pieces.into_iter().flat_map(|(piece, _)| piece).collect();
                assert_eq!(joined, message, "{length} by {cut}");
            }
        }
    }

    #[test]
    fn i07_whole_pieces_are_used_again_and_small_messages_hold_no_whole_one() {
        let spare = Spare::default();
        for (_, capacity) in pieces(&spare, &[b'x'; 4096], 4096) {
            assert!(capacity < SMALL_BYTES);
        }
        assert!(spare.0.lock().is_empty());
        let mut filling = Filling::default();
        for _ in 0..100 {
            filling.push(&[b'x'; PIECE_BYTES], &spare);
            let piece = filling.take_full();
            assert_eq!(piece.capacity(), PIECE_BYTES);
            spare.give_back(piece);
        }
        assert_eq!(spare.0.lock().len(), 1);
        // The end of a large message goes in a buffer of its size.
        let last = pieces(&spare, &vec![b'x'; PIECE_BYTES + 9], 16 * 1024).pop().unwrap();
        assert!(last.0.len() == 9 && last.1 < SMALL_BYTES);
    }
}
