//! One coding around a body: what is read from it is what the coding was applied to.
//!
//! # Implementation
//!
//! A stage lends its one buffer, which is filled by one step of the decoder. It goes to its source only
//! when the decoder has nothing left to write and nothing left to read, so that no byte that could be
//! handed out waits for one that has not arrived. When the coding has ended the source is still asked: its
//! end gives the connection back, and a byte behind the coding is an error.

use std::task::{Context as TaskContext, Poll, ready};

use turbohttp_core::timeline::Phase;

use super::codec::{Codec, Coding, Fault, Step};
use crate::body::{BodyContext, BodySource, ResponseBody};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{DECODE_BUFFER_BYTES, DECODE_RATIO_FROM_BYTES};

/// How far a stage may grow.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) ratio_max: u64,
    pub(super) bytes_max: u64,
}

/// Where a stage reads from.
pub(super) enum Source {
    /// The body as it arrives, and how many bytes of it have.
    Body { body: ResponseBody, bytes: u64 },
    /// The stage that undoes a coding that was applied later.
    Stage(Box<Stage>),
}

/// See the module.
pub(super) struct Stage {
    source: Source,
    codec: Codec,
    bounds: Bounds,
    out: Box<[u8]>,
    /// Bytes of `out` that are lent.
    filled: usize,
    /// Bytes of the source's slice that the decoder has read, and that it has not.
    taken: usize,
    left: usize,
    /// The last step has filled `out`: the decoder may have more to write.
    is_full: bool,
    /// The source has ended, and the coding with it.
    has_ended: bool,
    /// Bytes read and written in all.
    consumed: u64,
    produced: u64,
}

impl Source {
    pub(super) fn body(body: ResponseBody) -> Source {
        Source::Body { body, bytes: 0 }
    }

    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        match self {
            Source::Body { body, bytes } => {
                let more = ready!(body.poll_chunk(cx, context))?;
                if more {
                    *bytes += body.chunk().len() as u64;
                }
                Poll::Ready(Ok(more))
            }
            Source::Stage(stage) => stage.poll_chunk(cx, context),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Source::Body { body, .. } => body.chunk(),
            Source::Stage(stage) => stage.chunk(),
        }
    }

    /// Bytes that have arrived of the body, before all decoding.
    fn arrived(&self) -> u64 {
        match self {
            Source::Body { bytes, .. } => *bytes,
            Source::Stage(stage) => stage.source.arrived(),
        }
    }
}

impl From<Stage> for Source {
    fn from(stage: Stage) -> Source {
        Source::Stage(Box::new(stage))
    }
}

impl Stage {
    pub(super) fn new(source: Source, coding: Coding, bounds: Bounds) -> Stage {
        Stage {
            source,
            codec: Codec::new(coding),
            bounds,
            out: vec![0; DECODE_BUFFER_BYTES].into_boxed_slice(),
            filled: 0,
            taken: 0,
            left: 0,
            is_full: false,
            has_ended: false,
            consumed: 0,
            produced: 0,
        }
    }

    /// Runs the decoder once on what is at hand; `false` if nothing is.
    fn step(&mut self) -> Result<bool> {
        let step = if self.is_full {
            self.codec.drain(&mut self.out)
        } else if self.left > 0 {
            let input = &self.source.chunk()[self.taken..];
            self.codec.decode(input, &mut self.out)
        } else {
            return Ok(false);
        };
        let Step { consumed, produced } = step.map_err(|fault| self.fault(fault))?;
        self.taken += consumed;
        self.left -= consumed;
        self.consumed += consumed as u64;
        self.fill(produced)?;
        Ok(true)
    }

    /// The decoder has written so many bytes.
    fn fill(&mut self, produced: usize) -> Result<()> {
        self.filled = produced;
        self.is_full = produced == self.out.len();
        self.produced += produced as u64;
        let arrived = self.source.arrived();
        let Bounds {
            ratio_max,
            bytes_max,
        } = self.bounds;
        let is_watched = self.produced > DECODE_RATIO_FROM_BYTES;
        if is_watched && self.produced > arrived.saturating_mul(ratio_max) {
            let message = format!(
                "{arrived} bytes of the body became {} by decoding, more than {ratio_max} times as many",
                self.produced
            );
            return Err(Error::new(ErrorKind::TooLarge, message).in_phase(Phase::Receive));
        }
        if self.produced > bytes_max {
            let message = format!(
                "{arrived} bytes of the body became {} by decoding, more than {bytes_max}",
                self.produced
            );
            return Err(Error::new(ErrorKind::TooLarge, message).in_phase(Phase::Receive));
        }
        Ok(())
    }

    #[cold]
    fn fault(&self, fault: Fault) -> Error {
        let (coding, at) = (self.codec.coding.name(), self.consumed);
        let error = match fault {
            Fault::Corrupt(error) => {
                let message = format!("the body is not in the coding {coding} behind byte {at}");
                Error::new(ErrorKind::Decode, message).with_source(error)
            }
            Fault::Garbage => {
                let message =
                    format!("the coding {coding} ends at byte {at}, and the body does not");
                Error::new(ErrorKind::Decode, message)
            }
            Fault::Truncated => {
                let message = format!("the body ends at byte {at}, inside its coding {coding}");
                Error::new(ErrorKind::Truncated, message)
            }
        };
        error.in_phase(Phase::Receive)
    }
}

impl BodySource for Stage {
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        self.filled = 0;
        while !self.has_ended {
            if self.step()? {
                if self.filled > 0 {
                    return Poll::Ready(Ok(true));
                }
                continue;
            }
            if ready!(self.source.poll_chunk(cx, context.reborrow()))? {
                (self.taken, self.left) = (0, self.source.chunk().len());
                continue;
            }
            let produced = self.codec.finish(&mut self.out);
            let produced = produced.map_err(|fault| self.fault(fault))?;
            self.fill(produced)?;
            // Without output the coding has ended: otherwise `finish` is an error.
            self.has_ended = produced == 0;
            if produced > 0 {
                return Poll::Ready(Ok(true));
            }
        }
        Poll::Ready(Ok(false))
    }

    fn chunk(&self) -> &[u8] {
        &self.out[..self.filled]
    }

    fn remaining(&self) -> Option<u64> {
        self.has_ended.then_some(0)
    }
}
