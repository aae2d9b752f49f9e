//! Rules over single lines: words that are gone, ids that outsiders do not have, containers that grow
//! without a bound, and loose ends.

use super::source::{Source, words};
use super::{Violation, is_library};

/// The rules and their planted violations name what they look for.
const OWN: &str = "crates/xtask/src/tidy/";

/// The one place with the ids of the specification.
const IDS: &str = "tests/requirements.toml";

/// Identifiers that have been replaced; ARCHITECTURE.md has the glossary of those that are used.
const GONE: &str = "Visit Pass Loose Desk Shift Quiet Slot Way Lobby Outlook Stay Staff Stillborn Seat Leftover Held HeldSend Limited \
    ErasedTransport IntoTransport Receipt Incoming Received Toil go_home leave_home is_quiet toil timeless \
    let_in loosen admit_queued close_stages close_base into_held attempt_of \
    whoever Whoever";

/// What grows without asking, and what to take instead: channels, caches of a thread, leaks.
const UNBOUNDED: [(&str, &str); 6] = [
    ("unbounded_channel", "a channel with a capacity"),
    ("mpsc::channel()", "a channel with a capacity"),
    ("sync::mpsc::channel", "a channel with a capacity"),
    (
        "thread_local!",
        "a pool: its cap times the threads is no cap",
    ),
    ("Box::leak", "an owner"),
    ("String::leak", "an owner"),
];

/// The one place with a bounded use: one flag and one value for each thread.
const BOUNDED: &str = "crates/turbohttp/src/context";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let others = sources
        .iter()
        .filter(|source| !source.path.starts_with(OWN));
    for source in others {
        for (number, line) in source.lines() {
            if let Some(message) = complaint(source, line) {
                violations.push(Violation::at(source, number, message));
            }
        }
        if !is_library(&source.path) || source.path.starts_with(BOUNDED) {
            continue;
        }
        for (number, line) in source.code() {
            if let Some((word, instead)) = UNBOUNDED.iter().find(|(word, _)| line.contains(word)) {
                let message = format!("{word} has no bound: take {instead}");
                violations.push(Violation::at(source, number, message));
            }
        }
    }
    violations
}

fn complaint(source: &Source, line: &str) -> Option<String> {
    let is_crate = source.path.starts_with("crates/") && source.is_rust();
    if let Some(word) = words(line).find(|word| GONE.split_whitespace().any(|gone| gone == *word))
        && is_crate
    {
        return Some(format!("the word {word} is gone"));
    }
    if let Some(id) = words(line).find(|word| is_id(word))
        && source.path != IDS
    {
        return Some(format!(
            "{id} is an id of the specification: say it in words"
        ));
    }
    if has_untracked(line) {
        return Some("unfinished work without an issue number, as in TODO(#12)".to_owned());
    }
    let foreign = line.contains("/home/") || line.contains("/Users/") || has_folder(line, "/root");
    let is_foreign = foreign || (line.contains("/tmp/") && !source.is_test());
    is_foreign.then(|| "a path of one machine".to_owned())
}

/// S, D or X with up to three digits.
fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix(['S', 'D', 'X']).unwrap_or_default();
    (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_untracked(line: &str) -> bool {
    ["TODO", "FIXME", "XXX"].into_iter().any(|word| {
        line.match_indices(word).any(|(at, _)| {
            let rest = &line[at + word.len()..];
            let is_part = line[..at].ends_with(char::is_alphanumeric)
                || rest.starts_with(char::is_alphanumeric);
            !is_part && !rest.starts_with("(#")
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

    fn found(path: &str, text: &str) -> usize {
        check(&[plant(path, text)]).len()
    }

    #[test]
    fn loose_ends_are_found() {
        for line in [
            "// TODO: later",
            "/* FIXME */",
            "\"/home/me/x\"",
            "see /root/x",
            "\"/tmp/x\"",
        ] {
            assert_eq!(found("crates/a/src/b.rs", line), 1, "{line}");
        }
        for line in [
            "// TODO(#12): later",
            "let todo = 1;",
            "client/rooted",
            "\"/roots/1\"",
            "http://a/root",
        ] {
            assert_eq!(found("crates/a/src/b.rs", line), 0, "{line}");
        }
        assert_eq!(found("crates/a/tests/b.rs", "\"/tmp/x\""), 0);
    }

    #[test]
    fn words_that_are_gone_and_ids_are_found() {
        for line in [
            "struct Desk;",
            "// the Desk",
            "a.let_in()",
            "/// S12: x",
            "see D3, X126",
            "(S7)",
        ] {
            assert_eq!(found("crates/a/src/b.rs", line), 1, "{line}");
        }
        for line in [
            "struct Desktop;",
            "let_in_all()",
            "S1234",
            "xS1",
            "X",
            "0xD3",
            "SHA",
            "D_1",
        ] {
            assert_eq!(found("crates/a/src/b.rs", line), 0, "{line}");
        }
        assert_eq!(
            (found("README.md", "the Desk"), found("README.md", "see S1")),
            (0, 1)
        );
        assert_eq!(found(IDS, "[S1]"), 0);
    }

    #[test]
    fn a_container_without_a_bound_is_found() {
        let text = "let (tx, rx) = unbounded_channel();\nlet c = std::sync::mpsc::channel::<u8>();\n\
                    thread_local!(static Y: u8 = 0);\n// Box::leak\nlet (tx, rx) = mpsc::channel(16);\n";
        assert_eq!(found("crates/turbohttp/src/net/mod.rs", text), 3);
        assert_eq!(found("crates/turbohttp-core/src/pool/object.rs", text), 3);
        assert_eq!(found("crates/turbohttp-core/src/pool/tests.rs", text), 0);
        assert_eq!(found("crates/turbohttp-cli/src/main.rs", text), 0);
    }
}
