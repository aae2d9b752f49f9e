//! The end of a download: its checksums, and the name of its file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Downloaded;
use super::checksum::{Checksum, mismatch};
use super::fetch::{Fetch, State, lock};
use super::part::{Block, Part};
use super::writer::{blocking, joined};
use crate::error::{Error, ErrorKind, Result};

/// The path of a file that is as it should be; else what it should hash to, and does.
type Finished = Result<PathBuf, (Checksum, Checksum)>;

impl Fetch {
    /// Checks the file and gives it its name.
    pub(super) async fn finish(&self) -> Result<Downloaded> {
        let mut state = std::mem::take(&mut *self.state());
        let mut expected = self.options.checksums.clone();
        if self.options.trusts_server {
            expected.append(&mut state.checksums);
        }
        let (length, small) = (state.bytes, state.small.take());
        let (part, target) = (lock(&self.part).take(), self.target.clone());
        let is_durable = self.options.is_durable;
        // A download that is dropped meanwhile has the reading for the checksums stopped.
        let dropped = Arc::new(AtomicBool::new(false));
        let _guard = SetOnDrop(dropped.clone());
        let work = move || {
            let mut part = match part {
                Some(part) => part,
                None => Part::find(&target, is_durable)?,
            };
            if let Some(bytes) = small {
                part.begin(None, None)?;
                let (at, piece) = (0, None);
                part.sink().write(&Block { at, bytes, piece })?;
            }
            check_and_name(part, &expected, length, &dropped)
        };
        let finished = joined(blocking(work)?).await?;
        match finished.map_err(|error| self.unwritten(error))? {
            Ok(path) => Ok(downloaded(path, state)),
            Err(mismatch) => Err(self.mismatched(&mismatch)),
        }
    }

    fn mismatched(&self, (expected, found): &(Checksum, Checksum)) -> Error {
        let message = format!("the file is not what it should be: {found}, and not {expected}");
        self.error(ErrorKind::Checksum, message)
    }
}

fn downloaded(path: PathBuf, state: State) -> Downloaded {
    Downloaded {
        path,
        url: state.url,
        length: state.bytes,
        resumed: state.resumed,
        requests: state.requests,
        restarts: state.restarts,
        last_modified: state.last_modified,
        timeline: state.timeline,
    }
}

fn check_and_name(
    mut part: Part,
    expected: &[Checksum],
    length: u64,
    dropped: &AtomicBool,
) -> io::Result<Finished> {
    if !expected.is_empty() {
        let go_on = || !dropped.load(Ordering::Relaxed);
        let found = mismatch(&part.file(), expected, go_on)?;
        if let Some(mismatch) = found {
            // Not a byte of it is worth going on with.
            part.discard();
            return Ok(Err(mismatch));
        }
    }
    part.finish(length).map(Ok)
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
