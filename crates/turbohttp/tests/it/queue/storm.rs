//! Much of everything at the same time.

use std::thread;

use tokio::runtime::Handle;
use turbohttp::Shutdown;

use super::*;
use crate::support::soon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_jobs_one_after_the_other_are_never_overlooked() {
    let bed = Bed::workers(2);
    bed.queue.start().unwrap();
    soon(async {
        for id in 0..100_000 {
            assert_eq!(bed.put(id, Act::Done).await.unwrap(), id);
        }
    })
    .await;
    let stats = bed.queue.stats();
    assert_eq!(stats.ended.completed, 100_000);
    let stopped = bed.queue.stop(Shutdown::default()).await;
    assert_eq!(stopped.accepted, 0);
    let limiter = bed.queue.limiter();
    while tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert_quiet(&limiter);
}

/// Submits, waits, moves, cancels and drops; returns how many outcomes came, and what it still holds.
fn do_everything(bed: &Bed, runtime: &Handle, first: u64) -> (usize, Vec<Ticket<u64>>) {
    let mut outcomes = 0;
    let mut kept = Vec::new();
    for step in 0..2_000 {
        let id = first + step;
        let is_endless = step % 5 == 0;
        let job = bed.job(id, if is_endless { Act::Never } else { Act::Done });
        let level = Priority::ALL[(step % 4) as usize];
        let options = SubmitOptions::default().priority(level);
        let submitted = match step % 3 {
            0 => runtime.block_on(soon(bed.queue.submit_with(job, options))),
            _ => bed.queue.try_submit_with(job, options),
        };
        let ticket = match submitted {
            Ok(ticket) => ticket,
            Err(rejected) => {
                assert_eq!(rejected.kind(), ErrorKind::Full);
                continue;
            }
        };
        let _ = ticket.set_priority(Priority::ALL[(step % 3) as usize]);
        if is_endless || step % 7 == 0 {
            ticket.cancel();
        } else if step % 2 == 0 {
            kept.push(ticket);
        } else {
            assert_eq!(runtime.block_on(soon(ticket)).unwrap(), id);
            outcomes += 1;
        }
        if kept.len() > 20 {
            for ticket in kept.drain(..) {
                runtime.block_on(soon(ticket)).unwrap();
                outcomes += 1;
            }
        }
    }
    (outcomes, kept)
}

#[test]
fn cancels_submits_and_moves_from_many_threads_lose_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for round in 0..4u64 {
        let bed = Arc::new(Bed::new(
            QueueOptions::default().workers(4).per_priority(50),
        ));
        {
            let _inside = runtime.enter();
            bed.queue.start().unwrap();
        }
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                let bed = bed.clone();
                let handle = runtime.handle().clone();
                thread::spawn(move || do_everything(&bed, &handle, thread * 10_000))
            })
            .collect();
        let results: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(results.iter().all(|(outcomes, _)| *outcomes > 100));
        let stopped = runtime.block_on(bed.queue.stop(match round % 2 {
            0 => Shutdown::default(),
            _ => Shutdown::Now,
        }));
        let sum = stopped.ended.completed + stopped.ended.canceled + stopped.ended.aborted;
        assert_eq!(stopped.accepted, sum, "{stopped}");
        for (_, kept) in results {
            assert!(kept.iter().all(Ticket::is_done));
        }
        runtime.block_on(async {
            while tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
        assert!(
            bed.seen.peak.load(SeqCst) <= 4,
            "a worker does one job at a time"
        );
        assert_eq!(bed.jobs_alive(), 0);
        assert_quiet(&bed.queue.limiter());
    }
}

#[test]
fn a_stop_amid_everything_resolves_everything() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for round in 0..100 {
        let bed = Arc::new(Bed::new(QueueOptions::default().workers(3).per_priority(5)));
        {
            let _inside = runtime.enter();
            bed.queue.start().unwrap();
        }
        let threads: Vec<_> = (0..3u64)
            .map(|thread| {
                let bed = bed.clone();
                let handle = runtime.handle().clone();
                thread::spawn(move || {
                    let mut tickets = Vec::new();
                    for step in 0.. {
                        let act = if step % 3 == 0 { Act::Never } else { Act::Done };
                        let job = bed.job(thread * 1_000_000 + step, act);
                        match handle.block_on(soon(bed.queue.submit(job))) {
                            Ok(ticket) => tickets.push(ticket),
                            Err(rejected) => {
                                assert_eq!(rejected.kind(), ErrorKind::Closed);
                                return tickets;
                            }
                        }
                        if step % 4 == 3 {
                            drop(tickets.swap_remove(tickets.len() / 2));
                        }
                    }
                    unreachable!("it ends when the queue is stopped")
                })
            })
            .collect();
        thread::yield_now();
        match round % 3 {
            0 => bed.queue.stop_now(),
            1 => {
                let within = Duration::from_millis(2);
                runtime.block_on(bed.queue.stop(Shutdown::Drain { within }));
            }
            _ => {
                let within = Duration::from_millis(1);
                runtime.block_on(bed.queue.stop(Shutdown::CancelPending { within }));
            }
        }
        let mut tickets: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let tally = tally(&mut tickets);
        assert!(
            tally
                .keys()
                .all(|kind| matches!(kind, None | Some("canceled"))),
            "{tally:?}"
        );
        runtime.block_on(async {
            while tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(bed.jobs_alive(), 0);
        assert_eq!(bed.queue.stats().submitters, 0);
        assert_quiet(&bed.queue.limiter());
    }
}
