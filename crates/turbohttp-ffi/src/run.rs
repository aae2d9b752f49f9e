//! The task of a call: one exchange, from the queue to its last byte.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use turbohttp::{Download, RequestQueue, Response};

use crate::abi::{TH_CANCELLED, TH_FLAG_RESUMED, TH_SHUTDOWN};
use crate::call::{Call, Completion};
use crate::fault::{Fault, Result};
use crate::head::Head;
use crate::submit::Target;

/// What is done with the content of the response.
pub(crate) enum Work {
    /// It goes to the window.
    Window,
    /// It is read and dropped.
    Drop,
    /// The request is a download, which is asked for what is missing before it is submitted.
    Download(Box<Download>, Target, RequestQueue),
}

/// How an exchange ended well: the bytes of its body, and the flags of DONE.
type Ended = (u64, u32);

/// Makes the exchange, and says DONE.
pub(crate) async fn run(completion: Completion, work: Work) {
    let call = completion.call().clone();
    // A scope of its own: the exchange is dropped, and everything it uses with it, before DONE is said.
    let ended = {
        let exchange = pin!(exchange(&call, work));
        unless_canceled(&call, exchange).await
    };
    completion.done(ended);
}

/// The exchange, or why it was asked to end.
async fn unless_canceled<F>(call: &Call, mut exchange: std::pin::Pin<&mut F>) -> Result<Ended>
where
    F: Future<Output = Result<Ended>>,
{
    let mut canceled = pin!(call.canceled());
    poll_fn(|cx| {
        // First: a ticket that was canceled has an error too, which says less.
        if let Poll::Ready(code) = canceled.as_mut().poll(cx) {
            let text = match code {
                TH_SHUTDOWN => "the client was shut down",
                _ => "the request was canceled",
            };
            return Poll::Ready(Err(Fault::new(code, text)));
        }
        exchange.as_mut().poll(cx)
    })
    .await
}

async fn exchange(call: &Arc<Call>, work: Work) -> Result<Ended> {
    match work {
        Work::Download(download, target, queue) => {
            Box::pin(download_to(call, *download, target, &queue)).await
        }
        Work::Window => {
            let mut response = answer(call).await?;
            read(call, &mut response, true).await
        }
        Work::Drop => {
            let mut response = answer(call).await?;
            read(call, &mut response, false).await
        }
    }
}

/// The response, its head told.
async fn answer(call: &Call) -> Result<Response> {
    match call.answer().await {
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
    call: &Arc<Call>,
    download: Download,
    target: Target,
    queue: &RequestQueue,
) -> Result<Ended> {
    // There may be the journal of an unfinished part, whose read blocks.
    let path = target.path.clone();
    let asked = tokio::task::spawn_blocking(move || (download.first_request(&path), download));
    let ended = |_| Fault::new(TH_SHUTDOWN, "the client was destroyed");
    let (first, download) = asked.await.map_err(ended)?;
    let first = first.map_err(|error| failed(call, error))?;
    let ticket = queue.try_submit(first);
    let ticket = ticket.map_err(|rejected| Fault::from(turbohttp::Error::from(rejected)))?;
    {
        let mut state = call.state();
        if let Some(wanted) = state.wanted.take() {
            // Refused where as many wait at that level as may: then it waits where it is.
            _ = ticket.set_priority(wanted);
        }
        state.ticket = Some(ticket);
    }
    let response = answer(call).await?;
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
