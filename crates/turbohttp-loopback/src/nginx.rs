//! nginx, started for a test, and what curl gets from it: a server and a client that others wrote.
//!
//! Where they are not installed, tests are skipped and say so, and in CI they fail.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "support of tests, which fail by panicking"
)]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::pattern;
use crate::tls::TestCa;

/// Bytes of `/large.bin`, which holds [`pattern()`].
pub const LARGE_BYTES: usize = 10 * 1024 * 1024;

/// A running nginx with files of its own; ended and removed on drop.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    dir: PathBuf,
    plain: u16,
    tls: u16,
}

fn runs(program: &str, flag: &str) -> bool {
    let quiet = Command::new(program).arg(flag).output();
    quiet.is_ok_and(|output| output.status.success())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Nginx {
    /// `None` where it cannot be had.
    ///
    /// # Panics
    ///
    /// In CI, where it must be had, and if it does not start.
    pub fn start() -> Option<Nginx> {
        if !runs("nginx", "-v") || !runs("curl", "--version") {
            let is_ci = std::env::var_os("CI").is_some();
            assert!(!is_ci, "nginx and curl must be there in CI");
            eprintln!("SKIPPED: nginx or curl is not installed (cargo xtask tools --install)");
            return None;
        }
        // Another process may take a port between its choice and its use.
        (0..5)
            .find_map(|_| Nginx::try_start())
            .or_else(|| panic!("nginx does not start"))
    }

    fn try_start() -> Option<Nginx> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("turbohttp-nginx-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let (plain, tls) = (free_port(), free_port());
        write_files(&dir, plain, tls);
        let child = Command::new("nginx")
            .args(["-c", "nginx.conf", "-e", "error.log", "-p"])
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Nginx {
            child,
            dir,
            plain,
            tls,
        };
        nginx.is_up().then_some(nginx)
    }

    fn is_up(&mut self) -> bool {
        for _ in 0..1_000 {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let up = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
            if up(self.plain) && up(self.tls) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// The URL of `path` over plain TCP.
    pub fn plain_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain)
    }

    /// The URL of `path` over TLS; the certificate is of [`ca_file`](Nginx::ca_file).
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls)
    }

    /// The certificate of the authority that signed the server's, as PEM text in a file.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// What curl prints with these arguments.
    ///
    /// # Panics
    ///
    /// If curl fails.
    pub fn curl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("curl")
            .args(["-s", "-S", "-q", "--noproxy", "*", "--cacert"])
            .arg(self.ca_file())
            .args(arguments)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        output.stdout
    }

    /// The status that curl gets.
    ///
    /// # Panics
    ///
    /// If curl fails.
    pub fn status(&self, arguments: &[&str]) -> u16 {
        let all = [arguments, &["-o", "/dev/null", "-w", "%{http_code}"]].concat();
        String::from_utf8(self.curl(&all)).unwrap().parse().unwrap()
    }
}

fn write_files(dir: &Path, plain: u16, tls: u16) {
    let www = dir.join("www");
    fs::create_dir_all(&www).unwrap();
    let ca = TestCa::new();
    let leaf = ca.leaf(&["localhost", "127.0.0.1"]);
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    fs::write(dir.join("leaf.pem"), leaf.certificate_pem()).unwrap();
    fs::write(dir.join("leaf.key"), leaf.key_pem()).unwrap();
    fs::write(www.join("small.txt"), "Hello, world!\n").unwrap();
    fs::write(www.join("empty.txt"), "").unwrap();
    fs::write(www.join("large.bin"), pattern(LARGE_BYTES)).unwrap();
    // Includes make the length unknown beforehand, so nginx sends chunks.
    let part =
        |part| format!("<!--# set var=\"x\" value=\"{part}\" --><p><!--# echo var=\"x\" --></p>\n");
    let page: String = (0..2_000).map(part).collect();
    fs::write(www.join("page.shtml"), page).unwrap();
    // One process, so that killing it ends all of it. Paths are relative to the directory.
    let config = format!(
        "daemon off;
        master_process off;
        pid nginx.pid;
        events {{}}
        http {{
            access_log off;
            keepalive_requests 100000;
            client_body_temp_path client_body;
            proxy_temp_path proxy;
            fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            types {{ text/html shtml; text/plain txt; }}
            server {{
                listen 127.0.0.1:{plain};
                listen 127.0.0.1:{tls} ssl;
                ssl_certificate leaf.pem;
                ssl_certificate_key leaf.key;
                root www;
                location ~ shtml {{ ssi on; }}
                location /moved {{ return 302 /small.txt; }}
                location /gone {{ return 204; }}
            }}
        }}"
    );
    fs::write(dir.join("nginx.conf"), config).unwrap();
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
