//! Servers that fail, are slow, or are asked the same by many.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

mod breaker;
mod hedge;
mod single_flight;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Polls as often as the future wakes its task, so many times at most: its output, if it ends by then.
async fn poll_times<F: Future + Unpin>(future: &mut F, polls: usize) -> Option<F::Output> {
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match Pin::new(&mut *future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
