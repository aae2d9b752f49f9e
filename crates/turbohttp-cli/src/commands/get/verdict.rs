//! What a response is to the one who asked.

use turbohttp::Response;

use super::deliver::is_special;
use crate::exit::{Exit, Told};
use crate::output::{note, redirect};
use crate::plan::{Destination, Group};

/// What becomes of a body.
pub(super) enum Verdict {
    /// It is what was asked for, or the page of an error or of a redirect, which is to be shown.
    Wanted,
    /// It is not shown, and the request has ended so.
    Unwanted(anyhow::Result<()>),
}

pub(super) fn verdict(
    group: &Group,
    destination: &Destination,
    from: u64,
    response: &Response,
) -> Verdict {
    let status = response.status().as_u16();
    if status == 304 {
        // What the asker has is still right, and there is no body.
        return Verdict::Unwanted(Ok(()));
    }
    if let Some(said) = redirect::told(response) {
        let said = match group.follows() {
            // A redirect that keeps the body.
            true => format!("{said}: its body cannot be sent again, or it names no URL"),
            false => format!("{said}: give -L to follow it"),
        };
        if matches!(destination, Destination::File { path, .. } if !is_special(path)) {
            // Its page takes no place of what is there.
            return Verdict::Unwanted(Err(Told::new(Exit::Redirect, said).into()));
        }
        // As in curl no error; but seldom what was wanted.
        if !group.args.show.silent {
            note(&format!("note: {said}"));
        }
    }
    if from > 0 && status == 416 {
        return Verdict::Unwanted(beyond_end(response, from).map_err(Into::into));
    }
    if group.args.show.fail && status >= 400 {
        // What the body says is in the status.
        return Verdict::Unwanted(Err(refused(response).into()));
    }
    match from > 0 && !continues(response, from) {
        true => {
            let said = format!(
                "server sends no part that begins at byte {from}: --continue-at cannot go on"
            );
            Verdict::Unwanted(Err(Told::new(Exit::Range, said).into()))
        }
        false => Verdict::Wanted,
    }
}

/// An error, and --fail or --fail-with-body.
pub(super) fn refused(response: &Response) -> Told {
    Told::new(
        Exit::Status,
        format!("server answered {}", response.status()),
    )
}

/// Whether the body is what follows the first `from` bytes (RFC 9110 section 15.3.7).
fn continues(response: &Response, from: u64) -> bool {
    let range = response
        .header("content-range")
        .and_then(|range| range.strip_prefix("bytes "));
    let first = range.and_then(|range| range.trim_start().split('-').next()?.parse().ok());
    response.status().as_u16() == 206 && first == Some(from)
}

/// There is nothing behind the first `from` bytes: the file is whole, unless the server says that it has
/// another length (RFC 9110 section 15.5.17).
fn beyond_end(response: &Response, from: u64) -> Result<(), Told> {
    let range = response
        .header("content-range")
        .and_then(|range| range.strip_prefix("bytes */"));
    match range.and_then(|length| length.trim().parse::<u64>().ok()) {
        Some(length) if length != from => Err(Told::new(
            Exit::Range,
            format!("{from} bytes are there already, and the server has {length}"),
        )),
        _ => Ok(()),
    }
}
