//! What a function of the ABI returns in place of success: a code, and its text.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt::Write as _;

use turbohttp::ErrorKind;

use crate::abi;

/// A code of the ABI and the text that explains it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: i32,
    pub(crate) text: Cow<'static, str>,
}

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub(crate) fn new(code: i32, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault {
            code,
            text: text.into(),
        }
    }

    /// An argument that is out of its bounds.
    pub(crate) fn argument(text: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(abi::TH_ARG, text)
    }

    pub(crate) fn stale(what: &'static str) -> Fault {
        let text = match what {
            "client" => "no such client: it was destroyed, or never made",
            _ => "no such request: it was released, or never made",
        };
        Fault::new(abi::TH_STALE, text)
    }
}

impl From<turbohttp::Error> for Fault {
    fn from(error: turbohttp::Error) -> Fault {
        Fault::new(code(error.kind()), text(&error))
    }
}

/// The name of a code; of what is none nothing.
pub(crate) fn code_name(code: i32) -> &'static str {
    match code {
        abi::TH_OK => "TH_OK",
        abi::TH_WOULD_BLOCK => "TH_WOULD_BLOCK",
        abi::TH_EOF => "TH_EOF",
        abi::TH_STALE => "TH_STALE",
        abi::TH_ARG => "TH_ARG",
        abi::TH_STATE => "TH_STATE",
        abi::TH_QUEUE_FULL => "TH_QUEUE_FULL",
        abi::TH_SHUTDOWN => "TH_SHUTDOWN",
        abi::TH_CANCELLED => "TH_CANCELLED",
        abi::TH_TIMEOUT => "TH_TIMEOUT",
        abi::TH_DNS => "TH_DNS",
        abi::TH_CONNECT => "TH_CONNECT",
        abi::TH_TLS => "TH_TLS",
        abi::TH_PROXY => "TH_PROXY",
        abi::TH_PROTOCOL => "TH_PROTOCOL",
        abi::TH_IO => "TH_IO",
        abi::TH_TOO_LARGE => "TH_TOO_LARGE",
        abi::TH_REDIRECT => "TH_REDIRECT",
        abi::TH_REQUEST_BODY => "TH_REQUEST_BODY",
        abi::TH_DECODE => "TH_DECODE",
        abi::TH_OUTPUT => "TH_OUTPUT",
        abi::TH_CHECKSUM => "TH_CHECKSUM",
        abi::TH_CHANGED => "TH_CHANGED",
        abi::TH_STATUS => "TH_STATUS",
        abi::TH_RUNTIME => "TH_RUNTIME",
        abi::TH_PANIC => "TH_PANIC",
        abi::TH_BUSY => "TH_BUSY",
        _ => "",
    }
}

/// The error and everything below it, in one line.
pub(crate) fn text(error: &turbohttp::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let deeper = error.to_string();
        if !text.contains(&deeper) {
            _ = write!(text, ": {deeper}");
        }
        source = error.source();
    }
    text
}

/// The code of each kind; one that is not known here is the engine's.
pub(crate) fn code(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Config | ErrorKind::Url | ErrorKind::Request => abi::TH_ARG,
        ErrorKind::RequestBody => abi::TH_REQUEST_BODY,
        ErrorKind::Protocol => abi::TH_PROTOCOL,
        ErrorKind::Truncated | ErrorKind::Io => abi::TH_IO,
        ErrorKind::Status => abi::TH_STATUS,
        ErrorKind::Redirect => abi::TH_REDIRECT,
        ErrorKind::Decode => abi::TH_DECODE,
        ErrorKind::Dns => abi::TH_DNS,
        ErrorKind::Connect => abi::TH_CONNECT,
        ErrorKind::Tls => abi::TH_TLS,
        ErrorKind::Proxy => abi::TH_PROXY,
        ErrorKind::Timeout | ErrorKind::ExpiredInQueue => abi::TH_TIMEOUT,
        ErrorKind::TooLarge => abi::TH_TOO_LARGE,
        ErrorKind::Output => abi::TH_OUTPUT,
        ErrorKind::Checksum => abi::TH_CHECKSUM,
        ErrorKind::Changed => abi::TH_CHANGED,
        ErrorKind::Closed => abi::TH_SHUTDOWN,
        ErrorKind::Full | ErrorKind::Busy | ErrorKind::CircuitOpen => abi::TH_QUEUE_FULL,
        ErrorKind::Canceled => abi::TH_CANCELLED,
        ErrorKind::Panicked => abi::TH_PANIC,
        _ => abi::TH_RUNTIME,
    }
}
