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
        if bytes.is_empty() {
            return Ok(());
        }
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

    /// Waits until a server has what was written, where a file lies on one: such file systems tell only
    /// then that a disk or a quota is full.
    pub(super) async fn settle(&self) -> io::Result<()> {
        if !is_remote(&self.file) {
            return Ok(());
        }
        let file = self.file.clone();
        let settling = tokio::task::spawn_blocking(move || file.sync_all());
        settling.await.map_err(io::Error::other)?
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

/// Whether a regular file lies on a server, or with a program that stands for one.
#[cfg(target_os = "linux")]
fn is_remote(file: &File) -> bool {
    /// NFS, SMB 1 and 2 by two names, Ceph, 9P, AFS and FUSE, as `statfs(2)` numbers them.
    const REMOTE: [u32; 8] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x00c3_6400,
        0x0102_1997,
        0x5346_414f,
        0x6573_5546,
    ];
    let is_regular = file.metadata().is_ok_and(|meta| meta.is_file());
    let system = rustix::fs::fstatfs(file).map(|system| system.f_type);
    is_regular && system.is_ok_and(|number| REMOTE.contains(&(number as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_: &File) -> bool {
    false
}
