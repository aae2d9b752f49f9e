//! Regressions for what is counted from outside: instructions, system calls, allocations.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Turns of a loop that is at least four instructions long, for each thousand that are planted.
const TURNS_PER_THOUSAND: u32 = 250;

/// Bytes of a planted allocation.
const ALLOCATED_BYTES: usize = 48;

/// What strikes once with every request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outside {
    /// So many thousand instructions.
    Instructions(u32),
    /// An allocation.
    Allocation,
    /// A write that works.
    Send(File),
    /// A read that works.
    Receive(File),
    /// A write that fails: nobody to send to has been named.
    FailingSend(UdpSocket),
    /// A read that fails: nothing is there.
    FailingReceive(UdpSocket),
    /// A thread that is woken.
    Futex(Sleeper),
}

impl Outside {
    /// The regression of this name.
    ///
    /// # Errors
    ///
    /// If there is none of this name, or what it needs cannot be had.
    pub fn named(name: &str) -> io::Result<Outside> {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        Ok(match name {
            "2000_instructions" => Outside::Instructions(2),
            "20000_instructions" => Outside::Instructions(20),
            "allocation" => Outside::Allocation,
            "send" => Outside::Send(OpenOptions::new().write(true).open("/dev/null")?),
            "receive" => Outside::Receive(File::open("/dev/zero")?),
            "failing_send" => Outside::FailingSend(socket()?),
            "failing_receive" => {
                let socket = socket()?;
                socket.set_nonblocking(true)?;
                Outside::FailingReceive(socket)
            }
            "futex" => Outside::Futex(Sleeper::new()?),
            _ => return Err(io::Error::other(format!("no regression is called {name}"))),
        })
    }

    /// Does it once. That a call fails is what some are for.
    pub fn strike(&self) {
        match self {
            Outside::Instructions(thousands) => {
                for turn in 0..thousands * TURNS_PER_THOUSAND {
                    black_box(black_box(turn) ^ black_box(1));
                }
            }
            Outside::Allocation => drop(black_box(Vec::<u8>::with_capacity(ALLOCATED_BYTES))),
            Outside::Send(file) => drop((&*file).write(b"x")),
            Outside::Receive(file) => drop((&*file).read(&mut [0])),
            Outside::FailingSend(socket) => drop(socket.send(b"x")),
            Outside::FailingReceive(socket) => drop(socket.recv(&mut [0])),
            Outside::Futex(sleeper) => sleeper.wake(),
        }
    }
}

/// A thread that sleeps whenever it is not woken; it ends when this is dropped.
#[derive(Debug)]
pub struct Sleeper {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sleeper {
    fn new() -> io::Result<Sleeper> {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = is_over.clone();
        let sleep = move || {
            while !seen.load(Ordering::Acquire) {
                thread::park();
            }
        };
        let thread = Some(
            thread::Builder::new()
                .name("sleeper".to_owned())
                .spawn(sleep)?,
        );
        Ok(Sleeper { is_over, thread })
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}
