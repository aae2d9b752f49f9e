//! A descriptor that is written to by other threads, whatever it is.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::output::standard;

/// Writes on the threads for blocking work, as a write to a pipe may block for any time.
pub(crate) struct Outlet {
    file: Arc<File>,
    /// Kept between writes.
    buffer: Vec<u8>,
}

impl Outlet {
    pub(crate) fn new(file: File) -> Outlet {
        Outlet {
            file: Arc::new(file),
            buffer: Vec::new(),
        }
    }

    /// Stdout itself, unless it is closed.
    pub(crate) fn stdout() -> io::Result<Outlet> {
        standard::require_stdout()?;
        super::place::descriptor(1).map(Outlet::new)
    }

    /// Writes all of `bytes`: short writes and interruptions go on, and a descriptor that is not ready
    /// is waited for.
    ///
    /// Dropping the future does not take back what a thread is writing.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.clone();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let writing = tokio::task::spawn_blocking(move || {
            let written = standard::write_all(&*file, &buffer);
            buffer.clear();
            written.map(|()| buffer)
        });
        self.buffer = writing.await.map_err(io::Error::other)??;
        Ok(())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}
