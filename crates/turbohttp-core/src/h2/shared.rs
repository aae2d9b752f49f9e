//! The streams of a connection behind their lock.

use super::limits::Limits;
use super::streams::Streams;
use super::wakes::Wakes;
use crate::sync::Mutex;

/// [`Streams`] behind one lock, which is held for one operation of a request, or for a batch of frames of
/// the task: never while a socket is used, while fields are decoded, or while a task is woken.
#[derive(Debug)]
pub struct SharedStreams<B>(Mutex<Streams<B>>);

impl<B: AsRef<[u8]> + AsMut<[u8]>> SharedStreams<B> {
    /// The streams of a new connection.
    pub fn new(limits: Limits) -> SharedStreams<B> {
        SharedStreams(Mutex::new(Streams::new(limits)))
    }

    /// One operation under the lock; what it wakes is woken when the lock is free.
    #[inline]
    pub fn update<R>(&self, operation: impl FnOnce(&mut Streams<B>, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = operation(&mut self.0.lock(), &mut wakes);
        wakes.perform_last();
        result
    }

    /// The same with room for wakers that is used again.
    #[inline]
    pub fn update_with<R>(
        &self,
        wakes: &mut Wakes,
        operation: impl FnOnce(&mut Streams<B>, &mut Wakes) -> R,
    ) -> R {
        let result = operation(&mut self.0.lock(), wakes);
        wakes.perform();
        result
    }

    /// One look under the lock.
    pub fn look<R>(&self, look: impl FnOnce(&Streams<B>) -> R) -> R {
        look(&self.0.lock())
    }
}
