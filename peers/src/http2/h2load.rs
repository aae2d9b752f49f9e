//! nghttp2's load generator, a process of its own on the core of the caller's thread.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Requests per second of `streams` streams of one connection and one thread; `None` where h2load is not
/// installed.
pub(super) fn rate(url: &str, streams: usize, seconds: f64) -> Result<Option<f64>> {
    let output = Command::new("h2load")
        .args(["-c", "1", "-t", "1", "-m", &streams.to_string()])
        .args(["-D", &format!("{:.0}ms", seconds * 1e3)])
        .arg(url)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output?,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load: {text}");
    Ok(Some(
        read(&text).with_context(|| format!("h2load: {text}"))?,
    ))
}

/// Of `finished in 1.00s, 1234.50 req/s, 1.20MB/s`.
fn read(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("finished in"))?;
    let rate = line
        .split(", ")
        .find_map(|part| part.strip_suffix(" req/s"))?;
    rate.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn rate_is_read() {
        let text = "progress: 100%\n\nfinished in 1.00s, 1234.50 req/s, 1.20MB/s\n";
        assert_eq!(read(text), Some(1234.5));
        assert_eq!(read("finished in 1.00s"), None);
    }
}
