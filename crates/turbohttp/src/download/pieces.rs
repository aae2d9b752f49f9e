//! Which bytes of a file are there, and who fetches the others: a state machine without I/O.

use std::ops::Range;

use crate::limits::download::{PIECE_BYTES, PIECES_MAX};

/// The number of a connection of one download; the first answer's is 0.
pub(super) type Worker = usize;

/// A file of known length, in pieces of one size. Of each piece the bytes from its start up to `done` are
/// written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    length: u64,
    size: u64,
    done: Vec<u64>,
    owners: Vec<Option<Owner>>,
}

/// Who fetches a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    worker: Worker,
    /// Its answer has begun; until then another answer that comes by may take the piece over.
    is_answered: bool,
}

/// The size of the pieces of a file: as many as a journal may have, and none smaller than is worth a request.
pub(super) fn size_of_pieces(length: u64) -> u64 {
    length.div_ceil(PIECES_MAX as u64).max(PIECE_BYTES)
}

impl Pieces {
    /// A file of which nothing is there.
    pub(super) fn new(length: u64) -> Pieces {
        let size = size_of_pieces(length);
        let count = length.div_ceil(size) as usize;
        Pieces {
            length,
            size,
            done: vec![0; count],
            owners: vec![None; count],
        }
    }

    /// Puts down what an earlier download has written of the piece; more than the piece is not believed.
    pub(super) fn restore(&mut self, piece: usize, done: u64) {
        let range = self.range(piece);
        if done <= range.end - range.start {
            self.done[piece] = done;
        }
    }

    /// Forgets the last byte of a file that is there whole, so that the server is asked once more whether it
    /// still has the same one.
    pub(super) fn forget_last_byte(&mut self) {
        if self.is_complete()
            && let Some(last) = self.done.last_mut()
        {
            *last = last.saturating_sub(1);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of the file that are written.
    pub(super) fn bytes_done(&self) -> u64 {
        self.done.iter().sum()
    }

    pub(super) fn done(&self, piece: usize) -> u64 {
        self.done[piece]
    }

    pub(super) fn is_complete(&self) -> bool {
        (0..self.count()).all(|piece| self.is_whole(piece))
    }

    pub(super) fn is_whole(&self, piece: usize) -> bool {
        self.missing(piece).is_empty()
    }

    /// The piece that the byte at `at` belongs to.
    pub(super) fn piece_at(&self, at: u64) -> usize {
        (at / self.size) as usize
    }

    /// What is missing of the piece.
    pub(super) fn missing(&self, piece: usize) -> Range<u64> {
        let Range { start, end } = self.range(piece);
        start + self.done[piece]..end
    }

    /// Gives `worker` the first piece that nobody fetches, or the last one.
    pub(super) fn take(&mut self, worker: Worker, is_first: bool) -> Option<usize> {
        let is_free = |piece: &usize| self.owners[*piece].is_none() && !self.is_whole(*piece);
        let piece = match is_first {
            true => (0..self.count()).find(is_free),
            false => (0..self.count()).rev().find(is_free),
        }?;
        self.owners[piece] = Some(Owner {
            worker,
            is_answered: false,
        });
        Some(piece)
    }

    /// Where a request for what is missing of `piece`, which `worker` has, may end: behind the pieces that
    /// follow, as far as nobody fetches them and nothing of them is there.
    pub(super) fn end_of_gap(&self, piece: usize) -> u64 {
        let is_open = |piece: &usize| self.owners[*piece].is_none() && self.done[*piece] == 0;
        let last = (piece + 1..self.count()).take_while(is_open).last();
        self.range(last.unwrap_or(piece)).end
    }

    /// Has `worker`, whose answer is at the start of what is missing of `piece`, fetch it, unless the answer
    /// of another worker brings it already.
    pub(super) fn begin(&mut self, worker: Worker, piece: usize, at: u64) -> bool {
        let is_taken =
            self.owners[piece].is_some_and(|owner| owner.worker != worker && owner.is_answered);
        if is_taken || self.missing(piece).is_empty() || self.missing(piece).start != at {
            return false;
        }
        self.owners[piece] = Some(Owner {
            worker,
            is_answered: true,
        });
        true
    }

    /// Whether `worker` still has the piece that it took.
    pub(super) fn is_owner(&self, worker: Worker, piece: usize) -> bool {
        self.owners[piece].is_some_and(|owner| owner.worker == worker)
    }

    /// So many more bytes of the piece are written.
    pub(super) fn advance(&mut self, piece: usize, bytes: u64) {
        self.done[piece] += bytes;
        debug_assert!(self.done[piece] <= self.size);
        if self.is_whole(piece) {
            self.owners[piece] = None;
        }
    }

    /// Takes from `worker` what it has.
    pub(super) fn release(&mut self, worker: Worker) {
        for owner in &mut self.owners {
            if owner.is_some_and(|owner| owner.worker == worker) {
                *owner = None;
            }
        }
    }

    fn range(&self, piece: usize) -> Range<u64> {
        let start = piece as u64 * self.size;
        start..self.length.min(start + self.size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn sizes_bound_the_number_of_pieces() {
        for length in [0, 1, MIB, PIECE_BYTES, 100 << 30, 1 << 50] {
            let pieces = Pieces::new(length);
            assert!(pieces.count() <= PIECES_MAX, "{length}");
            let total: u64 = (0..pieces.count())
                .map(|piece| pieces.missing(piece).end - pieces.missing(piece).start)
                .sum();
            assert_eq!(total, length);
        }
    }

    #[test]
    fn an_answer_takes_over_what_was_only_asked_for() {
        let mut pieces = Pieces::new(3 * PIECE_BYTES);
        assert!(pieces.begin(0, 0, 0));
        assert_eq!(pieces.take(1, false), Some(2));
        pieces.advance(0, PIECE_BYTES);
        assert!(pieces.begin(0, 1, PIECE_BYTES));
        pieces.advance(1, PIECE_BYTES);
        assert!(pieces.begin(0, 2, 2 * PIECE_BYTES));
        assert!(!pieces.is_owner(1, 2));
        // And not what another answer brings.
        pieces.release(0);
        assert!(pieces.begin(1, 2, 2 * PIECE_BYTES));
        assert!(!pieces.begin(0, 2, 2 * PIECE_BYTES));
    }

    #[test]
    fn a_gap_ends_where_another_has_begun() {
        let mut pieces = Pieces::new(5 * PIECE_BYTES);
        pieces.restore(3, 7);
        assert_eq!(pieces.take(0, true), Some(0));
        assert_eq!(pieces.end_of_gap(0), 3 * PIECE_BYTES);
        assert_eq!(pieces.take(1, false), Some(4));
        assert_eq!(pieces.end_of_gap(4), 5 * PIECE_BYTES);
    }

    proptest! {
        /// Workers that take, write, fail and give back in any order write every byte once.
        #[test]
        fn every_byte_is_written_once(
            length in 1..(9 * PIECE_BYTES),
            moves in prop::collection::vec((0_usize..4, 0_u8..5, 1..PIECE_BYTES), 1..200),
        ) {
            let mut pieces = Pieces::new(length);
            let mut written = vec![];
            let mut at: [Option<(usize, u64)>; 4] = [None; 4];
            for (worker, what, bytes) in moves {
                match (what, at[worker]) {
                    (0, _) => {
                        pieces.release(worker);
                        at[worker] = None;
                    }
                    (1, None) => {
                        if let Some(piece) = pieces.take(worker, bytes % 2 == 0) {
                            at[worker] = Some((piece, pieces.missing(piece).start));
                        }
                    }
                    (_, Some((piece, from))) => {
                        if !pieces.begin(worker, piece, from) {
                            pieces.release(worker);
                            at[worker] = None;
                            continue;
                        }
                        let to = pieces.missing(piece).end.min(from + bytes);
                        written.push(from..to);
                        pieces.advance(piece, to - from);
                        at[worker] = (!pieces.is_whole(piece)).then_some((piece, to));
                    }
                    _ => {}
                }
            }
            written.sort_by_key(|range| range.start);
            for pair in written.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            let total: u64 = written.iter().map(|range| range.end - range.start).sum();
            prop_assert_eq!(total, pieces.bytes_done());
            prop_assert_eq!(pieces.is_complete(), total == length);
        }
    }
}
