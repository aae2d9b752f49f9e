//! Ctrl-C and the other signals that ask the command to end, as often as they come.

use std::io;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;

use crate::exit::Exit;

/// How long a signal that is to end the process may go unheard: writing to a pipe that nobody reads
/// blocks for ever.
const GRACE: Duration = Duration::from_secs(1);

/// Locked while something is done that the first signal must not leave half-way.
pub(crate) static WHOLE: Mutex<()> = Mutex::new(());

/// Which signal ends the process if [`next`](Interrupts::next) has not told it within [`GRACE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// There is nothing to be finished.
    First = 1,
    /// The first one asks to finish what was begun, however slow.
    Second = 2,
}

/// What asked the command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGINT.
    Interrupt,
    /// SIGTERM: what `kill`, service managers and containers send.
    #[cfg(unix)]
    Terminate,
    /// SIGHUP: the terminal is gone.
    #[cfg(unix)]
    HangUp,
}

impl Stop {
    /// As people know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stop::Interrupt => "Ctrl-C",
            #[cfg(unix)]
            Stop::Terminate => "SIGTERM",
            #[cfg(unix)]
            Stop::HangUp => "SIGHUP",
        }
    }

    /// How a command ends that was asked so.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Stop::Interrupt => Exit::Interrupted,
            #[cfg(unix)]
            Stop::Terminate => Exit::Terminated,
            #[cfg(unix)]
            Stop::HangUp => Exit::HungUp,
        }
    }
}

/// Listens from the moment it is made; from then on a signal no longer ends the process by itself, but
/// the one that [`Patience`] names does if it goes unheard, and those after it.
///
/// The first process of a container (pid 1) gets only signals that are listened to.
pub(crate) struct Interrupts {
    /// How many signals have come, and the last of them.
    come: watch::Receiver<(u64, Stop)>,
    /// How many of them were told. Only written here.
    told: Arc<AtomicU64>,
}

impl Interrupts {
    /// Starts a thread that listens: it writes nothing, so nothing it waits for can keep it.
    pub(crate) fn listen(patience: Patience) -> io::Result<Interrupts> {
        let (sender, come) = watch::channel((0, Stop::Interrupt));
        let told = Arc::new(AtomicU64::new(0));
        let (ready, is_ready) = sync_channel(1);
        let heard = told.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let opened = runtime.and_then(|runtime| {
                    let entered = runtime.enter();
                    let signals = Signals::open()?;
                    drop(entered);
                    Ok((runtime, signals))
                });
                // The caller is waiting for it.
                let _ = match opened {
                    Err(error) => ready.send(Err(error)),
                    Ok((runtime, signals)) => {
                        let sent = ready.send(Ok(()));
                        runtime.block_on(guard(signals, patience, &sender, &heard));
                        sent
                    }
                };
            })?;
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Interrupts { come, told })
    }

    /// Waits for the next signal.
    ///
    /// Cancel safe: one that came meanwhile is told by the next call.
    pub(crate) async fn next(&mut self) -> Stop {
        let told = self.told.load(Ordering::Relaxed);
        let Ok(come) = self.come.wait_for(|(count, _)| *count > told).await else {
            // Nothing listens any more: there will be none.
            return std::future::pending().await;
        };
        let stop = come.1;
        drop(come);
        self.told.store(told + 1, Ordering::Relaxed);
        stop
    }
}

/// Counts, and ends the process if that is asked for again and not heard.
///
/// Nothing is dropped then: a file that is being written stays under its temporary name.
async fn guard(
    mut signals: Signals,
    patience: Patience,
    come: &watch::Sender<(u64, Stop)>,
    told: &AtomicU64,
) {
    let mut count = 0;
    loop {
        let stop = signals.next().await;
        count += 1;
        come.send_replace((count, stop));
        if count >= patience as u64 {
            tokio::time::sleep(GRACE).await;
            // Said twice, it is meant.
            let _whole = match WHOLE.try_lock() {
                Err(_) if count == 1 => continue,
                lock => lock,
            };
            if told.load(Ordering::Relaxed) < count {
                process::exit(stop.exit() as i32);
            }
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` if the caller has it ignored, as `nohup` does.
    hang_up: Option<tokio::signal::unix::Signal>,
    /// SIGXFSZ, which would end the process: listened to, a write beyond the limit of the size of a
    /// file is an error, and the unfinished file goes away.
    _file_size: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Must be called inside a runtime.
    fn open() -> io::Result<Signals> {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};

        let is_ignored = is_hang_up_ignored();
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: (!is_ignored)
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
            _file_size: signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Stop {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => None,
            }
        };
        tokio::select! {
            Some(()) = self.interrupt.recv() => Stop::Interrupt,
            Some(()) = self.terminate.recv() => Stop::Terminate,
            Some(()) = hang_up => Stop::HangUp,
            // The listeners are gone with their runtime: there will be none.
            else => std::future::pending().await,
        }
    }
}

/// Whether SIGHUP was ignored when the command was started. Linux tells it in a mask of bits, of which
/// the first is signal 1; other systems do not tell.
#[cfg(unix)]
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    /// Must be called inside a runtime.
    fn open() -> io::Result<Signals> {
        tokio::signal::windows::ctrl_c().map(Signals)
    }

    async fn next(&mut self) -> Stop {
        if self.0.recv().await.is_none() {
            // The listener is gone with its runtime: there will be none.
            std::future::pending::<()>().await;
        }
        Stop::Interrupt
    }
}
