//! Command lines that curl and `turbohttp get` understand alike.

use crate::row::Row;
use crate::run::run_all;

mod answers;
mod credentials;
mod proxies;
mod requests;
mod sockets;

use answers::{CODINGS, FAILURES, REDIRECTS, RETRIES};
use credentials::{COOKIES, CREDENTIALS};
use proxies::{PROXIES, SOCKS, VARIABLES};
use requests::{BODIES, REQUESTS, TARGETS, UPLOADS};
use sockets::{CERTIFICATES, SOCKETS};

const ROWS: &[&[Row]] = &[
    REQUESTS,
    BODIES,
    UPLOADS,
    TARGETS,
    FAILURES,
    REDIRECTS,
    PROXIES,
    SOCKS,
    VARIABLES,
    CODINGS,
    COOKIES,
    CREDENTIALS,
    SOCKETS,
    CERTIFICATES,
];

#[test]
fn turbohttp_does_what_curl_does() {
    run_all(&ROWS.concat());
}

/// Beside the others, as they wait a second for each retry.
#[test]
fn turbohttp_retries_what_curl_retries() {
    run_all(RETRIES);
}
