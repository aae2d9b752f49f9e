//! How the body of a response is framed (RFC 9112 section 6.3).

use http::{StatusCode, Version};

use super::error::ParseError;
use crate::head::{ResponseHead, eq_ignore_case};

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete by RFC 9112 section 6.3")]
pub enum Framing {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// Where the connection ends.
    CloseDelimited,
}

/// What the framing fields of a head say; one pass over the fields gathers it.
#[derive(Debug, Default)]
pub(crate) struct FramingFields {
    content_length: Option<u64>,
    transfer_encoding: bool,
    chunked: bool,
    /// What is wrong with them. It is no error of a response that has no body.
    fault: Fault,
    /// Something is wrong, or Transfer-Encoding is spelled in a way that another recipient may read
    /// differently.
    unusual: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) keep_alive_seconds: Option<u32>,
}

/// What is wrong with framing fields, in a byte: every response has one.
#[derive(Clone, Copy, Debug, Default)]
enum Fault {
    #[default]
    None,
    ContentLength,
    TransferEncoding,
}

impl FramingFields {
    #[inline(always)] // Once for every response.
    pub(crate) fn read(&mut self, head: &ResponseHead) {
        // Most fields are passed over by the length of their name alone: connection and keep-alive,
        // content-length, and transfer-encoding have 10, 14 and 17 letters.
        for (name, value) in head.iter_of_lengths([10, 14, 17]) {
            match name.len() {
                10 if eq_ignore_case(name, b"connection") => self.add_connection(value),
                10 if eq_ignore_case(name, b"keep-alive") => self.add_keep_alive(value),
                14 if eq_ignore_case(name, b"content-length") => self.add_length(value),
                17 if eq_ignore_case(name, b"transfer-encoding") => self.add_codings(value),
                _ => {}
            }
        }
    }

    /// Whether there is nothing to be said but the length of the body: one Content-Length, one plain
    /// `chunked`, or neither, in HTTP/1.1.
    #[inline]
    pub(crate) fn is_plain(&self, head: &ResponseHead) -> bool {
        let has_both = self.transfer_encoding && self.content_length.is_some();
        let says_more = self.unusual || self.close || self.keep_alive_seconds.is_some();
        !says_more && !has_both && head.version() == Version::HTTP_11 && head.skipped_fields() == 0
    }

    /// Whether another recipient may find the end of this message elsewhere: both ways of framing were
    /// present, one is malformed, or Transfer-Encoding is unusual. The connection is closed after it
    /// (RFC 9112 section 6.1).
    pub(crate) fn is_ambiguous(&self, version: Version) -> bool {
        // HTTP/1.0 knows no transfer codings.
        let has_both = self.content_length.is_some() || version == Version::HTTP_10;
        self.unusual || self.transfer_encoding && has_both
    }

    /// What is wrong with the framing of a response with `status` to a request that was HEAD or not.
    pub(crate) fn check(&self, to_head: bool, status: StatusCode) -> Result<(), ParseError> {
        match self.fault {
            _ if is_bodiless(to_head, status) => Ok(()),
            Fault::None => Ok(()),
            Fault::ContentLength => Err(ParseError::ContentLength),
            Fault::TransferEncoding => Err(ParseError::TransferEncoding),
        }
    }

    /// The framing of a response with `status` to a request that was HEAD or not, whose fields are right.
    pub(crate) fn framing(&self, to_head: bool, status: StatusCode) -> Framing {
        if is_bodiless(to_head, status) {
            return Framing::None;
        }
        if self.chunked {
            return Framing::Chunked;
        }
        // Transfer-Encoding has overridden Content-Length (section 6.3, rule 3).
        match self.content_length {
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::CloseDelimited,
        }
    }

    fn add_connection(&mut self, value: &[u8]) {
        // The field is a list, and may be there several times (RFC 9110 section 7.6.1).
        for token in value.split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// The shortest time counts; what is no time says nothing.
    fn add_keep_alive(&mut self, value: &[u8]) {
        for parameter in value.split(|byte| *byte == b',') {
            let parameter = parameter.trim_ascii();
            let (name, seconds) = parameter.split_at(parameter.len().min(b"timeout=".len()));
            if !name.eq_ignore_ascii_case(b"timeout=") {
                continue;
            }
            if let Some(seconds) = parse_decimal(seconds) {
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                let shortest = self.keep_alive_seconds.unwrap_or(u32::MAX).min(seconds);
                self.keep_alive_seconds = Some(shortest);
            }
        }
    }

    /// A second Content-Length is refused even if it says the same, which RFC 9112 section 6.3 permits:
    /// two lengths are how request and response smuggling begins, and no server needs them.
    fn add_length(&mut self, value: &[u8]) {
        let length = parse_decimal(value);
        let former = std::mem::replace(&mut self.content_length, length);
        if length.is_none() || former.is_some() {
            self.found(Fault::ContentLength);
        }
    }

    #[cold]
    fn found(&mut self, fault: Fault) {
        self.fault = fault;
        self.unusual = true;
    }

    /// Only one coding is understood, `chunked`, and it can stand only once. Empty elements of the list
    /// (RFC 9110 section 5.6.1) and `identity`, which means none (RFC 2616 section 3.6), are passed
    /// over.
    fn add_codings(&mut self, value: &[u8]) {
        let repeated = std::mem::replace(&mut self.transfer_encoding, true);
        // As nearly every server writes it.
        if !repeated && value == b"chunked" {
            self.chunked = true;
            return;
        }
        self.unusual = true;
        for coding in value.split(|byte| *byte == b',') {
            let coding = coding.trim_ascii();
            if coding.eq_ignore_ascii_case(b"chunked") && !self.chunked {
                self.chunked = true;
            } else if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                self.found(Fault::TransferEncoding);
            }
        }
    }
}

/// Whether there is no body, whatever the fields say: they describe the response that a GET would get (RFC
/// 9112 section 6.3, rule 1).
#[inline]
pub(crate) fn is_bodiless(to_head: bool, status: StatusCode) -> bool {
    let says_so = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    to_head || says_so || status.is_informational()
}

/// Digits only, 64 bits: no sign, no list, no white space inside.
pub(crate) fn parse_decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    // Each step is checked: a length that wraps would let the rest of the body pass for a response.
    value.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
