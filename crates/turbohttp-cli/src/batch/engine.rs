//! The loop of a batch: what may start, starts; what ends, is told.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::JoinSet;
use turbohttp::{Client, Response};

use super::outcome::{Failed, Outcome, Verdict};
use super::source::Line;
use super::waiting::{Waiter, Waiting};
use crate::interrupt::Interrupts;
use crate::partial::Partial;

/// Is told what happens in a batch.
pub(crate) trait Watch {
    /// A line has come to its end; `running` others go on.
    ///
    /// # Errors
    ///
    /// When results can no longer be written, which ends the batch.
    fn finished(&mut self, outcome: Outcome, running: usize) -> io::Result<()>;

    /// Ctrl-C: `running` requests go on, `waiting` lines were read and will not start.
    fn interrupted(&mut self, running: usize, waiting: usize);

    /// Ctrl-C again: these many requests were stopped.
    fn stopped(&mut self, running: usize);
}

/// How a batch came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    AllDone,
    Interrupted,
}

/// Runs the requests of a batch.
pub(crate) struct Engine {
    client: Client,
    /// The most requests at once.
    total: usize,
    directory: Option<Arc<PathBuf>>,
    waiting: Waiting,
    running: JoinSet<Outcome>,
    /// Whether lines may still come.
    is_open: bool,
    /// The number of the last line that came.
    last_line: u64,
    is_interrupted: bool,
}

impl Engine {
    pub(crate) fn new(client: Client, total: usize, directory: Option<PathBuf>) -> Engine {
        Engine {
            client,
            total,
            directory: directory.map(Arc::new),
            waiting: Waiting::default(),
            running: JoinSet::new(),
            is_open: true,
            last_line: 0,
            is_interrupted: false,
        }
    }

    /// Runs until every line has come to its end, or Ctrl-C.
    ///
    /// Dropping the future stops what runs.
    pub(crate) async fn run(
        mut self,
        mut lines: mpsc::Receiver<Option<Line>>,
        interrupts: &mut Interrupts,
        watch: &mut dyn Watch,
    ) -> anyhow::Result<Ended> {
        loop {
            self.take_lines(&mut lines, watch)?;
            self.start();
            if self.is_over() {
                break;
            }
            let may_read = self.may_read();
            tokio::select! {
                biased;
                () = interrupts.next() => {
                    if self.is_interrupted {
                        watch.stopped(self.running.len());
                        // Waits until they are gone, and their unfinished files with them.
                        self.running.shutdown().await;
                        return Ok(Ended::Interrupted);
                    }
                    self.is_interrupted = true;
                    watch.interrupted(self.running.len(), self.waiting.len());
                }
                Some(done) = self.running.join_next() => {
                    let outcome = done.context("a request ended by a panic")?;
                    watch.finished(outcome, self.running.len())?;
                }
                line = lines.recv(), if may_read => self.read(line, watch)?,
            }
        }
        Ok(if self.is_interrupted {
            Ended::Interrupted
        } else {
            Ended::AllDone
        })
    }

    fn may_read(&self) -> bool {
        self.is_open && !self.is_interrupted && self.waiting.has_room()
    }

    fn is_over(&self) -> bool {
        let no_more = self.is_interrupted || (!self.is_open && self.waiting.is_empty());
        no_more && self.running.is_empty()
    }

    /// Takes all lines at hand before any starts, so that priority has something to choose from.
    fn take_lines(
        &mut self,
        lines: &mut mpsc::Receiver<Option<Line>>,
        watch: &mut dyn Watch,
    ) -> io::Result<()> {
        while self.may_read() {
            match lines.try_recv() {
                Ok(line) => self.read(Some(line), watch)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.read(None, watch)?,
            }
        }
        Ok(())
    }

    /// Takes what came from the channel of lines: a line, the end, or the channel's own end.
    fn read(&mut self, read: Option<Option<Line>>, watch: &mut dyn Watch) -> io::Result<()> {
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

    fn take(&mut self, line: Line, watch: &mut dyn Watch) -> io::Result<()> {
        let Line {
            number,
            weight,
            job,
        } = line;
        self.last_line = number;
        match job {
            Ok(job) => {
                self.waiting.push(Waiter {
                    line: number,
                    weight,
                    job,
                });
                Ok(())
            }
            Err(reason) => {
                let bad = Outcome {
                    line: number,
                    weight,
                    url: None,
                    bytes: 0,
                    verdict: Verdict::Bad(reason),
                    timeline: None,
                };
                watch.finished(bad, self.running.len())
            }
        }
    }

    fn start(&mut self) {
        while !self.is_interrupted && self.running.len() < self.total {
            let Some(waiter) = self.waiting.pop() else {
                return;
            };
            let client = self.client.clone();
            let directory = self.directory.clone();
            self.running
                .spawn(async move { Box::pin(run_one(client, waiter, directory)).await });
        }
    }
}

/// Sends one request and reads its body to the end.
///
/// Dropping the future closes the connection and removes the unfinished file.
async fn run_one(client: Client, waiter: Waiter, directory: Option<Arc<PathBuf>>) -> Outcome {
    let Waiter { line, weight, job } = waiter;
    let target = match (&directory, &job.output) {
        (Some(directory), Some(name)) => Some(directory.join(name)),
        _ => None,
    };
    let mut request = client.request(job.method, &job.url).headers(job.headers);
    if !job.body.is_empty() {
        request = request.body(job.body);
    }
    let mut outcome = Outcome {
        line,
        weight,
        url: None,
        bytes: 0,
        verdict: Verdict::Answered(0),
        timeline: None,
    };
    let sent = match request.build() {
        Ok(request) => {
            // In normal form, which holds no password.
            outcome.url = Some(request.url().to_owned());
            client.send(request).await
        }
        Err(error) => Err(error),
    };
    match sent {
        Ok(response) => receive(response, target, &mut outcome).await,
        Err(error) => {
            outcome.timeline = error.timeline().cloned().map(Box::new);
            outcome.verdict = Verdict::Failed(Failed::by_client(&error, None));
        }
    }
    outcome
}

/// Reads the body, into a file if the status is no error.
async fn receive(mut response: Response, target: Option<PathBuf>, outcome: &mut Outcome) {
    let status = response.status().as_u16();
    let target = target.filter(|_| status < 400);
    let read = read_body(&mut response, target, &mut outcome.bytes).await;
    outcome.timeline = Some(Box::new(response.timeline().clone()));
    outcome.verdict = match read {
        Ok(()) => Verdict::Answered(status),
        Err(error) => Verdict::Failed(match error.downcast_ref::<turbohttp::Error>() {
            Some(error) => Failed::by_client(error, Some(status)),
            None => Failed::by_output(&error, Some(status)),
        }),
    };
}

async fn read_body(
    response: &mut Response,
    target: Option<PathBuf>,
    bytes: &mut u64,
) -> anyhow::Result<()> {
    let mut file = match target {
        Some(target) => {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)
                    .with_context(|| format!("{} cannot be made", parent.display()))?;
            }
            Some(Partial::create(&target)?)
        }
        None => None,
    };
    while let Some(chunk) = response.chunk().await? {
        *bytes += chunk.len() as u64;
        if let Some(file) = &mut file {
            file.write_all(chunk).await?;
        }
    }
    match file {
        Some(file) => file.finish().await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::sync::mpsc;
    use turbohttp::Client;

    use super::{Engine, Line, Outcome, Watch};
    use crate::batch::tally::Tally;

    #[derive(Default)]
    struct Told(Vec<u64>, Tally);

    impl Watch for Told {
        fn finished(&mut self, outcome: Outcome, _: usize) -> io::Result<()> {
            self.0.push(outcome.line);
            self.1.add(&outcome);
            Ok(())
        }

        fn interrupted(&mut self, _: usize, _: usize) {}

        fn stopped(&mut self, _: usize) {}
    }

    #[test]
    fn lines_that_break_off_without_the_end_are_a_failure() {
        for (has_end, expected) in [(true, vec![3]), (false, vec![3, 4])] {
            let (sender, mut lines) = mpsc::channel(2);
            let job = Err("wrong".to_owned());
            let bad = Line {
                number: 3,
                weight: 0,
                job,
            };
            sender.try_send(Some(bad)).unwrap();
            if has_end {
                sender.try_send(None).unwrap();
            }
            drop(sender);
            let mut engine = Engine::new(Client::builder().build().unwrap(), 1, None);
            let mut told = Told::default();
            engine.take_lines(&mut lines, &mut told).unwrap();
            assert!(engine.is_over());
            assert_eq!(told.0, expected);
            assert!(!told.1.is_all_ok());
        }
    }
}
