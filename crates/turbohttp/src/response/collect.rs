//! Reading a whole body into memory.
//!
//! # Implementation
//!
//! A small body grows in a vector, by doubling up to exactly what was announced, as a Content-Length
//! is not believed before bytes arrive. A large one is bound by the page faults of fresh memory, so it
//! goes into pages of its own. They cost nothing until bytes arrive, and ask for the system's huge ones
//! when so many have arrived that those are worth it: a body that was only announced costs a small one. Once the buffered part has been taken, the rest goes from the socket straight to its place.

use std::future::poll_fn;
use std::task::{Context as TaskContext, Poll};

use bytes::{BufMut, Bytes};
use memmap2::MmapMut;
use turbohttp_core::scheduler::Outcome;

use super::Response;
use crate::body::Content;
use crate::error::Result;
use crate::limits::{COLLECT_FIRST_BYTES_MAX, COLLECT_HUGE_AFTER_BYTES, COLLECT_PAGES_BYTES_MIN};

/// A body in memory, while it grows and when it is whole.
pub(super) enum Collected {
    Vector(Vec<u8>),
    /// Anonymous pages, of which the first bytes are filled.
    Pages {
        pages: MmapMut,
        filled: usize,
        /// Huge pages were asked for.
        is_huge: bool,
    },
}

impl Collected {
    fn new(announced: usize) -> Collected {
        if announced >= COLLECT_PAGES_BYTES_MIN
            && let Ok(pages) = MmapMut::map_anon(announced)
        {
            let (filled, is_huge) = (0, false);
            return Collected::Pages {
                pages,
                filled,
                is_huge,
            };
        }
        Collected::Vector(Vec::with_capacity(announced.min(COLLECT_FIRST_BYTES_MAX)))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Collected::Vector(vector) => vector,
            Collected::Pages { pages, filled, .. } => &pages[..*filled],
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Collected::Vector(vector) => Bytes::from(vector),
            pages => Bytes::from_owner(pages),
        }
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Collected::Vector(vector) => vector,
            Collected::Pages { .. } => self.as_slice().to_vec(),
        }
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn extend(&mut self, slice: &[u8]) {
        match self {
            Collected::Vector(vector) => vector.extend_from_slice(slice),
            // A source of the user's may give more than it has announced.
            Collected::Pages { pages, filled, .. } if slice.len() > pages.len() - *filled => {
                *self = Collected::Vector([&pages[..*filled], slice].concat());
            }
            Collected::Pages { pages, filled, .. } => {
                pages[*filled..*filled + slice.len()].copy_from_slice(slice);
                *filled += slice.len();
                self.ask_for_huge_pages();
            }
        }
    }

    /// Asks for huge pages behind what has arrived, once that is much.
    fn ask_for_huge_pages(&mut self) {
        if let Collected::Pages {
            pages,
            filled: COLLECT_HUGE_AFTER_BYTES..,
            is_huge: is_huge @ false,
        } = self
        {
            *is_huge = true;
            // Advice only: small pages hold the same bytes.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
    }

    /// Lets `read` fill at most `remaining` bytes of free space, of which there is some.
    fn fill<T>(&mut self, remaining: usize, read: impl FnOnce(&mut dyn BufMut, usize) -> T) -> T {
        match self {
            Collected::Vector(vector) => {
                if vector.len() == vector.capacity() {
                    let step = vector.len().max(COLLECT_FIRST_BYTES_MAX).min(remaining);
                    vector.reserve_exact(step);
                }
                let room = (vector.capacity() - vector.len()).min(remaining);
                read(vector, room)
            }
            Collected::Pages { pages, filled, .. } => {
                let mut space = &mut pages[*filled..];
                let room = space.len();
                let result = read(&mut space, room.min(remaining));
                *filled += room - space.len();
                self.ask_for_huge_pages();
                result
            }
        }
    }
}

impl AsRef<[u8]> for Collected {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Response {
    /// The whole body, if it stays within its limit.
    pub(super) async fn collect(&mut self) -> Result<Collected> {
        let limit = self.context.collect_bytes_max();
        // Refused before anything is read or allocated, where the length says so.
        let announced = self.remaining().unwrap_or(0);
        if announced > limit as u64 {
            return Err(self.too_large(limit));
        }
        // At most the limit, which is a usize.
        let mut body = Collected::new(announced as usize);
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(self.too_large(limit));
            }
            body.extend(chunk);
            // Once the buffered part is taken, the socket is read straight into the body.
            while poll_fn(|cx| self.poll_read_rest(cx, &mut body)).await? {}
        }
        Ok(body)
    }

    /// Reads once, straight into `body`; `false` if there is nothing that could be read so.
    fn poll_read_rest(
        &mut self,
        cx: &mut TaskContext<'_>,
        body: &mut Collected,
    ) -> Poll<Result<bool>> {
        let (received, context) = self.context.receive();
        let Content::Connection(source) = &mut received.0 else {
            return Poll::Ready(Ok(false));
        };
        let remaining = match source.remaining() {
            Some(remaining) if remaining > 0 => remaining as usize,
            _ => return Poll::Ready(Ok(false)),
        };
        let read = body.fill(remaining, |out, room| {
            source.poll_read_into(cx, context, out, room)
        });
        match read {
            None => Poll::Ready(Ok(false)),
            Some(Poll::Pending) => self.poll_cut(cx).map(Err),
            Some(Poll::Ready(Ok(()))) => Poll::Ready(Ok(true)),
            Some(Poll::Ready(Err(error))) => {
                self.end(Some(Outcome::Failed));
                Poll::Ready(Err(self.explain(error)))
            }
        }
    }
}
