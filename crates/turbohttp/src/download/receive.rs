//! From an answer into the file.

use super::DownloadProgress;
use super::fetch::{Answer, Fetch, Stop, is_passing, lock};
use super::pieces::{Pieces, Worker};
use super::writer::{Writer, Written};
use crate::error::{ErrorKind, Result};
use crate::response::Response;

impl Fetch {
    /// Writes what an answer brings, as long as the pieces that it comes to are not another's.
    pub(super) async fn receive(&self, worker: Worker, answer: Answer) -> Result<(), Stop> {
        let Answer {
            mut response,
            at,
            end,
        } = answer;
        let end = end.unwrap_or(u64::MAX);
        let Some(sink) = self.sink() else {
            return Ok(());
        };
        let mut writer = Writer::new(sink, at);
        // Nothing is entered yet: the first byte finds its piece.
        let mut piece_end = at;
        let short = || self.error(ErrorKind::Truncated, "the answer is shorter than it says");
        let broken = 'answer: loop {
            let mut rest = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                // Its Content-Range promises more than it brings.
                Ok(None) => break Some(short()),
                Err(error) => break Some(error),
            };
            while !rest.is_empty() && writer.at() < end {
                if writer.at() == piece_end {
                    match self.enter(worker, &mut writer) {
                        Some(next) => piece_end = next,
                        None => break 'answer None,
                    }
                }
                let room = rest.len().min((piece_end - writer.at()) as usize);
                let taken = writer.take(&rest[..room]);
                rest = &rest[taken..];
                let ends_piece = writer.at() == piece_end;
                if ends_piece || writer.is_full() {
                    let written = writer.flush(ends_piece).await;
                    self.note_written(written)?;
                }
            }
            if writer.at() >= end {
                break None;
            }
        };
        self.note_end(&response);
        self.settle(&mut writer).await?;
        match broken {
            Some(error) if is_passing(&error) => Err(Stop::Broken(error)),
            Some(error) => Err(Stop::Failed(error)),
            // What another connection has is not missed; else the range was shorter than the piece.
            None if writer.at() == piece_end => Ok(()),
            None => Err(Stop::Broken(short())),
        }
    }

    /// Goes on with the piece that the writer has come to, and says where it ends; `None` if it is another's.
    fn enter(&self, worker: Worker, writer: &mut Writer) -> Option<u64> {
        let mut state = self.state();
        let pieces = state.pieces.as_mut()?;
        let piece = pieces.piece_at(writer.at());
        if piece >= pieces.count() || !pieces.begin(worker, piece, writer.at()) {
            return None;
        }
        writer.enter(piece, pieces.done(piece));
        Some(pieces.missing(piece).end)
    }

    /// Takes a file that is written at once, when it is there.
    pub(super) async fn receive_small(&self, mut response: Response) -> Result<(), Stop> {
        let length = response.content_length().unwrap_or_default();
        let mut bytes = Vec::with_capacity(length as usize);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(chunk),
                Ok(None) => break,
                Err(error) if is_passing(&error) => return Err(Stop::Anew(error)),
                Err(error) => return Err(Stop::Failed(error)),
            }
        }
        self.note_end(&response);
        {
            let mut state = self.state();
            state.bytes = bytes.len() as u64;
            state.small = Some(bytes);
        }
        self.tell(DownloadProgress {
            bytes: length,
            total: Some(length),
        });
        Ok(())
    }

    fn note_end(&self, response: &Response) {
        let timeline = &mut self.state().timeline;
        timeline.get_or_insert_with(|| Box::new(response.timeline().clone()));
    }

    /// Writes a file of which only the end of the answer tells the length.
    pub(super) async fn receive_to_the_end(&self, answer: Answer) -> Result<(), Stop> {
        let mut response = answer.response;
        let Some(sink) = self.sink() else {
            return Ok(());
        };
        let mut writer = Writer::new(sink, 0);
        let broken = loop {
            let mut rest = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break None,
                Err(error) => break Some(error),
            };
            while !rest.is_empty() {
                let taken = writer.take(rest);
                rest = &rest[taken..];
                if writer.is_full() {
                    let written = writer.flush(false).await;
                    self.note_written(written)?;
                }
            }
        };
        self.note_end(&response);
        self.settle(&mut writer).await?;
        match broken {
            None => Ok(()),
            Some(error) if is_passing(&error) => Err(Stop::Anew(error)),
            Some(error) => Err(Stop::Failed(error)),
        }
    }

    async fn settle(&self, writer: &mut Writer) -> Result<(), Stop> {
        if !writer.is_empty() {
            let written = writer.flush(false).await;
            self.note_written(written)?;
        }
        let written = writer.settle().await;
        self.note_written(written)
    }

    fn note_written(&self, written: Result<std::io::Result<Option<Written>>>) -> Result<(), Stop> {
        let written = written.map_err(Stop::Failed)?;
        let written = written.map_err(|error| Stop::Failed(self.unwritten(error)))?;
        let Some(Written { piece, bytes }) = written else {
            return Ok(());
        };
        let progress = {
            let mut state = self.state();
            state.failures = 0;
            state.bytes += bytes;
            if let (Some(pieces), Some(piece)) = (&mut state.pieces, piece) {
                pieces.advance(piece, bytes);
            }
            DownloadProgress {
                bytes: state.bytes,
                total: state.pieces.as_ref().map(Pieces::length),
            }
        };
        self.tell(progress);
        Ok(())
    }

    fn tell(&self, progress: DownloadProgress) {
        // Out of its lock, as it is the caller's code.
        let on_progress = lock(&self.on_progress).take();
        if let Some(mut on_progress) = on_progress {
            on_progress(progress);
            *lock(&self.on_progress) = Some(on_progress);
        }
    }
}
