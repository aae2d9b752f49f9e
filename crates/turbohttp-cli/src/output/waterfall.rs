//! The phases of a request as bars over time.

use std::fmt::Write as _;
use std::time::Duration;

use turbohttp::{Span, Timeline, Version};

use super::Paint;
use super::text::{duration, of};
use super::width::fold;

/// Columns of a line that goes to no terminal.
const COLUMNS: usize = 77;

/// Columns from which on the begin of each span has room.
const STARTS_COLUMNS_MIN: usize = 60;

/// Columns of the names, the begins and the durations, unless one is longer.
const NAME_COLUMNS: usize = 8;
const START_COLUMNS: usize = 9;
const DURATION_COLUMNS: usize = 10;

/// A bar has so many columns at least.
const BAR_COLUMNS_MIN: usize = 8;

/// One line about the connection, then one line per span: name, bar, begin and duration; in as many
/// columns as the terminal has. Of the versions, HTTP/2 is told.
pub(crate) fn draw(
    timeline: &Timeline,
    version: Option<Version>,
    paint: Paint,
    columns: Option<usize>,
) -> String {
    let total = duration(timeline.total());
    let version = match version {
        Some(Version::HTTP_2) => ", HTTP/2",
        _ => "",
    };
    let mut out = format!("{}{version}, total {total}", connection(timeline));
    if timeline.attempts() > 1 {
        let _ = write!(
            out,
            ", sent again {}",
            of(u64::from(timeline.attempts() - 1), "time")
        );
    }
    out.push('\n');
    let mut out = fold(&out, columns);
    let layout = Layout::of(timeline, columns.unwrap_or(COLUMNS));
    for span in timeline.spans() {
        layout.draw(&span, paint, &mut out);
    }
    if timeline.dropped_events() > 0 {
        let _ = writeln!(
            out,
            "  and {} more spans, not kept",
            timeline.dropped_events()
        );
    }
    out
}

/// How the columns of a line are shared.
struct Layout {
    total: Duration,
    name: usize,
    bar: usize,
    /// 0 if the begins are left out.
    start: usize,
    duration: usize,
}

impl Layout {
    fn of(timeline: &Timeline, columns: usize) -> Layout {
        let longest = |least: usize, length: fn(&Span) -> usize| {
            timeline
                .spans()
                .map(|span| length(&span))
                .fold(least, usize::max)
        };
        let name = longest(NAME_COLUMNS, |span| span.phase.row().name.len());
        let duration = longest(DURATION_COLUMNS, |span| took(span).chars().count());
        let start = match columns {
            STARTS_COLUMNS_MIN.. => longest(START_COLUMNS, |span| begin(span).chars().count()),
            _ => 0,
        };
        // Two blanks and a bar before, a bar behind, and a blank before each time.
        let others = 2 + name + 2 + start + usize::from(start > 0) + 1 + duration;
        Layout {
            total: timeline.total(),
            name,
            bar: columns.saturating_sub(others).max(BAR_COLUMNS_MIN),
            start,
            duration,
        }
    }

    fn draw(&self, span: &Span, paint: Paint, out: &mut String) {
        let (before, length) = bar(span, self.total, self.bar);
        let row = span.phase.row();
        let drawn = paint.paint(colour(row.name), &row.glyph.to_string().repeat(length));
        let behind = self.bar - before - length;
        let name = self.name;
        let _ = write!(
            out,
            "  {:<name$}|{:before$}{drawn}{:behind$}|",
            row.name, "", ""
        );
        if self.start > 0 {
            let _ = write!(out, " {:>1$}", begin(span), self.start);
        }
        let _ = writeln!(out, " {:>1$}", took(span), self.duration);
    }
}

fn begin(span: &Span) -> String {
    format!("+{}", duration(span.start))
}

fn took(span: &Span) -> String {
    duration(span.end - span.start)
}

fn connection(timeline: &Timeline) -> String {
    match timeline.connection_id() {
        None => "no connection".to_owned(),
        Some(id) if timeline.is_connection_reused() => format!("connection {id} (reused)"),
        Some(id) if timeline.tls_resumed() == Some(true) => {
            format!("connection {id} (new, TLS session resumed)")
        }
        Some(id) => format!("connection {id} (new)"),
    }
}

/// First column and length of a bar. Every span has at least one column, so that it is seen.
fn bar(span: &Span, total: Duration, columns: usize) -> (usize, usize) {
    let column = |at: Duration| {
        let share = at.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        (share * columns as f64).round() as usize
    };
    let start = column(span.start).min(columns - 1);
    let end = column(span.end).clamp(start + 1, columns);
    (start, end - start)
}

fn colour(phase: &str) -> &'static str {
    match phase {
        "dns" | "connect" | "tls" => "36",
        "send" => "33",
        "wait" => "35",
        "receive" => "32",
        _ => "90",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use turbohttp::{Phase, Timeline, Version};

    use super::{Paint, draw};

    fn timeline() -> Timeline {
        let base = crate::clock::now();
        let us = Duration::from_micros;
        let mut timeline = Timeline::new();
        timeline.begin(base);
        timeline.set_connection(3, false);
        timeline.record(Phase::Connect, base, base + us(100));
        timeline.record(Phase::Send, base + us(100), base + us(110));
        timeline.record(Phase::Wait, base + us(110), base + us(1_000));
        timeline.end(base + us(1_000));
        timeline
    }

    #[test]
    fn bars_begin_where_the_spans_do() {
        let drawn = draw(&timeline(), None, Paint::Plain, None);
        let expected = "\
connection 3 (new), total 1.00 ms
  connect |cccc                                        |     +0 µs     100 µs
  send    |    >                                       |   +100 µs      10 µs
  wait    |     .......................................|   +110 µs     890 µs
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn lines_have_the_columns_that_there_are() {
        for columns in 40..=200 {
            let drawn = draw(&timeline(), None, Paint::Plain, Some(columns));
            let lengths = drawn.lines().map(|line| line.chars().count());
            assert_eq!(lengths.max(), Some(columns), "{drawn}");
        }
    }

    #[test]
    fn a_long_name_moves_all_bars() {
        let base = crate::clock::now();
        let ms = Duration::from_millis;
        let mut timeline = Timeline::new();
        timeline.begin(base);
        timeline.record(Phase::HostPermit, base, base + ms(1));
        timeline.record(Phase::Send, base + ms(1), base + ms(2));
        timeline.end(base + ms(2));
        let drawn = draw(&timeline, None, Paint::Plain, None);
        let bars: Vec<Option<usize>> = drawn.lines().skip(1).map(|line| line.find('|')).collect();
        assert_eq!(bars, [Some(13), Some(13)], "{drawn}");
    }

    #[test]
    fn only_what_was_sent_more_than_once_says_so() {
        let head = |timeline: &Timeline| {
            draw(timeline, None, Paint::Plain, None)
                .lines()
                .next()
                .map(str::to_owned)
        };
        let mut timeline = timeline();
        for end in [
            "ms",
            "ms",
            "ms, sent again 1 time",
            "ms, sent again 2 times",
        ] {
            let expected = format!("connection 3 (new), total 1.00 {end}");
            assert_eq!(head(&timeline), Some(expected));
            timeline.count_attempt();
        }
    }

    #[test]
    fn resumed_session_is_told_of_a_new_connection() {
        let mut timeline = timeline();
        timeline.set_tls_resumed(Some(true));
        let drawn = draw(&timeline, None, Paint::Plain, None);
        let expected = "connection 3 (new, TLS session resumed), total 1.00 ms\n";
        assert!(drawn.starts_with(expected), "{drawn}");
    }

    #[test]
    fn a_shared_connection_says_so() {
        let drawn = draw(&timeline(), Some(Version::HTTP_2), Paint::Plain, None);
        let expected = "connection 3 (new), HTTP/2, total 1.00 ms\n";
        assert!(drawn.starts_with(expected), "{drawn}");
        let older = draw(&timeline(), Some(Version::HTTP_11), Paint::Plain, None);
        assert_eq!(older, draw(&timeline(), None, Paint::Plain, None));
    }

    #[test]
    fn an_empty_timeline_is_no_accident() {
        assert_eq!(
            draw(&Timeline::new(), None, Paint::Plain, None),
            "no connection, total 0 µs\n"
        );
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(!draw(&timeline(), None, Paint::Plain, None).contains('\x1b'));
        assert!(draw(&timeline(), None, Paint::Colours, None).contains("\x1b[36mcccc\x1b[0m"));
    }
}
