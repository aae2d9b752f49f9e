//! How the command ends.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::process::ExitCode;

use turbohttp::{Error, ErrorKind, Phase};

/// What the exit code says. Where curl has a code for it, it is curl's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok = 0,
    /// Some requests failed, or one did for a reason without a code of its own.
    SomeFailed = 1,
    /// What was typed cannot be done.
    Usage = 2,
    /// A measured figure passed its budget.
    #[cfg_attr(
        not(feature = "selfcheck"),
        expect(dead_code, reason = "only `selfcheck` has gates")
    )]
    GateFailed = 3,
    /// The name of the proxy has no address.
    ProxyDns = 5,
    /// The name has no address.
    Dns = 6,
    /// No connection could be made.
    Connect = 7,
    /// The head of the response is not HTTP.
    WeirdReply = 8,
    /// The server broke the framing of HTTP/2, or takes no requests on its connection.
    Framing = 16,
    /// The response ended too early.
    Truncated = 18,
    /// The status is 400 or more, and --fail was given.
    Status = 22,
    /// The body cannot be written where it was to go.
    Write = 23,
    /// The content of the request cannot be read.
    Read = 26,
    /// A limit of time was reached.
    Timeout = 28,
    /// The server sends no part of the file that --continue-at could go on with.
    Range = 33,
    /// The TLS handshake failed.
    Tls = 35,
    /// The interface or the address of --interface is none of this machine.
    Interface = 45,
    /// A redirect cannot be followed, or there are too many of them.
    Redirect = 47,
    /// The server closed the connection without an answer.
    EmptyReply = 52,
    /// The connection failed while the request was sent.
    Send = 55,
    /// The connection failed, or the body was malformed, while the response was received.
    Receive = 56,
    /// The certificate of the server was refused.
    Certificate = 60,
    /// The content coding of the body is broken.
    Coding = 61,
    /// The body is longer than --max-filesize.
    TooLong = 63,
    /// The public key of the server is none of --pinnedpubkey.
    PinnedKey = 90,
    /// The server reset the stream of HTTP/2, or what came on it is malformed.
    Stream = 92,
    /// The SOCKS proxy refused, or did not speak SOCKS.
    Proxy = 97,
    #[cfg(unix)]
    /// Ended by SIGHUP: 128 and the number of the signal, as shells say it.
    HungUp = 129,
    /// Ended by Ctrl-C.
    Interrupted = 130,
    /// Ended by SIGTERM.
    #[cfg(unix)]
    Terminated = 143,
}

/// The codes, for the help.
pub(crate) const CODES: &str = "\
Exit codes: 0 ok, 1 some requests failed, 2 usage, 3 a gate failed; of `get`, with curl's numbers: \
5 no address for the name of the proxy, 6 none for that of the server, 7 no connection, 8 not HTTP, 16 HTTP/2 broken, 18 truncated, 22 status of 400 or more with \
--fail, 23 the output cannot be written, 26 the content cannot be read, 28 a time limit, 33 no part for --continue-at, 35 TLS \
handshake, 45 no such --interface, 47 too many redirects, or one that cannot be followed, 52 no answer, 55 sending failed, 56 receiving failed, \
60 certificate refused, 61 content coding broken, 63 longer than --max-filesize, 90 another public key than \
--pinnedpubkey, 92 stream of HTTP/2 failed, 97 SOCKS proxy refused; 129, 130 and 143 ended by SIGHUP, Ctrl-C and SIGTERM.";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What the client says of a failure of HTTP/2, and the codes: it tells these apart in words only. curl has a
/// connection that is closed under a stream for a response that is cut, answered or not.
const HTTP2: [(&str, Exit); 7] = [
    ("server reset the stream with ", Exit::Stream),
    ("response is malformed: ", Exit::Stream),
    // Before the one that it is a case of.
    (
        "server broke HTTP/2: server speaks HTTP/1.1",
        Exit::WeirdReply,
    ),
    ("server broke HTTP/2: ", Exit::Framing),
    ("server goes away with ", Exit::Framing),
    ("server ended the connection with ", Exit::Truncated),
    ("server closed the connection", Exit::Truncated),
];

/// The code of a request that failed by what belongs to HTTP/2 alone.
fn of_http2(error: &Error) -> Option<Exit> {
    let message = error.to_string();
    let mut known = HTTP2.iter();
    let found = known.find(|(words, _)| message.starts_with(words));
    found.map(|(_, exit)| *exit)
}

/// The code of a request that failed.
fn of_client(error: &Error) -> Exit {
    if let Some(exit) = of_http2(error) {
        return exit;
    }
    match error.kind() {
        ErrorKind::Config | ErrorKind::Url | ErrorKind::Request => Exit::Usage,
        // The client tells the two apart in its message only.
        ErrorKind::Dns if error.to_string().starts_with("on the way to ") => Exit::ProxyDns,
        ErrorKind::Dns => Exit::Dns,
        ErrorKind::Connect if mentions(error, "cannot connect from ") => Exit::Interface,
        ErrorKind::Connect => Exit::Connect,
        ErrorKind::Tls if mentions(error, "public key is not pinned") => Exit::PinnedKey,
        ErrorKind::Tls if is_certificate(error) => Exit::Certificate,
        ErrorKind::Tls => Exit::Tls,
        ErrorKind::Timeout | ErrorKind::ExpiredInQueue => Exit::Timeout,
        ErrorKind::Redirect => Exit::Redirect,
        // A proxy that has answered said no; one of SOCKS says so in its own words.
        ErrorKind::Proxy if mentions(error, "socks5") => Exit::Proxy,
        ErrorKind::Proxy => Exit::Receive,
        ErrorKind::Decode => Exit::Coding,
        ErrorKind::RequestBody => Exit::Read,
        ErrorKind::Output => Exit::Write,
        ErrorKind::Status => Exit::Status,
        ErrorKind::Truncated if is_empty_reply(error) => Exit::EmptyReply,
        ErrorKind::Truncated => Exit::Truncated,
        ErrorKind::Protocol if error.phase() != Some(Phase::Receive) => Exit::WeirdReply,
        ErrorKind::Io if error.phase() == Some(Phase::Send) => Exit::Send,
        ErrorKind::Protocol | ErrorKind::Io | ErrorKind::TooLarge => Exit::Receive,
        _ => Exit::SomeFailed,
    }
}

/// Whether the error or one of its causes says so: for what the client tells apart in words only.
fn mentions(error: &Error, words: &str) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains(words) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the handshake failed because of the server's certificate.
fn is_certificate(error: &Error) -> bool {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    let inner = io.and_then(io::Error::get_ref);
    let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether the connection ended before the first byte of a response. Only the message of the client
/// tells it apart from a head that is cut.
fn is_empty_reply(error: &Error) -> bool {
    error
        .to_string()
        .starts_with("connection ended 0 bytes into the response head")
}

/// What a message means for the exit code: the context of an error that is not the client's.
#[derive(Debug)]
pub(crate) struct Told {
    exit: Exit,
    message: String,
}

impl Told {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Told {
        Told {
            exit,
            message: message.into(),
        }
    }

    /// Output that cannot be written.
    pub(crate) fn unwritten(message: impl Into<String>) -> Told {
        Told::new(Exit::Write, message)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Told {}

/// An error that ends the command, and how.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// What was typed cannot be done, unless the error is told to be something else.
    pub(crate) fn usage(error: anyhow::Error) -> Failure {
        let told = error.downcast_ref::<Told>();
        Failure {
            exit: told.map_or(Exit::Usage, |told| told.exit),
            error,
        }
    }
}

impl From<anyhow::Error> for Failure {
    /// What was told of the error, or the client's word on whose fault it is, decides the exit code.
    fn from(error: anyhow::Error) -> Failure {
        let client = || {
            let mut chain = error.chain();
            chain.find_map(|cause| cause.downcast_ref::<Error>())
        };
        let exit = match error.downcast_ref::<Told>() {
            Some(told) => told.exit,
            None => client().map_or(Exit::SomeFailed, of_client),
        };
        Failure { exit, error }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{Error, ErrorKind, Exit, Failure, Told};

    #[test]
    fn what_was_told_is_found_below_other_contexts() {
        let io = std::io::Error::other("full");
        let error = Err::<(), _>(io).context(Told::unwritten("x cannot be written"));
        let failure = Failure::from(error.context("http://h/").unwrap_err());
        assert_eq!(failure.exit, Exit::Write);
        let error = anyhow::Error::from(Error::new(ErrorKind::Dns, "no address")).context("h");
        assert_eq!(Failure::from(error).exit, Exit::Dns);
        let error = anyhow::Error::msg("other");
        assert_eq!(Failure::from(error).exit, Exit::SomeFailed);
    }
}
