//! Programs that serve for the length of a test.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Where Debian installs servers; only root's path leads there.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

/// The user and the group `nobody` of Debian. No server needs more, and squid refuses to be root.
const NOBODY: u32 = 65_534;

/// How often another set of ports is tried: a process may take a port between its choice and its use.
const STARTS_MAX: usize = 5;

/// How often a port is looked at, and the pause between two looks: 20 s in all.
const LOOKS_MAX: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Whether all `programs` are installed. Says what is missing.
///
/// # Panics
///
/// In CI, if one is missing: nobody reads there what was skipped.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let missing = missing.join(", ");
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    assert!(!is_ci, "must be installed in CI: {missing}");
    say(&format!(
        "SKIPPED: not installed: {missing} (cargo xtask tools --install)"
    ));
    false
}

#[expect(clippy::print_stderr, reason = "the one way for a test to say it")]
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}

/// Where a program is, which may be given by its whole path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let mut files = folders.map(|folder| folder.join(program));
    files.find(|file| file.is_file())
}

/// Ports of 127.0.0.1, all different, that nothing listens on at this moment.
fn free_ports<const PORTS: usize>() -> [u16; PORTS] {
    let bind = |()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listeners = [(); PORTS].map(bind);
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// A running program and its folder. Dropping it ends the program and removes the folder; if the test dies
/// first, the system ends the program (`PR_SET_PDEATHSIG`, by `setpriv`).
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    folder: TempDir,
}

impl Served {
    /// Starts `program`. `prepare` writes its configuration into a new folder for the ports that it is
    /// given, and returns its arguments. Returns when all ports accept connections.
    ///
    /// # Panics
    ///
    /// If it does not start; the message has what it printed.
    pub(crate) fn start<const PORTS: usize>(
        program: &str,
        prepare: impl Fn(&Path, &[u16; PORTS]) -> Vec<String>,
    ) -> (Served, [u16; PORTS]) {
        let mut said = String::new();
        for _ in 0..STARTS_MAX {
            let folder = TempDir::new().unwrap();
            let ports = free_ports();
            let arguments = prepare(folder.path(), &ports);
            let mut served = Served::spawn(program, &arguments, folder);
            if served.is_up(&ports) {
                return (served, ports);
            }
            said = served.read("said.txt");
        }
        panic!("{program} does not start: {said}");
    }

    fn spawn(program: &str, arguments: &[String], folder: TempDir) -> Served {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if rustix::process::geteuid().is_root() {
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
            give_away(folder.path());
        }
        let said = fs::File::create(folder.path().join("said.txt")).unwrap();
        let child = command
            .arg(find(program).unwrap())
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        Served { child, folder }
    }

    /// Waits for every port. `false` if the program has ended, or is not ready in time.
    fn is_up(&mut self, ports: &[u16]) -> bool {
        let accepts = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        poll(|| match self.child.try_wait().unwrap() {
            Some(_) => Some(false),
            None => ports.iter().all(accepts).then_some(true),
        })
        .unwrap_or(false)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_owned()
    }

    /// What a file in the folder says, if it is there.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // In order: squid removes its shared memory.
        let id = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let has_ended = poll(|| self.child.try_wait().ok().flatten());
        if has_ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks until `look` finds something; `None` if it has not after the last look.
pub(crate) fn poll<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return Some(found);
        }
        thread::sleep(PAUSE);
    }
    None
}

/// Gives a folder and all in it to `nobody`.
fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// Writes a file, and the folders that it lies in.
pub(crate) fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A configuration with its `@NAME@`s replaced.
pub(crate) fn fill(text: &str, values: &[(&str, &dyn ToString)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), &value.to_string());
    }
    text
}
