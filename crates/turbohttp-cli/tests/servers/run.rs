//! Runs rows through curl and through `turbohttp get`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use tempfile::TempDir;

use crate::apache::Apache;
use crate::child::{are_there, say, write};
use crate::haproxy::Haproxy;
use crate::lighttpd::Lighttpd;
use crate::microsocks::Microsocks;
use crate::nginx::{Nginx, has_ipv6};
use crate::row::Row;
use crate::squid::Squid;

/// Seconds that one command may take before it is ended; `timeout` then exits with 124.
const SECONDS_MAX: &str = "20";

/// Bytes of an output, and requests, that a message shows.
const SHOWN_BYTES: usize = 600;
const SHOWN_REQUESTS: usize = 8;

/// All servers, and what the names in rows stand for.
pub(crate) struct Ground {
    nginx: Nginx,
    values: BTreeMap<&'static str, String>,
    /// How far the log of nginx is read.
    read: usize,
    _servers: (Apache, Lighttpd, Squid, Haproxy, Microsocks, Microsocks),
    /// Accepts connections into its backlog, and never says a word.
    _silent: TcpListener,
    /// Refuses connections, and nobody else can listen there.
    _refused: OwnedFd,
}

/// What came of a row in one of the two programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct End {
    codes: Vec<i32>,
    stdout: Vec<u8>,
    stderr: String,
    files: BTreeMap<String, Vec<u8>>,
    requests: Vec<String>,
}

/// What a row came to.
pub(crate) enum Verdict {
    Same,
    /// The system has no addresses of IPv6.
    Skipped,
    /// What is wrong, with both command lines.
    Wrong(String),
}

impl Ground {
    /// `None` where a server cannot be had.
    pub(crate) fn start() -> Option<Ground> {
        if !are_there(&["curl", "timeout"]) {
            return None;
        }
        let nginx = Nginx::start()?;
        let (apache, squid) = (Apache::start()?, Squid::start()?);
        let lighttpd = Lighttpd::start()?;
        let haproxy = Haproxy::start(&nginx)?;
        let (socks, socks_guarded) = (Microsocks::open()?, Microsocks::guarded()?);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_port = silent.local_addr().unwrap().port();
        let (refused, refused_port) = refusing();
        let at = |port: u16| format!("127.0.0.1:{port}");
        let http = |port: u16| format!("http://127.0.0.1:{port}");
        let https = |port: u16| format!("https://localhost:{port}");
        let (first, last) = nginx.local_ports;
        let values = [
            ("plain", nginx.url("")),
            ("port", nginx.plain.to_string()),
            ("other", http(nginx.other)),
            ("other_port", nginx.other.to_string()),
            ("closing", http(nginx.closing)),
            ("tls", https(nginx.tls)),
            ("tls_port", nginx.tls.to_string()),
            ("tls_12", https(nginx.tls_12)),
            ("tls_13", https(nginx.tls_13)),
            ("tls_2", https(nginx.tls_2)),
            ("prior", http(nginx.prior)),
            ("socket", nginx.file("nginx.sock")),
            ("mutual", https(nginx.mutual)),
            ("ca", nginx.file("ca.pem")),
            ("leaf", nginx.file("leaf.pem")),
            ("key", nginx.file("leaf.key")),
            ("mib", "0123456789abcdef".repeat(64 * 1024)),
            ("pin", nginx.pin()),
            ("local_ports", format!("{first}-{last}")),
            ("apache", http(apache.port)),
            ("lighttpd", http(lighttpd.port)),
            ("haproxy", http(haproxy.keeping)),
            ("hasty", http(haproxy.hasty)),
            ("sealed", https(haproxy.sealed)),
            ("squid", at(squid.open)),
            ("squid_guarded", at(squid.guarded)),
            ("socks", at(socks.port)),
            ("socks_guarded", at(socks_guarded.port)),
            ("silent", http(silent_port)),
            ("silent_at", at(silent_port)),
            ("refused", at(refused_port)),
        ];
        Some(Ground {
            nginx,
            values: values.into(),
            read: 0,
            _servers: (apache, lighttpd, squid, haproxy, socks, socks_guarded),
            _silent: silent,
            _refused: refused,
        })
    }

    /// Runs a row through both.
    pub(crate) fn run(&mut self, row: &Row) -> Verdict {
        if row.needs_ipv6 && !has_ipv6() {
            return Verdict::Skipped;
        }
        let curl = self.run_by(row, &["curl", "-q", "-s", "-S"]);
        let own = self.run_by(row, &[env!("CARGO_BIN_EXE_turbohttp"), "get"]);
        let faults = [faults_of_curl(row, &curl), differences(row, &curl, &own)].concat();
        match faults.is_empty() {
            true => Verdict::Same,
            false => self.wrong(row, &faults, &[curl, own]),
        }
    }

    fn wrong(&self, row: &Row, faults: &[String], ends: &[End]) -> Verdict {
        let (environment, arguments) = (self.fill(row.environment), self.fill(row.arguments));
        let faults = faults.join("; ");
        let mut what = format!("{}: {faults}\n    {environment} curl {arguments}", row.name);
        for (name, end) in ["curl", "turbohttp"].iter().zip(ends) {
            what += &format!("\n    {name}: {}", end.shown());
        }
        Verdict::Wrong(what)
    }

    fn run_by(&mut self, row: &Row, program: &[&str]) -> End {
        let folder = TempDir::new().unwrap();
        // A user's own file of passwords may be read by that user alone, which is what is given here.
        let values = |text: &str| {
            let folder = folder.path().to_str().unwrap();
            self.fill(text).replace("{dir}", folder)
        };
        for (name, content) in row.files {
            write(folder.path(), name, values(content));
            let path = folder.path().join(name);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(path, mode).unwrap();
        }
        let mut end = End::default();
        for words in row.commands() {
            let mut command = Command::new("timeout");
            command.arg(SECONDS_MAX).args(program);
            command.args(words.iter().map(|word| values(word)));
            command.env_clear().env("HOME", folder.path());
            command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.current_dir(folder.path());
            for variable in row.environment.split_whitespace() {
                let (name, value) = variable.split_once('=').unwrap();
                command.env(name, values(value));
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            // What does not read its input has closed it.
            let _ = child.stdin.take().unwrap().write_all(row.input.as_bytes());
            let output = child.wait_with_output().unwrap();
            end.codes.push(output.status.code().unwrap_or(-1));
            end.stdout.extend(output.stdout);
            end.stderr += &String::from_utf8_lossy(&output.stderr);
        }
        end.files = files(folder.path(), "");
        if row.dates_files() {
            for (name, content) in &mut end.files {
                let modified = folder
                    .path()
                    .join(name)
                    .metadata()
                    .and_then(|meta| meta.modified());
                content.extend(format!(" {:?}", modified.unwrap()).bytes());
            }
        }
        end.requests = self.nginx.seen(&mut self.read);
        end.make_comparable(row);
        end
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

impl End {
    /// Takes out what may differ between two runs of one program.
    fn make_comparable(&mut self, row: &Row) {
        if row.shows_heads() {
            self.stdout = comparable(&self.stdout);
            for content in self.files.values_mut() {
                *content = comparable(content);
            }
        }
        if let Some(jar) = self.files.get_mut("jar") {
            *jar = cookies(jar);
        }
    }

    /// The exit code of the last command.
    fn code(&self) -> i32 {
        self.codes.last().copied().unwrap_or(-1)
    }

    fn shown(&self) -> String {
        let cut = |bytes: &[u8]| {
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
            String::from_utf8_lossy(shown).into_owned()
        };
        let files = self.files.iter();
        let files: Vec<String> = files
            .map(|(name, content)| format!("{name}: {:?}", cut(content)))
            .collect();
        format!(
            "{:?}, {} bytes {:?}, stderr {:?}, files {files:?}, requests {:#?}",
            self.codes,
            self.stdout.len(),
            cut(&self.stdout),
            self.stderr,
            &self.requests[..self.requests.len().min(SHOWN_REQUESTS)]
        )
    }
}

/// What curl does not do as the row says.
fn faults_of_curl(row: &Row, curl: &End) -> Vec<String> {
    let mut faults = Vec::new();
    if curl.code() != row.code {
        faults.push(format!("curl ends with {}, not {}", curl.code(), row.code));
    }
    let stdout = String::from_utf8_lossy(&curl.stdout);
    let said = format!("{stdout}{}", curl.requests.join("\n"));
    let missing = row.shows.iter().filter(|text| !said.contains(**text));
    faults.extend(missing.map(|text| format!("curl does not show {text:?}")));
    faults
}

/// What turbohttp does otherwise than curl, apart from what the row names; and what it names for nothing.
fn differences(row: &Row, curl: &End, own: &End) -> Vec<String> {
    let mut faults = Vec::new();
    let own_code = row.own_code.map_or(row.code, |(code, _)| code);
    if own.code() != own_code {
        faults.push(format!(
            "turbohttp ends with {}, not {own_code}",
            own.code()
        ));
    }
    let outputs = (&curl.stdout, &curl.files) != (&own.stdout, &own.files);
    let parts = [
        ("output", outputs, row.own_output),
        ("requests", curl.requests != own.requests, row.own_requests),
    ];
    for (part, differs, reason) in parts {
        match (differs, reason) {
            (true, None) => faults.push(format!("{part} differ")),
            (false, Some(_)) => faults.push(format!("{part} do not differ: no exception")),
            _ => {}
        }
    }
    faults
}

/// A port that refuses connections for as long as the socket lives, which is bound and does not listen.
fn refusing() -> (OwnedFd, u16) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(
        &socket,
        &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0),
    )
    .unwrap();
    let address: std::net::SocketAddr = getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address.port())
}

/// The files of a folder, and of those in it, by name.
fn files(folder: &Path, before: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{before}{}", path.file_name().unwrap().to_str().unwrap());
        match path.is_dir() {
            true => found.extend(files(&path, &format!("{name}/"))),
            false => _ = found.insert(name, fs::read(path).unwrap()),
        }
    }
    found
}

/// Heads without the lines of `Date`, and without the words behind the status, which turbohttp takes from
/// RFC 9110 and not from the server (RFC 9112 section 4).
fn comparable(text: &[u8]) -> Vec<u8> {
    let begins = |line: &[u8], with: &str| {
        let start = line.get(..with.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(with.as_bytes())
    };
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !begins(line, "date:"));
    let lines = lines.map(|line| match begins(line, "HTTP/1.") {
        true => &line[..line.len().min("HTTP/1.1 200".len())],
        false => line,
    });
    lines.collect::<Vec<_>>().concat()
}

/// The cookies of a jar, sorted, without comments. When one ends is left out: turbohttp keeps none for more
/// than 400 days.
fn cookies(jar: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(jar);
    let is_cookie = |line: &&str| line.starts_with("#HttpOnly_") || !line.starts_with('#');
    let lines = text
        .lines()
        .filter(is_cookie)
        .filter(|line| !line.is_empty());
    let without_end = |line: &str| {
        let mut fields: Vec<&str> = line.split('\t').collect();
        if fields.get(4).is_some_and(|end| *end != "0") {
            fields[4] = "lasting";
        }
        fields.join("\t")
    };
    let mut lines: Vec<String> = lines.map(without_end).collect();
    lines.sort_unstable();
    lines.join("\n").into_bytes()
}

/// Runs all rows, and says which exceptions there are.
///
/// # Panics
///
/// If a row is not as it says.
pub(crate) fn run_all(rows: &[Row]) {
    let Some(mut ground) = Ground::start() else {
        return;
    };
    let mut wrong = Vec::new();
    for row in rows {
        match ground.run(row) {
            Verdict::Same => {}
            Verdict::Wrong(what) => wrong.push(what),
            Verdict::Skipped => say(&format!("SKIPPED: no IPv6 here: {}", row.name)),
        }
        for reason in row.reasons() {
            say(&format!("exception, {}: {reason}", row.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
}
