//! Rules over single lines: words that are gone, ids that outsiders do not have, containers that grow
//! without a bound, and loose ends.

use super::source::Source;
use crate::run;

/// The rules and their planted violations name what they look for.
const OWN: &str = "crates/xtask/src/tidy/";

/// The one place with the ids of the specification.
const IDS: &str = "tests/requirements.toml";

/// Where a use is bounded: one flag and one value for each thread.
const BOUNDED: &str = "crates/turbohttp/src/context";

/// Identifiers that have been replaced; ARCHITECTURE.md has the glossary of those that are used.
const GONE: &str = r"(?x)\b( Visit | Pass | Loose | Desk | Shift | Quiet | Slot | Way | Lobby | Outlook | Stay | Staff
    | Stillborn | Seat | Leftover | Held | HeldSend | Limited | ErasedTransport | IntoTransport | Receipt
    | Incoming | Received | Toil | go_home | leave_home | is_quiet | toil | timeless | let_in | loosen
    | admit_queued | close_stages | close_base | into_held | attempt_of | whoever | Whoever )\b";

const ID: &str = r"\b([SDX][0-9]{1,3})\b";

const UNTRACKED: &str = r"(?:^|[^\pL\pN])(?:TODO|FIXME|XXX)(?:[^\pL\pN(]|\([^#]|\(?$)";

const FOREIGN: &str = r#"/home/|/Users/|(?:^|[\s"'`(=:])/root(?:/|[^\w-]|$)"#;

const CHANNEL: &str = r"(unbounded_channel|mpsc::channel\(\)|sync::mpsc::channel)";

/// In which files what must not stand in a line, and what is said of it.
type Refused = (fn(&Source) -> bool, &'static str, &'static str);

const IN_LINES: [Refused; 5] = [
    (is_of_a_crate, GONE, "the word {} is gone"),
    (may_not_name_ids, ID, "{} is an id: say it in words"),
    (is_any, UNTRACKED, "no issue number, as in TODO(#12)"),
    (is_any, FOREIGN, "a path of one machine"),
    (is_no_test, "/tmp/", "a path of one machine"),
];

/// What grows without asking. A pool for each thread is no way out: its cap times the threads is no cap.
const IN_CODE: [Refused; 3] = [
    (may_not_grow, CHANNEL, "{} has no bound: give it a capacity"),
    (may_not_grow, "(thread_local!)", "{}: take one pool for all"),
    (may_not_grow, r"((?:Box|String)::leak)", "{}: take an owner"),
];

fn is_any(_: &Source) -> bool {
    true
}

fn is_of_a_crate(source: &Source) -> bool {
    source.path.starts_with("crates/") && source.is_rust()
}

fn is_no_test(source: &Source) -> bool {
    !source.is_test()
}

fn may_not_name_ids(source: &Source) -> bool {
    source.path != IDS
}

fn may_not_grow(source: &Source) -> bool {
    source.is_library() && !source.path.starts_with(BOUNDED)
}

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let in_lines = refused(sources, &IN_LINES, Source::lines);
    [in_lines, refused(sources, &IN_CODE, Source::code)].concat()
}

fn refused(
    sources: &[Source],
    rules: &[Refused],
    lines: fn(&Source) -> Vec<(usize, &str)>,
) -> Vec<String> {
    let mut violations = Vec::new();
    for (is_meant, pattern, message) in rules {
        let pattern = run::pattern(pattern);
        let sources = sources.iter().filter(|source| is_meant(source));
        for source in sources.filter(|source| !source.path.starts_with(OWN)) {
            for (number, line) in lines(source) {
                if let Some(found) = pattern.captures(line) {
                    let word = found.get(1).map_or("", |word| word.as_str());
                    violations.push(source.at(number, &message.replace("{}", word)));
                }
            }
        }
    }
    violations
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
