//! A network of its own for tests that need name servers and interfaces.
//!
//! [`in_namespace`] runs a test of this program again, as its own process in new namespaces for network and
//! mounts. There it has port 53, a `resolv.conf` of its own, and interfaces that nobody else sees.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

/// Set for the process inside.
const INSIDE: &str = "TURBOHTTP_TEST_INSIDE";

/// Runs the test `name` of this program in namespaces of its own, after `setup`, a shell script. Returns
/// whether this is the process inside, which goes on with the test. Prints `SKIPPED` where the system
/// permits no namespace.
pub(crate) fn in_namespace(name: &str, setup: &str) -> bool {
    if inside().is_some() {
        return true;
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--map-root-user", "sh", "-ec", script]);
        command
    };
    if !unshare("ip link set lo up")
        .output()
        .is_ok_and(|probe| probe.status.success())
    {
        eprintln!("SKIPPED {name}: the system gives no network namespace");
        return false;
    }
    let mut command = unshare(&format!("ip link set lo up\n{setup}\nexec \"$@\""));
    command.arg("sh").arg(std::env::current_exe().unwrap());
    run_inside(command, name, "1");
    false
}

/// Runs the test `name` of this program again, in a process of its own in which [`inside`] gives `value`.
pub(crate) fn run_again(name: &str, value: &str) {
    run_inside(Command::new(std::env::current_exe().unwrap()), name, value);
}

/// What the process was started with, if it is one inside.
pub(crate) fn inside() -> Option<String> {
    std::env::var(INSIDE).ok()
}

fn run_inside(mut command: Command, name: &str, value: &str) {
    let output = command
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, value)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "inside:\n{text}");
    assert!(text.contains("1 passed"), "{name} is no test:\n{text}");
}

/// As [`in_namespace`], where `text` is the `resolv.conf`, and DNS the only source of names.
pub(crate) fn with_resolv_conf(name: &str, text: &str) -> bool {
    if inside().is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        // Of the mount namespace; what the system has is as it was.
        format!(
            "if [ -e /etc/{file} ]; then mount --bind {} /etc/{file}; fi\n",
            path.display()
        )
    };
    let setup = mount("resolv.conf", text) + &mount("nsswitch.conf", "hosts: dns\n");
    in_namespace(name, &setup)
}

/// A name server on port 53 of an address of the namespace.
#[derive(Clone)]
pub(crate) struct NameServer {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    addresses: HashMap<String, Ipv4Addr>,
    /// Names in these zones get no answer.
    silent: Vec<String>,
    /// Names that A records were asked for.
    asked: Vec<String>,
}

impl NameServer {
    pub(crate) fn start(address: &str) -> NameServer {
        let socket = UdpSocket::bind((address, 53)).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let own = state.clone();
        // Ends with the process, which has nothing else to do.
        thread::spawn(move || {
            let mut packet = [0; 1_500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                if let Some(answer) = answer(&packet[..length], &mut own.lock().unwrap()) {
                    _ = socket.send_to(&answer, peer);
                }
            }
        });
        NameServer { state }
    }

    pub(crate) fn set(&self, name: &str, address: [u8; 4]) {
        let address = Ipv4Addr::from(address);
        self.state
            .lock()
            .unwrap()
            .addresses
            .insert(name.to_owned(), address);
    }

    pub(crate) fn silence(&self, zone: &str) {
        self.state.lock().unwrap().silent.push(zone.to_owned());
    }

    /// The names that were asked for since the last call.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

/// The answer to a question (RFC 1035 section 4): an address, nothing of that type, NXDOMAIN, or silence.
fn answer(question: &[u8], state: &mut State) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        at = end;
    }
    let name = labels.join(".");
    let is_a = question[at + 1..at + 3] == [0, 1];
    let end = at + 5;
    if is_a {
        state.asked.push(name.clone());
    }
    if state.silent.iter().any(|zone| name.ends_with(zone)) {
        return None;
    }
    let address = state.addresses.get(&name);
    let is_found = address.is_some() && is_a;
    let code = if address.is_some() { 0 } else { 3 };
    let mut answer = question[..2].to_vec();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::from(is_found), 0, 0, 0, 0]);
    answer.extend_from_slice(&question[HEADER..end]);
    if is_found {
        // The name by a pointer to the question, type A, class IN, 60 seconds, 4 bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(&address.expect("found").octets());
    }
    Some(answer)
}
