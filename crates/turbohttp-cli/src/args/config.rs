//! The lines of a file of `--config`, in the format of curl.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;

use crate::stdin::Stdin;

/// Bytes of a file: some hundred thousand URLs.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One option of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// With its dashes, if it has some.
    pub(super) name: String,
    pub(super) value: Option<String>,
}

/// Reads a file, or stdin where it is `-`.
///
/// # Errors
///
/// What cannot be read, or is no such file, with the line.
pub(super) fn read(file: &OsStr) -> Result<Vec<Line>, String> {
    let opened: std::io::Result<Box<dyn Read>> = match file == "-" {
        true => Stdin::open().map(|stdin| Box::new(stdin) as Box<dyn Read>),
        false => File::open(file).map(|file| Box::new(file) as Box<dyn Read>),
    };
    let mut text = String::new();
    let read = opened.and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let length = read.map_err(|error| format!("cannot be read: {error}"))?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    lines(&text)
}

fn lines(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            lines.push(option(line, number)?);
        }
    }
    Ok(lines)
}

fn option(line: &str, number: usize) -> Result<Line, String> {
    let is_dashed = line.starts_with('-');
    // A dashed option is typed as in a shell, where neither sign divides.
    let divides = |c: char| c.is_whitespace() || (!is_dashed && matches!(c, '=' | ':'));
    let end = line.find(divides).unwrap_or(line.len());
    let rest = line[end..].trim_start_matches(divides);
    let value = match rest.strip_prefix('"') {
        _ if rest.is_empty() || rest.starts_with('#') => None,
        Some(quoted) => Some(unquoted(quoted).map_err(|fault| format!("line {number}: {fault}"))?),
        None => Some(word(rest).map_err(|fault| format!("line {number}: {fault}"))?),
    };
    Ok(Line {
        number,
        name: line[..end].to_owned(),
        value,
    })
}

/// A value to its closing quote.
fn unquoted(text: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next() {
            None => return Err("the quote is not closed".to_owned()),
            Some('"') => break,
            Some('\\') => match chars.next() {
                None => return Err("the quote is not closed".to_owned()),
                Some('t') => value.push('\t'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('v') => value.push('\u{b}'),
                Some(other) => value.push(other),
            },
            Some(other) => value.push(other),
        }
    }
    require_nothing(chars.as_str()).map(|()| value)
}

/// A value to the next blank.
fn word(text: &str) -> Result<String, String> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    require_nothing(&text[end..]).map(|()| text[..end].to_owned())
}

fn require_nothing(rest: &str) -> Result<(), String> {
    let rest = rest.trim_start();
    match rest.is_empty() || rest.starts_with('#') {
        true => Ok(()),
        // Not what it is: that may be the rest of a password.
        false => Err("more stands behind the value: put the value into quotes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_value_stands_behind_a_sign_or_a_blank() {
        let text = "\u{feff}# comment\n\n url = \"http://h/?a=\\\"b\\\"\\t\"\nuser-agent:me # you\nfail\n\
                    -o out\r\ndata ==x\nheader \"a: b\"#c\nget = # none\n--next\n-H=a\n";
        let read = lines(text).unwrap();
        let read: Vec<(usize, &str, Option<&str>)> = read
            .iter()
            .map(|line| (line.number, &*line.name, line.value.as_deref()))
            .collect();
        assert_eq!(
            read,
            [
                (3, "url", Some("http://h/?a=\"b\"\t")),
                (4, "user-agent", Some("me")),
                (5, "fail", None),
                (6, "-o", Some("out")),
                (7, "data", Some("x")),
                (8, "header", Some("a: b")),
                (9, "get", None),
                (10, "--next", None),
                (11, "-H=a", None),
            ]
        );
        for wrong in [
            "url = \"a",
            "url = \"a\\",
            "user-agent = a b",
            "url = \"a\" b",
        ] {
            let fault = lines(wrong).unwrap_err();
            assert!(fault.starts_with("line 1: "), "{wrong}: {fault}");
        }
    }
}
