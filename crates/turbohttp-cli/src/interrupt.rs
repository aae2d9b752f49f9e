//! Ctrl-C, as often as it is pressed.

use std::io;

/// Listens from the moment it is made; from then on Ctrl-C no longer ends the process by itself.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
    #[cfg(windows)]
    signal: tokio::signal::windows::CtrlC,
}

impl Interrupts {
    /// Must be called inside a runtime.
    pub(crate) fn listen() -> io::Result<Interrupts> {
        #[cfg(unix)]
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        #[cfg(windows)]
        let signal = tokio::signal::windows::ctrl_c()?;
        Ok(Interrupts { signal })
    }

    /// Waits for the next Ctrl-C.
    ///
    /// Cancel safe: one that was pressed meanwhile is told by the next call.
    pub(crate) async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            // The listener is gone with its runtime: there will be none.
            std::future::pending::<()>().await;
        }
    }
}
