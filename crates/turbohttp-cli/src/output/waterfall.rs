//! The phases of a request as bars over time.

use std::fmt::Write as _;
use std::time::Duration;

use turbohttp::{Span, Timeline};

use super::Paint;
use super::text::{duration, of};

/// Columns of the bars: with names and times a line stays within 80.
const BAR_COLUMNS: usize = 44;

/// Columns of the names, unless one is longer.
const NAME_COLUMNS: usize = 8;

/// One line about the connection, then one line per span: name, bar, begin and duration.
pub(crate) fn draw(timeline: &Timeline, paint: Paint) -> String {
    let total = timeline.total();
    let mut out = format!("{}, total {}", connection(timeline), duration(total));
    if timeline.attempts() > 1 {
        let _ = write!(
            out,
            ", sent again {}",
            of(u64::from(timeline.attempts() - 1), "time")
        );
    }
    out.push('\n');
    let names = timeline.spans().map(|span| span.phase.row().name.len());
    let name_columns = names.max().unwrap_or(0).max(NAME_COLUMNS);
    for span in timeline.spans() {
        let (start, length) = columns(&span, total);
        let row = span.phase.row();
        let bar = row.glyph.to_string().repeat(length);
        let rest = BAR_COLUMNS - start - length;
        let _ = writeln!(
            out,
            "  {:<name_columns$}|{:start$}{}{:rest$}| {:>9} {:>10}",
            row.name,
            "",
            paint.paint(colour(row.name), &bar),
            "",
            format!("+{}", duration(span.start)),
            duration(span.end - span.start),
        );
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

fn connection(timeline: &Timeline) -> String {
    match timeline.connection_id() {
        None => "no connection".to_owned(),
        Some(id) if timeline.is_connection_reused() => format!("connection {id} (reused)"),
        Some(id) => format!("connection {id} (new)"),
    }
}

/// First column and length of a bar. Every span has at least one column, so that it is seen.
fn columns(span: &Span, total: Duration) -> (usize, usize) {
    let column = |at: Duration| {
        let share = at.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        (share * BAR_COLUMNS as f64).round() as usize
    };
    let start = column(span.start).min(BAR_COLUMNS - 1);
    let end = column(span.end).clamp(start + 1, BAR_COLUMNS);
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

    use turbohttp::{Phase, Timeline};

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
        let drawn = draw(&timeline(), Paint::Plain);
        let expected = "\
connection 3 (new), total 1.00 ms
  connect |cccc                                        |     +0 µs     100 µs
  send    |    >                                       |   +100 µs      10 µs
  wait    |     .......................................|   +110 µs     890 µs
";
        assert_eq!(drawn, expected);
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
        let drawn = draw(&timeline, Paint::Plain);
        let bars: Vec<Option<usize>> = drawn.lines().skip(1).map(|line| line.find('|')).collect();
        assert_eq!(bars, [Some(13), Some(13)], "{drawn}");
    }

    #[test]
    fn only_what_was_sent_more_than_once_says_so() {
        let head = |timeline: &Timeline| {
            draw(timeline, Paint::Plain)
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
    fn an_empty_timeline_is_no_accident() {
        assert_eq!(
            draw(&Timeline::new(), Paint::Plain),
            "no connection, total 0 µs\n"
        );
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert!(!draw(&timeline(), Paint::Plain).contains('\x1b'));
        assert!(draw(&timeline(), Paint::Colours).contains("\x1b[36mcccc\x1b[0m"));
    }
}
