//! The journal beside an unfinished file: of which version it is, and which bytes of it are there.
//!
//! A text of a bounded size: a few lines about the file, then one line of fixed width for each piece, which
//! is overwritten in place by one write. A line that is torn is read as a piece of which nothing is there.

use std::fmt::Write as _;

use super::pieces::{Pieces, size_of_pieces};
use super::validator::Validator;

const FIRST_LINE: &str = "turbohttp download 1";

/// The line of a piece: 16 digits, a space, one mark, an end of line.
const LINE_BYTES: usize = 19;

/// What a journal says of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) url: u64,
    pub(super) validator: Validator,
    /// Which run of the system it was written in, as the file says; of another run, only what was synced is
    /// believed.
    pub(super) boot: String,
    pub(super) pieces: Pieces,
}

impl Journal {
    /// The lines about the file, and where those of the pieces begin.
    pub(super) fn header(&self) -> String {
        let mut header = String::new();
        // Writing to a String does not fail.
        _ = write!(
            header,
            "{FIRST_LINE}\nurl {:016x}\nlength {}\nvalidator {}\nboot {}\npieces {}\n",
            self.url,
            self.pieces.length(),
            self.validator.as_str(),
            self.boot,
            self.pieces.count(),
        );
        header
    }

    /// All of it.
    pub(super) fn to_text(&self) -> String {
        let mut text = self.header();
        for piece in 0..self.pieces.count() {
            text.push_str(&line(self.pieces.done(piece), self.pieces.is_whole(piece)));
        }
        text
    }

    /// Reads what [`to_text`](Journal::to_text) has written and [`line()`] has overwritten since; `boot` is this run
    /// of the system. `None` where it is no journal, or is torn before the pieces.
    pub(super) fn parse(text: &[u8], boot: &str) -> Option<Journal> {
        let mut rest = text;
        let mut next = |name: &str| {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = str::from_utf8(&rest[..end]).ok()?;
            rest = &rest[end + 1..];
            line.strip_prefix(name).map(str::to_owned)
        };
        next(FIRST_LINE).filter(String::is_empty)?;
        let url = u64::from_str_radix(&next("url ")?, 16).ok()?;
        let length: u64 = next("length ")?.parse().ok()?;
        let validator = Validator::read(&next("validator ")?)?;
        let written_in = next("boot ")?;
        let count: usize = next("pieces ")?.parse().ok()?;
        if count as u64 != length.div_ceil(size_of_pieces(length)) {
            return None;
        }
        let mut pieces = Pieces::new(length);
        let is_same_run = written_in == boot && boot != UNKNOWN_BOOT;
        for (piece, line) in rest.chunks(LINE_BYTES).take(count).enumerate() {
            match parse_line(line) {
                Some((done, is_synced)) if is_synced || is_same_run => pieces.restore(piece, done),
                _ => {}
            }
        }
        Some(Journal {
            url,
            validator,
            boot: written_in,
            pieces,
        })
    }
}

/// The line of a piece of which so many bytes are there; a whole one is synced before its line is written.
pub(super) fn line(done: u64, is_synced: bool) -> String {
    let mark = if is_synced { 's' } else { '.' };
    format!("{done:016x} {mark}\n")
}

/// Where the line of the piece is in a journal with this header.
pub(super) fn position(header: &str, piece: usize) -> u64 {
    (header.len() + piece * LINE_BYTES) as u64
}

fn parse_line(line: &[u8]) -> Option<(u64, bool)> {
    let line: &[u8; LINE_BYTES] = line.try_into().ok()?;
    let is_synced = match &line[16..] {
        b" s\n" => true,
        b" .\n" => false,
        _ => return None,
    };
    let digits = &line[..16];
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let done = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    Some((done, is_synced))
}

/// Where the system does not tell its runs apart.
const UNKNOWN_BOOT: &str = "-";

/// This run of the system, from its start to its end.
pub(super) fn boot() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let id = read.as_deref().unwrap_or_default().trim();
    let is_one = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_one { id } else { UNKNOWN_BOOT }.to_owned()
}

/// A hash of the URL, which may have secrets in its query, or of a name: FNV-1a of 64 bits.
pub(super) fn hash(text: impl AsRef<[u8]>) -> u64 {
    let bytes = text.as_ref().iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::download::PIECE_BYTES;

    fn journal() -> Journal {
        let mut pieces = Pieces::new(3 * PIECE_BYTES + 5);
        pieces.restore(0, PIECE_BYTES);
        pieces.restore(2, 1234);
        Journal {
            url: hash("http://example.com/a"),
            validator: Validator::read("\"v1\"").unwrap(),
            boot: "run-1".into(),
            pieces,
        }
    }

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let journal = journal();
        let text = journal.to_text();
        assert_eq!(Journal::parse(text.as_bytes(), "run-1"), Some(journal));
    }

    #[test]
    fn after_another_start_of_the_system_only_what_was_synced_is_there() {
        let text = journal().to_text();
        for boot in ["run-2", UNKNOWN_BOOT] {
            let read = Journal::parse(text.as_bytes(), boot).unwrap();
            let done = |piece| read.pieces.done(piece);
            assert_eq!((done(0), done(2)), (PIECE_BYTES, 0));
        }
    }

    #[test]
    fn lines_are_overwritten_in_place() {
        let mut journal = journal();
        let mut text = journal.to_text().into_bytes();
        let at = position(&journal.header(), 1) as usize;
        let line = line(77, false);
        text[at..at + line.len()].copy_from_slice(line.as_bytes());
        journal.pieces.restore(1, 77);
        assert_eq!(Journal::parse(&text, "run-1"), Some(journal));
    }

    #[test]
    fn what_is_torn_says_less_and_never_more() {
        let journal = journal();
        let text = journal.to_text();
        for end in 0..text.len() {
            let read = Journal::parse(&text.as_bytes()[..end], "run-1");
            for piece in 0..journal.pieces.count() {
                let done = read.as_ref().map_or(0, |read| read.pieces.done(piece));
                assert!(done == 0 || done == journal.pieces.done(piece), "{end}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_no_journal_panics(
            text in prop::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..200,
        ) {
            _ = Journal::parse(&text, "run-1");
            let mut near = journal().to_text().into_bytes();
            let end = near.len().min(at + text.len());
            let at = at.min(end);
            near[at..end].copy_from_slice(&text[..end - at]);
            _ = Journal::parse(&near, "run-1");
        }
    }
}
