//! Progress on stderr, for people who watch.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock;
use crate::output::text::{count, rate};
use crate::output::{Paint, report, stderr_columns, stderr_is_terminal};

/// How often a bar is drawn: more is only seen as flicker.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Columns below which a bar has no room beside what is said of requests, and of bytes.
const REQUESTS_COLUMNS_MIN: usize = 100;
const BYTES_COLUMNS_MIN: usize = 72;

fn is_narrow(least: usize) -> bool {
    stderr_columns().is_some_and(|columns| columns < least)
}

/// A bar that may be hidden, and lines that are written above it.
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// A bar of requests; `length` is the sum of all weights, where it is known.
    pub(crate) fn of_requests(is_wanted: bool, length: Option<u64>) -> Progress {
        let template = match (length, is_narrow(REQUESTS_COLUMNS_MIN)) {
            (Some(_), false) => "[{elapsed_precise}] {wide_bar} {percent:>3}%  {msg}",
            (Some(_), true) => "{percent:>3}% {wide_msg}",
            (None, _) => "{spinner} {wide_msg}",
        };
        Progress::new(is_wanted, length, template)
    }

    /// A bar of bytes; without a `length`, only a count.
    pub(crate) fn of_bytes(is_wanted: bool, length: Option<u64>) -> Progress {
        let template = match (length, is_narrow(BYTES_COLUMNS_MIN)) {
            (Some(_), false) => "{wide_bar} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
            (Some(_), true) => "{percent:>3}% {bytes} {bytes_per_sec}",
            (None, _) => "{spinner} {bytes}  {bytes_per_sec}",
        };
        Progress::new(is_wanted && stderr_is_terminal(), length, template)
    }

    fn new(is_wanted: bool, length: Option<u64>, template: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(
            length,
            if is_wanted {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        let coloured = match Paint::of(&std::io::stderr()) {
            Paint::Plain => template.to_owned(),
            Paint::Colours => template.replace("{wide_bar}", "{wide_bar:.cyan}"),
        };
        let style = ProgressStyle::with_template(&coloured)
            .expect("the templates above are well-formed")
            .progress_chars("=> ");
        bar.set_style(style);
        if is_wanted {
            bar.enable_steady_tick(DRAW_EVERY);
        }
        Progress {
            bar,
            began: clock::now(),
            drawn: None,
        }
    }

    pub(crate) fn advance(&self, weight: u64) {
        self.bar.inc(weight);
    }

    /// Says how a batch stands.
    pub(crate) fn tell(&mut self, finished: u64, failed: u64, running: usize) {
        if self.bar.is_hidden() {
            return;
        }
        let now = clock::now();
        if self.drawn.is_some_and(|drawn| now < drawn + DRAW_EVERY) {
            return;
        }
        self.drawn = Some(now);
        let rate = rate(finished, now - self.began);
        let (finished, failed) = (count(finished), count(failed));
        self.bar.set_message(format!(
            "{finished} finished  {failed} failed  {running} in flight  {rate}"
        ));
    }

    /// Since the bar was made.
    pub(crate) fn elapsed(&self) -> Duration {
        clock::now() - self.began
    }

    /// Writes a line to stderr, above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| report(line));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
