use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::timeline::{PHASES, PhaseRow};

#[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn now() -> Instant {
    Instant::now()
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn spans(timeline: &Timeline) -> Vec<(Phase, Duration, Duration)> {
    timeline
        .spans()
        .map(|span| (span.phase, span.start, span.end))
        .collect()
}

/// One request over a new connection, in milliseconds from `base`.
const GOLDEN: [(Phase, Range<u64>); 10] = [
    (Phase::Queue, 0..1),
    (Phase::Pause, 1..1),
    (Phase::HostPermit, 1..2),
    (Phase::TotalPermit, 2..3),
    (Phase::Dns, 3..10),
    (Phase::Connect, 10..30),
    (Phase::Tls, 30..70),
    (Phase::Send, 70..71),
    (Phase::Wait, 71..120),
    (Phase::Receive, 120..150),
];

fn play_golden(timeline: &mut Timeline, base: Instant) {
    timeline.begin(base);
    timeline.count_attempt();
    timeline.set_connection(7, true);
    for (phase, time) in GOLDEN {
        timeline.start(phase, base + ms(time.start));
        timeline.finish(phase, base + ms(time.end));
    }
    timeline.end(base + ms(151));
}

/// The table is complete, in order, unambiguous, and goes forward only.
#[test]
fn table_of_phases_is_sound() {
    const HAR_FIELDS: [&str; 7] = [
        "blocked", "dns", "connect", "ssl", "send", "wait", "receive",
    ];
    for (index, (phase, row)) in Phase::ALL.into_iter().zip(&PHASES).enumerate() {
        assert_eq!(phase as usize, index);
        assert_eq!(
            (row.phase, row, row.name),
            (phase, phase.row(), phase.name())
        );
        assert_eq!(
            row.name.replace('_', ""),
            format!("{phase:?}").to_lowercase()
        );
        assert!(HAR_FIELDS.contains(&row.har_field), "{row:?}");
        assert!(row.glyph.is_ascii_graphic(), "{row:?}");
        assert!(row.after.iter().all(|&earlier| earlier < phase), "{row:?}");
        assert_eq!(
            row.after.is_empty(),
            index == 0,
            "only the first has none before it"
        );
        let same = |other: &&PhaseRow| other.glyph == row.glyph || other.name == row.name;
        assert_eq!(PHASES.iter().filter(same).count(), 1, "{row:?}");
    }
    for field in HAR_FIELDS {
        assert!(PHASES.iter().any(|row| row.har_field == field), "{field}");
    }
    assert!(
        GOLDEN
            .windows(2)
            .all(|pair| pair[1].0.may_follow(pair[0].0))
    );
    assert!(!Phase::Send.may_follow(Phase::Wait));
}

/// The same spans on a new timeline and on one that was used before.
#[test]
fn golden_spans_are_the_same_on_a_used_timeline() {
    let base = now();
    let expected: Vec<_> = GOLDEN
        .into_iter()
        .map(|(phase, time)| (phase, ms(time.start), ms(time.end)))
        .collect();
    let mut timeline = Timeline::new();
    for used in 0..3 {
        play_golden(&mut timeline, base + ms(used * 1_000));
        assert_eq!(spans(&timeline), expected);
        assert_eq!(timeline.spans().len(), GOLDEN.len());
        assert_eq!((timeline.total(), timeline.attempts()), (ms(151), 1));
        assert_eq!(timeline.duration(Phase::Tls), ms(40));
        assert_eq!(
            (timeline.connection_id(), timeline.is_connection_reused()),
            (Some(7), true)
        );
        timeline.reset();
    }
}

#[test]
fn timeline_stays_small() {
    assert!(size_of::<Timeline>() <= 720, "{}", size_of::<Timeline>());
}

/// Moments in the wrong order give zero, not a panic or a huge number.
#[test]
fn moments_in_the_wrong_order_give_zero() {
    let base = now() + ms(100);
    let mut timeline = Timeline::new();
    timeline.begin(base);
    timeline.record(Phase::Dns, base + ms(5), base + ms(3));
    timeline.record(Phase::Connect, base - ms(50), base + ms(1));
    timeline.start(Phase::Send, base + ms(9));
    timeline.finish(Phase::Send, base - ms(9));
    let expected = [
        (Phase::Dns, ms(5), ms(5)),
        (Phase::Connect, ms(0), ms(1)),
        (Phase::Send, ms(9), ms(9)),
    ];
    assert_eq!(spans(&timeline), expected);
    assert_eq!(timeline.duration(Phase::Dns), ms(0));
    timeline.end(base);
    assert_eq!(timeline.total(), ms(9), "the total never shrinks");
}

#[test]
fn first_moment_is_the_beginning_if_none_was_set() {
    let base = now();
    let mut timeline = Timeline::new();
    timeline.start(Phase::Wait, base);
    timeline.finish(Phase::Wait, base + ms(4));
    assert_eq!(spans(&timeline), [(Phase::Wait, ms(0), ms(4))]);
}

/// Retries repeat phases; their durations add up.
#[test]
fn repeated_phases_add_up() {
    let base = now();
    let mut timeline = Timeline::new();
    timeline.begin(base);
    timeline.start(Phase::Connect, base);
    timeline.start(Phase::Connect, base + ms(10));
    timeline.finish(Phase::Connect, base + ms(15));
    timeline.finish(Phase::Connect, base + ms(99));
    timeline.finish(Phase::Tls, base + ms(99));
    assert_eq!(timeline.spans().len(), 2);
    assert_eq!(timeline.duration(Phase::Connect), ms(15));
    assert_eq!(
        timeline.total(),
        ms(15),
        "finishing what is not open is nothing"
    );
}

/// The phase in which a request failed is recorded.
#[test]
fn end_finishes_open_phases() {
    let base = now();
    let mut timeline = Timeline::new();
    timeline.begin(base);
    timeline.start(Phase::Connect, base + ms(1));
    timeline.end(base + ms(8));
    assert_eq!(spans(&timeline), [(Phase::Connect, ms(1), ms(8))]);
    timeline.finish(Phase::Connect, base + ms(9));
    assert_eq!(timeline.spans().len(), 1);
}

/// The events are bounded; what is lost is counted, and the first ones are kept.
#[test]
fn events_beyond_the_bound_are_counted() {
    let base = now();
    let mut timeline = Timeline::new();
    timeline.begin(base);
    for index in 0..EVENTS_MAX as u64 + 10 {
        timeline.record(Phase::Receive, base + ms(index), base + ms(index + 1));
    }
    assert_eq!(
        (timeline.spans().len(), timeline.dropped_events()),
        (EVENTS_MAX, 10)
    );
    assert_eq!(spans(&timeline)[0].1, ms(0));
    assert_eq!(timeline.total(), ms(EVENTS_MAX as u64 + 10));
    timeline.reset();
    assert_eq!(timeline.dropped_events(), 0);
}

/// A copy owns its data.
#[test]
fn copy_is_independent() {
    let base = now();
    let mut timeline = Timeline::new();
    play_golden(&mut timeline, base);
    timeline.start(Phase::Receive, base);
    let copy = timeline.clone();
    assert_eq!(copy, timeline);
    timeline.reset();
    assert_ne!(copy, timeline);
    assert_eq!(copy.spans().len(), GOLDEN.len());
}

/// No clone, comparison or print shows an event of the former request.
#[test]
fn former_events_cannot_be_observed() {
    let base = now();
    let mut used = Timeline::new();
    play_golden(&mut used, base);
    used.start(Phase::Receive, base + ms(500));
    used.reset();
    assert!(used.is_blank());
    assert_eq!(used, Timeline::new());
    assert_eq!(format!("{used:?}"), format!("{:?}", Timeline::new()));
    used.record(Phase::Send, base, base);
    let copy = used.clone();
    assert!(
        copy.events
            .iter()
            .all(|event| (event.start_ns, event.end_ns) == (0, 0))
    );
    assert_eq!(copy.open_ns, [0; Phase::COUNT]);
}

#[derive(Clone, Debug)]
enum Step {
    Begin(u64),
    Record(Phase, u64, u64),
    Start(Phase, u64),
    Finish(Phase, u64),
    End(u64),
    Connection(u64, bool),
    Attempt,
}

fn step() -> impl Strategy<Value = Step> {
    let phase = || prop::sample::select(Phase::ALL.as_slice());
    prop_oneof![
        (0u64..100).prop_map(Step::Begin),
        (phase(), 0u64..1_000, 0u64..1_000).prop_map(|(p, a, b)| Step::Record(p, a, b)),
        (phase(), 0u64..1_000).prop_map(|(p, a)| Step::Start(p, a)),
        (phase(), 0u64..1_000).prop_map(|(p, a)| Step::Finish(p, a)),
        (0u64..1_000).prop_map(Step::End),
        (any::<u64>(), any::<bool>()).prop_map(|(id, reused)| Step::Connection(id, reused)),
        Just(Step::Attempt),
    ]
}

fn play(timeline: &mut Timeline, base: Instant, steps: &[Step]) {
    for step in steps {
        match *step {
            Step::Begin(at) => timeline.begin(base + ms(at)),
            Step::Record(phase, a, b) => timeline.record(phase, base + ms(a), base + ms(b)),
            Step::Start(phase, at) => timeline.start(phase, base + ms(at)),
            Step::Finish(phase, at) => timeline.finish(phase, base + ms(at)),
            Step::End(at) => timeline.end(base + ms(at)),
            Step::Connection(id, is_reused) => timeline.set_connection(id, is_reused),
            Step::Attempt => timeline.count_attempt(),
        }
    }
}

proptest! {
    /// After a reset a timeline equals a new one, and behaves like one.
    #[test]
    fn reset_timeline_equals_a_new_one(
        before in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..60),
    ) {
        let base = now();
        let (mut used, mut fresh) = (Timeline::new(), Timeline::new());
        play(&mut used, base, &before);
        prop_assert_eq!(used.is_blank(), used == fresh);
        used.reset();
        prop_assert!(used.is_blank());
        prop_assert_eq!(&used, &fresh);
        play(&mut used, base, &after);
        play(&mut fresh, base, &after);
        prop_assert_eq!(&used, &fresh);
        prop_assert_eq!(&used.clone(), &fresh);
        prop_assert_eq!(format!("{used:?}"), format!("{fresh:?}"));
    }
}
