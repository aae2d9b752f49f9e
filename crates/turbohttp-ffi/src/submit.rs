//! What a `ThRequest` says, as a request of the client.

use std::fmt::Display;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use turbohttp::{Body, Checksum, Client, Method, Priority, RequestBuilder};

use crate::abi::{self, ThRequest};
use crate::config::{WINDOW, within};
use crate::fault::{Fault, Result};
use crate::pointers::Lent;

/// The most connections of a download.
const CONNECTIONS_MAX: u32 = turbohttp::limits::DOWNLOAD_CONNECTIONS_MAX as u32;

/// A request that was read, all of it copied.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) request: RequestBuilder,
    pub(crate) upload: Upload,
    pub(crate) has_body: bool,
    pub(crate) sink: Sink,
    pub(crate) body_window: Option<usize>,
}

/// Whether the caller writes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// There is none, or all of it is there.
    Ready,
    /// By `th_body_write`, of this length if one is announced.
    Written(Option<u64>),
}

/// Where the content of the response goes.
#[derive(Debug)]
pub(crate) enum Sink {
    Window,
    Drop,
    File(Target),
}

/// The file of a download.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) connections: Option<usize>,
}

/// Reads a request of the caller.
pub(crate) fn read(client: &Client, request: &Lent<'_, ThRequest>) -> Result<Submission> {
    if request.flags != 0 {
        let text = format!("flags are {:#x}, which is unknown", request.flags);
        return Err(Fault::argument(text));
    }
    let (method, url, headers) = (
        request.text(|request| &request.method, "method")?,
        request.text(|request| &request.url, "url")?,
        request.fields(|request| &request.headers)?,
    );
    let method = match method {
        "" => Method::GET,
        method => Method::from_bytes(method.as_bytes())
            .map_err(|_| Fault::argument(format!("{method:?} is no method")))?,
    };
    let mut builder = client
        .request(method, url)
        .headers(headers)
        .priority(priority(request.priority)?);
    if request.timeout_ms > 0 {
        builder = builder.timeout(Duration::from_millis(u64::from(request.timeout_ms)));
    }
    let (body, upload) = body(request)?;
    let has_body = body.is_some() || upload != Upload::Ready;
    if let Some(body) = body {
        builder = builder.body(body);
    }
    let sink = sink(request)?;
    if matches!(sink, Sink::File(_)) {
        check_download(&builder, upload)?;
    }
    let body_window = match request.body_window {
        0 => None,
        given => Some(within("body_window", given, 0, WINDOW.0, WINDOW.1)? as usize),
    };
    Ok(Submission {
        request: builder,
        upload,
        has_body,
        sink,
        body_window,
    })
}

/// That a request can be a download, which is sent several times.
fn check_download(request: &RequestBuilder, upload: Upload) -> Result<()> {
    let why = || Fault::argument("a download to a file is a GET without a body");
    let copy = request.try_clone().ok_or_else(why)?;
    let request = copy.build()?;
    let is_plain = *request.method() == Method::GET && request.body().is_empty();
    match is_plain && upload == Upload::Ready {
        true => Ok(()),
        false => Err(why()),
    }
}

pub(crate) fn priority(number: u32) -> Result<Priority> {
    match number {
        0 | abi::TH_PRIORITY_NORMAL => Ok(Priority::Normal),
        abi::TH_PRIORITY_CRITICAL => Ok(Priority::Critical),
        abi::TH_PRIORITY_HIGH => Ok(Priority::High),
        abi::TH_PRIORITY_LOW => Ok(Priority::Low),
        other => Err(Fault::argument(format!(
            "priority is {other}, which is unknown"
        ))),
    }
}

fn body(request: &Lent<'_, ThRequest>) -> Result<(Option<Body>, Upload)> {
    let bytes = request.bytes(|request| &request.body, "body")?;
    match request.body_kind {
        abi::TH_BODY_NONE => Ok((None, Upload::Ready)),
        abi::TH_BODY_BYTES => Ok((
            Some(Body::from(Bytes::copy_from_slice(bytes))),
            Upload::Ready,
        )),
        abi::TH_BODY_FILE => {
            let path = request.text(|request| &request.body, "body")?;
            let failed = |error: &dyn Display| {
                Fault::new(abi::TH_REQUEST_BODY, format!("opening {path}: {error}"))
            };
            // A pipe would be waited for.
            let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
            if !metadata.is_file() {
                return Err(failed(&"it is no regular file"));
            }
            let file = File::open(path).map_err(|error| failed(&error))?;
            Ok((Some(Body::from(file)), Upload::Ready))
        }
        abi::TH_BODY_STREAM => {
            let length = request.body_length;
            let length = (length != abi::TH_UNKNOWN).then_some(length);
            Ok((None, Upload::Written(length)))
        }
        other => Err(Fault::argument(format!(
            "body_kind is {other}, which is unknown"
        ))),
    }
}

fn sink(request: &Lent<'_, ThRequest>) -> Result<Sink> {
    let (path, checksum) = (
        request.text(|request| &request.sink_path, "sink_path")?,
        request.text(|request| &request.checksum, "checksum")?,
    );
    match request.sink_kind {
        abi::TH_SINK_WINDOW => Ok(Sink::Window),
        abi::TH_SINK_DROP => Ok(Sink::Drop),
        abi::TH_SINK_FILE if path.is_empty() => Err(Fault::argument("sink_path is empty")),
        abi::TH_SINK_FILE => Ok(Sink::File(Target {
            path: path.into(),
            checksum: match checksum {
                "" => None,
                text => Some(text.parse()?),
            },
            connections: match within("connections", request.connections, 0, 1, CONNECTIONS_MAX)? {
                0 => None,
                given => Some(given as usize),
            },
        })),
        other => Err(Fault::argument(format!(
            "sink_kind is {other}, which is unknown"
        ))),
    }
}
