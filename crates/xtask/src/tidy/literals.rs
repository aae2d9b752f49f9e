//! Which lines of a source are code, and which only begin inside a literal or a comment: the latter may
//! look like anything, as planted code does.

/// The lines that do not begin inside a string or a block comment.
pub(super) fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut starts = Vec::new();
    let (mut at, mut before) = (0, '\n');
    while at < text.len() {
        if before == '\n' {
            starts.push(at);
        }
        let bytes = token_bytes(&text[at..], is_of_word(before)).max(1);
        before = text[at..at + bytes].chars().next_back().unwrap_or('\n');
        at += bytes;
    }
    let line = |start: usize| text[start..].lines().next().unwrap_or_default();
    starts.into_iter().map(line)
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of what stands first: a comment or a literal as a whole, or else a letter.
fn token_bytes(rest: &str, is_in_word: bool) -> usize {
    if rest.starts_with("//") {
        // The line break is not part of it: the next line begins in code.
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_bytes(rest);
    }
    if rest.starts_with('"') {
        return string_bytes(rest);
    }
    let raw = if is_in_word {
        None
    } else {
        raw_string_bytes(rest)
    };
    let literal = raw.or_else(|| character_bytes(rest));
    literal.unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8))
}

/// Block comments stand in one another.
fn block_comment_bytes(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let pair = rest.as_bytes().get(at..at + 2);
        match pair {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_bytes(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = letter == '\\' && !is_escaped,
        }
    }
    rest.len()
}

/// `r"…"`, with as many `#` as there are, and `b` or `c` before it.
fn raw_string_bytes(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let behind = behind.strip_prefix('r')?;
    let inner = behind.trim_start_matches('#');
    let end = format!("\"{}", &behind[..behind.len() - inner.len()]);
    let inner = inner.strip_prefix('"')?;
    let opening = rest.len() - inner.len();
    Some(
        inner
            .find(&end)
            .map_or(rest.len(), |at| opening + at + end.len()),
    )
}

/// A character in quotes; a lifetime has none at its end.
fn character_bytes(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let letter = inner.chars().next()?;
    let mut behind = letter.len_utf8();
    if letter == '\\' {
        // What is escaped may be a quote itself.
        behind += inner[behind..].chars().next()?.len_utf8();
        behind += inner[behind..].find('\'')?;
    }
    inner[behind..].starts_with('\'').then_some(behind + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_inside_literals_and_comments_are_no_code() {
        let text = r####"
let a = "one \" line"; // "
let b = 'x'; let c = '"'; let d = '\''; fn e<'a>(f: &'a str) {}
let g = r#"raw "
inside
"#;
let h = br"\"; let r#i = for"x";
let j = "
inside
";
/* /* "
inside */
inside */
let k = '\u{e4}'; let l = "ä";
"####;
        let code: Vec<&str> = code_lines(text).collect();
        let inside = |line: &&str| {
            ["inside", "\"#;", "\";"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        assert!(!code.iter().any(inside), "{code:?}");
        assert_eq!(code.len(), 8, "{code:?}");
        assert_eq!(code.last(), Some(&"let k = '\\u{e4}'; let l = \"ä\";"));
    }
}
