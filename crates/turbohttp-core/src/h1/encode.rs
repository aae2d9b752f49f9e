//! Requests as bytes: the head, and the chunked coding of bodies of unknown length.

use std::net::Ipv6Addr;

use http::Method;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, RANGE, TRANSFER_ENCODING, UPGRADE,
};

use super::error::EncodeError;
use super::framing::parse_decimal;

/// The most bytes a request head may have.
pub const REQUEST_HEAD_BYTES_MAX: usize = 256 * 1024;

/// The length of a request body, which decides its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "complete: a length is known or it is not"
)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// So many bytes: Content-Length.
    Known(u64),
    /// Unknown: the chunked coding.
    Unknown,
}

/// What goes into a request head.
#[expect(
    clippy::exhaustive_structs,
    reason = "the codec's input; built in one place"
)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query in origin form, beginning with a slash; to a proxy that forwards the request, the
    /// whole URL in absolute form (RFC 9112 section 3.2.2).
    pub target: &'a str,
    /// The value of the Host field, unless the caller's fields have one.
    pub authority: &'a str,
    /// The caller's fields.
    pub headers: &'a HeaderMap,
    /// Fields of the client that apply where the caller set none of that name.
    pub defaults: &'a DefaultFields,
    /// What [`DefaultFields::head_template`] gives for this authority: most requests have no fields of their
    /// own.
    pub head_template: &'a [u8],
    /// The length of the body.
    pub body: BodyLength,
    /// What is asked for beside the answer.
    pub asks: Asks,
}

/// What a request asks of its server beside the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the codec's input; built in one place"
)]
pub enum Asks {
    /// Nothing.
    #[default]
    Nothing,
    /// `100 Continue` before the body is sent (RFC 9110 section 10.1.1).
    Continue,
    /// Another protocol: the caller's fields may have Upgrade (RFC 9110 section 7.8).
    Upgrade,
}

/// Fields of a client that go out with every request that does not set them itself, encoded once.
#[derive(Default)]
pub struct DefaultFields {
    fields: HeaderMap,
    encoded: Vec<u8>,
    closing: bool,
    /// The credentials for a proxy that the fields had; they go to no origin.
    proxy_authorization: Option<HeaderValue>,
    /// Whether the heads go to a proxy that forwards them.
    is_for_proxy: bool,
}

impl DefaultFields {
    /// Takes the fields in. Proxy-Authorization goes to proxies only (RFC 9110 section 11.7.2).
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if one of them belongs to a single message: framing, Host or Upgrade.
    pub fn new(mut fields: HeaderMap) -> Result<DefaultFields, EncodeError> {
        let proxy_authorization = fields.remove(PROXY_AUTHORIZATION);
        let mut encoded = Vec::new();
        let mut closing = false;
        for (name, value) in &fields {
            // Refused once, here: a request then needs to check its own fields only.
            match *name {
                TRANSFER_ENCODING => return Err(EncodeError::TransferEncoding),
                CONTENT_LENGTH => return Err(EncodeError::ContentLength),
                HOST => return Err(EncodeError::Host),
                UPGRADE => return Err(EncodeError::Upgrade),
                EXPECT => return Err(EncodeError::ExpectDefault),
                _ => push_field(&mut encoded, name, value),
            }
            closing |= *name == CONNECTION && has_token(value, b"close");
        }
        Ok(DefaultFields {
            fields,
            encoded,
            closing,
            proxy_authorization,
            is_for_proxy: false,
        })
    }

    /// The same fields for the heads that a proxy forwards, with these credentials for the proxy; without
    /// any, with those that the fields have. Only by these fields does a head carry Proxy-Authorization.
    #[must_use]
    pub fn for_proxy(&self, authorization: Option<&HeaderValue>) -> DefaultFields {
        let mut own = DefaultFields {
            fields: self.fields.clone(),
            encoded: self.encoded.clone(),
            closing: self.closing,
            proxy_authorization: None,
            is_for_proxy: true,
        };
        if let Some(value) = authorization.or(self.proxy_authorization.as_ref()) {
            push_field(&mut own.encoded, &PROXY_AUTHORIZATION, value);
            own.fields.insert(PROXY_AUTHORIZATION, value.clone());
        }
        own
    }

    /// What follows the target in the head of a request to `authority` that sets no field: the rest of
    /// the request line, Host, and these fields. A connection has it encoded once.
    pub fn head_template(&self, authority: &str) -> Box<[u8]> {
        let mut template = Vec::new();
        push_host(&mut template, authority.as_bytes());
        template.extend_from_slice(&self.encoded);
        template.into_boxed_slice()
    }

    /// The fields as they were given.
    #[inline]
    pub(crate) fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// Appends those that `headers` does not set; says whether one asks to close the connection.
    fn push(&self, out: &mut Vec<u8>, headers: &HeaderMap) -> bool {
        let mut closing = false;
        // The client's field is left out as a whole, also where the caller's has another value.
        for (name, value) in &self.fields {
            if !headers.contains_key(name) && !is_against_range(name, headers) {
                push_field(out, name, value);
                closing |= *name == CONNECTION && self.closing;
            }
        }
        closing
    }
}

/// Whether a default field is no default for a request of these fields: a range of a coded content (RFC
/// 9110 section 14.2) is nothing that can be decoded.
#[inline]
pub(crate) fn is_against_range(name: &HeaderName, headers: &HeaderMap) -> bool {
    *name == ACCEPT_ENCODING && headers.contains_key(RANGE)
}

/// What the head that was written says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// The request says `Connection: close`.
    pub closing: bool,
    /// The content waits for `100 Continue`.
    pub expects_continue: bool,
}

/// Appends a request head to `out`.
///
/// Fields go out with their names in lower case, Host first (RFC 9110 section 7.2).
///
/// # Errors
///
/// [`EncodeError`] if the target holds a byte it must not, if the caller's fields contradict the
/// framing that the body asks for, or if the head passes [`REQUEST_HEAD_BYTES_MAX`]; `out` may then
/// hold a part of the head and is to be thrown away.
pub fn request_head(out: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<Encoded, EncodeError> {
    let start = out.len();
    check_method(head)?;
    check_target(head.target)?;
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.target.as_bytes());
    // Most requests set no field: the rest of their head is the same for all of a connection.
    let closing = if head.headers.is_empty() {
        out.extend_from_slice(head.head_template);
        head.defaults.closing
    } else {
        push_fields(out, head)?
    };
    push_framing(out, head);
    let expects_continue = expects_continue(head);
    if expects_continue {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    out.extend_from_slice(b"\r\n");
    // After the fact: the fields are in memory already, so that this copy is bounded by them.
    if out.len() - start > REQUEST_HEAD_BYTES_MAX {
        return Err(EncodeError::HeadTooLarge {
            max: REQUEST_HEAD_BYTES_MAX,
        });
    }
    Ok(Encoded {
        closing,
        expects_continue,
    })
}

/// Whether the content waits for `100 Continue`: there must be some (RFC 9110 section 10.1.1).
#[inline]
pub(crate) fn expects_continue(head: &RequestHead<'_>) -> bool {
    has_content(head) && (head.asks == Asks::Continue || sets(head, &EXPECT))
}

/// Whether the caller has set this field. Most requests set none.
#[inline]
fn sets(head: &RequestHead<'_>, name: &HeaderName) -> bool {
    !head.headers.is_empty() && head.headers.contains_key(name)
}

#[inline]
fn has_content(head: &RequestHead<'_>) -> bool {
    !matches!(head.body, BodyLength::None | BodyLength::Known(0))
}

/// Appends what follows the target where the caller set fields; says whether one of them asks to close
/// the connection.
fn push_fields(out: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<bool, EncodeError> {
    push_host(out, host(head)?);
    let mut closing = false;
    for (name, value) in head.headers {
        closing |= check_field(name, value, head)?;
        // The credentials of a proxy are no business of an origin (RFC 9110 section 11.7.2).
        let is_misdirected = *name == PROXY_AUTHORIZATION && !head.defaults.is_for_proxy;
        if !is_ours(name) && !is_misdirected {
            push_field(out, name, value);
        }
    }
    closing |= head.defaults.push(out, head.headers);
    Ok(closing)
}

/// The rest of the request line, and Host, which comes first (RFC 9110 section 7.2).
fn push_host(out: &mut Vec<u8>, host: &[u8]) {
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line that begins a chunk of `length` bytes; the chunk of 0 bytes ends the body.
pub fn chunk_head(out: &mut Vec<u8>, length: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // `| 1`: the number 0 has one digit.
    let significant = (usize::BITS - (length | 1).leading_zeros()).div_ceil(4);
    for position in (0..significant).rev() {
        out.push(DIGITS[(length >> (position * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What follows the data of each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a chunked body: the last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// CONNECT asks for a tunnel, which this client does not drive; TRACE has no content (RFC 9110 section
/// 9.3.8).
#[inline(always)] // Of HTTP/2 it is a part as well.
pub(crate) fn check_method(head: &RequestHead<'_>) -> Result<(), EncodeError> {
    match *head.method {
        Method::CONNECT => Err(EncodeError::Connect),
        Method::TRACE if has_content(head) => Err(EncodeError::TraceContent),
        _ => Ok(()),
    }
}

/// Visible ASCII only: anything else could end the line or be read in two ways.
#[inline(always)] // Of HTTP/2 it is a part as well.
pub(crate) fn check_target(target: &str) -> Result<(), EncodeError> {
    let visible = target.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && !target.is_empty() {
        Ok(())
    } else {
        Err(EncodeError::Target)
    }
}

#[inline(always)] // Of HTTP/2 it is a part as well.
pub(crate) fn host<'a>(head: &RequestHead<'a>) -> Result<&'a [u8], EncodeError> {
    // Two Host fields would let two servers see two requests (RFC 9112 section 3.2).
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(head.authority.as_bytes()),
        (Some(host), None) if is_authority(host.as_bytes()) => Ok(host.as_bytes()),
        (Some(_), None) => Err(EncodeError::HostValue),
        (Some(_), Some(_)) => Err(EncodeError::Host),
    }
}

/// Whether a value of Host is `host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 section 3.2): a server
/// answers any other with 400 (RFC 9112 section 3.2), or takes it for another host than a proxy does.
fn is_authority(value: &[u8]) -> bool {
    let literal = value.strip_prefix(b"[");
    let end = literal.map_or(b':', |_| b']');
    let text = literal.unwrap_or(value);
    let at = text.iter().position(|byte| *byte == end);
    let (host, rest) = text.split_at(at.unwrap_or(text.len()));
    let port = match literal {
        Some(_) => rest.strip_prefix(b"]"),
        None => Some(rest),
    };
    let is_host = match literal {
        Some(_) => {
            host.is_ascii()
                && str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv6Addr>().is_ok())
        }
        None => !host.is_empty() && host.iter().all(|byte| is_reg_name(*byte)),
    };
    is_host && port.is_some_and(is_port)
}

/// A byte of a registered name (RFC 3986 section 3.2.2): unreserved, a sub-delimiter, or of an escape.
fn is_reg_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte)
}

/// Nothing, or a colon and a port, which may be empty (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    match text.strip_prefix(b":") {
        None => text.is_empty(),
        Some(port) => port.is_empty() || parse_decimal(port).is_some_and(|port| port <= 65535),
    }
}

/// Fields that the head writes itself, whatever the caller set.
fn is_ours(name: &HeaderName) -> bool {
    *name == HOST || *name == CONTENT_LENGTH || *name == EXPECT
}

/// Refuses fields by which one request could be read as two (CWE-444); says whether the field asks to
/// close the connection.
#[inline(always)] // Of HTTP/2 it is a part as well.
pub(crate) fn check_field(
    name: &HeaderName,
    value: &HeaderValue,
    head: &RequestHead<'_>,
) -> Result<bool, EncodeError> {
    if *name == TRANSFER_ENCODING {
        return Err(EncodeError::TransferEncoding);
    }
    // Only where the caller is prepared for another protocol behind the head.
    if *name == UPGRADE && head.asks != Asks::Upgrade {
        return Err(EncodeError::Upgrade);
    }
    if *name == EXPECT {
        check_expect(value, head)?;
    }
    if *name == CONTENT_LENGTH {
        let stated = parse_decimal(value.as_bytes());
        let real = match head.body {
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        };
        // Two lengths in one head would let two servers split the connection differently.
        if stated.is_none() || stated != real {
            return Err(EncodeError::ContentLength);
        }
    }
    Ok(*name == CONNECTION && has_token(value, b"close"))
}

/// No other expectation is defined, and this one needs content (RFC 9110 section 10.1.1). It may stand
/// several times: the head says it once.
fn check_expect(value: &HeaderValue, head: &RequestHead<'_>) -> Result<(), EncodeError> {
    if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Err(EncodeError::Expect);
    }
    match has_content(head) {
        true => Ok(()),
        false => Err(EncodeError::ExpectWithoutContent),
    }
}

fn has_token(value: &HeaderValue, token: &[u8]) -> bool {
    let mut tokens = value.as_bytes().split(|byte| *byte == b',');
    tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token))
}

/// Names and values are the `http` crate's, which admits no CR, LF or NUL.
pub(super) fn push_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_framing(out: &mut Vec<u8>, head: &RequestHead<'_>) {
    match head.body {
        BodyLength::Unknown => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyLength::Known(length @ 1..) => push_content_length(out, length),
        // A method that is expected to carry content says that it carries none; any other only if the
        // caller does (RFC 9110 section 8.6).
        BodyLength::Known(0) | BodyLength::None => {
            if matches!(*head.method, Method::POST | Method::PUT | Method::PATCH)
                || sets(head, &CONTENT_LENGTH)
            {
                push_content_length(out, 0);
            }
        }
    }
}

fn push_content_length(out: &mut Vec<u8>, length: u64) {
    let mut digits = [0; DIGITS_MAX];
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(decimal(length, &mut digits));
    out.extend_from_slice(b"\r\n");
}

/// The digits of the largest u64.
pub(crate) const DIGITS_MAX: usize = 20;

/// Writes a number into `digits`, from its end, and returns it.
#[inline(always)]
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut first = DIGITS_MAX;
    // From the last digit to the first.
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    &digits[first..]
}

#[cfg(test)]
pub(super) mod tests;
