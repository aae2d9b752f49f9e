//! No loose ends: unfinished work without a number, tests switched off without a reason, and paths
//! that exist on one machine only.

use super::Violation;
use super::source::Source;

/// The rules and their planted violations name what they look for.
const OWN: &str = "crates/xtask/src/tidy/";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with(OWN))
    {
        for (number, line) in source.lines() {
            if let Some(message) = complaint(source, line) {
                violations.push(Violation::at(source, number, message));
            }
        }
    }
    violations
}

fn complaint(source: &Source, line: &str) -> Option<&'static str> {
    if has_untracked(line) {
        return Some("unfinished work without an issue number, as in TODO(#12)");
    }
    if source.is_rust()
        && ["todo!(", "unimplemented!(", "dbg!("]
            .iter()
            .any(|w| line.contains(w))
    {
        return Some("left over from writing");
    }
    if source.is_rust() && line.trim() == "#[ignore]" {
        return Some("a test that is ignored without a reason");
    }
    let foreign = line.contains("/home/") || line.contains("/Users/") || has_folder(line, "/root");
    if foreign || (line.contains("/tmp/") && !source.is_test()) {
        return Some("a path of one machine");
    }
    None
}

fn has_untracked(line: &str) -> bool {
    ["TODO", "FIXME", "XXX"].into_iter().any(|word| {
        line.match_indices(word).any(|(at, _)| {
            let is_word = !line[..at].ends_with(|c: char| c.is_alphanumeric());
            let rest = &line[at + word.len()..];
            is_word && !rest.starts_with("(#") && !rest.starts_with(|c: char| c.is_alphanumeric())
        })
    })
}

/// Whether `folder` stands at the beginning of an absolute path.
fn has_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        before.is_none_or(|c| c.is_whitespace() || "\"'`(=:".contains(c))
            && after.is_none_or(|c| c == '/' || !(c.is_alphanumeric() || c == '_' || c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn loose_ends_are_found() {
        for line in [
            "// TODO: later",
            "/* FIXME */",
            "    todo!()",
            "dbg!(x);",
            "#[ignore]",
            "let path = \"/home/me/x\";",
            "see /root/x",
            "\"/tmp/x\"",
        ] {
            assert_eq!(
                check(&[plant("crates/a/src/b.rs", line)]).len(),
                1,
                "{line}"
            );
        }
        for line in [
            "// TODO(#12): later",
            "#[ignore = \"takes an hour\"]",
            "let todo = 1;",
            "client/rooted",
            "\"/roots/1\"",
            "\"http://a/root\"",
        ] {
            assert!(
                check(&[plant("crates/a/src/b.rs", line)]).is_empty(),
                "{line}"
            );
        }
        assert!(check(&[plant("crates/a/tests/b.rs", "\"/tmp/x\"")]).is_empty());
    }
}
