//! A client of the host: the client, and the threads that drive it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, timeout_at};
use turbohttp::{Body, Client, CloseReport, Jar, Shutdown};

use crate::abi::{self, ThClient, ThClientConfig, ThRequest, ThRequestId};
use crate::call::{Call, Completion, Shared};
use crate::config::{self, EngineOptions};
use crate::fault::{Fault, Result};
use crate::guard::THREAD_NAME;
use crate::pointers::Lent;
use crate::run::{Work, run};
use crate::submit::{self, Sink, Submission, Upload};
use crate::wait::{Until, later};
use crate::write_window::WrittenBody;

/// One client of the ABI.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) client: Client,
    /// The cookies of the client, if it keeps some.
    pub(crate) jar: Option<Arc<Jar>>,
    pub(crate) shared: Arc<Shared>,
    options: EngineOptions,
    threads: Handle,
    /// Taken by the end of the engine.
    runtime: Mutex<Option<Runtime>>,
    closing: Arc<Mutex<Closing>>,
    /// A function of the ABI panicked: what it worked on may be half done.
    pub(crate) is_poisoned: AtomicBool,
}

/// How far the shutdown is.
#[derive(Debug, Default)]
pub(crate) enum Closing {
    #[default]
    No,
    Begun,
    Over(CloseReport),
}

impl Engine {
    pub(crate) fn new(handle: ThClient, config: &Lent<'_, ThClientConfig>) -> Result<Engine> {
        let options = EngineOptions::of(config)?;
        let jar = config::jar(config);
        let builder = config::client(config, jar.clone())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.workers)
            .thread_name(THREAD_NAME)
            .enable_all()
            .build()
            .map_err(|error| Fault::new(abi::TH_RUNTIME, format!("starting threads: {error}")))?;
        let entered = runtime.enter();
        let client = builder.build()?;
        let shared = Shared::new(handle, options.requests_max, options.body_memory);
        let announcer = shared.clone();
        // Ends with the runtime.
        runtime.spawn(async move { announcer.events.announce().await });
        drop(entered);
        Ok(Engine {
            client,
            jar,
            shared,
            options,
            threads: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            closing: Arc::default(),
            is_poisoned: AtomicBool::new(false),
        })
    }

    /// Reads a request and starts it.
    pub(crate) fn submit(&self, request: &Lent<'_, ThRequest>, user: u64) -> Result<ThRequestId> {
        if self.client.is_closed() || !matches!(*self.closing(), Closing::No) {
            return Err(Fault::new(abi::TH_SHUTDOWN, "the client was shut down"));
        }
        let submission = submit::read(&self.client, request)?;
        // Those that were released may not have ended yet; how many there are of them is bounded too.
        if self.shared.tasks.count() >= self.options.tasks_max() {
            let text = "too many released requests have not ended yet";
            return Err(Fault::new(abi::TH_QUEUE_FULL, text));
        }
        let window = submission.body_window.unwrap_or(self.options.body_window);
        let upload_window = self.options.upload_window;
        let shared = &self.shared;
        let make = |entry, spare: Option<Arc<Call>>| {
            if let Some(mut spare) = spare
                && let Some(call) = Arc::get_mut(&mut spare)
            {
                call.renew(entry, window, upload_window);
                return spare;
            }
            Call::new(entry, shared, window, upload_window)
        };
        let call = shared.requests.insert(make)?;
        match self.start(&call, submission, user) {
            Ok(()) => {
                shared.submitted.fetch_add(1, Ordering::Relaxed);
                Ok(call.id())
            }
            Err(fault) => {
                _ = shared.requests.remove(call.id());
                Err(fault)
            }
        }
    }

    /// Puts a request in line, and starts its task.
    fn start(&self, call: &Arc<Call>, submission: Submission, user: u64) -> Result<()> {
        let mut request = submission.request;
        if let Upload::Written(length) = submission.upload {
            let call = call.clone();
            request = request.body(Body::wrap(WrittenBody { call, length }));
        } else {
            // There is nothing to write.
            call.writing().finish(None);
        }
        if submission.has_body {
            let call = call.clone();
            request = request.on_progress(move |progress| call.progress.uploads(&progress));
        }
        let work = match submission.sink {
            Sink::File(target) => {
                let told = call.clone();
                let mut download = request
                    .download()
                    .on_progress(move |progress| told.progress.downloads(&progress));
                if let Some(checksum) = &target.checksum {
                    download = download.checksum(checksum.clone());
                }
                if let Some(connections) = target.connections {
                    download = download.connections(connections);
                }
                Work::Download(Box::new((self.client.clone(), download, target)))
            }
            sink => {
                // On the thread of the host: the order of the line is that of the submits.
                let waiting = self.client.line_up(request.build()?)?;
                call.stands_at(waiting.place());
                match sink {
                    Sink::Drop => Work::Drop(waiting),
                    _ => Work::Keep(waiting),
                }
            }
        };
        let is_download = matches!(work, Work::Download(..));
        // Not before: a request that is refused says nothing, nor does the drop of its body.
        self.shared.events.begin(call.slot(), call.id(), user);
        // Made here: a task that the end of the runtime drops unpolled says DONE, too.
        let completion = Completion::new(call.clone(), is_download);
        call.runs_as(self.threads.spawn(run(work, completion)));
        Ok(())
    }

    /// Lets go of a request: what is under way is canceled.
    pub(crate) fn release(&self, id: ThRequestId) -> Result<()> {
        let call = self.shared.requests.remove(id)?;
        self.shared.events.forget(call.slot(), id);
        call.cancel(abi::TH_CANCELLED);
        self.shared.requests.keep(call);
        Ok(())
    }

    /// Begins the shutdown. A second call can only make it stricter.
    pub(crate) fn shut_down(&self, mode: Shutdown) {
        let mut closing = self.closing();
        match *closing {
            Closing::Over(_) => return,
            _ => *closing = Closing::Begun,
        }
        drop(closing);
        let (client, shared, closing) = (
            self.client.clone(),
            self.shared.clone(),
            self.closing.clone(),
        );
        let until = match mode {
            Shutdown::Drain { within } | Shutdown::CancelPending { within } => within,
            _ => Duration::ZERO,
        };
        let until = Instant::from_std(later(until.as_millis() as u64));
        self.threads.spawn(async move {
            if matches!(mode, Shutdown::Drain { .. }) {
                // A download goes on by further requests, which a client that is closing refuses.
                _ = timeout_at(until, shared.downloads.ended()).await;
            }
            let report = client.close(mode_until(mode, until)).await;
            // What the client has received may not be handed over yet.
            _ = timeout_at(until, shared.tasks.ended()).await;
            // A body that waits for its reader is told nothing by the close itself.
            cancel_all(&shared);
            shared.tasks.ended().await;
            *closing.lock().unwrap_or_else(PoisonError::into_inner) = Closing::Over(report);
            shared.events.wake();
        });
    }

    pub(crate) fn closing(&self) -> std::sync::MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts everything off, and does not wait for it.
    pub(crate) fn cut_off(&self) {
        // First: a request that the close itself cuts off would say so in other words.
        cancel_all(&self.shared);
        self.client.close_now();
    }

    /// Ends everything, within this time; how many tasks are still alive.
    pub(crate) fn end(&self, within: Duration) -> usize {
        let until = Until::after_at_most(within);
        self.cut_off();
        let runtime = self.runtime.lock();
        let runtime = runtime.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(within);
        }
        self.shared.events.wake();
        // A submit of another thread finds no runtime any more, and lets go of its task.
        while self.shared.tasks.count() > 0 && !until.left().is_zero() {
            std::thread::yield_now();
        }
        let alive = self.shared.tasks.count();
        self.shared.requests.clear();
        alive
    }
}

impl Drop for Engine {
    /// The last function of the ABI that used it has returned.
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// The mode with the time that is left of it.
fn mode_until(mode: Shutdown, until: Instant) -> Shutdown {
    let within = until.saturating_duration_since(Instant::now());
    match mode {
        Shutdown::Drain { .. } => Shutdown::Drain { within },
        Shutdown::CancelPending { .. } => Shutdown::CancelPending { within },
        now => now,
    }
}

fn cancel_all(shared: &Shared) {
    for call in shared.requests.all() {
        call.cancel(abi::TH_SHUTDOWN);
    }
}
