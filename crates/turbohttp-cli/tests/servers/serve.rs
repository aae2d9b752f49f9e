//! `turbohttp serve` to curl, over both protocols.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use turbohttp_loopback::pattern;

use crate::child::{are_there, say};

/// The running command. Dropping it ends it.
struct Serve {
    child: Child,
    url: String,
}

impl Serve {
    fn start() -> Serve {
        let mut child = Command::new(env!("CARGO_BIN_EXE_turbohttp"))
            .args(["serve", "--address", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|it| it.starts_with("http:"));
        let url = url.unwrap().to_owned();
        Serve { child, url }
    }

    /// What it says at its end.
    fn stop(mut self) -> String {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn curl(arguments: &[&str]) -> Vec<u8> {
    let proxy = ["--noproxy", "*"];
    let output = Command::new("curl")
        .args(["-q", "-s", "-S", "-m", "60"])
        .args(proxy)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {said}");
    output.stdout
}

#[test]
fn serve_speaks_both_protocols_to_curl() {
    if !are_there(&["curl"]) {
        return;
    }
    let features = String::from_utf8(curl(&["--version"])).unwrap();
    if !features.contains(" HTTP2 ") {
        return say("SKIPPED: this curl has no HTTP/2");
    }
    let serve = Serve::start();
    for (option, version) in [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")] {
        let url = |path: &str| format!("{}{path}", serve.url);
        let small = curl(&[option, "-w", "|%{http_version}|%{http_code}", &url("small")]);
        assert_eq!(small, format!("Hello, world!|{version}|200").as_bytes());
        let large = curl(&[option, &url("bytes/3000000")]);
        assert!(large == pattern(3_000_000));
        let echo = curl(&[option, "--data-binary", "hello", &url("echo")]);
        assert_eq!(echo, b"hello");
        let head = curl(&[option, "-I", &url("trailers/5")]);
        assert!(head.starts_with(format!("HTTP/{version} 200").as_bytes()));
    }
    // One request on each connection: curl 7.88 uses none of prior knowledge again.
    let said = "served 8 requests on 8 connections, 4 of HTTP/2\n";
    assert_eq!(serve.stop(), said);
}
