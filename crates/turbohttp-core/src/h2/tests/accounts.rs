//! Memory for content, and what is left of a stream.

use super::*;

/// One DATA frame after the other, and memory of exactly what is asked for.
fn deliver_with(fixture: &mut Fixture, bytes: &[u8]) -> Option<usize> {
    let consumed = fixture.receiver.receive(bytes, &mut fixture.batch);
    assert_eq!(consumed, bytes.len());
    step(fixture, bytes)
}

fn step(fixture: &mut Fixture, bytes: &[u8]) -> Option<usize> {
    let (now, wakes) = (fixture.now, &mut fixture.wakes);
    let (streams, memory) = (&mut fixture.streams, &mut fixture.memory);
    let delivered = streams.deliver(&mut fixture.batch, bytes, memory, now, wakes);
    fixture.wakes.perform();
    match delivered {
        Delivered::NeedsMemory(bytes) => Some(bytes),
        other => {
            assert_eq!(other, Delivered::All);
            None
        }
    }
}

/// Memory is asked for without the lock: the stream that it was asked for may be gone when it comes.
#[test]
fn memory_for_a_stream_that_is_gone_is_not_too_small_for_another() {
    let mut fixture = Fixture::new();
    let [gone, other] = [fixture.get(), fixture.get()];
    fixture.receive(&[ok(1, 0), ok(3, 0)].concat());
    let content: Vec<u8> = (0..FRAME_BYTES_MAX).map(|at| at as u8).collect();
    let bytes = [data(1, b"small", 0), data(3, &content, END)].concat();
    let small = deliver_with(&mut fixture, &bytes).unwrap();
    fixture.memory = Some(vec![0; small]);
    fixture.release(gone);
    let large = step(&mut fixture, &bytes).expect("the small one is not enough");
    assert!(large >= content.len());
    fixture.memory = Some(vec![0; large]);
    assert_eq!(step(&mut fixture, &bytes), None);
    assert_eq!(fixture.whole(other).1, content);
}

/// What is not used stays with the task, which drops it without the lock.
#[test]
fn memory_for_refused_content_stays_with_the_task() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&headers(
        1,
        &[(":status", "200"), ("content-length", "3")],
        0,
    ));
    let bytes = data(1, b"four", 0);
    let wanted = deliver_with(&mut fixture, &bytes).unwrap();
    fixture.memory = Some(vec![0; wanted]);
    assert_eq!(step(&mut fixture, &bytes), None);
    assert!(fixture.failure(key).is_some());
    assert!(fixture.memory.is_some());
}

/// Frames of a byte fill the memory that is there.
#[test]
fn small_frames_cost_no_memory_of_their_own() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&ok(1, 0));
    let mut asked = 0;
    for at in 0..20_000_u32 {
        let bytes = data(1, &[at as u8], 0);
        while let Some(wanted) = match asked {
            0 => deliver_with(&mut fixture, &bytes),
            _ if fixture.memory.is_some() => step(&mut fixture, &bytes),
            _ => deliver_with(&mut fixture, &bytes),
        } {
            asked += 1;
            fixture.memory = Some(vec![0; wanted]);
        }
    }
    assert!(asked <= 3, "{asked} pieces");
    let (mut head, _) = fixture.answer(key);
    let (content, _) = fixture.read_all(key, &mut head);
    assert!(
        content
            .iter()
            .enumerate()
            .all(|(at, byte)| at as u8 == *byte)
    );
    assert_eq!(content.len(), 20_000);
}

/// Memory that was read goes round: a stream that flows needs none.
#[test]
fn memory_that_was_read_is_filled_again() {
    let mut fixture = Fixture::new();
    let key = fixture.get();
    fixture.receive(&ok(1, 0));
    let (mut head, _) = fixture.answer(key);
    let mut lent = None;
    for round in 0..50_u8 {
        let bytes = data(1, &[round; 1_000], 0);
        if let Some(wanted) = deliver_with(&mut fixture, &bytes) {
            assert_eq!(round, 0);
            fixture.memory = Some(vec![0; wanted]);
            assert_eq!(step(&mut fixture, &bytes), None);
        }
        let (streams, waker) = (&mut fixture.streams, &fixture.task.waker);
        let mut read = |lent| streams.read(key, &mut head, lent, waker, &mut fixture.wakes);
        let (Chunk::Piece(piece), None) = read(lent.take()) else {
            panic!("a piece has arrived");
        };
        assert_eq!(piece.memory[..piece.filled], [round; 1_000]);
        let (chunk, surplus) = read(Some(piece.memory));
        assert!(matches!(chunk, Chunk::Pending { .. }) && surplus.is_none());
    }
    // A second one is not needed.
    let (streams, waker) = (&mut fixture.streams, &fixture.task.waker);
    let (_, surplus) = streams.read(key, &mut head, Some(vec![0; 9]), waker, &mut fixture.wakes);
    assert_eq!(surplus, Some(vec![0; 9]));
    let released = fixture
        .streams
        .release(key, fixture.now, &mut fixture.wakes);
    assert!(released.spare.is_some());
}

/// Late frames of as many streams as there may be are expected, credited and not answered.
#[test]
fn all_streams_can_be_given_up_at_once() {
    let mut fixture = Fixture::with(Limits::new(HeadLimits::default(), STREAMS_MAX));
    fixture.receive(&settings(&[]));
    let glitches = fixture.streams.glitches();
    let keys: Vec<StreamKey> = (0..fixture.streams.capacity())
        .map(|_| fixture.get())
        .collect();
    fixture.out();
    fixture.receive(&window_update(1, 1));
    keys.iter().for_each(|key| fixture.release(*key));
    assert_eq!(fixture.out().len(), keys.len(), "one RST_STREAM each");
    for key in &keys {
        let id = key.id();
        fixture.receive(&[ok(id, 0), data(id, &[0; 1_000], 0), data(id, b"x", END)].concat());
    }
    let out = fixture.out();
    assert!(
        out.iter()
            .all(|frame| (frame.kind, frame.stream) == (kind::WINDOW_UPDATE, 0))
    );
    assert_eq!(
        (fixture.fault, fixture.streams.glitches() - glitches),
        (None, 1)
    );
    assert!(fixture.streams.is_at_rest());
}

#[test]
fn a_slot_is_used_again_and_blank() {
    let mut fixture = Fixture::new();
    for _ in 0..100 {
        let key = fixture.post();
        assert_eq!(key.slot, 0);
        assert!(matches!(
            fixture.answer(key).1,
            Answer::Pending { is_watched: true }
        ));
        fixture.receive(&[ok(key.id(), 0), data(key.id(), b"unread", 0)].concat());
        fixture.release(key);
        assert!(fixture.streams.is_at_rest());
        assert_eq!(
            Arc::strong_count(&fixture.task.woken),
            2,
            "no waker is left"
        );
    }
    assert_eq!(fixture.streams.used_count(), 0);
}
