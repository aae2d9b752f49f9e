//! A file can be read at a sitting.

use super::Violation;
use super::source::Source;

/// Lines of code, without comments and tests, beyond which a file is to be split.
const CODE_LINES_MAX: usize = 600;

/// Beyond this many one asks why.
const CODE_LINES_ASKED: usize = 400;

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    longer_than(sources, CODE_LINES_MAX)
        .map(|(source, lines)| {
            let message = format!("{lines} lines of code, at most {CODE_LINES_MAX}: split it");
            Violation::of(source, message)
        })
        .collect()
}

/// Files that are not too long yet.
pub(super) fn questions(sources: &[Source]) -> Vec<String> {
    longer_than(sources, CODE_LINES_ASKED)
        .map(|(source, lines)| format!("{}: {lines} lines of code: why?", source.path))
        .collect()
}

fn longer_than(sources: &[Source], most: usize) -> impl Iterator<Item = (&Source, usize)> {
    sources
        .iter()
        .filter(|source| source.is_rust())
        .map(|source| (source, source.code().len()))
        .filter(move |(_, lines)| *lines > most)
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn long_files_are_asked_about_and_then_refused() {
        let file = |lines: usize| [plant("crates/a/src/b.rs", &"x();\n// y\n".repeat(lines))];
        assert!(questions(&file(400)).is_empty());
        assert_eq!(questions(&file(401)).len(), 1);
        assert!(check(&file(600)).is_empty());
        assert_eq!(check(&file(601)).len(), 1);
    }
}
