//! What people and programs get to see: values in, text out.

pub(crate) mod heads;
pub(crate) mod json;
pub(crate) mod redirect;
pub(crate) mod standard;
pub(crate) mod text;
pub(crate) mod waterfall;
pub(crate) mod width;
pub(crate) mod write_out;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use anyhow::Context as _;

use crate::exit::Told;

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Colours,
}

impl Paint {
    /// Colours only for eyes, and only for those that want them (<https://no-color.org>).
    pub(crate) fn of(stream: &impl io::IsTerminal) -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !refused && !dumb {
            Paint::Colours
        } else {
            Paint::Plain
        }
    }

    /// `text` in the colour of this ANSI code.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Tells of a failure on stderr, in one line.
pub(crate) fn complain(message: &str) {
    report(&format!("turbohttp: {message}"));
}

/// Writes a text of our own to stderr; on a terminal, folded to its width.
pub(crate) fn report(text: &str) {
    note(&width::fold(text, stderr_columns()));
}

/// The columns of stderr, if it is a terminal.
pub(crate) fn stderr_columns() -> Option<usize> {
    width::columns(&io::stderr())
}

/// Writes one line or several to stderr as they are, in one piece. If that is closed, there is nobody left to tell.
pub(crate) fn note(line: &str) {
    standard::write_stderr(format!("{line}\n").as_bytes());
}

/// Writes text to stdout.
///
/// # Errors
///
/// When it cannot be written, which the exit code is to tell.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    standard::write_stdout(text.as_bytes()).context(Told::unwritten("stdout cannot be written"))
}

/// An error and all its causes in one line, and the phase it happened in.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let client = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<turbohttp::Error>());
    joined(error.chain(), client.and_then(turbohttp::Error::phase))
}

/// The same of an error of the client.
pub(crate) fn client_chain(error: &turbohttp::Error) -> String {
    let causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    joined(causes, error.phase())
}

fn joined<'a>(
    causes: impl Iterator<Item = &'a (dyn std::error::Error + 'static)>,
    phase: Option<turbohttp::Phase>,
) -> String {
    let mut line = String::new();
    for cause in causes {
        let text = told(cause);
        // Some errors repeat their cause in their own words.
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&visible(&text));
    }
    if let Some(phase) = phase {
        let _ = write!(line, " (phase {})", phase.name());
    }
    line
}

/// What an error says itself. The client's errors add their origin, but the line names the URL.
fn told(cause: &(dyn std::error::Error + 'static)) -> String {
    let text = cause.to_string();
    let client = cause.downcast_ref::<turbohttp::Error>();
    let Some(origin) = client.and_then(turbohttp::Error::origin) else {
        return text;
    };
    match text.strip_suffix(&format!(" ({origin})")) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// Marks that are not seen, and those that turn the direction of what stands around them.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `text` with control characters spelled out, and what is not seen: it may come from a server or a
/// file, and is not to break lines, command the terminal, or look like another text.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_unseen(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{chain, visible};

    #[test]
    fn causes_stand_in_one_line_without_repetition() {
        let io = std::io::Error::other("no\nroute");
        let error = anyhow::Error::new(io).context("b: no route").context("a");
        assert_eq!(chain(&error), "a: b: no route: no\\nroute");
        let same = anyhow::Error::msg("deep").context("why: deep");
        assert_eq!(chain(&same), "why: deep");
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(visible("a\x1b[31mé\t"), "a\\u{1b}[31mé\\t");
        assert_eq!(visible("a\u{202e}b"), "a\\u{202e}b");
    }
}
