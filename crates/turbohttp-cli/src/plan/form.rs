//! `--form`: parts of multipart/form-data, as curl has them written.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use turbohttp::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use turbohttp::multipart::{Form, Part};
use turbohttp::{Body, Client, Method};

use super::content::Sending;
use crate::args::FormPart;
use crate::batch::line::field;
use crate::output::visible;

/// Types of files by the ends of their names: those that curl knows.
const TYPES: [(&str, &str); 10] = [
    (".gif", "image/gif"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".png", "image/png"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain"),
    (".htm", "text/html"),
    (".html", "text/html"),
    (".pdf", "application/pdf"),
    (".xml", "application/xml"),
];

/// The form as a body, and the Content-Type that goes with it.
pub(super) fn read(
    parts: &[FormPart],
    client: &Client,
    sending: &Sending,
) -> anyhow::Result<(HeaderValue, Body)> {
    let mut form = Form::new();
    for part in parts {
        let typed = &part.text;
        let (name, value) = typed
            .split_once('=')
            .context("--form has no = sign: write NAME=VALUE")?;
        let part = match part.is_literal {
            true => Part::bytes(value.to_owned()),
            false => Description::parse(value)
                .and_then(|description| description.part(sending))
                .with_context(|| format!("--form {}", visible(name)))?,
        };
        form = form.part(name.to_owned(), part);
    }
    // Only a request takes a form; where this one would go means nothing.
    let made = client
        .request(Method::POST, "http://localhost/")
        .multipart(form);
    let mut made = made.build()?;
    let content_type = made.headers().get(CONTENT_TYPE).cloned();
    let content_type = content_type.context("a form has a content-type")?;
    Ok((content_type, made.take_body()))
}

/// The type that was typed, with the boundary of the form.
pub(super) fn with_boundary(typed: &HeaderValue, made: &HeaderValue) -> HeaderValue {
    let bytes = made.as_bytes();
    let boundary = memchr::memchr(b';', bytes).map_or(&[][..], |at| &bytes[at..]);
    HeaderValue::from_bytes(&[typed.as_bytes(), boundary].concat()).unwrap_or_else(|_| made.clone())
}

/// What stands behind `NAME=`.
#[derive(Debug, PartialEq, Eq)]
struct Description {
    source: Source,
    content_type: Option<String>,
    file_name: Option<String>,
    headers: HeaderMap,
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    Text(String),
    /// `@FILE`: told as a file.
    File(String),
    /// `<FILE`: only its content.
    Content(String),
}

impl Description {
    fn parse(text: &str) -> anyhow::Result<Description> {
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'@' | b'<') => text.split_at(1),
            Some(b'(' | b')') => bail!("parts within parts are not built yet"),
            _ => ("", text),
        };
        let (value, mut rest) = word(rest, if sign.is_empty() { ";" } else { ";," })?;
        let source = match sign {
            "@" => Source::File(value),
            "<" => Source::Content(value),
            _ => Source::Text(value),
        };
        if rest.starts_with(',') {
            bail!("several files in one part are not built yet: give --form again");
        }
        let mut description = Description {
            source,
            content_type: None,
            file_name: None,
            headers: HeaderMap::new(),
        };
        while let Some(behind) = rest.strip_prefix(';') {
            let behind = behind.trim_start();
            let (name, value) = behind.split_once('=').unwrap_or((behind, ""));
            rest = match name {
                "type" => description.take_type(value)?,
                "filename" => {
                    let (name, rest) = word(value, ";")?;
                    description.file_name = Some(name);
                    rest
                }
                "headers" => {
                    let (header, rest) = word(value, ";")?;
                    description.take_header(&header)?;
                    rest
                }
                "encoder" => bail!("encoder= is not built yet"),
                // Not what it is: that may be the rest of a password.
                _ => bail!(
                    "what stands behind ; is unknown: put a value with ; into quotes, or give --form-string"
                ),
            };
        }
        Ok(description)
    }

    /// A media type and its parameters, which stand behind `;` as well.
    fn take_type<'a>(&mut self, text: &'a str) -> anyhow::Result<&'a str> {
        let (mut content_type, mut rest) = word(text, ";")?;
        while let Some(behind) = rest.strip_prefix(';') {
            let name = behind.trim_start().split('=').next().unwrap_or_default();
            if matches!(name, "type" | "filename" | "headers" | "encoder") {
                break;
            }
            let (parameter, next) = word(behind, ";")?;
            content_type.push(';');
            content_type.push_str(&parameter);
            rest = next;
        }
        self.content_type = Some(content_type.trim_end().to_owned());
        Ok(rest)
    }

    fn take_header(&mut self, header: &str) -> anyhow::Result<()> {
        if header.starts_with(['@', '<']) {
            bail!("headers= of a file is not built yet");
        }
        let (name, value) = header
            .split_once(':')
            .context("headers=: write NAME: VALUE")?;
        let (name, value) = field(name.trim(), value.trim()).map_err(|fault| anyhow!(fault))?;
        self.headers.append(name, value);
        Ok(())
    }

    fn part(self, sending: &Sending) -> anyhow::Result<Part> {
        let (path, part) = match &self.source {
            Source::Text(text) => (None, Part::bytes(text.clone())),
            Source::File(path) | Source::Content(path) => {
                let content = sending.file(path)?;
                let part = match content.length {
                    Some(length) => Part::stream_with_length(content.body, length),
                    None => Part::stream(content.body),
                };
                (Some(path), part)
            }
        };
        let own_name = match &self.source {
            Source::File(path) => Path::new(path).file_name(),
            Source::Text(_) | Source::Content(_) => None,
        };
        let own_name = own_name.map(|name| name.to_string_lossy().into_owned());
        let guessed = [self.file_name.as_ref(), path].into_iter().flatten();
        let content_type = self.content_type.as_deref();
        let content_type = content_type.or_else(|| guessed.filter_map(|name| type_of(name)).next());
        let mut part = part.headers(self.headers);
        if let Some(name) = self.file_name.clone().or(own_name) {
            part = part.file_name(name);
        }
        match content_type {
            Some(content_type) => Ok(part.mime_str(content_type)?),
            None => Ok(part),
        }
    }
}

/// The type that the end of a name tells.
fn type_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let found = TYPES.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(_, content_type)| *content_type)
}

/// A value in quotes, or up to one of `ends`, and what stands behind it.
fn word<'a>(text: &'a str, ends: &str) -> anyhow::Result<(String, &'a str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| ends.contains(c)).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next() {
            None => bail!("the quote is not closed"),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some(c @ ('\\' | '"')) => value.push(c),
                other => value.extend(std::iter::once('\\').chain(other)),
            },
            Some(c) => value.push(c),
        }
    }
    let rest = chars.as_str().trim_start();
    if !rest.is_empty() && !rest.starts_with(|c| ends.contains(c)) {
        bail!("more stands behind the quote");
    }
    Ok((value, rest))
}

#[cfg(test)]
mod tests {
    use super::{Description, HeaderValue, Source, type_of, with_boundary};

    #[test]
    fn values_are_described_behind_semicolons() {
        let parse = |text| Description::parse(text).unwrap();
        assert_eq!(parse("a b").source, Source::Text("a b".to_owned()));
        let file = parse(
            "@\"a;b,c.txt\" ; filename=\"x\\\"y\";type=text/plain; charset=utf-8;headers=\"X: 1; 2\"",
        );
        assert_eq!(file.source, Source::File("a;b,c.txt".to_owned()));
        assert_eq!(file.file_name.as_deref(), Some("x\"y"));
        assert_eq!(
            file.content_type.as_deref(),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(file.headers["x"], "1; 2");
        assert_eq!(parse("<f;type=a/b").source, Source::Content("f".to_owned()));
        assert_eq!(parse("").source, Source::Text(String::new()));
        for wrong in [
            "a;b",
            "@a,b",
            "(",
            "\"a",
            "\"a\"b",
            "a;encoder=base64",
            "a;headers=x",
            "a;headers=@f",
        ] {
            assert!(Description::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn types_follow_names_and_boundaries_types() {
        assert_eq!(type_of("A.JPG"), Some("image/jpeg"));
        assert_eq!(type_of("a.bin"), None);
        let made = HeaderValue::from_static("multipart/form-data; boundary=x");
        let typed = with_boundary(&HeaderValue::from_static("multipart/related"), &made);
        assert_eq!(typed, "multipart/related; boundary=x");
    }
}
