//! Regressions for what is counted from outside: instructions, system calls, allocations.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

/// Turns of a loop that is at least four instructions long, for each thousand that are planted.
const TURNS_PER_THOUSAND: u32 = 250;

/// Bytes of a planted allocation.
const ALLOCATED_BYTES: usize = 48;

/// What strikes once with every request. That a call fails is what some are for.
pub type Outside = Box<dyn Fn() + Send + Sync>;

/// The regression of this name.
///
/// # Errors
///
/// If there is none of this name, or what it needs cannot be had.
pub fn outside(name: &str) -> io::Result<Outside> {
    let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    Ok(match name {
        "2000_instructions" => Box::new(|| instructions(2)),
        "20000_instructions" => Box::new(|| instructions(20)),
        "allocation" => Box::new(|| drop(black_box(Vec::<u8>::with_capacity(ALLOCATED_BYTES)))),
        "send" => {
            let file = OpenOptions::new().write(true).open("/dev/null")?;
            Box::new(move || drop((&file).write(b"x")))
        }
        "receive" => {
            let file = File::open("/dev/zero")?;
            Box::new(move || drop((&file).read(&mut [0])))
        }
        // Nobody to send to has been named.
        "failing_send" => {
            let socket = socket()?;
            Box::new(move || drop(socket.send(b"x")))
        }
        // Nothing is there.
        "failing_receive" => {
            let socket = socket()?;
            socket.set_nonblocking(true)?;
            Box::new(move || drop(socket.recv(&mut [0])))
        }
        // A thread is woken, which sleeps until the process ends whenever it is not.
        "futex" => {
            let sleep = || loop {
                thread::park();
            };
            let sleeper = thread::Builder::new().spawn(sleep)?;
            Box::new(move || sleeper.thread().unpark())
        }
        _ => return Err(io::Error::other(format!("no regression is called {name}"))),
    })
}

fn instructions(thousands: u32) {
    for turn in 0..thousands * TURNS_PER_THOUSAND {
        black_box(black_box(turn) ^ black_box(1));
    }
}
