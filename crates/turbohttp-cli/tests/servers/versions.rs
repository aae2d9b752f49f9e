//! Command lines over HTTP/2: by ALPN with TLS, and by prior knowledge without.

use crate::row::{Row, row};
use crate::run::run_all;

const ROWS: &[&[Row]] = &[CHOSEN, ALPN, PRIOR];

#[test]
fn turbohttp_speaks_http2_as_curl_does() {
    run_all(&ROWS.concat());
}

const NO_HTTP2: &str = "an answer of another version is no empty answer";

const BIG: &[(&str, &str)] = &[("big", "{mib}{mib}")];

/// Which version is spoken.
const CHOSEN: &[Row] = &[
    row(
        "the server chooses",
        "--cacert {ca} -w '%{http_version}' {tls_2}/echo",
    )
    .shows(&["HTTP/2.0 200", "\n2"]),
    row(
        "HTTP/2 is offered",
        "--http2 --cacert {ca} -w '%{http_version}' {tls_2}/echo",
    )
    .shows(&["HTTP/2.0 200"]),
    row(
        "HTTP/2 is not offered",
        "--http1.1 --cacert {ca} -w '%{http_version}' {tls_2}/echo",
    )
    .shows(&["HTTP/1.1 200", "1.1"]),
    row(
        "HTTP/2 is not taken",
        "--http2 --cacert {ca} -w '%{http_version}' {tls}/echo",
    )
    .shows(&["HTTP/1.1 200"]),
    row(
        "the last one holds",
        "--http2 --http1.1 --cacert {ca} {tls_2}/echo",
    )
    .shows(&["HTTP/1.1 200"]),
    row(
        "prior knowledge with TLS",
        "--http2-prior-knowledge --cacert {ca} {tls_2}/echo",
    )
    .shows(&["HTTP/2.0 200"]),
    row(
        "prior knowledge without",
        "--http2-prior-knowledge -w '%{http_version} %{scheme}' {prior}/echo",
    )
    .shows(&["2 HTTP"]),
    row("HTTP/1.1 in the clear", "--http1.1 {plain}/echo").shows(&["HTTP/1.1 200"]),
    row(
        "prior knowledge that is wrong",
        "--http2-prior-knowledge {plain}/echo",
    )
    .code(52)
    .own_code(8, NO_HTTP2),
];

const ALPN: &[Row] = &[
    row("a file", "--cacert {ca} {tls_2}/small.txt").shows(&["Hello, world!", "HTTP/2.0 200"]),
    row("an empty file", "--cacert {ca} {tls_2}/empty.txt"),
    row("a large file", "--cacert {ca} {tls_2}/large.bin"),
    row(
        "content without a length",
        "--cacert {ca} {tls_2}/page.shtml",
    )
    .shows(&["<p>499</p>"]),
    row("a head and a body", "-i --cacert {ca} {tls_2}/small.txt").shows(&["HTTP/2 200"]),
    row("a head alone", "-I --cacert {ca} {tls_2}/large.bin").shows(&["content-length: 1048576"]),
    row(
        "heads in a file",
        "-D {dir}/heads --cacert {ca} {tls_2}/small.txt",
    ),
    row("content", "-d a=1 --cacert {ca} {tls_2}/body").shows(&["a=1"]),
    row(
        "a large upload",
        "-T {dir}/big --cacert {ca} {tls_2}/dav/h2 ; {plain}/dav/h2 ; -X DELETE {plain}/dav/h2",
    )
    .files(BIG),
    row("a failure", "-f --cacert {ca} {tls_2}/nothing").code(22),
    row("a range", "-i -r 7-11 --cacert {ca} {tls_2}/small.txt").shows(&["HTTP/2 206", "world"]),
    row(
        "a redirect",
        "-L -w '%{num_redirects}' --cacert {ca} {tls_2}/chain/5",
    )
    .shows(&["5"]),
    row(
        "a body that is coded",
        "--compressed --cacert {ca} {tls_2}/long.txt",
    )
    .shows(&["line 1999"]),
    row(
        "two URLs on one connection",
        "-w '%{num_connects}' --cacert {ca} {tls_2}/small.txt {tls_2}/echo",
    )
    .shows(&["1", "0"]),
    row("a certificate that is not trusted", "{tls_2}/small.txt").code(60),
];

const PRIOR: &[Row] = &[
    row("a file", "--http2-prior-knowledge {prior}/small.txt")
        .shows(&["Hello, world!", "HTTP/2.0 200"]),
    row("a large file", "--http2-prior-knowledge {prior}/large.bin"),
    row(
        "a head alone",
        "-I --http2-prior-knowledge {prior}/large.bin",
    )
    .shows(&["content-length: 1048576"]),
    row("content", "--http2-prior-knowledge -d a=1 {prior}/body").shows(&["a=1"]),
    row(
        "a closed connection",
        "--http2-prior-knowledge {prior}/closed",
    )
    .code(92),
];
