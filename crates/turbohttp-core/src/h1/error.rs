//! What can be wrong with the bytes of a response, and where.

use std::fmt;

use http::HeaderName;

/// Why bytes from a server are not a response that this client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// The first bytes are not `HTTP/1.`: another protocol, or bytes left over.
    NotHttp,
    /// The head is longer than the limit, in bytes.
    HeadTooLarge {
        /// The limit that was passed.
        max: usize,
    },
    /// The head has more fields than the limit.
    TooManyFields {
        /// The limit that was passed.
        max: usize,
    },
    /// Interim (1xx) heads add up to more than the limit of one head, in bytes.
    TooManyInterim {
        /// The limit that was passed.
        max: usize,
    },
    /// The status line is malformed.
    StatusLine,
    /// A field name is malformed, or white space stands before the colon.
    FieldName,
    /// A field value holds a control byte.
    FieldValue,
    /// A line does not end as it must.
    LineEnd,
    /// `101 Switching Protocols` answers a request that did not ask for it.
    UnexpectedUpgrade,
    /// Content-Length is no number, is repeated, or does not fit 64 bits (RFC 9112 section 6.3).
    ContentLength,
    /// Transfer-Encoding has a coding other than one `chunked`.
    TransferEncoding,
    /// A chunk size is no hexadecimal number or does not fit 64 bits.
    ChunkSize,
    /// The data of a chunk is not followed by CRLF.
    ChunkEnd,
    /// Chunk extensions of one body add up to more than the limit, in bytes.
    ChunkExtensions {
        /// The limit that was passed.
        max: usize,
    },
    /// The trailer section is longer than the limit of a head, or malformed.
    Trailers,
    /// The connection ended inside the head, this many bytes into it.
    HeadTruncated {
        /// Bytes of the head that had arrived.
        received: usize,
    },
    /// The connection ended inside the body; bytes still missing where the length is known.
    BodyTruncated {
        /// Bytes that were announced and did not arrive.
        missing: Option<u64>,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ParseError::NotHttp => f.write_str("response does not begin with HTTP/1."),
            ParseError::HeadTooLarge { max } => write!(f, "response head exceeds {max} bytes"),
            ParseError::TooManyFields { max } => write!(f, "response head exceeds {max} fields"),
            ParseError::TooManyInterim { max } => {
                write!(f, "interim responses exceed {max} bytes in all")
            }
            ParseError::StatusLine => f.write_str("status line is malformed"),
            ParseError::FieldName => f.write_str("field name is malformed"),
            ParseError::FieldValue => f.write_str("field value holds a control byte"),
            ParseError::LineEnd => f.write_str("line end in the head is malformed"),
            ParseError::UnexpectedUpgrade => {
                f.write_str("101 Switching Protocols to a request that asked for no upgrade")
            }
            ParseError::ContentLength => {
                f.write_str("Content-Length is malformed, repeated or too large")
            }
            ParseError::TransferEncoding => {
                f.write_str("Transfer-Encoding is something other than a final chunked")
            }
            ParseError::ChunkSize => f.write_str("chunk size is malformed or too large"),
            ParseError::ChunkEnd => f.write_str("chunk data is not followed by CRLF"),
            ParseError::ChunkExtensions { max } => {
                write!(f, "chunk extensions exceed {max} bytes")
            }
            ParseError::Trailers => f.write_str("trailer section is malformed or too large"),
            ParseError::HeadTruncated { received } => {
                write!(
                    f,
                    "connection ended {received} bytes into the response head"
                )
            }
            ParseError::BodyTruncated {
                missing: Some(missing),
            } => {
                write!(
                    f,
                    "connection ended with {missing} bytes of the body missing"
                )
            }
            ParseError::BodyTruncated { missing: None } => {
                f.write_str("connection ended before the last chunk")
            }
        }
    }
}

impl std::error::Error for ParseError {}

/// Why a request cannot be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The target holds a control byte, a space or a byte beyond ASCII.
    Target,
    /// The caller set Transfer-Encoding: framing is the client's.
    TransferEncoding,
    /// The caller set Content-Length to something other than the length of the body.
    ContentLength,
    /// The caller set more than one Host field.
    Host,
    /// The caller set Upgrade in a request that does not ask for another protocol.
    Upgrade,
    /// The method is CONNECT, which asks for a tunnel.
    Connect,
    /// The caller set Host to something other than a host and maybe a port.
    HostValue,
    /// Expect is something other than `100-continue`, the only expectation there is.
    Expect,
    /// Expect is set for a request without content.
    ExpectWithoutContent,
    /// Expect is set for every request: it belongs to a single body.
    ExpectDefault,
    /// TRACE with content.
    TraceContent,
    /// The head is longer than the limit, in bytes.
    HeadTooLarge {
        /// The limit that was passed.
        max: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EncodeError::Target => f.write_str("request target holds a byte that no URL may hold"),
            EncodeError::TransferEncoding => {
                f.write_str("Transfer-Encoding cannot be set by hand: the body decides the framing")
            }
            EncodeError::ContentLength => {
                f.write_str("Content-Length differs from the length of the body")
            }
            EncodeError::Host => f.write_str("more than one Host field"),
            EncodeError::Upgrade => {
                f.write_str("Upgrade cannot be set by hand: ask for a protocol with upgrade()")
            }
            EncodeError::Connect => f.write_str("CONNECT is not supported"),
            EncodeError::HostValue => {
                f.write_str("Host is not a host with at most a port: host[:port]")
            }
            EncodeError::Expect => f.write_str("Expect is something other than 100-continue"),
            EncodeError::ExpectWithoutContent => {
                f.write_str("Expect: 100-continue needs content that waits for it")
            }
            EncodeError::ExpectDefault => {
                f.write_str("Expect cannot be a default field: it belongs to a single body")
            }
            EncodeError::TraceContent => f.write_str("TRACE has no content"),
            EncodeError::HeadTooLarge { max } => write!(f, "request head exceeds {max} bytes"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Why the content of a request cannot be sent as it was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The content has another length than Content-Length says.
    Length {
        /// Bytes that were announced.
        announced: u64,
        /// Bytes that the source has given so far.
        given: u64,
    },
    /// A field that must not stand behind the content (RFC 9110 section 6.5.1).
    TrailerField(HeaderName),
    /// The trailer section is longer than the limit, in bytes.
    TrailersTooLarge {
        /// The limit that was passed.
        max: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Length { announced, given } => write!(
                f,
                "the request body was announced with {announced} bytes and gave {given}"
            ),
            SendError::TrailerField(name) => {
                write!(f, "field {name} must not be a trailer of a request")
            }
            SendError::TrailersTooLarge { max } => {
                write!(f, "trailer section of the request exceeds {max} bytes")
            }
        }
    }
}

impl std::error::Error for SendError {}
