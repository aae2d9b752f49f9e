//! A body that is copied into the cache while its caller reads it.

use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;

use super::entry::{Entry, Head};
use super::{Cache, Epoch};
use crate::body::{BodyContext, BodySource, ResponseBody};
use crate::error::Result;

/// A body, and what has been copied of it. The entry is stored when the body has ended by its framing; one that
/// fails, is dropped, or grows too large leaves nothing.
pub(super) struct Tee {
    body: ResponseBody,
    copy: Option<Arriving>,
}

/// An entry whose body is arriving.
pub(super) struct Arriving {
    cache: Cache,
    epoch: Epoch,
    head: Head,
    bytes: Vec<u8>,
}

impl Arriving {
    pub(super) fn new(cache: Cache, epoch: Epoch, head: Head) -> Arriving {
        Arriving {
            cache,
            epoch,
            head,
            bytes: Vec::new(),
        }
    }

    /// Takes a piece; `false` if there is no room for it.
    fn take(&mut self, piece: &[u8]) -> bool {
        let length = self.bytes.len() + piece.len();
        if length as u64 > self.cache.body_bytes_max() || !self.cache.reserve(piece.len()) {
            return false;
        }
        self.bytes.extend_from_slice(piece);
        true
    }

    fn store(mut self) {
        // Taken out, so that the drop of this copy releases nothing twice.
        let bytes = std::mem::take(&mut self.bytes);
        self.cache.release(bytes.len());
        self.store_whole(Bytes::from(bytes));
    }

    /// Stores the entry with a body that is here whole.
    pub(super) fn store_whole(&self, body: Bytes) {
        let head = self.head.clone();
        self.cache.put(Entry { head, body }, self.epoch);
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.cache.release(self.bytes.len());
    }
}

impl Tee {
    pub(super) fn new(body: ResponseBody, copy: Arriving) -> Tee {
        Tee {
            body,
            copy: Some(copy),
        }
    }
}

impl BodySource for Tee {
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let polled = ready!(self.body.poll_chunk(cx, context));
        match &polled {
            Ok(true) => {
                // The caller gets its piece whether or not there is room for a copy.
                let piece = self.body.chunk();
                if self.copy.as_mut().is_some_and(|copy| !copy.take(piece)) {
                    self.copy = None;
                }
            }
            Ok(false) => {
                if let Some(copy) = self.copy.take() {
                    copy.store();
                }
            }
            Err(_) => self.copy = None,
        }
        Poll::Ready(polled)
    }

    fn chunk(&self) -> &[u8] {
        self.body.chunk()
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }
}
