//! What stands around every function of the ABI: panics become codes, and the last error of a thread is kept.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

use crate::abi;
use crate::fault::Result;
use crate::pointers::Room;

/// The most bytes of an error that are kept.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// The name of the threads of an engine.
pub(crate) const THREAD_NAME: &str = "turbohttp";

thread_local! {
    /// A function of the ABI runs on this thread.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a function of the ABI: its code, or that of what went wrong, whose text the thread keeps.
pub(crate) fn guard(function: impl FnOnce() -> Result<i32>) -> i32 {
    let was_inside = IS_INSIDE.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(function));
    IS_INSIDE.set(was_inside);
    match result {
        Ok(Ok(code)) => code,
        Ok(Err(fault)) => {
            keep(&fault.text);
            fault.code
        }
        Err(payload) => {
            keep(&format!("the engine panicked: {}", message(&*payload)));
            // The payload's own drop may panic: it is left alone.
            std::mem::forget(payload);
            abi::TH_PANIC
        }
    }
}

/// The last error of this thread, as much of it as fits; how many bytes it has.
pub(crate) fn last_error(into: &mut Room) -> usize {
    // A thread that ends may have no place for it any more.
    let length = LAST_ERROR.try_with(|text| put_text(&text.borrow(), into));
    length.unwrap_or(0)
}

/// Puts as many whole characters as fit; the bytes of all.
pub(crate) fn put_text(text: &str, into: &mut Room) -> usize {
    into.put(&text.as_bytes()[..text.floor_boundary(into.left())]);
    text.len()
}

/// Keeps panics of the engine from writing to standard error, where a host does not look: their text is in the
/// code's error. Those of other threads are told as before.
pub(crate) fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_of_engine = thread::current().name() == Some(THREAD_NAME);
            if !is_of_engine && !IS_INSIDE.get() {
                former(panic);
            }
        }));
    });
}

fn keep(text: &str) {
    let text = &text[..text.floor_boundary(TEXT_BYTES_MAX)];
    // A thread that ends may have no place for it any more.
    _ = LAST_ERROR.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.clear();
            last.push_str(text);
        }
    });
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "without a text"
    }
}

/// `str::floor_char_boundary`, which is newer than the oldest compiler.
trait FloorCharBoundary {
    fn floor_boundary(&self, index: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_boundary(&self, index: usize) -> usize {
        let mut index = index.min(self.len());
        while !self.is_char_boundary(index) {
            index -= 1;
        }
        index
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "memory of the test")]
mod tests {
    use super::*;
    use crate::fault::Fault;

    /// What a function puts into a room of this size.
    fn put(size: usize, put: impl FnOnce(&mut Room) -> usize) -> (String, usize) {
        let mut bytes = vec![0; size];
        // SAFETY: the bytes live until the end of this function, and are used through the room alone.
        let room = unsafe { Room::new(bytes.as_mut_ptr(), size as u32, "bytes") };
        let mut room = room.expect("not null");
        let length = put(&mut room);
        bytes.truncate(size - room.left());
        (String::from_utf8(bytes).expect("whole characters"), length)
    }

    #[test]
    fn a_panic_becomes_a_code_and_its_text_is_kept() {
        silence_panics();
        assert_eq!(guard(|| panic!("at the disco")), abi::TH_PANIC);
        let text = "the engine panicked: at the disco";
        assert_eq!(put(64, last_error), (text.to_owned(), text.len()));
    }

    #[test]
    fn a_text_that_does_not_fit_is_cut_between_characters() {
        let put = put(4, |room| put_text("a\u{e4}\u{e4}", room));
        assert_eq!(put, ("a\u{e4}".to_owned(), 5));
    }

    #[test]
    fn errors_are_those_of_their_thread() {
        assert_eq!(guard(|| Err(Fault::argument("mine"))), abi::TH_ARG);
        let other = thread::spawn(|| put(8, last_error));
        assert_eq!(other.join().expect("no panic"), (String::new(), 0));
    }
}
