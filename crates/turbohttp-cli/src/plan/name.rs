//! Names of files that come from URLs and from servers.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use turbohttp::Response;

/// Bytes of a name: as many as common file systems take.
const NAME_BYTES_MAX: usize = 255;

/// How many names `--no-clobber` tries.
const TRIES_MAX: u32 = 100;

/// The last part of the path of a URL as it was typed; `None` if it is empty.
pub(crate) fn of_url(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let (_, name) = path.rsplit_once('/')?;
    // Never up, and never a file that begins with what was resolved away.
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
}

/// The name that a response gives its file (RFC 6266 section 4.3), made harmless; `None` if it gives none, or
/// one of which nothing is left.
pub(crate) fn of_response(response: &Response) -> Option<String> {
    let field = response.header_bytes("content-disposition")?;
    harmless(&in_field(&String::from_utf8_lossy(field))?)
}

/// `filename*` (RFC 8187), or else `filename`.
fn in_field(field: &str) -> Option<String> {
    let mut plain = None;
    let mut rest = field.split_once(';')?.1;
    loop {
        let (name, behind) = rest.split_once('=')?;
        // A parameter without a value may stand before it.
        let name = name.rsplit(';').next().unwrap_or_default();
        let name = name.trim().to_ascii_lowercase();
        let (value, next) = value(behind.trim_start())?;
        match &*name {
            "filename*" => {
                if let Some(name) = extended(&value) {
                    return Some(name);
                }
            }
            "filename" => plain = plain.or(Some(value)),
            _ => {}
        }
        match next.split_once(';') {
            Some((_, next)) if next.contains('=') => rest = next,
            _ => return plain,
        }
    }
}

/// A token or a quoted string (RFC 9110 section 5.6), and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

/// `UTF-8'en'a%20b`, or the same in ISO-8859-1.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = percent_decode_str(text);
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => bytes.decode_utf8().ok().map(Into::into),
        "iso-8859-1" => Some(bytes.map(char::from).collect()),
        _ => None,
    }
}

/// What stands behind the last / and \, without control characters and dots at the beginning, and short
/// enough for a file system.
fn harmless(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_seen = |c: &char| !c.is_control() && !crate::output::is_unseen(*c);
    let clean: String = last.chars().filter(is_seen).collect();
    let mut name = clean.trim().trim_start_matches('.').trim_start().to_owned();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    (!name.is_empty()).then_some(name)
}

/// `path`, `path.1`, `path.2` and so on: what `--no-clobber` tries.
pub(crate) fn numbered(path: &Path) -> Vec<PathBuf> {
    let more = (1..=TRIES_MAX).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    std::iter::once(path.to_owned()).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::{harmless, in_field, of_url};

    #[test]
    fn urls_name_files_by_their_last_part() {
        for (url, name) in [
            ("http://h/a/b.txt?x=/y#z", Some("b.txt")),
            ("h/a%20b", Some("a%20b")),
            ("http://h/", None),
            ("http://h", None),
            ("http://h?a/b", None),
            ("http://h/..", None),
        ] {
            assert_eq!(of_url(url).as_deref(), name, "{url}");
        }
    }

    #[test]
    fn fields_name_files() {
        for (field, name) in [
            ("attachment; filename=a.txt", Some("a.txt")),
            (
                "attachment; FileName = \"a;b \\\"c\\\".txt\" ; x=y",
                Some("a;b \"c\".txt"),
            ),
            (
                "attachment; filename=a; filename*=UTF-8''%e2%82%ac%20b",
                Some("€ b"),
            ),
            (
                "attachment; filename*=iso-8859-1'en'%A3; filename=a",
                Some("£"),
            ),
            ("attachment; filename*=koi8-r''x; filename=a", Some("a")),
            (
                "attachment; filename*=UTF-8''%ff; filename=\"b\"",
                Some("b"),
            ),
            ("attachment; x=\"filename=no\"; filename=yes", Some("yes")),
            ("attachment; x; filename=a", Some("a")),
            ("attachment", None),
            ("attachment; filename", None),
            ("attachment; filename=\"open", None),
        ] {
            assert_eq!(in_field(field).as_deref(), name, "{field}");
        }
    }

    #[test]
    fn names_stay_in_their_directory() {
        for (name, left) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\windows\\x.dll", Some("x.dll")),
            (".bashrc", Some("bashrc")),
            ("..", None),
            ("/", None),
            ("", None),
            ("a\r\n\0b\u{202e}c", Some("abc")),
            (" . x ", Some("x")),
        ] {
            assert_eq!(harmless(name).as_deref(), left, "{name:?}");
        }
        assert_eq!(harmless(&"é".repeat(200)).unwrap().len(), 254);
    }
}
