//! What a request target asks for.

use crate::head::decimal;

/// The routes, as `/` lists them.
pub const ROUTES: &str = "\
/                    this list
/small               13 bytes behind 6 header fields
/bytes/N             N bytes, byte i being i mod 251
/chunked/COUNT/SIZE  the same in COUNT chunks of SIZE bytes
/status/CODE         an answer with status CODE (200 to 599); a 3xx points to /small
/delay/MS            /small after MS milliseconds
/slow/BYTES/MS       BYTES bytes in ten pieces with MS milliseconds between them
/close/N             N bytes, delimited by the end of the connection
/trailers/N          N bytes in a chunk, and behind them the trailer field x-trailer
/drop                closes the connection without an answer
/drop/N              announces N bytes, sends half of them and closes
/reset               resets the connection instead of an answer; over HTTP/2 the stream
/reset/CODE          the same with an error code of HTTP/2, as 7 for REFUSED_STREAM
/echo                the content of the request
/post                reads the content of the request, then as /small
/headers             the request head as text
/never               never answers
/id/ANY              ANY
";

/// A parsed request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Index,
    Small,
    Bytes(u64),
    Chunked {
        count: u64,
        size: u64,
    },
    Status(u16),
    Delay {
        ms: u64,
    },
    Slow {
        bytes: u64,
        ms: u64,
    },
    Close(u64),
    Trailers(u64),
    Drop,
    DropHalfway(u64),
    /// With an error code, if one is asked for.
    Reset(Option<u32>),
    Echo,
    Headers,
    Never,
    Id(&'a [u8]),
    Unknown,
}

impl<'a> Route<'a> {
    /// Reads the target in origin-form or absolute-form; the query is ignored.
    pub(crate) fn parse(target: &'a [u8]) -> Route<'a> {
        let path = path(target);
        if let Some(any) = path.strip_prefix(b"/id/") {
            return Route::Id(any);
        }
        let words: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
        Route::of(&words).unwrap_or(Route::Unknown)
    }

    fn of(words: &[&[u8]]) -> Option<Route<'a>> {
        Some(match *words {
            [b""] => Route::Index,
            // Every route reads the content of the request first.
            [b"small" | b"post"] => Route::Small,
            [b"bytes", length] => Route::Bytes(decimal(length)?),
            [b"chunked", count, size] => Route::Chunked {
                count: decimal(count)?,
                size: decimal(size)?,
            },
            [b"status", code] => {
                let code = u16::try_from(decimal(code)?).ok()?;
                Route::Status((200..600).contains(&code).then_some(code)?)
            }
            [b"delay", ms] => Route::Delay { ms: decimal(ms)? },
            [b"slow", bytes, ms] => Route::Slow {
                bytes: decimal(bytes)?,
                ms: decimal(ms)?,
            },
            [b"close", length] => Route::Close(decimal(length)?),
            [b"trailers", length] => Route::Trailers(decimal(length)?),
            [b"drop"] => Route::Drop,
            [b"drop", length] => Route::DropHalfway(decimal(length)?),
            [b"reset"] => Route::Reset(None),
            [b"reset", code] => Route::Reset(Some(u32::try_from(decimal(code)?).ok()?)),
            [b"echo"] => Route::Echo,
            [b"headers"] => Route::Headers,
            [b"never"] => Route::Never,
            _ => return None,
        })
    }
}

fn path(target: &[u8]) -> &[u8] {
    let target = match memchr::memmem::find(target, b"://") {
        Some(scheme) if !target.starts_with(b"/") => {
            let authority = &target[scheme + 3..];
            &authority[memchr::memchr(b'/', authority).unwrap_or(authority.len())..]
        }
        _ => target,
    };
    &target[..memchr::memchr(b'?', target).unwrap_or(target.len())]
}
