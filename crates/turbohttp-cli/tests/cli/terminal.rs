//! What is different where stderr is a terminal.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::support::{Directory, server, turbohttp};

/// A terminal of so many columns: the end that reads, and the end for the command.
pub(crate) fn terminal(columns: u16) -> (OwnedFd, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    // Else the commands of tests that run meanwhile have it too, and one of them writes to its number.
    #[cfg(target_os = "linux")]
    let flags = flags | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::NOCTTY.bits().cast_signed())
        .open(name.to_str().unwrap())
        .unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&end, size).unwrap();
    (terminal, end)
}

/// Reads what the command wrote to a terminal, until it has ended.
pub(crate) fn read_terminal(terminal: OwnedFd) -> Vec<u8> {
    let mut text = Vec::new();
    // The end of a terminal is an error on some systems.
    let _ = File::from(terminal).read_to_end(&mut text);
    text
}

/// Runs the command with stderr on a terminal, and tells what it wrote there.
fn on_terminal(arguments: &[&str], variable: (&str, &str)) -> String {
    let (terminal, stderr) = terminal(0);
    let mut command = turbohttp(arguments);
    command
        .env("TERM", "xterm")
        .env(variable.0, variable.1)
        .stderr(stderr);
    let mut child = command.spawn().unwrap();
    // The command's end of the terminal must be closed here for it to end there.
    drop(command);
    let text = read_terminal(terminal);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    String::from_utf8(text).unwrap()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let server = server();
    let url = server.url("/small");
    let arguments = ["get", "--timeline", &url];
    assert!(on_terminal(&arguments, ("X", "")).contains("\x1b[36m"));
    assert!(on_terminal(&arguments, ("NO_COLOR", "")).contains("\x1b[36m"));
    assert!(!on_terminal(&arguments, ("NO_COLOR", "1")).contains('\x1b'));
    assert!(!on_terminal(&arguments, ("TERM", "dumb")).contains('\x1b'));
}

#[test]
fn progress_is_for_terminals_unless_refused() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("lines", format!("{}\n", server.url("/small")).repeat(100));
    let shown = on_terminal(&["batch", &file], ("X", ""));
    assert!(shown.contains("in flight"), "{shown}");
    let refused = on_terminal(&["batch", &file, "--progress", "never"], ("X", ""));
    assert!(
        refused.starts_with("100 requests finished in "),
        "{refused}"
    );
}
