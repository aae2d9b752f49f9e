//! Tables of what is set and what is sent, bounds, and arbitrary fields.

use super::*;

mod bounds;
mod elsewhere;
mod fields;
mod scope;

/// 2026-11-30 00:00:00 UTC.
const NOW: u64 = 1_795_996_800;

const SUFFIXES: [&str; 6] = ["com", "test", "co.uk", "uk", "github.io", "io"];

fn is_public_suffix(domain: &str) -> bool {
    SUFFIXES.contains(&domain)
}

/// The parts of `scheme://host/path`.
fn target(url: &str) -> Target<'_> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Target::new(scheme == "https", host, path)
}

fn set(jar: &mut CookieJar, url: &str, field: &str) -> Result<(), Refused> {
    jar.store(target(url), field.as_bytes(), NOW, &is_public_suffix)
}

fn sent(jar: &mut CookieJar, url: &str) -> String {
    sent_at(jar, url, NOW)
}

fn sent_at(jar: &mut CookieJar, url: &str, now: u64) -> String {
    String::from_utf8(jar.field(target(url), now).unwrap_or_default()).unwrap()
}

/// What is sent to `to` after `fields` were set by `from`.
fn exchange(from: &str, fields: &[&str], to: &str) -> String {
    let mut jar = CookieJar::default();
    for field in fields {
        // What is refused shows in what is sent.
        let _ = set(&mut jar, from, field);
    }
    sent(&mut jar, to)
}
