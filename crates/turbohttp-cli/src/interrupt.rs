//! Ctrl-C, as often as it is pressed.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;

use crate::exit::Exit;

/// How long a second Ctrl-C may go unheard: writing to a pipe that nobody reads blocks for ever.
const GRACE: Duration = Duration::from_secs(1);

/// Listens from the moment it is made; from then on Ctrl-C no longer ends the process by itself, but
/// the second one does if [`next`](Interrupts::next) has not told it within [`GRACE`].
pub(crate) struct Interrupts {
    /// How often Ctrl-C was pressed.
    pressed: watch::Receiver<u64>,
    /// How often that was told. Only written here.
    told: Arc<AtomicU64>,
}

impl Interrupts {
    /// Starts a thread that listens: it writes nothing, so nothing it waits for can keep it.
    pub(crate) fn listen() -> io::Result<Interrupts> {
        let (sender, pressed) = watch::channel(0);
        let told = Arc::new(AtomicU64::new(0));
        let (ready, is_ready) = sync_channel(1);
        let heard = told.clone();
        thread::Builder::new()
            .name("ctrl-c".to_owned())
            .spawn(move || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let opened = runtime.and_then(|runtime| {
                    let entered = runtime.enter();
                    let signal = Signal::open()?;
                    drop(entered);
                    Ok((runtime, signal))
                });
                // Who asked is waiting for it.
                let _ = match opened {
                    Err(error) => ready.send(Err(error)),
                    Ok((runtime, signal)) => {
                        let sent = ready.send(Ok(()));
                        runtime.block_on(guard(signal, &sender, &heard));
                        sent
                    }
                };
            })?;
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Interrupts { pressed, told })
    }

    /// Waits for the next Ctrl-C.
    ///
    /// Cancel safe: one that was pressed meanwhile is told by the next call.
    pub(crate) async fn next(&mut self) {
        let told = self.told.load(Ordering::Relaxed);
        if self
            .pressed
            .wait_for(|pressed| *pressed > told)
            .await
            .is_err()
        {
            // Nobody listens any more: there will be none.
            std::future::pending::<()>().await;
        }
        self.told.store(told + 1, Ordering::Relaxed);
    }
}

/// Counts, and ends the process if that is asked for again and not heard.
///
/// Nothing is dropped then: a file that is being written stays under its temporary name.
async fn guard(mut signal: Signal, pressed: &watch::Sender<u64>, told: &AtomicU64) {
    let mut count = 0;
    loop {
        signal.next().await;
        count += 1;
        pressed.send_replace(count);
        if count > 1 {
            tokio::time::sleep(GRACE).await;
            if told.load(Ordering::Relaxed) < count {
                process::exit(Exit::Interrupted as i32);
            }
        }
    }
}

struct Signal {
    #[cfg(unix)]
    system: tokio::signal::unix::Signal,
    #[cfg(windows)]
    system: tokio::signal::windows::CtrlC,
}

impl Signal {
    /// Must be called inside a runtime.
    fn open() -> io::Result<Signal> {
        #[cfg(unix)]
        let system = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        #[cfg(windows)]
        let system = tokio::signal::windows::ctrl_c()?;
        Ok(Signal { system })
    }

    async fn next(&mut self) {
        if self.system.recv().await.is_none() {
            // The listener is gone with its runtime: there will be none.
            std::future::pending::<()>().await;
        }
    }
}
