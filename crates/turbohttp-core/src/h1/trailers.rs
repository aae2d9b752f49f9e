//! The trailer section of a request: the fields behind the last chunk (RFC 9110 section 6.5).

use http::HeaderMap;
use http::header::{self, HeaderName};

use super::encode::{REQUEST_HEAD_BYTES_MAX, push_field};
use super::error::SendError;

/// Fields that are of no use behind the content, or dangerous there (RFC 9110 section 6.5.1): those of framing,
/// routing, authentication and connections, those that change what the request asks for, and those that say
/// how the content is read.
const FORBIDDEN: [HeaderName; 28] = [
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TRAILER,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    header::PROXY_AUTHENTICATE,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_RANGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::EXPECT,
    header::MAX_FORWARDS,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
];

/// Whether these fields may stand in the trailer section of a request.
///
/// # Errors
///
/// [`SendError`] for a field that must not stand there, and for a section of more than
/// [`REQUEST_HEAD_BYTES_MAX`] bytes.
pub fn check_trailers(trailers: &HeaderMap) -> Result<(), SendError> {
    if let Some(name) = trailers.keys().find(|name| FORBIDDEN.contains(name)) {
        return Err(SendError::TrailerField(name.clone()));
    }
    // With `: ` and the end of the line, as it is written.
    let fields = trailers.iter();
    let bytes: usize = fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    match bytes <= REQUEST_HEAD_BYTES_MAX {
        true => Ok(()),
        false => Err(SendError::TrailersTooLarge {
            max: REQUEST_HEAD_BYTES_MAX,
        }),
    }
}

/// Appends the last chunk, and the trailer section behind it.
pub(super) fn push_last_chunk(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        push_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}
