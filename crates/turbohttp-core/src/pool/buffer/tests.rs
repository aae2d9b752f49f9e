use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::pool::{BUFFER_BYTES_MAX, ClearPolicy};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const SECRET: [u8; 32] = *b"0123456789abcdef the secret of A";

fn pool(clear: ClearPolicy) -> BufferPool {
    BufferPool::new(BufferOptions::default().clear(clear)).unwrap()
}

fn small_pool() -> BufferPool {
    let options = BufferOptions::default()
        .smallest(16)
        .largest(256)
        .per_bucket(3)
        .total_bytes(600);
    BufferPool::new(options).unwrap()
}

fn fill_with_secret(buffer: &mut [u8]) {
    buffer
        .chunks_mut(SECRET.len())
        .for_each(|part| part.copy_from_slice(&SECRET[..part.len()]));
}

fn assert_bounded(pool: &BufferPool) {
    let stats = pool.stats();
    let options = pool.handle.shared.options;
    let held: usize = stats
        .buckets
        .iter()
        .map(|bucket| bucket.buffer_bytes * bucket.idle)
        .sum();
    assert_eq!(stats.retained_bytes, held);
    assert!(held <= options.total_bytes, "{stats:?}");
    assert!(
        stats
            .buckets
            .iter()
            .all(|bucket| bucket.idle <= options.per_bucket),
        "{stats:?}"
    );
    assert_eq!(stats.taken, stats.made + stats.reused + stats.unpooled);
}

/// The defaults are part of the interface: a change of one fails this test.
#[test]
fn defaults_are_these() {
    let options = BufferOptions::default();
    assert_eq!((options.smallest, options.largest), (KIB, MIB));
    assert_eq!((options.per_bucket, options.total_bytes), (32, 16 * MIB));
    assert_eq!(options.clear, ClearPolicy::OnTake);
    let sizes: Vec<_> = pool(options.clear)
        .stats()
        .buckets
        .iter()
        .map(|bucket| bucket.buffer_bytes / KIB)
        .collect();
    assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
}

/// Each option out of its bound is refused by name, value and bound.
#[test]
fn wrong_options_are_named() {
    let defaults = BufferOptions::default;
    let cases = [
        (defaults().smallest(0), "smallest is 0, not a power of two"),
        (
            defaults().smallest(1000),
            "smallest is 1000, not a power of two",
        ),
        (
            defaults().largest(usize::MAX),
            &format!("largest is {}, not a power of two", usize::MAX),
        ),
        (defaults().largest(512), "largest is 512, the least is 1024"),
        (
            defaults().largest(1 << 31),
            "largest is 2147483648, the most is 1073741824",
        ),
        (defaults().per_bucket(0), "per_bucket is 0, the least is 1"),
        (
            defaults().total_bytes(MIB - 1),
            "total_bytes is 1048575, the least is 1048576",
        ),
    ];
    for (options, message) in cases {
        let refused = BufferPool::new(options).unwrap_err();
        assert_eq!(refused.to_string(), format!("buffer pool option {message}"));
        assert!(message.starts_with(refused.field()));
        assert!(message.contains(&refused.value().to_string()));
    }
}

/// Lengths of 0 and above `BUFFER_BYTES_MAX` are refused, and nothing is allocated or counted.
#[test]
fn zero_and_absurd_lengths_are_refused() {
    let pool = pool(ClearPolicy::None);
    for len in [
        0,
        BUFFER_BYTES_MAX + 1,
        isize::MAX as usize,
        usize::MAX - 1,
        usize::MAX,
    ] {
        assert_eq!(pool.take(len).unwrap_err().len_refused(), len);
    }
    assert_eq!(pool.stats().taken, 0);
    assert_eq!(
        pool.take(0).unwrap_err().to_string(),
        "buffer length 0 is not in 1..=1073741824"
    );
}

/// Lengths at, just below and just above each size.
#[test]
fn sizes_change_exactly_at_their_boundaries() {
    let pool = pool(ClearPolicy::None);
    assert_eq!(pool.take(1).unwrap().len(), KIB);
    for shift in 10..20 {
        let size = 1 << shift;
        let lens = [size - 1, size, size + 1].map(|len| pool.take(len).unwrap().len());
        assert_eq!(lens, [size, size, size * 2]);
    }
    let last = [MIB - 1, MIB, MIB + 1].map(|len| pool.take(len).unwrap());
    assert_eq!(
        last.each_ref().map(|buffer| buffer.len()),
        [MIB, MIB, MIB + 1]
    );
    assert_eq!(
        last.each_ref().map(PoolBuffer::is_pooled),
        [true, true, false]
    );
}

proptest! {
    /// The shortest size that fits, and the same one each time, for any ladder.
    #[test]
    fn shortest_size_that_fits_is_rented(
        smallest in 0u32..12,
        steps in 0u32..9,
        len in 1usize..(1 << 21),
    ) {
        let largest = 1usize << (smallest + steps);
        let options = BufferOptions::default()
            .smallest(1 << smallest)
            .largest(largest)
            .total_bytes(largest);
        let pool = BufferPool::new(options).unwrap();
        let got = pool.take(len).unwrap();
        let sizes = pool.stats().buckets.into_iter().map(|bucket| bucket.buffer_bytes);
        let expected = sizes.into_iter().find(|&size| size >= len);
        prop_assert_eq!(got.len(), expected.unwrap_or(len));
        prop_assert_eq!(got.is_pooled(), expected.is_some());
        drop(got);
        prop_assert_eq!(pool.take(len).unwrap().len(), expected.unwrap_or(len));
    }

    /// The bytes that are idle never exceed the bounds, in any order of renting and releasing.
    #[test]
    fn retained_bytes_are_bounded(steps in prop::collection::vec((0u8..8, 1usize..400), 0..200)) {
        let pool = small_pool();
        let mut held = Vec::new();
        for (kind, len) in steps {
            match kind {
                0..4 => held.push(pool.take(len).unwrap()),
                4..6 if !held.is_empty() => drop(held.swap_remove(len % held.len())),
                6 => pool.put(vec![1; len].into_boxed_slice()),
                7 if len < 20 => drop(pool.clear()),
                _ => {}
            }
            assert_bounded(&pool);
            prop_assert_eq!(pool.stats().outstanding, held.len() as u64);
            prop_assert!(held.last().is_none_or(|last| !last.is_empty()));
        }
    }
}

/// A longer idle buffer does not serve a shorter rent.
#[test]
fn longer_buffers_are_not_stolen() {
    let pool = pool(ClearPolicy::None);
    drop(pool.take(8 * KIB).unwrap());
    assert_eq!(pool.take(4 * KIB).unwrap().len(), 4 * KIB);
    assert_eq!((pool.stats().made, pool.stats().reused), (2, 0));
}

/// 8 threads push ten times the caps; they hold at every sample and are reached.
#[test]
fn caps_hold_under_contention() {
    let pool = small_pool();
    let overflowing = || {
        for round in 0..200 {
            let len = [16, 32, 64, 128, 256][round % 5];
            let held: Vec<_> = (0..30).map(|_| pool.take(len).unwrap()).collect();
            for buffer in held {
                drop(buffer);
                assert_bounded(&pool);
            }
        }
    };
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(overflowing)));
    });
    assert_eq!(pool.stats().outstanding, 0);
    pool.clear();
    drop((0..10).map(|_| pool.take(16).unwrap()).collect::<Vec<_>>());
    assert_eq!(
        pool.stats().buckets[0].idle,
        3,
        "the cap of one size is reached"
    );
    drop((0..10).map(|_| pool.take(256).unwrap()).collect::<Vec<_>>());
    assert_eq!(
        pool.stats().retained_bytes,
        3 * 16 + 2 * 256,
        "and the cap of all"
    );
}

/// The same memory is rented again, without a byte of its former owner.
#[test]
fn rented_buffer_holds_nothing_of_the_former_owner() {
    for policy in [
        ClearPolicy::OnTake,
        ClearPolicy::OnReturn,
        ClearPolicy::Both,
    ] {
        let pool = pool(policy);
        for size in pool
            .stats()
            .buckets
            .iter()
            .map(|bucket| bucket.buffer_bytes)
        {
            for len in [size, size / 2 + 1, size] {
                let mut buffer = pool.take(size).unwrap();
                fill_with_secret(&mut buffer);
                let before = buffer.as_ptr();
                drop(buffer);
                let buffer = pool.take(len).unwrap();
                assert_eq!(buffer.as_ptr(), before, "other memory, so nothing is shown");
                assert_eq!(buffer.len(), size);
                assert!(buffer.iter().all(|&byte| byte == 0), "{policy:?} {len}");
            }
        }
    }
}

/// Without a policy the secret is there, which shows that the test above can fail.
#[test]
fn without_clearing_the_former_content_is_seen() {
    let pool = pool(ClearPolicy::None);
    let mut buffer = pool.take(KIB).unwrap();
    assert!(buffer.iter().all(|&byte| byte == 0), "a new buffer is zero");
    fill_with_secret(&mut buffer);
    drop(buffer);
    assert_eq!(pool.take(KIB).unwrap()[..32], SECRET);
}

/// The same under 8 threads, with adopted buffers among them.
#[test]
fn threads_see_no_bytes_of_each_other() {
    let pool = pool(ClearPolicy::OnTake);
    let prying = || {
        for round in 0..300 {
            let mut buffer = pool.take(KIB << (round % 3)).unwrap();
            assert!(buffer.iter().all(|&byte| byte == 0));
            fill_with_secret(&mut buffer);
            drop(buffer);
            pool.put(vec![1; KIB].into_boxed_slice());
        }
    };
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(prying)));
    });
    let stats = pool.stats();
    assert!(stats.reused > stats.made, "{stats:?}");
}

/// Idle buffers are zero, also those that were released during a panic and those that were adopted.
#[test]
fn sensitive_buffers_rest_clean() {
    for policy in [ClearPolicy::OnReturn, ClearPolicy::Both] {
        let pool = pool(policy);
        let mut buffers = [pool.take(KIB).unwrap(), pool.take(MIB).unwrap()];
        buffers
            .iter_mut()
            .for_each(|buffer| fill_with_secret(buffer));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _owned = buffers;
            panic!("owner");
        }));
        assert!(unwound.is_err());
        pool.put(SECRET.repeat(2 * KIB / SECRET.len()).into_boxed_slice());
        let state = pool.handle.shared.state.lock();
        let idle: Vec<_> = state.idle.iter().flatten().collect();
        assert_eq!(idle.len(), 3);
        assert!(idle.iter().all(|bytes| bytes.iter().all(|&byte| byte == 0)));
    }
}

/// Erasing is over the whole length.
#[test]
fn erase_leaves_nothing() {
    let mut bytes = vec![1; 4097];
    erase(&mut bytes);
    assert_eq!(bytes, vec![0; 4097]);
}

/// 1 MiB is kept; 1 MiB + 1, a thousand times, changes nothing but its counter.
#[test]
fn large_buffers_are_not_kept() {
    let pool = pool(ClearPolicy::None);
    drop(pool.take(MIB).unwrap());
    assert_eq!(pool.stats().retained_bytes, MIB);
    for _ in 0..1_000 {
        let large = pool.take(MIB + 1).unwrap();
        assert_eq!((large.len(), large.is_pooled()), (MIB + 1, false));
    }
    let stats = pool.stats();
    assert_eq!((stats.unpooled, stats.retained_bytes), (1_000, MIB));
    assert_eq!((stats.made, stats.outstanding, stats.discarded), (1, 0, 0));
}

/// A large length that is a power of two is not kept either.
#[test]
fn large_power_of_two_is_not_kept() {
    let pool = pool(ClearPolicy::None);
    drop(pool.take(2 * MIB).unwrap());
    pool.put(vec![0; 2 * MIB].into_boxed_slice());
    assert_eq!((pool.stats().unpooled, pool.stats().discarded), (1, 1));
    assert_eq!(pool.stats().retained_bytes, 0);
}

/// Buffers of odd lengths are taken, freed and counted.
#[test]
fn foreign_buffers_of_odd_lengths_are_discarded() {
    let pool = pool(ClearPolicy::OnTake);
    for len in [0, 1, KIB - 1, KIB + 1, 3 * KIB, MIB + 1] {
        pool.put(vec![1; len].into_boxed_slice());
    }
    assert_eq!(
        (pool.stats().discarded, pool.stats().retained_bytes),
        (6, 0)
    );
    pool.put(vec![1; 4 * KIB].into_boxed_slice());
    assert_eq!(
        (pool.stats().discarded, pool.stats().retained_bytes),
        (6, 4 * KIB)
    );
    let buffer = pool.take(4 * KIB).unwrap();
    assert!(pool.stats().reused == 1 && buffer.iter().all(|&byte| byte == 0));
}

/// `clear` returns how many bytes it freed, and buffers released later are kept.
#[test]
fn clear_says_how_many_bytes_it_freed() {
    let pool = pool(ClearPolicy::None);
    let late = pool.take(KIB).unwrap();
    drop((pool.take(KIB).unwrap(), pool.take(8 * KIB).unwrap()));
    assert_eq!((pool.clear(), pool.clear()), (9 * KIB, 0));
    drop(late);
    assert_eq!(pool.stats().retained_bytes, KIB);
    assert_eq!(pool.stats().discarded, 2);
}

/// After the first rent all are reused.
#[test]
fn steady_state_makes_nothing() {
    let pool = pool(ClearPolicy::OnTake);
    (0..1_000).for_each(|_| drop(pool.take(16 * KIB).unwrap()));
    assert_eq!((pool.stats().made, pool.stats().reused), (1, 999));
}

/// A buffer outlives its pool, and is freed when it is released.
#[test]
fn buffer_outlives_its_pool() {
    let pool = pool(ClearPolicy::OnTake);
    let mut held = [pool.take(KIB).unwrap(), pool.take(KIB).unwrap()];
    drop(pool);
    held[0][0] = 1;
    let [first, second] = held;
    drop(first);
    assert_eq!(second.pool.state.lock().retained_bytes, 0);
    assert_eq!(second.pool.state.lock().counts.discarded, 1);
}

/// `mem::forget` of buffers loses those and no others.
#[test]
fn forgotten_buffers_are_lost_alone() {
    let pool = pool(ClearPolicy::None);
    for _ in 0..100 {
        mem::forget(pool.take(KIB).unwrap());
    }
    drop(pool.take(KIB).unwrap());
    let stats = pool.stats();
    assert_eq!(
        (stats.outstanding, stats.made, stats.retained_bytes),
        (100, 101, KIB)
    );
}

/// `Debug` of a buffer does not show its content.
#[test]
fn debug_does_not_show_the_bytes() {
    let mut buffer = pool(ClearPolicy::OnTake).take(KIB).unwrap();
    fill_with_secret(&mut buffer);
    assert_eq!(
        format!("{buffer:?}"),
        "PoolBuffer { len: 1024, is_pooled: true }"
    );
}
