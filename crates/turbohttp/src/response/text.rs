//! A body as text: which charset it has, and decoding it.

use std::borrow::Cow;

use super::Response;
use super::collect::Collected;
use crate::error::{Error, ErrorKind, Result};

impl Response {
    /// The whole body as text, in the charset that its Content-Type names; UTF-8 where that names none,
    /// or none that is known.
    ///
    /// A byte order mark decides before the field does, and is no part of the text. Other charsets than
    /// UTF-8 need the feature `charset`, and are those of the WHATWG Encoding standard.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Response::bytes), and [`ErrorKind::Decode`] naming the charset, and in UTF-8 the first
    /// bad byte. It keeps the bytes: [`Error::into_bytes`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the response, and with it its connection or its stream.
    pub async fn text(mut self) -> Result<String> {
        let body = self.collect().await?;
        match decode(body, self.header("content-type")) {
            Ok(text) => Ok(text),
            Err((message, body)) => {
                let error = Error::new(ErrorKind::Decode, message);
                Err(self.explain(error).keep(body.into_bytes()))
            }
        }
    }
}

/// The text of `body`; what is wrong with it, and the body again, if it is none.
#[cfg(feature = "charset")]
fn decode(body: Collected, content_type: Option<&str>) -> Result<String, (String, Collected)> {
    use encoding_rs::{Encoding, UTF_8};

    let marked = Encoding::for_bom(body.as_slice());
    let named = content_type.and_then(charset);
    let named = named.and_then(|label| Encoding::for_label(label.as_bytes()));
    let (encoding, mark_bytes) = marked.unwrap_or((named.unwrap_or(UTF_8), 0));
    if encoding == UTF_8 {
        return decode_utf8(body, mark_bytes);
    }
    let content = &body.as_slice()[mark_bytes..];
    match encoding.decode_without_bom_handling_and_without_replacement(content) {
        Some(text) => Ok(text.into_owned()),
        None => Err((format!("body is not {}", encoding.name()), body)),
    }
}

/// The text of `body`; what is wrong with it, and the body again, if it is none.
#[cfg(not(feature = "charset"))]
fn decode(body: Collected, content_type: Option<&str>) -> Result<String, (String, Collected)> {
    let mark_bytes = match body.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    };
    let named = content_type.and_then(charset).unwrap_or("utf-8".into());
    // ASCII is UTF-8 as well, and is most of what is called Latin 1.
    decode_utf8(body, mark_bytes).map_err(|(message, body)| {
        let message = format!("{message}, and charset {named:?} needs the feature \"charset\"");
        (message, body)
    })
}

/// The text of `body`, which is UTF-8, without its first `mark_bytes`.
fn decode_utf8(body: Collected, mark_bytes: usize) -> Result<String, (String, Collected)> {
    if let Err(error) = str::from_utf8(body.as_slice()) {
        let at = error.valid_up_to();
        return Err((format!("body is not UTF-8 at byte {at}"), body));
    }
    let mut bytes = body.into_vec();
    bytes.drain(..mark_bytes);
    Ok(String::from_utf8(bytes).expect("just checked"))
}

/// The value of the first parameter `charset`, without its quotes, as the WHATWG MIME Sniffing standard reads a
/// media type, and with spaces around the equals sign: in quotes a semicolon is part of a value, and a backslash
/// stands before any character.
fn charset(content_type: &str) -> Option<Cow<'_, str>> {
    let (_, mut rest) = content_type.split_once(';')?;
    loop {
        let end = rest.find([';', '=']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let Some(behind) = behind.strip_prefix('=') else {
            // A name alone, which a semicolon ends.
            rest = behind.get(1..)?;
            continue;
        };
        let (value, next) = parameter_value(behind.trim_start());
        if name.trim().eq_ignore_ascii_case("charset") && !value.is_empty() {
            return Some(value);
        }
        rest = next?;
    }
}

/// The value of a parameter, and what stands behind its semicolon.
fn parameter_value(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let Some(quoted) = text.strip_prefix('"') else {
        return match text.split_once(';') {
            Some((value, rest)) => (value.trim_end().into(), Some(rest)),
            None => (text.trim_end().into(), None),
        };
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    let mut rest = "";
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                rest = &quoted[at..];
                break;
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    // What stands between the closing quote and the semicolon is passed over.
    (value.into(), rest.split_once(';').map(|(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::charset;

    #[test]
    fn charsets_of_content_types() {
        for (value, expected) in [
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;CHARSET = \"Shift_JIS\" ; x=y", Some("Shift_JIS")),
            ("text/html; boundary=x; charset=gbk", Some("gbk")),
            ("text/html", None),
            (
                "text/html; x=\"a;charset=b\"; charset=\"utf\\-8\"",
                Some("utf-8"),
            ),
            ("text/html; charset=\"utf-8", Some("utf-8")),
            ("text/html; charset=\"utf-8\"x; a=b", Some("utf-8")),
            ("text/html; charset=utf-8\"", Some("utf-8\"")),
            ("text/html; charset='utf-8'", Some("'utf-8'")),
            ("text/html; charset; charset=a; charset=b", Some("a")),
            ("text/html; charset=; charset=b", Some("b")),
            ("text/html; charset=\"\"; charset=b", Some("b")),
            ("text/html;;charset=a", Some("a")),
            ("text/html; charset =a", Some("a")),
            ("charset=utf-8", None),
            ("text/html;", None),
            ("", None),
        ] {
            assert_eq!(charset(value).as_deref(), expected, "{value:?}");
        }
    }
}
