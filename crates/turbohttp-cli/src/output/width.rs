//! Text that fits the terminal it is written to.

/// Terminals that are narrower are treated as if they had so many columns, and wider ones likewise.
const COLUMNS_MIN: usize = 40;
const COLUMNS_MAX: usize = 200;

/// What a terminal is taken for that does not tell its width.
const COLUMNS_UNTOLD: usize = 80;

/// What a line that was folded goes on behind.
const INDENT: &str = "    ";

/// The columns of the terminal; `None` if it is none.
#[cfg(unix)]
pub(crate) fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    if !rustix::termios::isatty(stream) {
        return None;
    }
    let told = rustix::termios::tcgetwinsize(stream).map(|size| size.ws_col);
    Some(match told {
        Ok(1..) => usize::from(told.unwrap_or_default()).clamp(COLUMNS_MIN, COLUMNS_MAX),
        _ => COLUMNS_UNTOLD,
    })
}

#[cfg(not(unix))]
pub(crate) fn columns(stream: &impl std::io::IsTerminal) -> Option<usize> {
    stream.is_terminal().then_some(COLUMNS_UNTOLD)
}

/// Breaks lines that are longer than `columns` at blanks, where there are any. Only a word that is
/// longer itself sticks out: URLs are to be copied whole.
pub(crate) fn fold(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        fold_line(line, columns, &mut out);
    }
    out
}

fn fold_line(line: &str, columns: usize, out: &mut String) {
    if line.trim_end_matches('\n').chars().count() <= columns {
        return out.push_str(line);
    }
    let body = line.trim_end_matches('\n');
    let words = body.trim_start();
    let first = &body[..body.len() - words.len()];
    out.push_str(first);
    let mut used = first.chars().count();
    let mut is_first = true;
    // Several blanks are one word with nothing before the next: they stay where the line goes on.
    for word in words.split(' ') {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if used + 1 + length > columns && !word.is_empty() {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(INDENT);
            used = INDENT.len();
        } else {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push_str(&line[body.len()..]);
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn lines_are_folded_at_blanks_and_words_are_whole() {
        let cases = [
            ("short\n", "short\n"),
            ("  aaa   bbb ccc\n", "  aaa   bbb\n    ccc\n"),
            ("  aaaa   bbbbbb\n", "  aaaa\n    bbbbbb\n"),
            ("a bbbbbbbbbbbbbb c", "a\n    bbbbbbbbbbbbbb\n    c"),
            ("µµµµµµµµµµµµ\nx", "µµµµµµµµµµµµ\nx"),
        ];
        for (text, folded) in cases {
            assert_eq!(fold(text, Some(12)), folded);
            assert_eq!(fold(text, None), text);
        }
    }
}
