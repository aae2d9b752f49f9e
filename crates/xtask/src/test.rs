//! `test`: everything, in the order in which it fails fastest.
//!
//! Two lanes run beside each other: the checks and tests, and what is built and run in profiles of its
//! own, most of it on one core. The gates come last and alone, as some of them look at the clock.

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::{alone, commands, gates, tools};

/// A part: the command that runs it alone, and what it does.
type Part = (&'static str, fn() -> Result<()>);

const FIRST: [Part; 4] = [
    ("cargo xtask check", commands::check),
    ("cargo test --workspace", || {
        alone::cargo_test("--workspace")
    }),
    (
        "cargo test -p turbohttp --no-default-features --lib",
        || alone::cargo_test("-p turbohttp --no-default-features --lib"),
    ),
    (
        "cargo test -p turbohttp --features tracing --test tracing",
        || alone::cargo_test("-p turbohttp --features tracing --test tracing"),
    ),
];

/// Commands of this program; the first builds what the gates measure.
const BESIDE: [&str; 6] = ["count", "loom", "shuttle", "fuzz", "heap", "audit"];

const LAST: [Part; 1] = [("cargo xtask gates --prove", || {
    gates::command(&["--prove".to_owned()])
})];

pub(crate) fn run() -> Result<()> {
    tools::report();
    let (start, beside) = (Instant::now(), Beside::default());
    thread::scope(|scope| {
        let others = scope.spawn(|| beside.run());
        let first = FIRST.into_iter().try_for_each(part);
        if first.is_err() {
            beside.stop();
        }
        let others = others
            .join()
            .unwrap_or_else(|_| bail!("the lane beside panicked"));
        first.and(others)
    })?;
    LAST.into_iter().try_for_each(part)?;
    println!(
        "\n== all passed in {:.0} s ==",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn part((command, part): Part) -> Result<()> {
    println!("\n== {command} ==");
    let start = Instant::now();
    part().with_context(|| format!("failed; run it again by: {command}"))?;
    println!("== {command}: {:.1} s ==", start.elapsed().as_secs_f64());
    Ok(())
}

/// The lane beside the first parts: one process after the other, each shown when it has ended.
#[derive(Default)]
struct Beside(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    Between,
    Running(Child),
    Stopped,
}

impl Beside {
    fn run(&self) -> Result<()> {
        for name in BESIDE {
            let start = Instant::now();
            let log = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
            let output = std::fs::File::create(&log)?;
            let mut command = Command::new(std::env::current_exe()?);
            command
                .arg(name)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output);
            let Some(is_done) = self.wait_for(&mut command)? else {
                return Ok(());
            };
            let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
            std::fs::remove_file(&log)?;
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "\n== cargo xtask {name} (beside) ==\n{text}== cargo xtask {name}: {seconds:.1} s =="
            );
            ensure!(is_done, "failed; run it again by: cargo xtask {name}");
        }
        Ok(())
    }

    /// Whether a command succeeds; nothing once the lane is stopped.
    fn wait_for(&self, command: &mut Command) -> Result<Option<bool>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*lock(), Stage::Stopped) {
            return Ok(None);
        }
        *lock() = Stage::Running(command.spawn()?);
        loop {
            // Not waited for under the lock, which `stop` needs.
            thread::sleep(std::time::Duration::from_millis(100));
            let Stage::Running(child) = &mut *lock() else {
                return Ok(None);
            };
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status.success()));
            }
        }
    }

    /// Ends what runs, as another part has failed.
    fn stop(&self) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Running(child) = std::mem::replace(&mut *stage, Stage::Stopped) {
            let mut child = child;
            // Fails only if it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
