//! The names of files: two hashes in hexadecimal, and what is being written.

use std::fmt::Write as _;

use super::super::entry::Id;

/// Between the hash of the URL and that of the selection.
const BETWEEN: char = '-';

/// What the name of a file that is being written ends with.
const PART: &str = ".part";

/// The name of an entry.
pub(super) fn of(id: &Id) -> String {
    let mut name = hex(&id.key);
    name.push(BETWEEN);
    name + &hex(&id.selection)
}

/// The entry of this name.
pub(super) fn read(name: &str) -> Option<Id> {
    let (key, selection) = name.split_once(BETWEEN)?;
    Some(Id {
        key: unhex(key)?,
        selection: unhex(selection)?,
    })
}

/// The name under which `name` is written by this process, for the so many-th time.
pub(super) fn part(name: &str, process: u32, next: u64) -> String {
    format!("{name}.{process}.{next}{PART}")
}

/// Whether a file of this name is one that a cache was writing.
pub(super) fn is_part(name: &str) -> bool {
    let of_entry = name
        .split_once('.')
        .is_some_and(|(entry, _)| read(entry).is_some());
    of_entry && name.ends_with(PART)
}

fn hex(hash: &[u8; 32]) -> String {
    let mut text = String::with_capacity(2 * hash.len());
    for byte in hash {
        // Writing into a string does not fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 64 || !text.bytes().all(is_digit) {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        let id = Id {
            key: [0xa5; 32],
            selection: [7; 32],
        };
        let name = of(&id);
        assert_eq!(read(&name), Some(id));
        assert!(is_part(&part(&name, 1, 2)));
        for foreign in [
            "",
            "-",
            "notes.txt",
            &name.to_uppercase(),
            &name[1..],
            &part(&name, 1, 2),
        ] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
        for foreign in ["film.part", "a.1.2.part", &name] {
            assert!(!is_part(foreign), "{foreign}");
        }
    }
}
