use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;

#[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn now() -> Instant {
    Instant::now()
}

fn drained(mailbox: &mut Mailbox) -> Timeline {
    let mut timeline = Timeline::new();
    mailbox.drain_into(&mut timeline);
    timeline
}

/// Events of a recorder arrive once, in order.
#[test]
fn events_arrive_in_order_and_once() {
    let base = now();
    let mut mailbox = Mailbox::new();
    let recorder = mailbox.recorder();
    let copy = recorder.clone();
    recorder
        .record(Phase::Send, base, base + Duration::from_millis(1))
        .unwrap();
    copy.record(Phase::Wait, base, base + Duration::from_millis(2))
        .unwrap();
    let phases: Vec<_> = drained(&mut mailbox)
        .spans()
        .map(|span| span.phase)
        .collect();
    assert_eq!(phases, [Phase::Send, Phase::Wait]);
    assert_eq!(drained(&mut mailbox).spans().len(), 0);
}

/// After the request a write is refused and counted, from every clone.
#[test]
fn write_after_the_request_is_refused() {
    let base = now();
    let mut mailbox = Mailbox::new();
    let stale = mailbox.recorder();
    stale.record(Phase::Send, base, base).unwrap();
    mailbox.retire();
    let refused = stale.clone().record(Phase::Send, base, base).unwrap_err();
    assert_eq!(refused.to_string(), "the request of this recorder is over");
    let current = mailbox.recorder();
    stale.record(Phase::Send, base, base).unwrap_err();
    current.record(Phase::Wait, base, base).unwrap();
    let phases: Vec<_> = drained(&mut mailbox)
        .spans()
        .map(|span| span.phase)
        .collect();
    assert_eq!(phases, [Phase::Wait]);
    assert_eq!(mailbox.late_writes(), 2);
}

/// Dropping a mailbox finishes its recorders.
#[test]
fn dropped_mailbox_finishes_its_recorders() {
    let mut mailbox = Mailbox::new();
    let recorder = mailbox.recorder();
    drop(mailbox);
    assert!(recorder.record(Phase::Send, now(), now()).is_err());
}

/// `reset` does what `retire` does, and drops the events.
#[test]
fn reset_empties_the_mailbox() {
    let mut mailbox = Mailbox::new();
    assert!(mailbox.is_blank());
    let recorder = mailbox.recorder();
    assert!(!mailbox.is_blank());
    for _ in 0..LATE_EVENTS_MAX + 1 {
        recorder.record(Phase::Send, now(), now()).unwrap();
    }
    mailbox.reset();
    assert!(mailbox.is_blank());
    drop(mailbox.recorder());
    assert_eq!(drained(&mut mailbox), Timeline::new());
}

/// What waits is bounded, and what is lost is counted by the timeline.
#[test]
fn waiting_events_are_bounded() {
    let base = now();
    let mut mailbox = Mailbox::new();
    let recorder = mailbox.recorder();
    for _ in 0..LATE_EVENTS_MAX + 5 {
        recorder.record(Phase::Send, base, base).unwrap();
    }
    let timeline = drained(&mut mailbox);
    assert_eq!(
        (timeline.spans().len(), timeline.dropped_events()),
        (LATE_EVENTS_MAX, 5)
    );
    recorder.record(Phase::Send, base, base).unwrap();
    let timeline = drained(&mut mailbox);
    assert_eq!((timeline.spans().len(), timeline.dropped_events()), (1, 0));
}

/// A million writes by recorders of former requests while the mailbox is used again and again;
/// none of them ever shows in a later request.
#[test]
fn late_writes_never_show_in_a_later_request() {
    let base = now();
    let refused = AtomicU64::new(0);
    let mut mailbox = Mailbox::new();
    let (handed, received): (Vec<_>, Vec<_>) = (0..8).map(|_| mpsc::sync_channel(1)).unzip();
    thread::scope(|scope| {
        for inbox in received {
            scope.spawn(|| write_for_long(base, inbox, &refused));
        }
        // Dropped here, also by a failure, which ends the writers.
        let handed = handed;
        let mut seen = 0;
        for request in 0.. {
            let recorder = mailbox.recorder();
            for sender in &handed {
                // A writer that is busy keeps an older recorder, and so writes late.
                let _is_busy = sender.try_send((request, recorder.clone()));
            }
            thread::yield_now();
            let mut timeline = Timeline::new();
            timeline.begin(base);
            mailbox.drain_into(&mut timeline);
            let mut marks = timeline.spans().map(|span| span.start.as_nanos());
            assert!(
                marks.all(|mark| mark == u128::from(request)),
                "a foreign event"
            );
            seen += timeline.spans().len();
            mailbox.retire();
            if seen > 100 && refused.load(Ordering::Relaxed) >= 1_000_000 {
                break;
            }
        }
    });
    assert_eq!(mailbox.late_writes(), refused.load(Ordering::Relaxed));
}

/// Marks each write with the number of the request it is for.
fn write_for_long(base: Instant, inbox: mpsc::Receiver<(u64, Recorder)>, refused: &AtomicU64) {
    let Ok((mut request, mut recorder)) = inbox.recv() else {
        return;
    };
    loop {
        for _ in 0..16 {
            let mark = base + Duration::from_nanos(request);
            let is_refused = recorder.record(Phase::Wait, mark, mark).is_err();
            refused.fetch_add(u64::from(is_refused), Ordering::Relaxed);
        }
        match inbox.try_recv() {
            Ok(newer) => (request, recorder) = newer,
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return,
        }
    }
}
