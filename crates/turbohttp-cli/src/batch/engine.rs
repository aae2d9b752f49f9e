//! The loop of a batch: lines go into the queue as it has room for them; what ends, is told.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use turbohttp::{Client, CloseReport, QueueOptions, RequestQueue, Shutdown};

use super::fetch::{Accepted, Orders, Sender, follow, submit};
use super::outcome::{Outcome, Verdict};
use super::source::Line;
use crate::interrupt::{Interrupts, Stop};

/// Lines that may wait at each priority, unless --queue says otherwise: enough to choose among, and a
/// bound of what they hold. Beyond it, no further line is read.
pub(crate) const WAITING_LINES: usize = 512;

/// Is told what happens in a batch.
pub(crate) trait Watch {
    /// A line has come to its end; `running` others go on.
    ///
    /// # Errors
    ///
    /// When results can no longer be written, which ends the batch.
    fn finished(&mut self, outcome: Outcome, running: usize) -> anyhow::Result<()>;

    /// A signal: these many requests that were accepted go on, the rest of the lines is left.
    fn interrupted(&mut self, by: Stop, accepted: usize, within: Duration);

    /// A signal again: these many requests are canceled.
    fn canceled(&mut self, accepted: usize);
}

/// How a batch came to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    AllDone,
    /// By a signal, and what became of everything accepted by then.
    Interrupted(Stop, CloseReport),
}

/// How much a batch does at once and takes in.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The most requests at once; the client has the same limit.
    pub(crate) total: usize,
    /// The most lines that wait at each priority.
    pub(crate) waiting: usize,
    /// How long what was accepted may take after a signal.
    pub(crate) drain: Duration,
    pub(crate) orders: Orders,
}

/// Runs the requests of a batch.
pub(crate) struct Engine {
    client: Client,
    queue: RequestQueue,
    total: usize,
    drain: Duration,
    orders: Arc<Orders>,
    /// Tells lines that wait before they are tried again of the first signal.
    is_stopped: watch::Sender<bool>,
    /// The line that waits for room in the queue. While there is one, none is read.
    submitting: Option<Pin<Box<dyn Future<Output = Accepted> + Send>>>,
    /// What is in the queue, runs, or has just come to its end.
    accepted: JoinSet<Outcome>,
    /// Whether lines may still come.
    is_open: bool,
    /// The number of the last line that came.
    last_line: u64,
    /// The first signal, and how many have come.
    stop: Option<Stop>,
    interrupts: u8,
}

impl Engine {
    /// # Errors
    ///
    /// When `setup` is out of the bounds of a queue.
    pub(crate) fn new(client: Client, setup: Setup) -> turbohttp::Result<Engine> {
        // Bodies of any size go to files as they come. Each is read by a task of its own, so that none
        // holds a permit that it waits for.
        let options = QueueOptions::default()
            .workers(setup.total)
            .per_priority(setup.waiting)
            .streamed(true);
        Ok(Engine {
            queue: RequestQueue::new(&client, options)?,
            client,
            total: setup.total,
            drain: setup.drain,
            orders: Arc::new(setup.orders),
            is_stopped: watch::Sender::new(false),
            submitting: None,
            accepted: JoinSet::new(),
            is_open: true,
            last_line: 0,
            stop: None,
            interrupts: 0,
        })
    }

    /// Runs until every line has come to its end, or a signal.
    pub(crate) async fn run(
        mut self,
        lines: mpsc::Receiver<Option<Line>>,
        interrupts: &mut Interrupts,
        watch: &mut dyn Watch,
    ) -> anyhow::Result<Ended> {
        self.queue.start()?;
        let ran = self.run_all(lines, interrupts, watch).await;
        // If it broke off, waits until all are gone, and their unfinished files with them.
        self.accepted.shutdown().await;
        ran?;
        let Some(stop) = self.stop else {
            return Ok(Ended::AllDone);
        };
        // It has begun, and everything has come to its end: only the report is wanted.
        let report = self.client.close(Shutdown::Now).await;
        Ok(Ended::Interrupted(stop, report))
    }

    async fn run_all(
        &mut self,
        mut lines: mpsc::Receiver<Option<Line>>,
        interrupts: &mut Interrupts,
        watch: &mut dyn Watch,
    ) -> anyhow::Result<()> {
        while !self.is_over() {
            let may_read = self.is_open && self.submitting.is_none();
            tokio::select! {
                biased;
                // The third is not heard, so that the process ends if the second has not ended it.
                stop = interrupts.next(), if self.interrupts < 2 => self.interrupt(stop, watch).await,
                Some(done) = self.accepted.join_next() => {
                    let outcome = done.context("a request ended by a panic")?;
                    watch.finished(outcome, self.running())?;
                }
                accepted = once_there(&mut self.submitting) => {
                    self.submitting = None;
                    self.accepted.spawn(async move { Box::pin(follow(accepted)).await });
                }
                line = lines.recv(), if may_read => self.read(line, watch)?,
            }
        }
        Ok(())
    }

    fn sender(&self) -> Sender {
        Sender {
            client: self.client.clone(),
            queue: self.queue.clone(),
            orders: self.orders.clone(),
            is_stopped: self.is_stopped.subscribe(),
        }
    }

    fn is_over(&self) -> bool {
        !self.is_open && self.submitting.is_none() && self.accepted.is_empty()
    }

    /// How many run, unless limits of hosts keep some: the queue would know, but asking it for every
    /// line holds up its workers.
    fn running(&self) -> usize {
        self.accepted.len().min(self.total)
    }

    async fn interrupt(&mut self, stop: Stop, watch: &mut dyn Watch) {
        self.interrupts += 1;
        self.stop.get_or_insert(stop);
        if self.interrupts > 1 {
            self.client.close_now();
            return watch.canceled(self.accepted.len());
        }
        self.is_open = false;
        self.submitting = None;
        let within = self.drain;
        // A close that has begun goes on without its future.
        let mut close = pin!(self.client.close(Shutdown::Drain { within }));
        poll_fn(|cx| Poll::Ready(close.as_mut().poll(cx).is_ready())).await;
        // After the close has begun: what is tried again by then is refused.
        self.is_stopped.send_replace(true);
        watch.interrupted(stop, self.accepted.len(), within);
    }

    /// Takes what came from the channel of lines: a line, the end, or the channel's own end.
    fn read(&mut self, read: Option<Option<Line>>, watch: &mut dyn Watch) -> anyhow::Result<()> {
        match read {
            Some(Some(line)) => self.take(line, watch),
            Some(None) => {
                self.is_open = false;
                Ok(())
            }
            // Without the end, the reader is dead: a panic. What came before goes on.
            None => {
                self.is_open = false;
                let lost = Line {
                    number: self.last_line + 1,
                    weight: 0,
                    job: Err("reading broke off: this line and all after it are lost".to_owned()),
                };
                self.take(lost, watch)
            }
        }
    }

    fn take(&mut self, line: Line, watch: &mut dyn Watch) -> anyhow::Result<()> {
        self.last_line = line.number;
        let mut outcome = Outcome::new(line.number, line.weight);
        match line.job {
            Ok(job) => {
                self.submitting = Some(Box::pin(submit(self.sender(), outcome, job)));
                Ok(())
            }
            Err(reason) => {
                outcome.verdict = Verdict::Bad(reason);
                watch.finished(outcome, self.running())
            }
        }
    }
}

/// Waits for a future that may not be there. Cancel safe: the future stays where it is.
async fn once_there<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use turbohttp::Client;

    use super::{Engine, Line, Orders, Outcome, Setup, Stop, Watch};
    use crate::batch::tally::Tally;

    #[derive(Default)]
    struct Told(Vec<u64>, Tally);

    impl Watch for Told {
        fn finished(&mut self, outcome: Outcome, _: usize) -> anyhow::Result<()> {
            self.0.push(outcome.line);
            self.1.add(&outcome);
            Ok(())
        }

        fn interrupted(&mut self, _: Stop, _: usize, _: Duration) {}

        fn canceled(&mut self, _: usize) {}
    }

    fn engine() -> Engine {
        let setup = Setup {
            total: 1,
            waiting: 1,
            drain: Duration::from_secs(1),
            orders: Orders::default(),
        };
        Engine::new(Client::builder().build().unwrap(), setup).unwrap()
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_before_a_line_is_tried_again() {
        let mut engine = engine();
        let mut sender = engine.sender();
        let mut told = Told::default();
        let waiting = sender.pause(Duration::MAX);
        tokio::join!(waiting, engine.interrupt(Stop::Interrupt, &mut told));
    }

    #[test]
    fn lines_that_break_off_without_the_end_are_a_failure() {
        for (last, expected) in [(Some(None), vec![3]), (None, vec![3, 4])] {
            let bad = Line {
                number: 3,
                weight: 0,
                job: Err("wrong".to_owned()),
            };
            let mut engine = engine();
            let mut told = Told::default();
            engine.read(Some(Some(bad)), &mut told).unwrap();
            engine.read(last, &mut told).unwrap();
            assert!(engine.is_over());
            assert_eq!(told.0, expected);
            assert!(!told.1.is_all_ok());
        }
    }
}
