//! A client of the host: the client, its queue, and the threads that drive them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use turbohttp::{Body, Client, CloseReport, QueueOptions, RequestQueue, Shutdown};

use crate::abi::{self, ThClient, ThClientConfig, ThRequest, ThRequestId};
use crate::call::{Call, Shared};
use crate::config::{self, EngineOptions};
use crate::fault::{Fault, Result};
use crate::guard::THREAD_NAME;
use crate::pointers::Lent;
use crate::run::{Work, run};
use crate::submit::{self, Sink, Submission, Upload};
use crate::write_window::WrittenBody;

/// One client of the ABI.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) client: Client,
    queue: RequestQueue,
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
        let builder = config::client(config)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.workers)
            .thread_name(THREAD_NAME)
            .enable_all()
            .build()
            .map_err(|error| Fault::new(abi::TH_RUNTIME, format!("starting threads: {error}")))?;
        let entered = runtime.enter();
        let client = builder.build()?;
        let queue = QueueOptions::default()
            .workers(options.total)
            .per_priority(options.requests_max as usize)
            .streamed(true);
        let queue = RequestQueue::new(&client, queue)?;
        queue.start()?;
        let shared = Shared::new(handle, options.requests_max, options.body_memory);
        let announcer = shared.clone();
        // Ends with the runtime.
        runtime.spawn(async move { announcer.events.announce().await });
        drop(entered);
        Ok(Engine {
            client,
            queue,
            shared,
            options,
            threads: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            closing: Arc::default(),
            is_poisoned: AtomicBool::new(false),
        })
    }

    /// Reads a request and puts it into the queue.
    pub(crate) fn submit(&self, request: &Lent<'_, ThRequest>, user: u64) -> Result<ThRequestId> {
        if self.client.is_closed() || !matches!(*self.closing(), Closing::No) {
            return Err(Fault::new(abi::TH_SHUTDOWN, "the client was shut down"));
        }
        let submission = submit::read(&self.client, request)?;
        let window = submission.body_window.unwrap_or(self.options.body_window);
        let upload_window = self.options.upload_window;
        let shared = &self.shared;
        let make = |place| Call::new(place, shared, window, upload_window);
        let call = shared.requests.insert(make)?;
        shared.events.begin(call.slot(), call.id(), user);
        match self.enqueue(&call, submission) {
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

    fn enqueue(&self, call: &Arc<Call>, submission: Submission) -> Result<()> {
        let mut request = submission.request;
        if let Upload::Written(length) = submission.upload {
            let call = call.clone();
            request = request.body(Body::wrap(WrittenBody { call, length }));
        } else {
            // There is nothing to write.
            call.state().writing.end();
        }
        let work = match submission.sink {
            Sink::File(target) => {
                let mut download = request.download();
                if let Some(checksum) = &target.checksum {
                    download = download.checksum(checksum.clone());
                }
                if let Some(connections) = target.connections {
                    download = download.connections(connections);
                }
                Work::Download(Box::new(download), target, self.queue.clone())
            }
            sink => {
                let ticket = self.queue.try_submit(request);
                let ticket =
                    ticket.map_err(|refused| Fault::from(turbohttp::Error::from(refused)))?;
                call.state().ticket = Some(ticket);
                match sink {
                    Sink::Drop => Work::Drop,
                    _ => Work::Window,
                }
            }
        };
        self.threads.spawn(run(call.clone(), work));
        Ok(())
    }

    /// Lets go of a request: what is under way is canceled.
    pub(crate) fn release(&self, id: ThRequestId) -> Result<()> {
        let call = self.shared.requests.remove(id)?;
        self.shared.events.forget(call.slot(), id);
        call.cancel(abi::TH_CANCELLED);
        Ok(())
    }

    /// Begins the shutdown; a second call changes nothing.
    pub(crate) fn shut_down(&self, mode: Shutdown) {
        let mut closing = self.closing();
        if !matches!(*closing, Closing::No) {
            return;
        }
        *closing = Closing::Begun;
        drop(closing);
        let (client, shared, closing) = (
            self.client.clone(),
            self.shared.clone(),
            self.closing.clone(),
        );
        self.threads.spawn(async move {
            let report = client.close(mode).await;
            // A body that waits for its reader is told nothing by the close itself.
            cancel_all(&shared);
            *closing.lock().unwrap_or_else(PoisonError::into_inner) = Closing::Over(report);
            shared.events.wake();
        });
    }

    pub(crate) fn closing(&self) -> std::sync::MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything, within this time; how many tasks are still alive.
    pub(crate) fn end(&self, within: Duration) -> usize {
        self.client.close_now();
        cancel_all(&self.shared);
        let runtime = self.runtime.lock();
        let runtime = runtime.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(within);
        }
        self.shared.events.wake();
        let alive = self.shared.tasks.load(Ordering::Acquire);
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

fn cancel_all(shared: &Shared) {
    for call in shared.requests.all() {
        call.cancel(abi::TH_SHUTDOWN);
    }
}
