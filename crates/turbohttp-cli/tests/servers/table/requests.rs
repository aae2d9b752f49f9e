//! What is sent, and to which target.

use crate::row::{Row, row};

pub(super) const REQUESTS: &[Row] = &[
    row("a file", "{plain}/small.txt").shows(&["Hello, world!"]),
    row("an empty file", "{plain}/empty.txt"),
    row("a large file", "{plain}/large.bin"),
    row("chunks", "{plain}/page.shtml").shows(&["<p>499</p>"]),
    row("a URL without a scheme", "127.0.0.1:{port}/small.txt"),
    row("a head and a body", "-i {plain}/small.txt").shows(&["HTTP/1.1 200"]),
    row("a head and chunks", "-i {plain}/page.shtml").shows(&["Transfer-Encoding: chunked"]),
    row("a head alone", "-I {plain}/large.bin").shows(&["Content-Length: 1048576"]),
    row("a head alone of chunks", "-I {plain}/page.shtml"),
    row("no content", "-i {plain}/gone").shows(&["HTTP/1.1 204"]),
    row("a method", "-X DELETE {plain}/echo").shows(&["DELETE /echo"]),
    row("a method that is refused", "-i -X PUT {plain}/small.txt")
        .shows(&["HTTP/1.1 405"])
        .own_requests("a PUT without content says Content-Length: 0 (RFC 9110 section 8.6)"),
    row("a field", "-H 'X: one' {plain}/echo").shows(&["x=one"]),
    row("a field twice", "-H 'X: one' -H 'X: two' {plain}/echo"),
    row("a field without a value", "-H 'X;' {plain}/echo"),
    row("a field left out", "-H 'Accept:' {plain}/echo").shows(&["accept=\n"]),
    row("a field replaced", "-H 'Accept: text/plain' {plain}/echo").shows(&["accept=text/plain"]),
    row("another host", "-H 'Host: h.test' {plain}/echo").shows(&["host=h.test\n"]),
    row("a range", "-i -H 'Range: bytes=7-11' {plain}/small.txt").shows(&["HTTP/1.1 206", "world"]),
    row(
        "a condition",
        "-i -H 'If-Modified-Since: Tue, 01 Jan 2036 00:00:00 GMT' {plain}/small.txt",
    )
    .shows(&["HTTP/1.1 304"]),
    row("a file as output", "-o {dir}/out {plain}/large.bin"),
    row(
        "a head and a file as output",
        "-I -o {dir}/out {plain}/small.txt",
    ),
    row("a server that closes", "-i {closing}/small.txt").shows(&["Connection: close"]),
    row("TLS", "--cacert {ca} {tls}/echo").shows(&["TLSv1.3", "host=localhost:"]),
    row("TLS, large", "--cacert {ca} {tls}/large.bin"),
    row("TLS 1.2", "--cacert {ca} {tls_12}/echo").shows(&["TLSv1.2"]),
    row("behind HAProxy", "-i {haproxy}/echo").shows(&["127.0.0.3"]),
    row("behind a hasty HAProxy", "-i {hasty}/page.shtml").shows(&["127.0.0.3"]),
    row("TLS through HAProxy", "--cacert {ca} {sealed}/echo").shows(&["127.0.0.3"]),
    row("Apache", "-i {apache}/plain/text.txt").shows(&["Server: Apache"]),
    row("Apache, a head", "-I {apache}/plain/text.txt"),
];

pub(super) const BODIES: &[Row] = &[
    row("data", "-d a=1 {plain}/body").shows(&["POST application/x-www-form-urlencoded a=1"]),
    row("data twice", "-d a=1 -d b=2 {plain}/body").shows(&["a=1&b=2"]),
    row(
        "data with another type",
        "-H 'Content-Type: text/csv' -d a,b {plain}/body",
    )
    .shows(&["text/csv a,b"]),
    row("data of a file", "-d @{dir}/form {plain}/body")
        .files(&[("form", "a=1&b=2")])
        .shows(&["a=1&b=2"]),
    row("data of stdin", "-d @- {plain}/body")
        .input("a=from+stdin")
        .shows(&["a=from+stdin"]),
    row("JSON", "--json '{\"a\":1}' {plain}/body").shows(&["POST application/json {\"a\":1}"]),
    row("PUT with data", "-X PUT -d a=1 {plain}/body").shows(&["PUT "]),
    row("empty data", "-d '' {plain}/echo").shows(&["POST /echo", "length=0"]),
    row("data over TLS", "--cacert {ca} -d a=1 {tls}/body").shows(&["a=1"]),
    row("data behind HAProxy", "-d a=1 {haproxy}/body").shows(&["a=1"]),
    row("data to a file", "-i -d a=1 {plain}/small.txt").shows(&["HTTP/1.1 405"]),
    row("data of a file of lines", "-d @{dir}/form {plain}/body")
        .files(&[("form", "a=1\n&b=2\n")])
        .own_output("a file is sent as it is, line ends too")
        .own_requests("a file is sent as it is, line ends too"),
    row("JSON of a file", "--json @{dir}/form {plain}/body")
        .files(&[("form", "[1,2]")])
        .shows(&["[1,2]"]),
    row("JSON twice", "--json [1, --json 2] {plain}/body").shows(&["[1,2]"]),
    row(
        "JSON with another type",
        "-H 'Content-Type: a/b' --json [] {plain}/body",
    )
    .shows(&["a/b []"]),
];

/// Two megabytes: curl asks before it sends that much (RFC 9110 section 10.1.1).
const BIG: &[(&str, &str)] = &[("big", "{mib}{mib}")];

/// The file is sent, fetched and removed.
pub(super) const UPLOADS: &[Row] = &[
    row(
        "a large body",
        "-X PUT -d @{dir}/big {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["PUT /dav/x HTTP/1.1 201"]),
    row(
        "a large body of stdin",
        "-X PUT -d @- {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .input("from stdin")
    .shows(&["PUT /dav/x HTTP/1.1 201"]),
    row(
        "a large body over TLS",
        "-X PUT --cacert {ca} -d @{dir}/big {tls}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["TLSv1.3 1 PUT /dav/x HTTP/1.1 201"]),
    row(
        "a large body behind HAProxy",
        "-X PUT -d @{dir}/big {haproxy}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["127.0.0.3 "]),
    row(
        "a large body by a proxy",
        "-X PUT -x {squid} -d @{dir}/big {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["127.0.0.2 "]),
    row(
        "a large body by a proxy, TLS",
        "-X PUT -x {squid} --cacert {ca} -d @{dir}/big {tls}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["127.0.0.2 "]),
    row(
        "a large body by SOCKS",
        "-X PUT --socks5 {socks} -d @{dir}/big {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["127.0.0.4 "]),
    row(
        "a large body on a Unix socket",
        "-X PUT --unix-socket {socket} -d @{dir}/big http://h.test/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(BIG)
    .shows(&["unix:"]),
    row("a body that is too large", "-o {dir}/out -d @{dir}/big {plain}/tight").files(BIG).shows(&["/tight HTTP/1.1 413"]),
];

pub(super) const TARGETS: &[Row] = &[
    row("a query", "'{plain}/echo?q=a%20b&c=d'").shows(&["/echo?q=a%20b&c=d"]),
    row("a fragment", "{plain}/echo?q#part").shows(&["/echo?q\n"]),
    row("no path", "-i {plain}").shows(&["GET / HTTP/1.1 40"]),
    row("dots", "{plain}/x/../echo/./y").shows(&["GET /echo/y "]),
    row("dots as they are", "--path-as-is {plain}/x/../echo").shows(&["GET /x/../echo "]),
    row("a user in the URL", "http://user:secret@127.0.0.1:{port}/private/file.txt")
        .shows(&["for user alone"]),
    row(
        "an address by hand",
        "--resolve h.test:{port}:127.0.0.1 http://h.test:{port}/echo",
    )
    .shows(&["host=h.test:"]),
    row(
        "an address by hand and TLS",
        "--resolve server.test:{tls_port}:127.0.0.1 --cacert {ca} https://server.test:{tls_port}/echo",
    )
    .shows(&["host=server.test:"]),

    row("a host in capitals", "http://LOCALHOST:{port}/echo").own_output("a host is in lower case, as the URL standard has it").own_requests("a host is in lower case, as the URL standard has it"),
    row("characters that URLs do not have", "'{plain}/echo?a=b|c^d`e'"),
    row("an encoded path", "{plain}/echo/%7Ea%2fb"),
    row("two slashes", "{plain}//echo//x"),
    row("a question mark alone", "{plain}/echo?"),
];
