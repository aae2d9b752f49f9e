//! What all connections of a server share.

use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::Answer;
use crate::options::{FailWith, Options};
use crate::route::Route;
use crate::stats::Counters;

/// Longer content is streamed instead of kept.
const KEPT_CONTENT_BYTES_MAX: u64 = 256 * 1024;

/// How many answers are kept; further ones are built for each request.
const KEPT_ANSWERS_MAX: usize = 64;

/// A server's options, counters, and the answers it keeps ready.
pub(crate) struct Host {
    pub(crate) options: Options,
    pub(crate) counters: Counters,
    /// Shared, so that connections answer from the same, warm bytes.
    kept: Mutex<Vec<Kept>>,
}

type Kept = (Box<[u8]>, Arc<Answer>);

impl Host {
    pub(crate) fn new(options: Options) -> Host {
        Host {
            options,
            counters: Counters::default(),
            kept: Mutex::new(Vec::new()),
        }
    }

    /// The answer to `target`, if it is the same for every request and short enough to keep.
    pub(crate) fn kept(&self, target: &[u8]) -> Option<Arc<Answer>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = kept.iter().find(|(known, _)| **known == *target) {
            return Some(answer.clone());
        }
        let answer = Arc::new(constant(Route::parse(target))?);
        if kept.len() < KEPT_ANSWERS_MAX {
            kept.push((target.into(), answer.clone()));
        }
        Some(answer)
    }

    /// How the request with this number fails, if it does.
    pub(crate) fn failure(&self, request_number: u64) -> Option<FailWith> {
        let fail = self.options.fail.filter(|fail| fail.every > 0)?;
        request_number
            .is_multiple_of(fail.every)
            .then_some(fail.with)
    }
}

/// The answer of a route that is nothing but bytes.
fn constant(route: Route<'_>) -> Option<Answer> {
    match route {
        Route::Index => Some(Answer::text(200, crate::ROUTES.as_bytes())),
        Route::Small => Some(Answer::small()),
        Route::Status(code) => Some(Answer::status(code)),
        Route::Bytes(length) if length <= KEPT_CONTENT_BYTES_MAX => {
            Some(Answer::patterned(length as usize))
        }
        Route::Chunked { count, size } if count.saturating_mul(size) <= KEPT_CONTENT_BYTES_MAX => {
            Some(Answer::chunked(count as usize, size as usize))
        }
        _ => None,
    }
}
