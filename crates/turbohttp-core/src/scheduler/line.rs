//! The visits that wait in one lane at one level, the oldest first.
//!
//! # Implementation
//!
//! A new visit is younger than all that wait, so appending to a linked list keeps it in order at no cost. A visit that
//! comes back, such as a further attempt with the age of the first or one whose priority was changed, belongs somewhere
//! in the middle: it goes into a heap beside the list. The first of the line is the older one of the list's head and the
//! heap's top.

use super::heap::{Heap, NONE};
use super::visits::{Key, Place, Visits};

/// Entries of the heap whose memory a line keeps.
const KEPT_RETURNED_MAX: usize = 64;

/// The visits of one group that wait in one lane at one level.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Invariant: in ascending order of keys.
    list: List,
    /// Visits whose key was less than that of the list's tail when they came.
    returned: Heap<Key>,
}

impl Line {
    /// The key and the slot of the visit that is served next.
    #[inline]
    pub(super) fn first(&self, visits: &Visits) -> Option<(Key, u32)> {
        let listed = self.list.head(visits);
        match self.returned.first() {
            None => listed,
            Some(returned) => match listed {
                Some(listed) if listed.0 <= returned.0 => Some(listed),
                _ => Some(returned),
            },
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, slot: u32, visits: &mut Visits) {
        let key = visits[slot].key;
        let last = self.list.tail;
        if last == NONE || visits[last].key <= key {
            self.list.push(slot, visits);
        } else {
            self.returned
                .push(key, slot, |slot, at| put_at(visits, slot, at));
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32, visits: &mut Visits) {
        match visits[slot].place {
            // The branch that nearly every visit takes.
            Place::Listed => self.list.remove(slot, visits),
            Place::Heaped => {
                let place = visits[slot].next;
                self.returned
                    .remove(place, |slot, at| put_at(visits, slot, at));
                self.returned.trim(KEPT_RETURNED_MAX);
                visits[slot].place = Place::Nowhere;
            }
            Place::Nowhere => unreachable!("a visit in line has a place"),
        }
    }
}

/// Notes in the visit where it is in the heap; its link field serves as the place, as it has no neighbours there.
fn put_at(visits: &mut Visits, slot: u32, at: u32) {
    let visit = &mut visits[slot];
    visit.place = Place::Heaped;
    visit.next = at;
}

/// A doubly linked list through the link fields of visits. A visit is in one list at most.
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

    fn head(&self, visits: &Visits) -> Option<(Key, u32)> {
        self.first().map(|slot| (visits[slot].key, slot))
    }

    #[inline]
    pub(super) fn push(&mut self, slot: u32, visits: &mut Visits) {
        let visit = &mut visits[slot];
        visit.place = Place::Listed;
        visit.previous = self.tail;
        visit.next = NONE;
        match self.tail {
            NONE => self.head = slot,
            tail => visits[tail].next = slot,
        }
        self.tail = slot;
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32, visits: &mut Visits) {
        let visit = &mut visits[slot];
        debug_assert_eq!(
            visit.place,
            Place::Listed,
            "a visit in a list has neighbours"
        );
        visit.place = Place::Nowhere;
        let (previous, next) = (visit.previous, visit.next);
        match previous {
            NONE => self.head = next,
            previous => visits[previous].next = next,
        }
        match next {
            NONE => self.tail = previous,
            next => visits[next].previous = previous,
        }
    }
}
