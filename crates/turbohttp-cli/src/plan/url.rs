//! URLs as people type them, and what of them is refused.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::output::{is_unseen, visible};

/// What is shown of a URL that is none, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// What stays as it is in a name: the unreserved characters (RFC 3986 section 2.3).
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A URL that was typed: without a scheme it is one of http, as curl takes it.
pub(crate) fn typed(url: &str) -> anyhow::Result<String> {
    if let Some(fault) = fault(url) {
        bail!("\"{}\" {fault}", shown(url));
    }
    if url.contains("://") {
        return Ok(url.to_owned());
    }
    let lower = url.to_ascii_lowercase();
    let is_cut = ["http:", "https:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    // With a scheme put before it, the first part of a path would become the host.
    if is_cut || url.is_empty() || url.starts_with(['/', '?', '#']) {
        bail!("\"{}\" names no host: write http://HOST/PATH", shown(url));
    }
    Ok(format!("http://{url}"))
}

/// Path and query of a URL as they were typed.
pub(crate) fn target(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('?') => format!("/{}", &rest[at..]),
        Some(at) => rest[at..].to_owned(),
        None => "/".to_owned(),
    }
}

/// A URL whose path ends in /, or that has none, with the name of a file behind it.
pub(super) fn with_name(url: &str, file: &Path) -> anyhow::Result<String> {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let path = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| host + at);
    let end = url[path..]
        .find(['?', '#'])
        .map_or(url.len(), |at| path + at);
    let slash = match &url[path..end] {
        "" => "/",
        path if path.ends_with('/') => "",
        _ => return Ok(url.to_owned()),
    };
    let name = file.file_name().and_then(OsStr::to_str);
    let name =
        name.with_context(|| format!("--upload-file {} has no name for the URL", file.display()))?;
    let name = utf8_percent_encode(name, NAME);
    Ok(format!("{}{slash}{name}{}", &url[..end], &url[end..]))
}

/// A URL with more in its query.
pub(super) fn with_query(url: &str, more: &str) -> String {
    let (url, fragment) = match url.find('#') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let sign = match url.find('?') {
        None => "?",
        Some(at) if at + 1 == url.len() => "",
        Some(_) => "&",
    };
    format!("{url}{sign}{more}{fragment}")
}

/// The commonest mistake in a list gets the remedy that the URL standard does not know.
pub(crate) fn require_scheme(url: &str) -> anyhow::Result<()> {
    // No `://` means that what stands before a colon is a host, and not a scheme.
    if !url.contains("://") {
        bail!(
            "\"{}\" has no scheme: write http:// or https:// before it",
            shown(url)
        );
    }
    Ok(())
}

/// What stands before an @ may be a password.
pub(super) fn shown(url: &str) -> String {
    let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
    visible(shown).chars().take(SHOWN_CHARS_MAX).collect()
}

/// What in `url` belongs to no URL, and where: a parser would leave it out, or encode it, and ask for
/// something else than what was meant.
pub(crate) fn fault(url: &str) -> Option<String> {
    let (c, column) = stray(url)?;
    Some(format!("holds {} in column {column}", name(c)))
}

/// The first character that belongs to no URL, and its column, from 1.
pub(crate) fn stray(url: &str) -> Option<(char, usize)> {
    let mut chars = url.chars().zip(1..);
    chars.find(|(c, _)| is_stray(*c))
}

/// Blanks, controls, and what is not seen at all.
fn is_stray(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_unseen(c)
}

/// What a person calls the character.
pub(crate) fn name(c: char) -> String {
    match c {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '\r' => "a CR".to_owned(),
        '\n' => "a LF".to_owned(),
        '\0' => "a NUL".to_owned(),
        '\u{feff}' => "a byte order mark".to_owned(),
        c => format!("the character U+{:04X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::{fault, target, typed, with_name, with_query};

    #[test]
    fn names_and_queries_are_added_before_the_fragment() {
        for (url, expected) in [
            ("http://h", "http://h/a%20b"),
            ("http://h/", "http://h/a%20b"),
            ("http://h/x/?q#f", "http://h/x/a%20b?q#f"),
            ("http://h?q=/", "http://h/a%20b?q=/"),
            ("http://h/x", "http://h/x"),
        ] {
            assert_eq!(
                with_name(url, "/d/a b".as_ref()).unwrap(),
                expected,
                "{url}"
            );
        }
        for (url, expected) in [
            ("http://h", "http://h?a=1"),
            ("http://h/?", "http://h/?a=1"),
            ("http://h/?b#f", "http://h/?b&a=1#f"),
        ] {
            assert_eq!(with_query(url, "a=1"), expected, "{url}");
        }
    }

    #[test]
    fn a_target_is_what_stands_behind_the_host() {
        for (url, expected) in [
            ("http://h", "/"),
            ("http://h?q=/", "/?q=/"),
            ("http://h/a/../b?x#f", "/a/../b?x"),
            ("http://h/#/x", "/"),
        ] {
            assert_eq!(target(url), expected, "{url}");
        }
    }

    #[test]
    fn urls_without_a_scheme_are_those_of_http() {
        for (text, url) in [
            ("h", "http://h"),
            ("h:80/x", "http://h:80/x"),
            ("u:p@h", "http://u:p@h"),
            ("https://h/", "https://h/"),
            ("ftp://h/", "ftp://h/"),
        ] {
            assert_eq!(typed(text).unwrap(), url);
        }
        for wrong in [
            "", "/etc/x", "//h/", "http:h", "HTTPS:/h", "?q", "h /x", "h\t",
        ] {
            assert!(typed(wrong).is_err(), "{wrong:?}");
        }
        assert!(
            !typed("u:secret@h ")
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
    }

    #[test]
    fn what_is_not_seen_is_found() {
        for (url, part) in [
            ("http://h/\t", "a tab in column 10"),
            ("http://h/a b", "a blank in column 11"),
            ("http://h/é\u{a0}", "U+00A0 in column 11"),
            ("http://h/\0", "a NUL in column 10"),
            ("\u{feff}http://h/", "a byte order mark in column 1"),
            ("http://h/\u{200b}", "U+200B in column 10"),
            ("http://h/\u{7f}", "U+007F in column 10"),
        ] {
            let found = fault(url).unwrap();
            assert!(found.contains(part), "{url:?}: {found}");
        }
        assert_eq!(fault("http://h/é?q=%20"), None);
    }
}
