//! A request from its submit to its release.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker, ready};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use turbohttp::{Place, Priority, Response, Timeline};

use crate::abi::{TH_OK, TH_PANIC, TH_SHUTDOWN, TH_STATE, ThClient, ThRequestId};
use crate::events::{Done, Events, Happening, HeadSeen};
use crate::fault::{Fault, Result};
use crate::head::Head;
use crate::memory::Memory;
use crate::progress::Progress;
use crate::read_window::{BLOCK, Consumed, Pushed, ReadWindow};
use crate::requests::{Entry, Requests};
use crate::write_window::WriteWindow;

/// What the calls of a client share, and the tasks of its runtime hold.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) events: Events,
    pub(crate) requests: Requests,
    pub(crate) memory: Memory,
    /// Exchanges that are not over, and those of them that are downloads.
    pub(crate) tasks: Running,
    pub(crate) downloads: Running,
    pub(crate) submitted: AtomicU64,
    pub(crate) done: AtomicU64,
}

impl Shared {
    pub(crate) fn new(client: ThClient, requests_max: u32, body_memory: u32) -> Arc<Shared> {
        Arc::new(Shared {
            events: Events::default(),
            requests: Requests::new(client, requests_max),
            memory: Memory::new(body_memory),
            tasks: Running::default(),
            downloads: Running::default(),
            submitted: AtomicU64::new(0),
            done: AtomicU64::new(0),
        })
    }
}

/// How many of something run, and who waits for the last one.
#[derive(Debug, Default)]
pub(crate) struct Running {
    count: AtomicUsize,
    none: Notify,
}

impl Running {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_waiters();
        }
    }

    /// Waits until none runs.
    pub(crate) async fn ended(&self) {
        loop {
            let mut none = pin!(self.none.notified());
            // Before the look: what ends after it is not missed.
            none.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }
}

/// A request of the host.
#[derive(Debug)]
pub(crate) struct Call {
    entry: Entry,
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Taken under the lock of the state, never the other way round: what is under that lock may drop the body.
    writing: Mutex<WriteWindow>,
    /// Content has come, or the exchange is over.
    pub(crate) readable: Condvar,
    /// The window of the request has room, or the exchange is over.
    pub(crate) writable: Condvar,
    /// Why the exchange was asked to end, as a code; 0 as long as it was not.
    cancel: AtomicI32,
    pub(crate) progress: Progress,
    pub(crate) has_reader: AtomicBool,
}

/// What the task of a call and its host share.
#[derive(Debug)]
pub(crate) struct State {
    /// In line for a permit; a download has none at first.
    pub(crate) place: Option<Place>,
    /// What the host wants while there is no place yet.
    pub(crate) wanted: Option<Priority>,
    /// What makes the exchange, until it is over.
    task: Option<JoinHandle<()>>,
    pub(crate) head: Option<Head>,
    /// That of a former request, whose memory is used again.
    spare_head: Option<Head>,
    pub(crate) trailers: Option<Head>,
    pub(crate) reading: ReadWindow,
    pub(crate) timeline: Option<Timeline>,
    pub(crate) outcome: Option<Fault>,
    /// Threads that wait for content: telling a condition is a system call.
    pub(crate) readers: u32,
}

impl Call {
    pub(crate) fn new(
        entry: Entry,
        shared: &Arc<Shared>,
        body_window: usize,
        upload_window: usize,
    ) -> Arc<Call> {
        Arc::new(Call {
            entry,
            shared: shared.clone(),
            state: Mutex::new(State {
                place: None,
                wanted: None,
                task: None,
                head: None,
                spare_head: None,
                trailers: None,
                reading: ReadWindow::new(body_window),
                timeline: None,
                outcome: None,
                readers: 0,
            }),
            writing: Mutex::new(WriteWindow::new(upload_window)),
            readable: Condvar::new(),
            writable: Condvar::new(),
            cancel: AtomicI32::new(0),
            progress: Progress::new(),
            has_reader: AtomicBool::new(false),
        })
    }

    /// Makes a released call, which nobody else holds, one for the next request. Its memory is used again, and
    /// nothing of its content shows.
    pub(crate) fn renew(&mut self, entry: Entry, body_window: usize, upload_window: usize) {
        self.give_back();
        self.entry = entry;
        *self.cancel.get_mut() = 0;
        self.progress = Progress::new();
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.place = None;
        state.wanted = None;
        state.task = None;
        state.spare_head = state.head.take();
        state.trailers = None;
        state.reading.reset(body_window);
        state.timeline = None;
        state.outcome = None;
        let writing = self.writing.get_mut();
        *writing.unwrap_or_else(PoisonError::into_inner) = WriteWindow::new(upload_window);
    }

    /// Gives the memory of what was not read back.
    fn give_back(&mut self) {
        let state = self.state.get_mut();
        let reading = &state.unwrap_or_else(PoisonError::into_inner).reading;
        let (waiting, shared) = (reading.waiting(), reading.shared());
        self.shared.memory.fewer(waiting, shared);
    }

    pub(crate) fn id(&self) -> ThRequestId {
        self.entry.id
    }

    pub(crate) fn slot(&self) -> u32 {
        self.entry.slot
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writing(&self) -> MutexGuard<'_, WriteWindow> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the exchange with this code, unless it is over; any thread, any number of times.
    pub(crate) fn cancel(&self, code: i32) {
        let asked = (Ordering::AcqRel, Ordering::Acquire);
        let first = self.cancel.compare_exchange(0, code, asked.0, asked.1);
        if first.is_ok() {
            self.abort();
        }
    }

    /// Aborts the task, which then drops the exchange and says DONE.
    fn abort(&self) {
        // Without the lock of `State`: a runtime that has ended drops the exchange here, and its end takes that lock.
        let task = self.state().task.take();
        if let Some(task) = task {
            task.abort();
        }
    }

    /// Why the exchange was asked to end, if it was.
    pub(crate) fn cancel_code(&self) -> Option<i32> {
        let code = self.cancel.load(Ordering::Acquire);
        (code != 0).then_some(code)
    }

    /// The exchange stands in line at this place.
    pub(crate) fn stands_at(&self, place: Place) {
        let mut state = self.state();
        if let Some(wanted) = state.wanted.take() {
            place.set_priority(wanted);
        }
        state.place = Some(place);
    }

    /// The task that makes the exchange.
    pub(crate) fn runs_as(&self, task: JoinHandle<()>) {
        let mut state = self.state();
        // Over already, it is of no use, and is dropped without the lock.
        let is_over = state.reading.has_ended();
        let over = match is_over {
            true => Some(task),
            false => state.task.replace(task),
        };
        drop(state);
        drop(over);
        // By a shutdown between the insert and the start of the task: `abort` found none.
        if self.cancel_code().is_some() {
            self.abort();
        }
    }

    /// The head has arrived.
    pub(crate) fn headers(&self, response: &Response) {
        let spare = self.state().spare_head.take();
        let head = Head::of(response, spare.unwrap_or_default());
        let timeline = response.timeline();
        let mut flags = 0;
        if timeline.is_connection_reused() {
            flags |= crate::abi::TH_FLAG_REUSED;
        }
        if head.version() == 20 {
            flags |= crate::abi::TH_FLAG_HTTP2;
        }
        let seen = HeadSeen {
            status: head.status(),
            flags,
            content_length: head.content_length(),
        };
        self.progress.expects(seen.content_length);
        let mut state = self.state();
        state.timeline = Some(timeline.clone());
        state.head = Some(head);
        drop(state);
        self.post(Happening::Headers(seen));
        // An error status wants no more of the request (RFC 9112 section 9.5).
        if seen.status >= 400 {
            self.stop_writing();
        }
    }

    /// Puts content into the window, and waits for room and for memory; how many bytes of it.
    pub(crate) async fn put(&self, content: &[u8]) -> usize {
        let memory = &self.shared.memory;
        let mut lease = pin!(memory.lease(content.len().min(BLOCK) as u32));
        poll_fn(|cx| {
            let pushed = self.push(content, 0, cx.waker());
            if pushed.bytes > 0 {
                return Poll::Ready(pushed.bytes);
            }
            // Asked for only with room for it: it would be held in vain.
            if !self.state().reading.has_room() {
                return Poll::Pending;
            }
            let mut lease = ready!(lease.as_mut().poll(cx));
            let pushed = self.push(content, lease.bytes(), cx.waker());
            lease.hand_over(pushed.shared);
            Poll::Ready(pushed.bytes)
        })
        .await
    }

    fn push(&self, content: &[u8], leased: usize, waker: &Waker) -> Pushed {
        let mut state = self.state();
        let pushed = state.reading.push(content, leased, waker);
        let waiting = state.reading.waiting();
        // Under the lock: a reader cannot take off what is not counted yet.
        self.shared.memory.more(pushed.bytes, waiting);
        let has_readers = pushed.bytes > 0 && state.readers > 0;
        drop(state);
        if has_readers {
            self.readable.notify_all();
        }
        if pushed.is_event {
            self.post(Happening::Readable(waiting as u64));
        }
        pushed
    }

    /// A reader has taken something: the memory goes back, and the task goes on.
    pub(crate) fn consumed(&self, consumed: Consumed) {
        let memory = &self.shared.memory;
        memory.fewer(consumed.bytes, consumed.shared);
        if let Some(writer) = consumed.writer {
            writer.wake();
        }
    }

    /// The window of the request has room.
    pub(crate) fn writable(&self) {
        if self.writing().writers > 0 {
            self.writable.notify_all();
        }
        self.post(Happening::Writable);
    }

    /// Nothing more of the content that the host writes is wanted: it is told, and its next write says so.
    pub(crate) fn stop_writing(&self) {
        let is_told = self.writing().end();
        if is_told {
            self.writable();
        }
    }

    /// The exchange is over, and this is how.
    pub(crate) fn done(&self, outcome: Option<Fault>, done: Done) {
        let mut state = self.state();
        let task = state.task.take();
        // Nothing of the scheduler is kept alive by what the host has not released yet.
        state.place = None;
        state.outcome = outcome;
        state.reading.end();
        let has_readers = state.readers > 0;
        drop(state);
        drop(task);
        let has_writers = {
            let mut writing = self.writing();
            writing.end();
            writing.writers > 0
        };
        if has_readers {
            self.readable.notify_all();
        }
        if has_writers {
            self.writable.notify_all();
        }
        self.shared.done.fetch_add(1, Ordering::Relaxed);
        self.post(Happening::Done(done));
    }

    fn post(&self, happening: Happening) {
        let events = &self.shared.events;
        events.post(self.slot(), self.id(), happening);
    }
}

impl State {
    /// What a reader is told when nothing is left: the end, or what ended the exchange.
    pub(crate) fn end(&self) -> Result<i32> {
        match &self.outcome {
            None => Ok(crate::abi::TH_EOF),
            Some(fault) => Err(fault.clone()),
        }
    }

    /// The head, once it has arrived.
    pub(crate) fn arrived_head(&self) -> Result<&Head> {
        let why = || Fault::new(TH_STATE, "the head of the response has not arrived");
        self.head.as_ref().ok_or_else(why)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What the task of a call owes: DONE, whatever becomes of the task.
#[derive(Debug)]
pub(crate) struct Completion {
    call: Arc<Call>,
    is_download: bool,
    is_over: bool,
}

impl Completion {
    pub(crate) fn new(call: Arc<Call>, is_download: bool) -> Completion {
        call.shared.tasks.begin();
        if is_download {
            call.shared.downloads.begin();
        }
        Completion {
            call,
            is_download,
            is_over: false,
        }
    }

    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    pub(crate) fn done(mut self, ended: Result<(u64, u32)>) {
        self.is_over = true;
        match ended {
            Ok((bytes, flags)) => {
                let code = TH_OK;
                self.call.done(None, Done { code, flags, bytes });
            }
            Err(fault) => {
                let done = Done {
                    code: fault.code,
                    flags: 0,
                    bytes: 0,
                };
                self.call.done(Some(fault), done);
            }
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.is_over {
            let (code, text) = match self.call.cancel_code() {
                _ if std::thread::panicking() => (TH_PANIC, "the engine panicked"),
                Some(TH_SHUTDOWN) => (TH_SHUTDOWN, "the client was shut down"),
                Some(code) => (code, "the request was canceled"),
                None => (TH_SHUTDOWN, "the client was destroyed"),
            };
            let done = Done {
                code,
                flags: 0,
                bytes: 0,
            };
            self.call.done(Some(Fault::new(code, text)), done);
        }
        if self.is_download {
            self.call.shared.downloads.end();
        }
        self.call.shared.tasks.end();
    }
}
