//! What is wrong: with a connection, or with one stream of it (RFC 9113 sections 5.4 and 7).

use std::fmt;

use super::limits::PROBE_WAIT_MS;

/// An error code of RST_STREAM and GOAWAY (RFC 9113 section 7). Codes that are not registered are kept as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Nothing is wrong.
    pub const NO_ERROR: ErrorCode = ErrorCode(0x0);
    /// The peer has broken the protocol.
    pub const PROTOCOL_ERROR: ErrorCode = ErrorCode(0x1);
    /// A fault of the sender's own.
    pub const INTERNAL_ERROR: ErrorCode = ErrorCode(0x2);
    /// The peer has sent more than its window.
    pub const FLOW_CONTROL_ERROR: ErrorCode = ErrorCode(0x3);
    /// SETTINGS were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: ErrorCode = ErrorCode(0x4);
    /// A frame came for a stream that was closed.
    pub const STREAM_CLOSED: ErrorCode = ErrorCode(0x5);
    /// A frame has a wrong length.
    pub const FRAME_SIZE_ERROR: ErrorCode = ErrorCode(0x6);
    /// The request was not processed.
    pub const REFUSED_STREAM: ErrorCode = ErrorCode(0x7);
    /// The answer is not wanted any more.
    pub const CANCEL: ErrorCode = ErrorCode(0x8);
    /// A field block cannot be decoded.
    pub const COMPRESSION_ERROR: ErrorCode = ErrorCode(0x9);
    /// The connection behind CONNECT failed.
    pub const CONNECT_ERROR: ErrorCode = ErrorCode(0xa);
    /// The peer makes work that has no use.
    pub const ENHANCE_YOUR_CALM: ErrorCode = ErrorCode(0xb);
    /// The peer's TLS is too weak.
    pub const INADEQUATE_SECURITY: ErrorCode = ErrorCode(0xc);
    /// The request is to be sent by HTTP/1.1.
    pub const HTTP_1_1_REQUIRED: ErrorCode = ErrorCode(0xd);

    /// The registered name.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        NAMES.get(self.0 as usize).copied()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the server has done that ends the connection: GOAWAY carries the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The code of the GOAWAY.
    pub code: ErrorCode,
    /// What was wrong.
    pub what: &'static str,
}

impl ConnectionError {
    #[cold]
    pub(crate) fn new(code: ErrorCode, what: &'static str) -> ConnectionError {
        ConnectionError { code, what }
    }

    #[cold]
    pub(crate) fn protocol(what: &'static str) -> ConnectionError {
        ConnectionError::new(ErrorCode::PROTOCOL_ERROR, what)
    }

    #[cold]
    pub(crate) fn frame_size(what: &'static str) -> ConnectionError {
        ConnectionError::new(ErrorCode::FRAME_SIZE_ERROR, what)
    }

    /// The server makes work without end.
    #[cold]
    pub(crate) fn calm(what: &'static str) -> ConnectionError {
        ConnectionError::new(ErrorCode::ENHANCE_YOUR_CALM, what)
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.code)
    }
}

impl std::error::Error for ConnectionError {}

/// Why a stream has ended without a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The server has reset it.
    Reset(ErrorCode),
    /// The answer is malformed (RFC 9113 section 8.1.1).
    Malformed(&'static str),
    /// The head has more bytes than its limit.
    HeadTooLarge {
        /// The limit that was passed.
        max: usize,
    },
    /// The head has more fields than its limit.
    TooManyFields {
        /// The limit that was passed.
        max: usize,
    },
    /// The server goes away and has not processed the request: GOAWAY names a stream before it.
    NotProcessed(ErrorCode),
    /// The connection has ended in one of these ways.
    Connection(ConnectionEnd),
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// The server has closed it.
    Closed,
    /// Reading or writing failed.
    Failed(std::io::ErrorKind),
    /// The server has broken the protocol.
    Broken(ConnectionError),
    /// The server has closed it for the reason that its GOAWAY gave.
    GoAway(ErrorCode),
    /// The server has not answered a PING in time.
    Silent,
    /// The client was closed, or the runtime of the connection has ended.
    Abandoned,
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionEnd::Closed => f.write_str("server closed the connection"),
            ConnectionEnd::Failed(kind) => write!(f, "connection failed: {kind}"),
            ConnectionEnd::Broken(error) => write!(f, "server broke HTTP/2: {error}"),
            ConnectionEnd::GoAway(code) => write!(f, "server ended the connection with {code}"),
            ConnectionEnd::Silent => {
                let seconds = PROBE_WAIT_MS / 1_000;
                write!(f, "server did not answer a PING within {seconds} s")
            }
            ConnectionEnd::Abandoned => f.write_str("connection was closed at this end"),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Reset(code) => write!(f, "server reset the stream with {code}"),
            StreamError::Malformed(what) => write!(f, "response is malformed: {what}"),
            StreamError::HeadTooLarge { max } => write!(f, "response head exceeds {max} bytes"),
            StreamError::TooManyFields { max } => write!(f, "response head exceeds {max} fields"),
            StreamError::NotProcessed(code) => {
                write!(
                    f,
                    "server goes away with {code} and has not processed the request"
                )
            }
            StreamError::Connection(end) => fmt::Display::fmt(end, f),
        }
    }
}

impl std::error::Error for StreamError {}
