//! Forms with files: `multipart/form-data` (RFC 7578), as the WHATWG HTML standard has it written.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::body::{Body, IntoBody};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{INLINE_BODY_BYTES_MAX, MULTIPART_HEAD_BYTES_MAX, MULTIPART_PARTS_MAX};

/// A form of named parts, each a text, bytes, a file or a stream; sent by
/// [`RequestBuilder::multipart`](crate::RequestBuilder::multipart).
///
/// The request has a Content-Length where the lengths of all parts are known, and can be sent again (by a
/// redirect, a retry) where all parts are bytes and regular files. Files and streams are read while they are
/// sent, in pieces of at most 64 KiB. A form has at most
/// [`MULTIPART_PARTS_MAX`] parts.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// # use turbohttp::{Client, MockReply, MockTransport, StatusCode};
/// # let mock = MockTransport::new(MockReply::new(StatusCode::OK));
/// # let client = Client::builder().transport(mock).build()?;
/// # let folder = std::env::temp_dir();
/// # let path = folder.join(format!("turbohttp-form-{}.txt", std::process::id()));
/// # std::fs::write(&path, "content").unwrap();
/// use turbohttp::multipart::{Form, Part};
///
/// let picture = Part::bytes(vec![0x89, b'P', b'N', b'G']).file_name("a.png").mime_str("image/png")?;
/// let form = Form::new()
///     .text("title", "a picture")
///     .part("picture", picture)
///     .file("notes", &path)
///     .await?;
/// client.post("http://example.com/upload").multipart(form).send().await?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Default)]
pub struct Form {
    parts: Vec<(Cow<'static, str>, Part)>,
    /// The first mistake, which the request returns.
    mistake: Option<Error>,
}

impl Form {
    /// A form without parts.
    pub fn new() -> Form {
        Form::default()
    }

    /// Adds a text; its line ends become CRLF.
    #[must_use]
    pub fn text(
        self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Form {
        self.part(name, Part::text(value))
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, name: impl Into<Cow<'static, str>>, part: Part) -> Form {
        // Kept for `multipart`, which can return an error.
        match self.parts.len() < MULTIPART_PARTS_MAX {
            true => self.parts.push((name.into(), part)),
            false => {
                let message = format!("form exceeds {MULTIPART_PARTS_MAX} parts");
                self.mistake
                    .get_or_insert_with(|| Error::new(ErrorKind::Request, message));
            }
        }
        self
    }

    /// Adds a file as [`Part::file`] opens it.
    ///
    /// # Errors
    ///
    /// As [`Part::file`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future drops the form.
    pub async fn file(
        self,
        name: impl Into<Cow<'static, str>>,
        path: impl AsRef<Path>,
    ) -> Result<Form> {
        Ok(self.part(name, Part::file(path).await?))
    }

    /// The Content-Type, with a new boundary, and the body.
    pub(crate) fn encode(self) -> Result<(HeaderValue, Body)> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let boundary = boundary();
        let mut pieces = Pieces::default();
        for (name, part) in self.parts {
            // The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
            let head = part.head(&name, &boundary)?;
            pieces.push_text(&head);
            pieces.push(part.content());
            pieces.push_text("\r\n");
        }
        pieces.push_text(format!("--{boundary}--\r\n"));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let content_type = HeaderValue::try_from(content_type)?;
        Ok((content_type, pieces.into_body()))
    }
}

impl fmt::Debug for Form {
    /// Names only: values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parts.iter().map(|(name, part)| (name, part));
        f.debug_map().entries(names).finish()
    }
}

/// One part of a [`Form`].
pub struct Part {
    content: Content,
    file_name: Option<Cow<'static, str>>,
    content_type: Option<HeaderValue>,
    headers: HeaderMap,
}

enum Content {
    Text(Cow<'static, str>),
    Body(Body),
}

impl Part {
    fn new(content: Content) -> Part {
        Part {
            content,
            file_name: None,
            content_type: None,
            headers: HeaderMap::new(),
        }
    }

    /// A text; its line ends become CRLF, unless it is given a file name.
    pub fn text(value: impl Into<Cow<'static, str>>) -> Part {
        Part::new(Content::Text(value.into()))
    }

    /// Bytes in memory.
    pub fn bytes(value: impl Into<Bytes>) -> Part {
        Part::stream(Body::from(value.into()))
    }

    /// Any [`Body`], with the length that it knows of itself.
    pub fn stream(value: impl IntoBody) -> Part {
        Part::new(Content::Body(value.into_body()))
    }

    /// Any [`Body`] of so many bytes; sending fails if it gives another number of them.
    pub fn stream_with_length(value: impl IntoBody, length: u64) -> Part {
        Part::stream(value.into_body().with_length(length))
    }

    /// The file at `path`, opened now and read when it is sent, under its own name. Its length is that of
    /// now: what is appended later is not sent, and a file that has shrunk fails the request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RequestBody`] if the file cannot be opened.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a file that was opened is closed.
    pub async fn file(path: impl AsRef<Path>) -> Result<Part> {
        let path = path.as_ref();
        let file = tokio::fs::File::open(path).await.map_err(|error| {
            let message = format!("cannot open {}", path.display());
            Error::new(ErrorKind::RequestBody, message).with_source(error)
        })?;
        let part = Part::stream(file.into_std().await);
        Ok(match path.file_name() {
            Some(name) => part.file_name(name.to_string_lossy().into_owned()),
            None => part,
        })
    }

    /// Sets the file name that the server is told.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<Cow<'static, str>>) -> Part {
        self.file_name = Some(name.into());
        self
    }

    /// Sets the Content-Type, such as `image/png`. Without one, a part with a file name is
    /// `application/octet-stream`, and any other says none, which means text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] if it is no media type (RFC 9110 section 8.3.1).
    pub fn mime_str(mut self, mime: &str) -> Result<Part> {
        if !is_media_type(mime) {
            let message = format!("{mime:?} is no media type: give type/subtype");
            return Err(Error::new(ErrorKind::Request, message));
        }
        self.content_type = Some(HeaderValue::from_str(mime)?);
        Ok(self)
    }

    /// Sets further fields. Content-Disposition and Content-Type are the part's own: the request fails if
    /// they are among them.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Part {
        self.headers = headers;
        self
    }

    /// The boundary before the part, its fields, and the blank line behind them.
    fn head(&self, name: &str, boundary: &str) -> Result<Bytes> {
        for own in [CONTENT_DISPOSITION, CONTENT_TYPE] {
            if self.headers.contains_key(&own) {
                let message = format!("part {name:?} sets {own}: use file_name and mime_str");
                return Err(Error::new(ErrorKind::Request, message));
            }
        }
        let name_bytes = name.len() + self.file_name.as_ref().map_or(0, |name| name.len());
        let fields = self.headers.iter();
        let field_bytes: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if name_bytes + field_bytes > MULTIPART_HEAD_BYTES_MAX {
            let message = format!("head of a part exceeds {MULTIPART_HEAD_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Request, message));
        }
        let mut head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"");
        push_escaped(&mut head, &with_crlf(name));
        head.push('"');
        if let Some(file_name) = &self.file_name {
            head.push_str("; filename=\"");
            push_escaped(&mut head, file_name);
            head.push('"');
        }
        let mut head = BytesMut::from(head.as_bytes());
        if let Some(value) = self.content_type() {
            push_field(&mut head, CONTENT_TYPE.as_str(), value);
        }
        for (name, value) in &self.headers {
            push_field(&mut head, name.as_str(), value.as_bytes());
        }
        head.extend_from_slice(b"\r\n\r\n");
        Ok(head.freeze())
    }

    fn content_type(&self) -> Option<&[u8]> {
        match &self.content_type {
            Some(value) => Some(value.as_bytes()),
            None => self
                .file_name
                .as_ref()
                .map(|_| &b"application/octet-stream"[..]),
        }
    }

    fn content(self) -> Body {
        match self.content {
            // What has a file name is a file, whose bytes stay as they are.
            Content::Text(text) if self.file_name.is_none() => {
                Body::from(with_crlf(&text).into_owned())
            }
            Content::Text(text) => Body::from(text.into_owned()),
            Content::Body(body) => body,
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// The bodies of a form in their order. What is small is copied together, so that many small parts are one
/// write.
#[derive(Default)]
struct Pieces {
    bodies: Vec<Body>,
    text: BytesMut,
}

impl Pieces {
    fn push_text(&mut self, text: impl AsRef<[u8]>) {
        self.text.extend_from_slice(text.as_ref());
    }

    fn push(&mut self, body: Body) {
        match body.as_bytes() {
            Some(bytes) if bytes.len() <= INLINE_BODY_BYTES_MAX => self.push_text(bytes),
            _ => {
                self.end_text();
                self.bodies.push(body);
            }
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.bodies.push(Body::from(self.text.split()));
        }
    }

    fn into_body(mut self) -> Body {
        // A form of small parts is bytes like any other body of bytes.
        if self.bodies.is_empty() {
            return Body::from(self.text);
        }
        self.end_text();
        Body::joined(self.bodies)
    }
}

/// A boundary that no part contains and that nobody can foresee who writes the content of a part: 128 bits
/// from two keys of the system's randomness.
fn boundary() -> String {
    let [first, second] = [(); 2].map(|()| RandomState::new().hash_one(()));
    format!("turbohttp-{first:016x}{second:016x}")
}

/// Each line end as CRLF, as forms have it (HTML standard, "multipart/form-data encoding algorithm").
fn with_crlf(text: &str) -> Cow<'_, str> {
    if !text.contains(['\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = '\0';
    for character in text.chars() {
        match character {
            // The second half of a CRLF, which is written already.
            '\n' if before == '\r' => {}
            '\r' | '\n' => out.push_str("\r\n"),
            other => out.push(other),
        }
        before = character;
    }
    Cow::Owned(out)
}

/// Appends a name for a place between quotes; UTF-8 stays as it is (RFC 7578 section 5.1).
fn push_escaped(out: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '\n' => out.push_str("%0A"),
            '\r' => out.push_str("%0D"),
            '"' => out.push_str("%22"),
            other => out.push(other),
        }
    }
}

/// Ends the line before, and appends a field without the end of its own.
fn push_field(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

/// Whether it begins as `type/subtype`, with parameters or without (RFC 9110 section 8.3.1).
fn is_media_type(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default().trim_end();
    let is_token = |text: &str| {
        let is_special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
        let mut bytes = text.bytes();
        !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || is_special(byte))
    };
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

#[cfg(test)]
mod tests;
