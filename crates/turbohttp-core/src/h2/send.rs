//! A request as HEADERS (RFC 9113 section 8.3): checked first, as an encoder that has begun a block has to
//! end it.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE,
    UPGRADE,
};
use http::{HeaderMap, Method, header};

use super::frame::{self, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, flag, kind};
use super::hpack::{Encoder, Indexing};
use crate::h1::EncodeError;
use crate::h1::encode::{
    self, Asks, BodyLength, REQUEST_HEAD_BYTES_MAX, RequestHead, is_against_range,
};

/// What goes into the HEADERS of a request.
#[derive(Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the codec's input; built in one place"
)]
pub struct Request<'a> {
    /// What both versions have in common.
    pub head: &'a RequestHead<'a>,
    /// The scheme of the URL.
    pub scheme: &'static str,
    /// The urgency of RFC 9218 section 4.1, 0 to 7, where it differs from the usual 3.
    pub urgency: Option<u8>,
}

/// The entries of the static table (RFC 7541 appendix A) that nearly every request has.
mod entry {
    pub(super) const METHOD_GET: u8 = 2;
    pub(super) const METHOD_POST: u8 = 3;
    pub(super) const PATH_ROOT: u8 = 4;
    pub(super) const CONTENT_LENGTH: u8 = 28;
    /// The first bit of a field that is in a table whole.
    pub(super) const INDEXED: u8 = 0x80;
}

/// What the requests of a connection have in common, encoded: it holds until the encoder's table changes.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// The changes of the encoder's table when it was encoded.
    changes: Option<u64>,
    /// Scheme and authority.
    front: Vec<u8>,
    /// The default fields.
    defaults: Vec<u8>,
}

const PRIORITY: HeaderName = HeaderName::from_static("priority");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Whether the request can be sent; `field_list_bytes` is what the peer takes.
///
/// # Errors
///
/// [`EncodeError`] as for HTTP/1.1.
pub(crate) fn check(request: &Request<'_>, field_list_bytes: u32) -> Result<(), EncodeError> {
    let head = request.head;
    encode::check_method(head)?;
    encode::check_target(head.target)?;
    // An upgrade is a matter of HTTP/1.1 connections.
    if head.asks == Asks::Upgrade {
        return Err(EncodeError::Upgrade);
    }
    let mut bytes = head.target.len();
    if !head.headers.is_empty() {
        encode::host(head)?;
        for (name, value) in head.headers {
            encode::check_field(name, value, head)?;
            bytes += name.as_str().len() + value.len();
        }
    }
    // Most servers set no bound, and most heads are far below ours: then nothing is added up.
    if field_list_bytes != u32::MAX || bytes > REQUEST_HEAD_BYTES_MAX / 4 {
        return check_size(request, field_list_bytes);
    }
    Ok(())
}

/// Whether the fields are no more than the peer takes, counted as RFC 9113 section 6.5.2 has it: 32 bytes beside
/// each name and value.
#[cold]
fn check_size(request: &Request<'_>, field_list_bytes: u32) -> Result<(), EncodeError> {
    let head = request.head;
    let host = head.headers.get(HOST);
    let authority = host.map_or(head.authority.len(), HeaderValue::len);
    let mut bytes = [
        (b":method".len(), head.method.as_str().len()),
        (b":scheme".len(), request.scheme.len()),
        (b":authority".len(), authority),
        (b":path".len(), head.target.len()),
    ]
    .map(|(name, value)| name + value + 32)
    .into_iter()
    .sum::<usize>();
    for (name, value) in default_fields(head).chain(caller_fields(head.headers)) {
        bytes += name.as_str().len() + value.len() + 32;
    }
    if let Some(length) = content_length(head) {
        let mut digits = [0; encode::DIGITS_MAX];
        bytes += b"content-length".len() + encode::decimal(length, &mut digits).len() + 32;
    }
    if urgency(request).is_some() {
        bytes += b"priority".len() + b"u=0".len() + 32;
    }
    if encode::expects_continue(head) {
        bytes += b"expect".len() + b"100-continue".len() + 32;
    }
    let max = (field_list_bytes as usize).min(REQUEST_HEAD_BYTES_MAX);
    match bytes > max {
        true => Err(EncodeError::HeadTooLarge { max }),
        false => Ok(()),
    }
}

/// The default fields that go out with a request.
fn default_fields<'a>(
    head: &'a RequestHead<'_>,
) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
    head.defaults.fields().iter().filter(|(name, value)| {
        let is_set = head.headers.contains_key(*name) || is_against_range(name, head.headers);
        !is_set && !is_of_connection(name, value)
    })
}

/// The fields of the caller that go out. `Host` is :authority, and the client says length and expectation
/// itself.
fn caller_fields(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, value)| {
        let is_ours = **name == HOST || **name == CONTENT_LENGTH || **name == EXPECT;
        // The credentials of a proxy are no business of an origin (RFC 9110 section 11.7.2).
        !(is_ours || **name == PROXY_AUTHORIZATION || is_of_connection(name, value))
    })
}

/// What the client says of the length of the content.
#[inline]
fn content_length(head: &RequestHead<'_>) -> Option<u64> {
    match head.body {
        BodyLength::Unknown => None,
        BodyLength::Known(length @ 1..) => Some(length),
        BodyLength::Known(0) | BodyLength::None => {
            let says = matches!(*head.method, Method::POST | Method::PUT | Method::PATCH);
            let is_set = !head.headers.is_empty() && head.headers.contains_key(CONTENT_LENGTH);
            (says || is_set).then_some(0)
        }
    }
}

/// The urgency that is sent: none that the caller has said already.
#[inline]
fn urgency(request: &Request<'_>) -> Option<u8> {
    let head = request.head;
    let urgency = request.urgency?;
    let is_said = !head.headers.is_empty() && head.headers.contains_key(PRIORITY)
        || head.defaults.fields().contains_key(PRIORITY);
    (!is_said).then_some(urgency)
}

/// Appends the HEADERS of a request that was [checked](check).
#[inline]
pub(crate) fn put_headers(
    out: &mut Vec<u8>,
    (encoder, template): (&mut Encoder, &mut Template),
    stream: u32,
    request: &Request<'_>,
    ends: bool,
) {
    let start = out.len();
    let flags = flag::END_HEADERS | if ends { flag::END_STREAM } else { 0 };
    frame::put_head(out, kind::HEADERS, flags, stream, 0);
    encoder.begin(out);
    let head = request.head;
    put_method(out, encoder, head.method);
    // Indices shift with every entry: a template of an older table would name other fields.
    if head.headers.is_empty() && template.changes == Some(encoder.changes()) {
        out.extend_from_slice(&template.front);
        put_path(out, encoder, head.target);
        out.extend_from_slice(&template.defaults);
    } else {
        put_plainly(out, (encoder, template), request);
    }
    put_rest(out, encoder, request);
    // Seldom: sixteen KiB of fields.
    if out.len() - start > FRAME_HEAD_BYTES + FRAME_BYTES_MAX {
        return split(out, start, stream, flags);
    }
    frame::end_frame(out, start);
}

/// The same without the template, which is made anew if nothing but the template's fields went out.
#[cold]
#[inline(never)]
fn put_plainly(
    out: &mut Vec<u8>,
    (encoder, template): (&mut Encoder, &mut Template),
    request: &Request<'_>,
) {
    let (head, changes, start) = (request.head, encoder.changes(), out.len());
    encoder.field(
        b":scheme",
        request.scheme.as_bytes(),
        Indexing::Without,
        out,
    );
    match head.headers.get(HOST) {
        None => encoder.field(
            b":authority",
            head.authority.as_bytes(),
            Indexing::Insert,
            out,
        ),
        Some(host) => encoder.field(b":authority", host.as_bytes(), Indexing::Without, out),
    }
    let path = out.len();
    put_path(out, encoder, head.target);
    let defaults = out.len();
    // The same for all requests of the connection, so that each costs a byte from the second on.
    put_each(out, encoder, default_fields(head), Indexing::Insert);
    if head.headers.is_empty() && changes == encoder.changes() {
        template.front.clear();
        template.front.extend_from_slice(&out[start..path]);
        template.defaults.clear();
        template.defaults.extend_from_slice(&out[defaults..]);
        template.changes = Some(changes);
    }
    put_each(out, encoder, caller_fields(head.headers), Indexing::Without);
}

#[inline]
fn put_method(out: &mut Vec<u8>, encoder: &mut Encoder, method: &Method) {
    match *method {
        Method::GET => out.push(entry::INDEXED | entry::METHOD_GET),
        Method::POST => out.push(entry::INDEXED | entry::METHOD_POST),
        _ => {
            let method = method.as_str().as_bytes();
            encoder.field(b":method", method, Indexing::Without, out);
        }
    }
}

#[inline]
fn put_path(out: &mut Vec<u8>, encoder: &Encoder, target: &str) {
    match target {
        "/" => out.push(entry::INDEXED | entry::PATH_ROOT),
        _ => encoder.literal(entry::PATH_ROOT, target.as_bytes(), out),
    }
}

fn put_each<'a>(
    out: &mut Vec<u8>,
    encoder: &mut Encoder,
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    usual: Indexing,
) {
    for (name, value) in fields {
        let indexing = match is_secret(name, value) {
            true => Indexing::Never,
            false => usual,
        };
        encoder.field(name.as_str().as_bytes(), value.as_bytes(), indexing, out);
    }
}

/// What the client says of the request by itself.
#[inline]
fn put_rest(out: &mut Vec<u8>, encoder: &mut Encoder, request: &Request<'_>) {
    let head = request.head;
    if let Some(length) = content_length(head) {
        let mut digits = [0; encode::DIGITS_MAX];
        let digits = encode::decimal(length, &mut digits);
        encoder.literal(entry::CONTENT_LENGTH, digits, out);
    }
    if let Some(urgency) = urgency(request) {
        let value = [b'u', b'=', b'0' + urgency.min(7)];
        encoder.field(b"priority", &value, Indexing::Insert, out);
    }
    if encode::expects_continue(head) {
        encoder.field(b"expect", b"100-continue", Indexing::Without, out);
    }
}

/// The fields behind the content.
pub(crate) fn put_trailers(
    out: &mut Vec<u8>,
    encoder: &mut Encoder,
    stream: u32,
    trailers: &HeaderMap,
) {
    let start = out.len();
    let flags = flag::END_HEADERS | flag::END_STREAM;
    frame::put_head(out, kind::HEADERS, flags, stream, 0);
    encoder.begin(out);
    put_each(out, encoder, trailers.iter(), Indexing::Without);
    match out.len() - start > FRAME_HEAD_BYTES + FRAME_BYTES_MAX {
        true => split(out, start, stream, flags),
        false => frame::end_frame(out, start),
    }
}

/// Cuts a block that does not fit one frame into HEADERS and CONTINUATION (RFC 9113 section 6.10).
#[cold]
fn split(out: &mut Vec<u8>, start: usize, stream: u32, flags: u8) {
    let block = out.split_off(start + FRAME_HEAD_BYTES);
    out.truncate(start);
    let (first, last) = (0, (block.len() - 1) / FRAME_BYTES_MAX);
    for (at, fragment) in block.chunks(FRAME_BYTES_MAX).enumerate() {
        let (kind, mut here) = match at == first {
            true => (kind::HEADERS, flags & flag::END_STREAM),
            false => (kind::CONTINUATION, 0),
        };
        if at == last {
            here |= flag::END_HEADERS;
        }
        frame::put_head(out, kind, here, stream, fragment.len());
        out.extend_from_slice(fragment);
    }
}

/// Whether a field is about an HTTP/1.1 connection, and has no place here (RFC 9113 section 8.2.2).
fn is_of_connection(name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        CONNECTION | UPGRADE => true,
        TE => !value.as_bytes().eq_ignore_ascii_case(b"trailers"),
        _ => *name == KEEP_ALIVE || *name == PROXY_CONNECTION,
    }
}

/// Whether no one on the way may keep the field in a table (RFC 7541 section 7.1.3).
fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || matches!(*name, header::AUTHORIZATION | header::COOKIE)
}
