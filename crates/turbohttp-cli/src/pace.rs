//! `--limit-rate`: bytes that go no faster than so many a second.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep, sleep_until};

use crate::args::ByteRate;
use crate::clock;

/// How many pieces a second a body is sent in: often enough that no limit of time between two pieces is
/// reached.
const PIECES_PER_SECOND: u64 = 4;

/// When the next bytes may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: ByteRate,
    began: Option<Instant>,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(rate: ByteRate) -> Pace {
        Pace {
            rate,
            began: None,
            bytes: 0,
        }
    }

    /// Counts `bytes` that have gone, at `now`; returns when the next ones may.
    fn spend(&mut self, bytes: usize, now: Instant) -> Instant {
        let began = *self.began.get_or_insert(now);
        self.bytes += bytes as u64;
        began + Duration::from_secs_f64(self.bytes as f64 / self.rate.0 as f64)
    }

    /// Counts `bytes` that have come, and waits until more may, or until `deadline`. Whether more may.
    ///
    /// Dropping the future ends the wait alone.
    pub(crate) async fn wait(&mut self, bytes: usize, deadline: Option<Instant>) -> bool {
        let due = self.spend(bytes, clock::now());
        let end = deadline.map_or(due, |deadline| due.min(deadline));
        sleep_until(end.into()).await;
        end == due
    }

    /// The most bytes that go at once.
    fn piece(&self) -> usize {
        usize::try_from(self.rate.0 / PIECES_PER_SECOND)
            .unwrap_or(usize::MAX)
            .max(1)
    }
}

/// A body that is read at a pace.
pub(crate) struct Paced<R> {
    inner: R,
    pace: Pace,
    waiting: Pin<Box<Sleep>>,
}

impl<R> Paced<R> {
    /// Needs a runtime.
    pub(crate) fn new(inner: R, rate: ByteRate) -> Paced<R> {
        Paced {
            inner,
            pace: Pace::new(rate),
            waiting: Box::pin(sleep(Duration::ZERO)),
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Paced<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        ready!(self.waiting.as_mut().poll(cx));
        let most = self.pace.piece().min(buffer.remaining());
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        let due = self.pace.spend(read, clock::now());
        self.waiting.as_mut().reset(due.into());
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ByteRate, Pace};
    use crate::clock;

    #[test]
    fn bytes_are_due_by_their_sum() {
        let mut pace = Pace::new(ByteRate(1_000));
        let began = clock::now();
        assert_eq!(pace.spend(500, began), began + Duration::from_millis(500));
        let later = began + Duration::from_secs(5);
        assert_eq!(pace.spend(1_500, later), began + Duration::from_secs(2));
        assert_eq!(pace.piece(), 250);
        assert_eq!(Pace::new(ByteRate(1)).piece(), 1);
    }
}
