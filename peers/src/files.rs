//! Files: downloads beside aria2 and curl, and an upload as multipart/form-data beside reqwest.
//!
//! nginx serves from memory (/dev/shm) and files are written there, so that no disk is measured. aria2, curl and the
//! command `turbohttp` are processes, each with its start; rounds are interleaved, and the result is medians.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

const LARGE_BYTES: usize = 1 << 30;
const SMALL_FILES: usize = 2_000;
const SMALL_BYTES: usize = 4 * 1024;
const UPLOAD_BYTES: usize = 256 << 20;

/// How far the resident size may grow while a file is uploaded, in bytes.
const GROWTH_MAX: u64 = 4 << 20;

/// Measures and prints; says whether each floor was reached. `command` is a release build of `turbohttp`.
pub(crate) fn run(rounds: u32, command: &Path) -> Result<Verdict> {
    ensure!(rounds > 0, "at least one round");
    ensure!(
        command.exists(),
        "{}: build it by cargo build --release",
        command.display()
    );
    let site = Site::start()?;
    let mut verdict = Verdict::default();
    large(&site, rounds, command, &mut verdict)?;
    small(&site, rounds, command, &mut verdict)?;
    drop(site);
    upload(rounds, &mut verdict)?;
    Ok(verdict)
}

/// nginx, and where it serves from. Dropped, both are gone.
struct Site {
    directory: PathBuf,
    address: SocketAddr,
    nginx: Child,
}

impl Site {
    fn start() -> Result<Site> {
        let directory = PathBuf::from(format!("/dev/shm/turbohttp-peers-{}", std::process::id()));
        fs::create_dir_all(directory.join("www/s"))?;
        fs::write(directory.join("www/large"), noise(LARGE_BYTES))?;
        for number in 0..SMALL_FILES {
            fs::write(
                directory.join(format!("www/s/{number}")),
                noise(SMALL_BYTES),
            )?;
        }
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let root = directory.display();
        let config = format!(
            "worker_processes 1; daemon off; pid {root}/pid; error_log {root}/log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000;\n\
             server {{ listen {address}; root {root}/www; }} }}\n"
        );
        fs::write(directory.join("conf"), config)?;
        let nginx = Command::new("nginx")
            .args(["-c".as_ref(), directory.join("conf").as_os_str()])
            .stderr(Stdio::null())
            .spawn()
            .context("nginx")?;
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Site {
            directory,
            address,
            nginx,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// An empty directory for what is downloaded.
    fn out(&self) -> Result<PathBuf> {
        let out = self.directory.join("out");
        _ = fs::remove_dir_all(&out);
        fs::create_dir(&out)?;
        Ok(out)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        _ = self.nginx.kill();
        _ = self.nginx.wait();
        _ = fs::remove_dir_all(&self.directory);
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut noise = vec![0; bytes];
    for word in noise.chunks_mut(8) {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let length = word.len();
        word.copy_from_slice(&state.to_le_bytes()[..length]);
    }
    noise
}

/// Milliseconds that a process takes.
fn timed(mut command: Command) -> Result<f64> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(took)
}

fn process(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn large(site: &Site, rounds: u32, command: &Path, verdict: &mut Verdict) -> Result<()> {
    let url = site.url("large");
    let list = site.directory.join("large.list");
    fs::write(
        &list,
        format!("{{\"url\":\"{url}\",\"output\":\"large\"}}\n"),
    )?;
    let (mut ours, mut aria, mut curl) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let out = site.out()?;
        let batch = ["batch", text(&list), "--out-dir", text(&out)];
        ours.push(timed(process(command, &batch))?);
        ensure!(fs::metadata(out.join("large"))?.len() == LARGE_BYTES as u64);
        let out = site.out()?;
        let four = [
            "-q",
            "-x4",
            "-s4",
            "-k1M",
            "--file-allocation=none",
            "-d",
            text(&out),
            &url,
        ];
        aria.push(timed(process("aria2c".as_ref(), &four))?);
        let out = site.out()?.join("large");
        curl.push(timed(process(
            "curl".as_ref(),
            &["-s", "-o", text(&out), &url],
        ))?);
    }
    let (ours, aria, curl) = (median(ours), median(aria), median(curl));
    println!("1 GiB, ms: turbohttp {ours:.0}, aria2c -x4 {aria:.0}, curl {curl:.0}");
    for (name, theirs) in [("aria2c -x4", aria), ("curl", curl)] {
        let ratio = theirs / ours;
        verdict.add(
            ratio >= 1.0,
            format!("1 GiB: {ratio:.2} times {name}, at least 1"),
        );
    }
    Ok(())
}

fn small(site: &Site, rounds: u32, command: &Path, verdict: &mut Verdict) -> Result<()> {
    let urls: Vec<String> = (0..SMALL_FILES)
        .map(|number| site.url(&format!("s/{number}")))
        .collect();
    let list = site.directory.join("small.list");
    fs::write(&list, urls.join("\n"))?;
    let (mut ours, mut aria, mut most) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let out = site.out()?;
        let batch = ["batch", text(&list), "--out-dir", text(&out)];
        ours.push(timed(process(command, &batch))?);
        ensure!(fs::read_dir(&out)?.count() == SMALL_FILES);
        let out = site.out()?;
        let plain = ["-q", "-d", text(&out), "-i", text(&list)];
        aria.push(timed(process("aria2c".as_ref(), &plain))?);
        let out = site.out()?;
        let many = [
            "-q",
            "-j64",
            "--file-allocation=none",
            "-d",
            text(&out),
            "-i",
            text(&list),
        ];
        most.push(timed(process("aria2c".as_ref(), &many))?);
    }
    let (ours, aria, most) = (median(ours), median(aria), median(most));
    println!(
        "2,000 files of 4 KiB, ms: turbohttp {ours:.0}, aria2c {aria:.0}, aria2c -j64 {most:.0}"
    );
    let ratio = aria / ours;
    verdict.add(
        ratio >= 5.0,
        format!("2,000 small files: {ratio:.2} times aria2c, at least 5"),
    );
    Ok(())
}

fn upload(rounds: u32, verdict: &mut Verdict) -> Result<()> {
    let path = PathBuf::from(format!(
        "/dev/shm/turbohttp-peers-{}.upload",
        std::process::id()
    ));
    fs::write(&path, noise(UPLOAD_BYTES))?;
    let url = format!("http://{}/", sink()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (mut ours, mut theirs, mut growth) = (vec![], vec![], 0);
    for _ in 0..rounds {
        // The peak of the resident size from here on: Linux sets it back to what it is now.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = machine::memory("VmRSS");
        let began = Instant::now();
        runtime.block_on(ours_sends(&url, &path))?;
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        growth = growth.max(machine::memory("VmHWM").saturating_sub(before));
        let began = Instant::now();
        runtime.block_on(reqwest_sends(&url, &path))?;
        theirs.push(began.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(&path)?;
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "multipart of 256 MiB, ms: turbohttp {ours:.0}, reqwest {theirs:.0}; growth {} KiB",
        growth / 1024
    );
    let ratio = theirs / ours;
    verdict.add(
        ratio >= 1.0,
        format!("multipart: {ratio:.2} times reqwest, at least 1"),
    );
    let line = format!(
        "multipart: {} KiB of growth, at most {}",
        growth / 1024,
        GROWTH_MAX / 1024
    );
    verdict.add(growth <= GROWTH_MAX, line);
    Ok(())
}

async fn ours_sends(url: &str, path: &Path) -> Result<()> {
    use turbohttp::multipart::{Form, Part};

    let client = turbohttp::Client::new()?;
    let form = Form::new()
        .text("name", "value")
        .part("file", Part::file(path).await?);
    let response = client.post(url).multipart(form).send().await?;
    ensure!(response.status() == 200, "{}", response.status());
    Ok(())
}

async fn reqwest_sends(url: &str, path: &Path) -> Result<()> {
    use reqwest::multipart::{Form, Part};

    let builder = reqwest::Client::builder().no_proxy();
    let client = builder
        .tls_backend_preconfigured(crate::peers::tls::client_config(None)?)
        .build()?;
    let form = Form::new()
        .text("name", "value")
        .part("file", Part::file(path).await?);
    let response = client.post(url).multipart(form).send().await?;
    ensure!(response.status() == 200, "{}", response.status());
    Ok(())
}

/// A server that reads what is sent, and answers when it is all there.
fn sink() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || swallow(stream));
        }
    });
    Ok(address)
}

fn swallow(mut stream: TcpStream) {
    let mut buffer = vec![0; 256 * 1024];
    let mut head = Vec::new();
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..read]);
        let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let mut left = length.saturating_sub(head.len() - end - 4);
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(read @ 1..) => left -= read.min(left),
                _ => return,
            }
        }
        head.clear();
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}
