//! Files that appear under their name only when they are whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;

/// A file being written beside its target. Dropped before [`finish`](Partial::finish), it is removed.
pub(crate) struct Partial {
    file: Option<tokio::fs::File>,
    /// `None` where the target is a device or a pipe, which is written to as it is.
    temporary: Option<PathBuf>,
    target: PathBuf,
}

impl Partial {
    /// Opens a temporary file in the directory of `target`.
    pub(crate) fn create(target: &Path) -> anyhow::Result<Partial> {
        let wanted = target;
        // A link stays a link: what it points to is replaced.
        let target = fs::canonicalize(wanted).unwrap_or_else(|_| wanted.to_owned());
        let kind = fs::metadata(&target).map(|meta| meta.file_type());
        let opened = match kind {
            Ok(kind) if kind.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(kind) if !kind.is_file() => OpenOptions::new()
                .write(true)
                .open(&target)
                .map(|file| (file, None)),
            _ => create_beside(&target).map(|(file, path)| (file, Some(path))),
        };
        let (file, temporary) =
            opened.with_context(|| format!("{} cannot be written", wanted.display()))?;
        Ok(Partial {
            file: Some(tokio::fs::File::from_std(file)),
            temporary,
            target,
        })
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let file = self.file.as_mut().context("file is closed")?;
        let written = file.write_all(bytes).await;
        written.with_context(|| format!("writing {}", self.target.display()))
    }

    /// All bytes are there: gives the file its name.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        if let Some(mut file) = self.file.take() {
            let flushed = file.flush().await;
            flushed.with_context(|| format!("writing {}", self.target.display()))?;
        }
        if let Some(temporary) = &self.temporary {
            let renamed = fs::rename(temporary, &self.target);
            renamed.with_context(|| format!("naming {}", self.target.display()))?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        drop(self.file.take());
        if let Some(temporary) = &self.temporary {
            // Another process may have removed it; a drop cannot report an error.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// A new file in the directory of `target`: only within one file system is renaming one step.
fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if target.file_name().is_none() {
        return Err(io::Error::from(io::ErrorKind::InvalidFilename));
    }
    // Not made of the target's name, which may be as long as names can be.
    let temporary =
        target.with_file_name(format!(".turbohttp-{}-{number}.part", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)?;
    Ok((file, temporary))
}
