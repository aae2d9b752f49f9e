//! The calls that wait in one lane at one level, the oldest first.
//!
//! # Implementation
//!
//! A new call is younger than all that wait, so appending to a linked list keeps it in order at no
//! cost. A call that comes back, such as a further attempt with the age of the first or one whose
//! priority was changed, belongs somewhere in the middle: it goes into a heap beside the list. The
//! first of the line is the older one of the list's head and the heap's top.

use super::calls::{Calls, Key, Place};
use super::heap::{Heap, NONE};

/// Entries of the heap whose memory a line keeps.
const KEPT_RETURNED_MAX: usize = 64;

/// The calls of one group that wait in one lane at one level.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Invariant: in ascending order of keys.
    list: List,
    /// Calls whose key was less than that of the list's tail when they came.
    returned: Heap<Key>,
}

impl Line {
    /// The key and the slot of the call that is served next.
    #[inline]
    pub(super) fn first(&self, calls: &Calls) -> Option<(Key, u32)> {
        let listed = self.list.head(calls);
        match self.returned.first() {
            None => listed,
            Some(returned) => match listed {
                Some(listed) if listed.0 <= returned.0 => Some(listed),
                _ => Some(returned),
            },
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, slot: u32, calls: &mut Calls) {
        let key = calls[slot].key;
        // `<=`: a call that keeps its age stands behind an attempt of the same age.
        let last = self.list.tail;
        if last == NONE || calls[last].key <= key {
            self.list.push(slot, calls);
        } else {
            self.returned
                .push(key, slot, |slot, at| put_at(calls, slot, at));
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32, calls: &mut Calls) {
        match calls[slot].place {
            // The branch that nearly every call takes.
            Place::Listed => self.list.remove(slot, calls),
            Place::Heaped => {
                let place = calls[slot].next;
                self.returned
                    .remove(place, |slot, at| put_at(calls, slot, at));
                // Empty again after a burst of changed priorities: most lines never use the heap.
                self.returned.trim(KEPT_RETURNED_MAX);
                calls[slot].place = Place::Nowhere;
            }
            Place::Nowhere => unreachable!("a call in line has a place"),
        }
    }
}

/// Notes in the call where it is in the heap; its link field serves as the place, as it has no
/// neighbours there.
fn put_at(calls: &mut Calls, slot: u32, at: u32) {
    let call = &mut calls[slot];
    call.place = Place::Heaped;
    call.next = at;
}

/// A doubly linked list through the link fields of calls. A call is in one list at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        Self {
            head: NONE,
            tail: NONE,
        }
    }
}

impl List {
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    fn head(&self, calls: &Calls) -> Option<(Key, u32)> {
        self.first().map(|slot| (calls[slot].key, slot))
    }

    #[inline]
    pub(super) fn push(&mut self, slot: u32, calls: &mut Calls) {
        let call = &mut calls[slot];
        call.place = Place::Listed;
        call.previous = self.tail;
        call.next = NONE;
        match self.tail {
            NONE => self.head = slot,
            tail => calls[tail].next = slot,
        }
        self.tail = slot;
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32, calls: &mut Calls) {
        let call = &mut calls[slot];
        debug_assert_eq!(call.place, Place::Listed, "a call in a list has neighbours");
        call.place = Place::Nowhere;
        let (previous, next) = (call.previous, call.next);
        match previous {
            NONE => self.head = next,
            previous => calls[previous].next = next,
        }
        match next {
            NONE => self.tail = previous,
            next => calls[next].previous = previous,
        }
    }
}
