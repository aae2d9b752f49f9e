//! `--write-out`: what is said of a request that has ended, by a format of the user.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use turbohttp::{Phase, Response, StatusCode, Timeline, Url};

use super::heads::version_number;
use super::{redirect, standard, visible};
use crate::exit::{Exit, Told};
use crate::stdin::Stdin;
use crate::watch::Counts;

/// A file with a format, in bytes.
const FORMAT_BYTES_MAX: u64 = 1024 * 1024;

/// What was typed, divided at its variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(&'static str),
    /// `%header{NAME}`.
    Header(String),
    Json,
    HeaderJson,
    Stdout,
    Stderr,
    OnError,
}

/// What is known of a request that has ended.
pub(crate) struct Facts<'a> {
    pub(crate) url: &'a str,
    pub(crate) number: usize,
    pub(crate) method: &'a str,
    pub(crate) referer: Option<String>,
    pub(crate) response: Option<&'a Response>,
    pub(crate) timeline: Option<&'a Timeline>,
    pub(crate) counts: Counts,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) file: Option<String>,
    pub(crate) exit: Exit,
    pub(crate) error: Option<String>,
}

/// All variables with a value of their own, which are those of `%{json}` as well.
const VARIABLES: [&str; 34] = [
    "content_type",
    "errormsg",
    "exitcode",
    "filename_effective",
    "http_code",
    "http_version",
    "local_ip",
    "local_port",
    "method",
    "num_connects",
    "num_headers",
    "num_redirects",
    "redirect_url",
    "referer",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "size_download",
    "size_header",
    "size_upload",
    "speed_download",
    "speed_upload",
    "ssl_verify_result",
    "time_appconnect",
    "time_connect",
    "time_namelookup",
    "time_pretransfer",
    "time_redirect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
    "urlnum",
];

impl Format {
    /// Reads a format, or the file behind an `@`.
    pub(crate) fn read(typed: &str) -> anyhow::Result<Format> {
        let Some(path) = typed.strip_prefix('@') else {
            return Format::parse(typed);
        };
        let unreadable = || format!("--write-out {} cannot be read", visible(path));
        let opened: Box<dyn std::io::Read> = match path {
            "-" => Box::new(Stdin::open().with_context(unreadable)?),
            path => Box::new(std::fs::File::open(path).with_context(unreadable)?),
        };
        let mut text = String::new();
        std::io::Read::read_to_string(
            &mut std::io::Read::take(opened, FORMAT_BYTES_MAX + 1),
            &mut text,
        )
        .with_context(unreadable)?;
        if text.len() as u64 > FORMAT_BYTES_MAX {
            bail!(
                "--write-out {}: longer than {FORMAT_BYTES_MAX} bytes",
                visible(path)
            );
        }
        // As curl reads it: a file ends in a line end that nobody means.
        Format::parse(&text.replace(['\r', '\n'], ""))
    }

    fn parse(text: &str) -> anyhow::Result<Format> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['%', '\\']) {
            plain.push_str(&rest[..at]);
            let (sign, behind) = rest[at..].split_at(1);
            let (piece, length) = match sign {
                "\\" => {
                    let next = behind.chars().next();
                    match next {
                        Some('n') => plain.push('\n'),
                        Some('r') => plain.push('\r'),
                        Some('t') => plain.push('\t'),
                        other => plain.extend(std::iter::once('\\').chain(other)),
                    }
                    (None, next.map_or(0, char::len_utf8))
                }
                _ if behind.starts_with('%') => {
                    plain.push('%');
                    (None, 1)
                }
                _ => match variable(behind)? {
                    Some((piece, length)) => (Some(piece), length),
                    None => {
                        plain.push('%');
                        (None, 0)
                    }
                },
            };
            if let Some(piece) = piece {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(piece);
            }
            rest = &behind[length..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Format { pieces })
    }

    /// Writes the pieces to stdout, or to stderr behind `%{stderr}`.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written.
    pub(crate) fn write(&self, facts: &Facts<'_>) -> anyhow::Result<()> {
        for (is_stderr, text) in self.filled(facts) {
            if is_stderr {
                standard::write_stderr(text.as_bytes());
            } else {
                super::print(&text).context(Told::unwritten("--write-out"))?;
            }
        }
        Ok(())
    }

    /// The text, and whether it goes to stderr, piece by piece.
    fn filled(&self, facts: &Facts<'_>) -> Vec<(bool, String)> {
        let mut out: Vec<(bool, String)> = Vec::new();
        let mut is_stderr = false;
        for piece in &self.pieces {
            let text = match piece {
                Piece::Text(text) => text.clone(),
                Piece::Variable(name) => match facts.value(name) {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    number => number.to_string(),
                },
                Piece::Header(name) => facts.header(name).unwrap_or_default(),
                Piece::Json => facts.json(),
                Piece::HeaderJson => facts.header_json(),
                Piece::Stdout => {
                    is_stderr = false;
                    continue;
                }
                Piece::Stderr => {
                    is_stderr = true;
                    continue;
                }
                Piece::OnError if facts.exit == Exit::Ok => break,
                Piece::OnError => continue,
            };
            match out.last_mut() {
                Some((to, before)) if *to == is_stderr => before.push_str(&text),
                _ => out.push((is_stderr, text)),
            }
        }
        out
    }
}

/// The variable behind a `%`, and its length; `None` if there is none.
fn variable(behind: &str) -> anyhow::Result<Option<(Piece, usize)>> {
    let (is_header, inner) = match (behind.strip_prefix("header{"), behind.strip_prefix('{')) {
        (Some(inner), _) => (true, inner),
        (None, Some(inner)) => (false, inner),
        (None, None) => return Ok(None),
    };
    let Some(end) = inner.find('}') else {
        return Ok(None);
    };
    let name = &inner[..end];
    let length = behind.len() - inner.len() + end + 1;
    let piece = match name {
        name if is_header => Piece::Header(name.to_owned()),
        "json" => Piece::Json,
        "header_json" => Piece::HeaderJson,
        "stdout" => Piece::Stdout,
        "stderr" => Piece::Stderr,
        "onerror" => Piece::OnError,
        name => match VARIABLES.iter().find(|variable| **variable == name) {
            Some(variable) => Piece::Variable(variable),
            None => bail!("--write-out: there is no variable %{{{}}}", visible(name)),
        },
    };
    Ok(Some((piece, length)))
}

impl Facts<'_> {
    fn value(&self, name: &str) -> Value {
        match name.split_once('_') {
            Some(("time", _)) => json!(format!("{:.6}", self.time(name).as_secs_f64())),
            Some(("size" | "speed" | "num", _)) => self.count(name).into(),
            _ => self.text(name),
        }
    }

    /// When something had happened, from the beginning on; zero if it has not.
    fn time(&self, name: &str) -> Duration {
        let Some(timeline) = self.timeline else {
            return Duration::ZERO;
        };
        // Of the last attempt, which the redirects before it are no part of.
        let began = |phase| {
            let spans = timeline.spans().filter(|span| span.phase == phase);
            spans.last().map(|span| span.start)
        };
        let ended = |phases: &[Phase]| {
            let spans = timeline.spans().filter(|span| phases.contains(&span.phase));
            spans.last().map(|span| span.end)
        };
        let sent = began(Phase::Send);
        match name {
            "time_namelookup" => ended(&[Phase::Dns]).or(began(Phase::Connect)).or(sent),
            "time_connect" => ended(&[Phase::Connect]).or(sent),
            "time_appconnect" => ended(&[Phase::Tls]),
            "time_pretransfer" => sent,
            "time_starttransfer" => ended(&[Phase::Wait]),
            "time_redirect" => Some(self.counts.redirected),
            _ => Some(timeline.total()),
        }
        .unwrap_or_default()
    }

    fn count(&self, name: &str) -> u64 {
        let total = self.timeline.map_or(Duration::ZERO, Timeline::total);
        let speed = |bytes: u64| match total.is_zero() {
            true => 0,
            false => (bytes as f64 / total.as_secs_f64()) as u64,
        };
        match name {
            "size_download" => self.received,
            "size_upload" => self.sent,
            "size_header" => self.counts.head_bytes,
            "speed_download" => speed(self.received),
            "speed_upload" => speed(self.sent),
            "num_connects" => self.counts.connects.into(),
            "num_redirects" => self.counts.redirects.into(),
            _ => self
                .response
                .map_or(0, |response| response.fields().count() as u64),
        }
    }

    fn text(&self, name: &str) -> Value {
        let response = self.response;
        let remote = response.and_then(Response::remote_addr);
        let local = response.and_then(Response::local_addr);
        let ip = |address: Option<std::net::SocketAddr>| {
            address.map_or(String::new(), |at| at.ip().to_string())
        };
        let port = |address: Option<std::net::SocketAddr>| address.map_or(0, |at| at.port());
        match name {
            "http_code" | "response_code" => {
                let status = response.map_or(0, |response| response.status().as_u16());
                json!(format!("{status:03}"))
            }
            "exitcode" => json!(self.exit as i32),
            "errormsg" => json!(self.error),
            "filename_effective" => json!(self.file),
            "content_type" => json!(self.header("content-type")),
            "http_version" => {
                json!(response.map_or("0", |response| version_number(response.version())))
            }
            "method" => json!(self.method),
            "redirect_url" => json!(self.redirect_url()),
            "referer" => json!(self.referer),
            "remote_ip" => json!(ip(remote)),
            "local_ip" => json!(ip(local)),
            "remote_port" => json!(port(remote)),
            "local_port" => json!(port(local)),
            "scheme" => json!(response.map(
                |response| match response.url().starts_with("https:") {
                    true => "HTTPS",
                    false => "HTTP",
                }
            )),
            "ssl_verify_result" => json!(u8::from(self.exit == Exit::Certificate)),
            "url_effective" => json!(response.map_or(self.url, Response::url)),
            "urlnum" => json!(self.number),
            _ => json!(self.url),
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        let value = self.response?.header_bytes(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Where the redirect leads that was not followed.
    fn redirect_url(&self) -> Option<String> {
        let response = self.response?;
        let is_redirect = redirect::is_redirect(response.status().as_u16());
        if !is_redirect || response.status() == StatusCode::NOT_MODIFIED {
            return None;
        }
        let location = self.header("location")?;
        let base = Url::parse(response.url()).ok()?;
        base.join(&location).ok().map(Into::into)
    }

    /// Every variable of the list; a time is a number here.
    fn json(&self) -> String {
        let values = VARIABLES.iter().map(|name| {
            let value = match (name.split_once('_'), *name) {
                (Some(("time", _)), _) => json!(self.time(name).as_secs_f64()),
                (_, "http_code" | "response_code") => {
                    json!(
                        self.response
                            .map_or(0, |response| response.status().as_u16())
                    )
                }
                _ => self.value(name),
            };
            (*name, value)
        });
        let mut values: BTreeMap<&str, Value> = values.collect();
        values.insert(
            "curl_version",
            json!(concat!("turbohttp/", env!("CARGO_PKG_VERSION"))),
        );
        json!(values).to_string()
    }

    /// The fields of the response: for each name, in lower case, its values.
    fn header_json(&self) -> String {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in self.response.into_iter().flat_map(Response::fields) {
            let name = name.to_ascii_lowercase();
            let value = String::from_utf8_lossy(value).into_owned();
            match fields.iter_mut().find(|(other, _)| *other == name) {
                Some((_, values)) => values.push(value),
                None => fields.push((name, vec![value])),
            }
        }
        let mut out = String::from("{");
        for (at, (name, values)) in fields.iter().enumerate() {
            let comma = if at > 0 { ",\n" } else { "" };
            let _ = write!(out, "{comma}{}:{}", json!(name), json!(values));
        }
        out.push_str("\n}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Exit, Facts, Format};

    fn facts(exit: Exit) -> Facts<'static> {
        Facts {
            url: "http://h/",
            number: 3,
            method: "GET",
            referer: None,
            response: None,
            timeline: None,
            counts: Counts::default(),
            received: 5,
            sent: 7,
            file: None,
            exit,
            error: None,
        }
    }

    fn filled(format: &str, exit: Exit) -> Vec<(bool, String)> {
        Format::parse(format).unwrap().filled(&facts(exit))
    }

    #[test]
    fn variables_and_escapes_are_filled_in() {
        let one = |format| {
            filled(format, Exit::Ok)
                .into_iter()
                .map(|(_, text)| text)
                .collect::<String>()
        };
        assert_eq!(one("%{http_code} %{size_download}\\n"), "000 5\n");
        assert_eq!(one("%%{url} %a% \\x\\t\\"), "%{url} %a% \\x\t\\");
        assert_eq!(
            one("%{method}%{urlnum}%header{x}%{time_total}"),
            "GET30.000000"
        );
        assert_eq!(one("%{unclosed"), "%{unclosed");
        let json: serde_json::Value = serde_json::from_str(&one("%{json}")).unwrap();
        assert_eq!(
            (&json["size_upload"], &json["http_code"]),
            (&7.into(), &0.into())
        );
        assert!(json["content_type"].is_null() && json["time_total"].is_number());
        assert!(Format::parse("%{nope}").is_err());
    }

    #[test]
    fn streams_change_and_errors_are_told_apart() {
        let format = "a%{stderr}b%{stdout}c%{onerror}d%{exitcode}";
        let text = |out: Vec<(bool, String)>| {
            out.into_iter()
                .map(|(err, text)| format!("{err}:{text}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            text(filled(format, Exit::Ok)),
            ["false:a", "true:b", "false:c"]
        );
        assert_eq!(
            text(filled(format, Exit::Dns)),
            ["false:a", "true:b", "false:cd6"]
        );
    }
}
