//! How long a connection without requests, whose runtime is idle, takes to answer PING.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use turbohttp_loopback::script::frames::{self, Frame};
use turbohttp_loopback::script::{Script, Step};

use super::one_thread;
use super::sender::ours;
use crate::sample::median;
use crate::verdict::Verdict;

const PINGS: usize = 1_000;
const WORST_MAX_MS: f64 = 10.0;

/// Between two PINGs, so that the client is at rest at each.
const PAUSE: Duration = Duration::from_millis(2);

/// When PINGs were sent, and how long their answers took in milliseconds.
#[derive(Default)]
struct Log {
    sent: Option<Instant>,
    waits_ms: Vec<f64>,
}

type Shared = Arc<Mutex<Log>>;

pub(super) fn measure(verdict: &mut Verdict) -> Result<()> {
    let log = Shared::default();
    let server = Script::new().accept(steps(&log)).start()?;
    one_thread()?.block_on(async {
        let client = ours(None)?;
        client.get(server.url("/")).send().await?.bytes().await?;
        // From here on the runtime has nothing to do but the connection's task.
        server.all_closed().await;
        anyhow::Ok(())
    })?;
    let waits = std::mem::take(&mut lock(&log).waits_ms);
    ensure!(waits.len() == PINGS, "{} of {PINGS} answers", waits.len());
    let worst = waits.iter().copied().fold(0.0, f64::max);
    let median = median(waits);
    println!("| case | answers | median ms | worst ms |\n| --- | --- | --- | --- |");
    println!("| PING at rest | {PINGS} | {median:.3} | {worst:.3} |\n");
    let line = format!("PING at rest: answered after {worst:.3} ms at worst, less than 10");
    verdict.add(worst < WORST_MAX_MS, line);
    Ok(())
}

/// One answered request, and then one PING after the other.
fn steps(log: &Shared) -> Vec<Step> {
    let block = frames::block(&[(":status", "200")]);
    let flags = frames::END_HEADERS | frames::END_STREAM;
    let mut steps = vec![
        Step::ReadPreface,
        Step::send([frames::settings(&[]), frames::settings_ack()].concat()),
        Step::read_frame(frames::HEADERS),
        Step::send(frames::headers(1, flags, &block)),
    ];
    for _ in 0..PINGS {
        let (sends, answers) = (log.clone(), log.clone());
        steps.push(Step::answer(move |_| {
            // The thread has this connection alone.
            std::thread::sleep(PAUSE);
            lock(&sends).sent = Some(Instant::now());
            frames::ping(false, *b"at rest?")
        }));
        steps.push(Step::read_until(move |frame| is_answer(frame, &answers)));
    }
    steps
}

fn is_answer(frame: &Frame, log: &Shared) -> bool {
    let is_answer = frame.kind == frames::PING && frame.has(frames::ACK);
    let mut log = lock(log);
    if is_answer && let Some(sent) = log.sent.take() {
        log.waits_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    is_answer
}

fn lock(log: &Shared) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
