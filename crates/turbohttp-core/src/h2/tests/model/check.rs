//! What the reference and the codec agree about after each step.

use super::*;

impl World {
    pub(super) fn check(&self) {
        let streams = &self.fixture.streams;
        let granted: u64 = streams
            .slots
            .iter()
            .map(|stream| u64::from(stream.granted))
            .sum();
        assert_eq!(granted, streams.granted, "the sum is the sum");
        let to_come = AT_ONCE.saturating_sub(streams.used_count()) as u64;
        assert!(granted + to_come * u64::from(WINDOW) <= RECEIVE_BYTES.into());
        assert_eq!(
            streams.used_count(),
            self.callers
                .iter()
                .filter(|caller| caller.key.is_some())
                .count()
        );
        assert!(streams.open_count() <= 4);
        let open = streams
            .slots
            .iter()
            .filter(|stream| stream.is_on_wire)
            .count();
        assert_eq!(streams.open_count(), open);
        for caller in self.callers.iter() {
            let Some(key) = caller.key else { continue };
            let stream = &streams.slots[key.slot as usize];
            assert_eq!(stream.id, key.id);
            let unread: usize = stream.pieces.iter().map(|piece| piece.filled).sum();
            assert_eq!(unread, stream.buffered as usize);
            assert!(stream.window.size() <= STREAM_WINDOW_MAX);
            if !stream.is_received() {
                assert_eq!(stream.granted, stream.window.size());
                assert_eq!(stream.window.granted() + stream.buffered, stream.granted);
            }
        }
        self.check_queues();
        self.check_wakes();
    }

    /// No orphan waits, and nobody twice.
    fn check_queues(&self) {
        let streams = &self.fixture.streams;
        for (at, key) in streams.blocked.iter().enumerate() {
            assert!(
                self.callers.iter().any(|caller| caller.key == Some(*key)),
                "an orphan"
            );
            assert!(
                !streams
                    .blocked
                    .iter()
                    .skip(at + 1)
                    .any(|other| other == key),
                "twice"
            );
        }
        for (ticket, _) in &streams.line {
            let is_owned = self
                .callers
                .iter()
                .any(|caller| caller.ticket == Some(*ticket));
            assert!(is_owned, "an orphan");
        }
        assert!(
            streams.line.is_empty() || !streams.has_room(),
            "the line waits for nothing"
        );
    }

    /// Who waits for what has come was woken.
    fn check_wakes(&self) {
        let streams = &self.fixture.streams;
        for caller in &self.callers {
            let is_woken = caller.task.woken.0.load(SeqCst) > 0;
            let Some(waits) = caller.waits.filter(|_| !is_woken) else {
                continue;
            };
            let stream = caller.key.map(|key| &streams.slots[key.slot as usize]);
            let is_missed = match (waits, stream) {
                (Waits::ForStream, _) => !caller
                    .ticket
                    .is_some_and(|ticket| streams.line.iter().any(|(other, _)| *other == ticket)),
                (Waits::ForAnswer, Some(stream)) => stream.receiving != stream::Receiving::Head,
                (Waits::ForContent, Some(stream)) => {
                    stream.is_received() || !stream.pieces.is_empty()
                }
                (Waits::ToSend, Some(stream)) => {
                    let window = streams
                        .send_window
                        .available()
                        .min(stream.send_window.available());
                    !stream.is_sending || window > 0 && streams.out.len() < OUT_BYTES_MAX
                }
                (_, None) => false,
            };
            assert!(!is_missed, "{waits:?} was not woken");
        }
    }
}
