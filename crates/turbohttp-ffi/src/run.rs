//! The task of a call: one exchange, from its place in line to its last byte.

use turbohttp::{Client, Download, Response, Waiting};

use crate::abi::{TH_CANCELLED, TH_FLAG_RESUMED, TH_SHUTDOWN};
use crate::call::{Call, Completion};
use crate::fault::{Fault, Result};
use crate::head::Head;
use crate::submit::Target;

/// What the task of a call does.
pub(crate) enum Work {
    /// Sends the request, and puts its content into the window.
    Keep(Waiting),
    /// Sends the request, and reads and drops its content.
    Drop(Waiting),
    /// A download, which is asked for what is missing before its request stands in line.
    Download(Box<(Client, Download, Target)>),
}

/// How an exchange ended well: the bytes of its body, and the flags of DONE.
type Ended = (u64, u32);

/// Makes the exchange, and says DONE. A task that is aborted says it as well, by the drop of the completion.
// In this order: of a task that was never polled, the work is dropped before the completion.
pub(crate) async fn run(work: Work, completion: Completion) {
    // A scope of its own: the exchange is dropped, and everything it uses with it, before DONE is said.
    let ended = {
        let call = completion.call();
        match work {
            Work::Keep(waiting) => exchange(call, waiting, true).await,
            Work::Drop(waiting) => exchange(call, waiting, false).await,
            // Boxed: its future is large, and every task would carry it.
            Work::Download(download) => Box::pin(download_to(call, *download)).await,
        }
    };
    completion.done(ended);
}

async fn exchange(call: &Call, waiting: Waiting, is_kept: bool) -> Result<Ended> {
    let mut response = answer(call, waiting).await?;
    read(call, &mut response, is_kept).await
}

/// The response, its head told.
async fn answer(call: &Call, waiting: Waiting) -> Result<Response> {
    match waiting.send().await {
        Ok(response) => {
            call.headers(&response);
            Ok(response)
        }
        Err(error) => Err(failed(call, error)),
    }
}

/// Reads the content to its end.
async fn read(call: &Call, response: &mut Response, is_kept: bool) -> Result<Ended> {
    let mut bytes = 0;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len() as u64;
                call.progress.has_received(chunk.len() as u64);
                if is_kept {
                    keep(call, chunk).await;
                }
            }
            Ok(None) => break,
            Err(error) => return Err(failed(call, error)),
        }
    }
    let mut state = call.state();
    state.timeline = Some(response.timeline().clone());
    state.trailers = response
        .trailers()
        .map(|trailers| Head::of_trailers(&trailers));
    Ok((bytes, 0))
}

/// Puts all of it into the window.
async fn keep(call: &Call, content: &[u8]) {
    let mut rest = content;
    while !rest.is_empty() {
        rest = &rest[call.put(rest).await..];
    }
}

async fn download_to(
    call: &Call,
    (client, download, target): (Client, Download, Target),
) -> Result<Ended> {
    // There may be the journal of an unfinished part, whose read blocks.
    let path = target.path.clone();
    let asked = tokio::task::spawn_blocking(move || (download.first_request(&path), download));
    let ended = |_| Fault::new(TH_SHUTDOWN, "the client was destroyed");
    let (first, download) = asked.await.map_err(ended)?;
    let first = first.map_err(|error| failed(call, error))?;
    let waiting = client.line_up(first)?;
    call.stands_at(waiting.place());
    let response = answer(call, waiting).await?;
    let downloaded = download.receive(response, &target.path).await;
    let downloaded = downloaded.map_err(|error| failed(call, error))?;
    if let Some(timeline) = downloaded.timeline() {
        call.state().timeline = Some(timeline.clone());
    }
    let flags = match downloaded.resumed() {
        0 => 0,
        _ => TH_FLAG_RESUMED,
    };
    Ok((downloaded.length(), flags))
}

/// What went wrong; the timeline up to there stays with the call.
fn failed(call: &Call, error: turbohttp::Error) -> Fault {
    if let Some(timeline) = error.timeline() {
        call.state().timeline = Some(timeline.clone());
    }
    match Fault::from(error) {
        // By the host, or else by the shutdown.
        Fault { code, text } if code == TH_CANCELLED => Fault {
            code: call.cancel_code().unwrap_or(TH_SHUTDOWN),
            text,
        },
        fault => fault,
    }
}
