//! Command lines that curl and `turbohttp get` understand alike.

use crate::row::{Row, row};
use crate::run::run_all;

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

const DECODED_HEAD: &str = "the head is that of the decoded body";
const UNREADABLE: &str = "a file that cannot be read is a mistake in what was typed";

const REQUESTS: &[Row] = &[
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

const BODIES: &[Row] = &[
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
const UPLOADS: &[Row] = &[
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

const TARGETS: &[Row] = &[
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

const FAILURES: &[Row] = &[
    row("missing", "{plain}/missing").shows(&["404 Not Found"]),
    row("missing, with its head", "-i {plain}/missing").shows(&["404 Not Found"]),
    row("missing is a failure", "-f {plain}/missing").code(22),
    row(
        "missing is a failure and no file",
        "-f -o {dir}/out {plain}/missing",
    )
    .code(22),
    row("a redirect", "-i {plain}/to/302").shows(&["Location: /echo"]),
    row("refused", "http://{refused}/").code(7),
    row("no answer in time", "-m 0.2 {silent}/").code(28),
    row(
        "no connection that takes too long",
        "--connect-timeout 5 {plain}/small.txt",
    ),
    row("an empty answer", "{plain}/closed").code(52),
    row("an empty answer over TLS", "--cacert {ca} {tls}/closed").code(52),
    row("HTTP to a port of TLS", "-i http://127.0.0.1:{tls_port}/").shows(&["HTTP/1.1 400"]),
    row("TLS to a port of HTTP", "-k https://127.0.0.1:{port}/").code(35),
    row("nobody to trust", "{tls}/echo").code(60),
    row("nobody to trust, all the same", "-k {tls}/echo").shows(&["TLSv1.3"]),
    row(
        "the name of another",
        "--resolve h.test:{tls_port}:127.0.0.1 --cacert {ca} https://h.test:{tls_port}/echo",
    )
    .code(60),
];

const REDIRECTS: &[Row] = &[
    row("301", "-L {plain}/to/301").shows(&["GET /echo"]),
    row("302, with heads", "-L -i {plain}/to/302").shows(&["HTTP/1.1 302", "HTTP/1.1 200"]),
    row("303", "-L {plain}/to/303"),
    row("307", "-L {plain}/to/307"),
    row("308", "-L {plain}/to/308"),
    row("POST and 301", "-L -d a=1 {plain}/to/301").shows(&["POST /to/301", "GET /echo"]),
    row("POST and 302", "-L -d a=1 {plain}/to/302").shows(&["GET /echo"]),
    row("POST and 303", "-L -d a=1 {plain}/to/303").shows(&["GET /echo"]),
    row("POST and 307", "-L -d a=1 {plain}/to/307/body")
        .shows(&["POST application/x-www-form-urlencoded a=1"]),
    row("POST and 308", "-L -d a=1 {plain}/to/308").shows(&["POST /echo", "length=3"]),
    row(
        "POST of a file and 307",
        "-L -d @{dir}/form {plain}/to/307/body",
    )
    .files(&[("form", "a=1")])
    .shows(&["a=1"]),
    row("HEAD and 302", "-L -I {plain}/to/302").shows(&["HEAD /echo"]),
    row("HEAD and 303", "-L -I {plain}/to/303").shows(&["HEAD /echo"]),
    row("DELETE and 307", "-L -X DELETE {plain}/to/307").shows(&["DELETE /echo"]),
    row("five hops", "-L {plain}/chain/5").shows(&["/chain/1", "/echo"]),
    row("five hops of five", "-L --max-redirs 5 {plain}/chain/5").shows(&["/echo"]),
    row("five hops of two", "-L --max-redirs 2 {plain}/chain/5").code(47),
    row("no hop", "-L --max-redirs 0 {plain}/to/301").code(47),
    row("a circle", "-L {plain}/loop")
        .code(47)
        .own_requests("a URL that was there already ends it, not the 50th hop"),
    row("an absolute target", "-L {plain}/absolute"),
    row("a relative target", "-L {plain}/deep/er/relative").shows(&["/echo?relative"]),
    row("a target of a query alone", "-L {plain}/deep/er/query").shows(&["/deep/er/query?moved"]),
    row("a fragment in the target", "-L {plain}/fragment").shows(&["GET /echo "]),
    row("a blank in the target", "-L {plain}/strange")
        .shows(&["/echo?a+b=c"])
        .own_output("a blank is %20, as the URL standard has it")
        .own_requests("a blank is %20, as the URL standard has it"),
    row("a target of another scheme", "-L {plain}/unknown")
        .code(1)
        .own_code(47, "the response is shown, and its target is not followed"),
    row("a redirect into a file", "-L -o {dir}/out {plain}/to/302"),
    row("up to TLS", "-L --cacert {ca} {plain}/up").shows(&["TLSv1.3"]),
    row("down from TLS", "-L --cacert {ca} {tls}/down").shows(&["GET /echo"]),
    row("elsewhere", "-L {plain}/elsewhere").shows(&["GET /echo"]),
    row(
        "elsewhere without the password",
        "-L -u user:secret {plain}/elsewhere",
    )
    .shows(&["authorization=\n"]),
    row(
        "elsewhere with the password",
        "-L --location-trusted -u user:secret {plain}/elsewhere",
    )
    .shows(&["authorization=Basic"]),
    row(
        "elsewhere without the field",
        "-L -H 'Authorization: x' {plain}/elsewhere",
    )
    .shows(&["authorization=\n"]),
    row(
        "elsewhere without the cookie",
        "-L -H 'Cookie: a=1' {plain}/elsewhere",
    )
    .shows(&["cookie=\n"]),
    row(
        "elsewhere with other fields",
        "-L -H 'X: 1' {plain}/elsewhere",
    )
    .shows(&["x=1\n"]),
    row("elsewhere with the body", "-L -d a=1 {plain}/elsewhere/307").shows(&["a=1"]),
    row("here with the password", "-L -u user:secret {plain}/to/302")
        .shows(&["authorization=Basic"]),
    row("a user in the target", "-L {plain}/named")
        .shows(&["authorization=Basic"])
        .own_output("a password in a target is not taken from it")
        .own_requests("a password in a target is not taken from it"),
    row("a redirect to a failure", "-L -f {plain}/to/missing").code(22),
    row("PUT and 302", "-L -X PUT -d a=1 {plain}/to/302")
        .own_output("PUT goes on with its content (RFC 9110 section 15.4)")
        .own_requests("PUT goes on with its content (RFC 9110 section 15.4)"),
    row("POST by name and 303", "-L -X POST -d a=1 {plain}/to/303")
        .own_output("-X names the method of the first request, not of all")
        .own_requests("-X names the method of the first request, not of all"),
    row("JSON and 307", "-L --json '{\"a\":1}' {plain}/to/307/body").shows(&["application/json"]),
    row(
        "up to TLS without the password",
        "-L -u user:secret --cacert {ca} {plain}/up",
    )
    .shows(&["authorization=\n"]),
    row("no bound of hops", "-L --max-redirs -1 {plain}/chain/5"),
    row(
        "a body over TLS and 307",
        "-L --cacert {ca} -d a=1 {tls}/to/307/body",
    )
    .shows(&["a=1"]),
    row("a redirect behind HAProxy", "-L {haproxy}/chain/5").shows(&["127.0.0.3"]),
];

const RETRIES: &[Row] = &[
    row("nothing to retry", "--retry 2 {plain}/small.txt"),
    row("a status that lasts", "--retry 2 -i {plain}/missing").shows(&["HTTP/1.1 404"]),
    row(
        "a status that passes",
        "--retry 1 --retry-delay 1 -o {dir}/out {plain}/busy",
    ),
    row(
        "a failure in the end",
        "--retry 1 --retry-delay 1 -f {plain}/busy",
    )
    .code(22)
    .own_requests("curl leaves the connection of a failure, and here it is used again"),
    row("as the server says", "--retry 1 -o {dir}/out {plain}/later"),
    row(
        "no time for another",
        "--retry 3 --retry-delay 2 --retry-max-time 1 -o {dir}/out {plain}/busy",
    )
    .own_requests("a retry that would begin too late is not waited for"),
    row(
        "refused, once",
        "--retry 1 --retry-delay 1 http://{refused}/",
    )
    .code(7),
    row(
        "refused, again",
        "--retry 1 --retry-delay 1 --retry-connrefused http://{refused}/",
    )
    .code(7),
    row(
        "an empty answer, again",
        "--retry 1 --retry-delay 1 --retry-all-errors {plain}/closed",
    )
    .code(52),
    row(
        "POST and a status that passes",
        "--retry 1 --retry-delay 1 -o {dir}/out -d a=1 {plain}/busy",
    ),
    row(
        "every failure",
        "--retry 1 --retry-delay 1 --retry-all-errors -f -o {dir}/out {plain}/missing",
    )
    .code(22)
    .own_requests("curl leaves the connection of a failure, and here it is used again"),
    row(
        "no answer in time, again",
        "-m 0.2 --retry 1 --retry-delay 1 {silent}/",
    )
    .code(28),
];

const PROXIES: &[Row] = &[
    row("by a proxy", "-x http://{squid} {plain}/echo").shows(&["127.0.0.2 "]),
    row("by a proxy without a scheme", "-x {squid} {plain}/echo").shows(&["127.0.0.2 "]),
    row("by a proxy, large", "-x http://{squid} {plain}/large.bin"),
    row("by a proxy, chunks", "-x http://{squid} {plain}/page.shtml"),
    row(
        "by a proxy, a status",
        "-x http://{squid} -f {plain}/missing",
    )
    .code(22),
    row(
        "by a proxy, a body",
        "-x http://{squid} -d a=1 {plain}/body",
    )
    .shows(&["a=1"]),
    row(
        "by a proxy, redirects",
        "-x http://{squid} -L {plain}/chain/5",
    )
    .shows(&["/echo"]),
    row(
        "by a proxy, a password",
        "-x http://{squid} -u user:secret {plain}/private/file.txt",
    ),
    row(
        "by a proxy, TLS",
        "-x http://{squid} --cacert {ca} {tls}/echo",
    )
    .shows(&["127.0.0.2 "]),
    row(
        "by a proxy, TLS and a large file",
        "-x http://{squid} --cacert {ca} {tls}/large.bin",
    ),
    row(
        "by a proxy, up to TLS",
        "-x http://{squid} -L --cacert {ca} {plain}/up",
    ),
    row(
        "by a proxy, TLS and a body",
        "-x http://{squid} --cacert {ca} -d a=1 {tls}/body",
    ),
    row(
        "by a proxy, nobody to trust",
        "-x http://{squid} {tls}/echo",
    )
    .code(60),
    row(
        "by a proxy, refused behind it",
        "-x http://{squid} -k https://{refused}/",
    )
    .code(56),
    row(
        "by a proxy, Apache",
        "-x http://{squid} {apache}/plain/text.txt",
    ),
    row(
        "a proxy with a password",
        "-x http://{squid_guarded} --proxy-user user:secret {plain}/echo",
    )
    .shows(&["127.0.0.2 ", "proxy=\"--\""]),
    row(
        "a proxy with a password in its URL",
        "-x http://user:secret@{squid_guarded} {plain}/echo",
    )
    .shows(&["127.0.0.2 "]),
    row(
        "a proxy with a password, TLS",
        "-x http://{squid_guarded} --proxy-user user:secret --cacert {ca} {tls}/echo",
    )
    .shows(&["127.0.0.2 "]),
    row(
        "a proxy that asks for a password",
        "-x http://{squid_guarded} -f {plain}/echo",
    )
    .code(22),
    row(
        "a proxy and the wrong password",
        "-x http://{squid_guarded} --proxy-user user:wrong -f {plain}/echo",
    )
    .code(22),
    row(
        "a proxy that asks for a password, TLS",
        "-x http://{squid_guarded} --cacert {ca} {tls}/echo",
    )
    .code(56),
    row(
        "a proxy and the wrong password, TLS",
        "-x http://{squid_guarded} --proxy-user user:wrong --cacert {ca} {tls}/echo",
    )
    .code(56),
    row("a proxy that refuses", "-x http://{refused} {plain}/echo").code(7),
    row("a proxy that is silent", "-m 0.2 -x {silent} {plain}/echo").code(28),
    row(
        "a proxy that is silent, TLS",
        "-m 0.2 -x {silent} -k {tls}/echo",
    )
    .code(28),
    row(
        "no proxy for an address",
        "-x http://{refused} --noproxy 127.0.0.1 {plain}/echo",
    )
    .shows(&["127.0.0.1 "]),
    row(
        "no proxy for a network",
        "-x http://{refused} --noproxy 127.0.0.0/8 {plain}/echo",
    ),
    row(
        "no proxy for all",
        "-x http://{refused} --noproxy '*' {plain}/echo",
    ),
    row(
        "no proxy for others",
        "-x http://{squid} --noproxy h.test {plain}/echo",
    )
    .shows(&["127.0.0.2 "]),
    row(
        "a proxy's password by its letter",
        "-x {squid_guarded} -U user:secret {plain}/echo",
    )
    .shows(&["127.0.0.2 "]),
];

const SOCKS: &[Row] = &[
    row("by SOCKS", "--socks5 {socks} {plain}/echo").shows(&["127.0.0.4 "]),
    row(
        "by SOCKS, a name",
        "--socks5-hostname {socks} http://localhost:{port}/echo",
    )
    .shows(&["127.0.0.4 ", "host=localhost:"]),
    row("by SOCKS, TLS", "--socks5 {socks} --cacert {ca} {tls}/echo").shows(&["127.0.0.4 "]),
    row("by SOCKS, a URL", "-x socks5://{socks} {plain}/large.bin").shows(&["127.0.0.4 "]),
    row(
        "by SOCKS, a URL and a name",
        "-x socks5h://{socks} --cacert {ca} {tls}/echo",
    )
    .shows(&["127.0.0.4 "]),
    row(
        "by SOCKS, redirects",
        "-x socks5h://{socks} -L {plain}/elsewhere",
    ),
    row("by SOCKS, a body", "--socks5 {socks} -d a=1 {plain}/body").shows(&["a=1"]),
    row(
        "SOCKS with a password",
        "--socks5 {socks_guarded} --proxy-user user:secret {plain}/echo",
    )
    .shows(&["127.0.0.4 "]),
    row(
        "SOCKS with a password in its URL",
        "-x socks5h://user:secret@{socks_guarded} {plain}/echo",
    )
    .shows(&["127.0.0.4 "]),
    row(
        "SOCKS that asks for a password",
        "--socks5 {socks_guarded} {plain}/echo",
    )
    .code(97),
    row(
        "SOCKS and the wrong password",
        "--socks5 {socks_guarded} --proxy-user user:wrong {plain}/echo",
    )
    .code(97),
    row(
        "SOCKS, refused behind it",
        "--socks5 {socks} http://{refused}/",
    )
    .code(97),
    row("SOCKS that refuses", "--socks5 {refused} {plain}/echo").code(7),
    row(
        "SOCKS that is silent",
        "-m 0.2 -x socks5://{silent_at} {plain}/echo",
    )
    .code(28),
];

const VARIABLES: &[Row] = &[
    row("http_proxy", "{plain}/echo")
        .environment("http_proxy=http://{squid}")
        .shows(&["127.0.0.2 "]),
    row("http_proxy without a scheme", "{plain}/echo")
        .environment("http_proxy={squid}")
        .shows(&["127.0.0.2 "]),
    row("http_proxy is not for https", "--cacert {ca} {tls}/echo")
        .environment("http_proxy=http://{refused}")
        .shows(&["127.0.0.1 "]),
    row("https_proxy", "--cacert {ca} {tls}/echo")
        .environment("https_proxy=http://{squid}")
        .shows(&["127.0.0.2 "]),
    row("HTTPS_PROXY", "--cacert {ca} {tls}/echo")
        .environment("HTTPS_PROXY=http://{squid}")
        .shows(&["127.0.0.2 "]),
    row("all_proxy", "{plain}/echo")
        .environment("all_proxy=http://{squid}")
        .shows(&["127.0.0.2 "]),
    row("ALL_PROXY and SOCKS", "{plain}/echo")
        .environment("ALL_PROXY=socks5://{socks}")
        .shows(&["127.0.0.4 "]),
    row("http_proxy comes before all_proxy", "{plain}/echo")
        .environment("http_proxy=http://{squid} all_proxy=http://{refused}")
        .shows(&["127.0.0.2 "]),
    row("a password in http_proxy", "{plain}/echo")
        .environment("http_proxy=http://user:secret@{squid_guarded}")
        .shows(&["127.0.0.2 "]),
    row(
        "-x comes before http_proxy",
        "-x http://{squid} {plain}/echo",
    )
    .environment("http_proxy=http://{refused}")
    .shows(&["127.0.0.2 "]),
    row("no_proxy", "{plain}/echo")
        .environment("http_proxy=http://{refused} no_proxy=h.test,127.0.0.1")
        .shows(&["127.0.0.1 "]),
    row("NO_PROXY", "--cacert {ca} {tls}/echo")
        .environment("https_proxy=http://{refused} NO_PROXY=localhost")
        .shows(&["127.0.0.1 "]),
    row("no_proxy for all", "{plain}/echo")
        .environment("http_proxy=http://{refused} no_proxy=*")
        .shows(&["127.0.0.1 "]),
    row("no_proxy for a network", "{plain}/echo")
        .environment("http_proxy=http://{refused} no_proxy=127.0.0.0/8")
        .shows(&["127.0.0.1 "]),
    row(
        "--noproxy comes before no_proxy",
        "--noproxy '*' {plain}/echo",
    )
    .environment("http_proxy=http://{refused} no_proxy=h.test")
    .shows(&["127.0.0.1 "]),
    row("HTTP_PROXY", "{plain}/echo")
        .environment("HTTP_PROXY=http://{squid}")
        .shows(&["127.0.0.1 "])
        .own_requests("HTTP_PROXY is what others than curl read, outside of CGI"),
    row("HTTP_PROXY in CGI", "{plain}/echo")
        .environment("HTTP_PROXY=http://{refused} REQUEST_METHOD=GET")
        .shows(&["127.0.0.1 "]),
    row("an empty http_proxy", "{plain}/echo").environment("http_proxy="),
];

const CODINGS: &[Row] = &[
    row("gzip", "--compressed {plain}/long.txt").shows(&["line 1999 "]),
    row("gzip, with its head", "--compressed -i {plain}/long.txt")
        .shows(&["Content-Encoding: gzip"])
        .own_output(DECODED_HEAD),
    row("gzip by Apache", "--compressed {apache}/gzip/text.txt").shows(&["line 1999 "]),
    row("br by Apache", "--compressed {apache}/br/text.txt").shows(&["line 1999 "]),
    row(
        "br by Apache, with its head",
        "--compressed -i {apache}/br/text.txt",
    )
    .shows(&["Content-Encoding: br"])
    .own_output(DECODED_HEAD),
    row(
        "gzip into a file",
        "--compressed -o {dir}/out {plain}/long.txt",
    ),
    row("no coding", "--compressed {plain}/small.txt"),
    row("a head alone and gzip", "--compressed -I {plain}/long.txt"),
    row(
        "gzip that nobody asked for",
        "-H 'Accept-Encoding: gzip' {apache}/gzip/text.txt",
    ),
    row("gzip after a redirect", "--compressed -L {plain}/to/303"),
    row(
        "gzip by a proxy",
        "--compressed -x http://{squid} {apache}/gzip/text.txt",
    ),
    row("gzip over TLS", "--compressed --cacert {ca} {tls}/long.txt"),
];

/// Older cookies have longer names: with paths of one length, curl looks at the length of the name next,
/// where RFC 6265 section 5.4 looks at the age.
const JAR: &[(&str, &str)] = &[(
    "jar",
    "# Netscape HTTP Cookie File\n\n\
     127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t1\n\
     127.0.0.1\tFALSE\t/echo\tFALSE\t2082758400\tlasting\t2\n\
     127.0.0.1\tFALSE\t/other\tFALSE\t0\tdeep\t3\n\
     127.0.0.1\tFALSE\t/\tTRUE\t0\tsecure\t4\n\
     127.0.0.1\tFALSE\t/\tFALSE\t1\tdead\t5\n\
     #HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\thide\t6\n\
     h.test\tFALSE\t/\tFALSE\t0\tothr\t7\n\
     .h.test\tTRUE\t/\tFALSE\t0\tdomn\t8\n",
)];

const COOKIES: &[Row] = &[
    row("a cookie", "-b a=1 {plain}/echo").shows(&["cookie=a=1\n"]),
    row("two cookies", "-b 'a=1; b=2' {plain}/echo").shows(&["cookie=a=1; b=2\n"]),
    row("cookies of a file", "-b {dir}/jar {plain}/echo")
        .files(JAR)
        .shows(&["lasting=2; session=1; secure=4; hide=6"]),
    row(
        "cookies of a file over TLS",
        "-b {dir}/jar --cacert {ca} https://127.0.0.1:{tls_port}/echo",
    )
    .files(JAR)
    .shows(&["secure=4"]),
    row(
        "cookies of a domain",
        "-b {dir}/jar --resolve a.h.test:{port}:127.0.0.1 http://a.h.test:{port}/echo",
    )
    .files(JAR)
    .shows(&["cookie=domn=8\n"]),
    row("a new jar", "-c {dir}/jar {plain}/cookie/set"),
    row("a jar and a redirect", "-L -c {dir}/jar {plain}/cookie/set").shows(&["baseline=1"]),
    row(
        "a jar over TLS",
        "-L -c {dir}/jar --cacert {ca} {tls}/cookie/set",
    )
    .shows(&["secure=4"]),
    row(
        "a jar that is read and written",
        "-L -b {dir}/jar -c {dir}/jar {plain}/cookie/set",
    )
    .files(JAR),
    row(
        "a jar for the next command",
        "-L -c {dir}/jar {plain}/cookie/set ; -b {dir}/jar {plain}/cookie/deep/er",
    )
    .shows(&["deep=8"]),
    row(
        "a jar for another port",
        "-L -c {dir}/jar {plain}/cookie/set ; -b {dir}/jar {other}/cookie/seen",
    )
    .shows(&["new=2"]),
    row("a redirect without a jar", "-L {plain}/cookie/set").shows(&["cookie=\"-\""]),
    row(
        "a redirect with an empty jar",
        "-L -b '' {plain}/cookie/set",
    )
    .shows(&["baseline=1"]),
    row(
        "a typed cookie and one that is set on the way",
        "-L -b a=1 -c {dir}/jar {plain}/cookie/one",
    ),
    row(
        "a cookie and a redirect elsewhere",
        "-L -b a=1 {plain}/elsewhere",
    )
    .own_output("a cookie that was typed stays with its origin")
    .own_requests("a cookie that was typed stays with its origin"),
    row("a jar that is not there", "-b {dir}/none {plain}/echo").shows(&["cookie=\n"]),
    row(
        "a cookie without a path",
        "-L -c {dir}/jar {plain}/cookie/bare",
    )
    .shows(&["bare=1"])
    .own_output("the path of its own has no slash at its end (RFC 6265 section 5.1.4)"),
    row(
        "a jar by a proxy",
        "-L -b '' -x http://{squid} {plain}/cookie/set",
    )
    .shows(&["baseline=1"]),
    row(
        "a cookie of each kind",
        "-b a=1 -H 'Cookie: b=2' {plain}/echo",
    ),
    row("a jar without its sessions", "-j -b {dir}/jar {plain}/echo")
        .files(JAR)
        .shows(&["lasting=2"]),
];

const NETRC: &[(&str, &str)] = &[(
    ".netrc",
    "machine h.test login other password hidden\nmachine 127.0.0.1\nlogin user\npassword secret\n",
)];

const CREDENTIALS: &[Row] = &[
    row("a password", "-u user:secret {plain}/private/file.txt").shows(&["for user alone"]),
    row(
        "the wrong password",
        "-i -u user:wrong {plain}/private/file.txt",
    )
    .shows(&["HTTP/1.1 401"]),
    row(
        "the wrong password is a failure",
        "-f -u user:wrong {plain}/private/file.txt",
    )
    .code(22),
    row("no password", "-I {plain}/private/file.txt").shows(&["WWW-Authenticate: Basic"]),
    row("a password with a colon", "-u user:a:b {plain}/echo")
        .shows(&["authorization=Basic dXNlcjphOmI=\n"]),
    row("an empty password", "-u user: {plain}/echo").shows(&["authorization=Basic dXNlcjo=\n"]),
    row(
        "Basic by name",
        "--basic -u user:secret {plain}/private/file.txt",
    ),
    row("a bearer's token", "--oauth2-bearer token {plain}/echo")
        .shows(&["authorization=Bearer token\n"]),
    row(
        "a bearer's token elsewhere",
        "-L --oauth2-bearer token {plain}/elsewhere",
    )
    .shows(&["authorization=\n"]),
    row("Digest", "--digest -u user:secret {apache}/digest/text.txt").shows(&["line 1999 "]),
    row(
        "Digest and the wrong password",
        "--digest -f -u user:wrong {apache}/digest/text.txt",
    )
    .code(22),
    row(
        "Digest and another user",
        "--digest -f -u other:secret {apache}/digest/text.txt",
    )
    .code(22),
    row(
        "Digest and a query",
        "--digest -u user:secret '{apache}/digest/text.txt?a=b,c&d=e'",
    )
    .shows(&["line 1999 "]),
    row(
        "Digest and a head",
        "--digest -I -f -o {dir}/out -u user:secret {apache}/digest/text.txt",
    )
    .own_output("curl shows the head of the 401, too"),
    row(
        "Digest after a redirect",
        "--digest -L -u user:secret {apache}/moved",
    )
    .shows(&["line 1999 "]),
    row(
        "Digest where nobody asks",
        "--digest -u user:secret {plain}/echo",
    )
    .shows(&["authorization=\n"]),
    row(
        "Digest where Basic is asked for",
        "--digest -f -u user:secret {plain}/private/file.txt",
    )
    .code(22),
    row(
        "Digest by a proxy",
        "--digest -x http://{squid} -u user:secret {apache}/digest/text.txt",
    ),
    row("netrc", "--netrc {plain}/private/file.txt")
        .files(NETRC)
        .shows(&["for user alone"]),
    row("netrc that is not asked for", "{plain}/echo")
        .files(NETRC)
        .shows(&["authorization=\n"]),
    row(
        "netrc of another name",
        "--netrc-file {dir}/.netrc {plain}/private/file.txt",
    )
    .files(NETRC)
    .shows(&["for user alone"]),
    row(
        "netrc and another host",
        "--netrc --resolve a.test:{port}:127.0.0.1 http://a.test:{port}/echo",
    )
    .files(NETRC)
    .shows(&["authorization=\n"]),
    row("netrc and a password", "--netrc -u user:typed {plain}/echo")
        .files(NETRC)
        .shows(&["authorization=Basic dXNlcjp0eXBlZA==\n"]),
    row(
        "netrc and Digest",
        "--netrc --digest {apache}/digest/text.txt",
    )
    .files(NETRC),
    row("netrc with quotes", "--netrc {plain}/private/file.txt")
        .files(&[(".netrc", "default login \"user\" password \"secret\"\n")])
        .shows(&["for user alone"]),
    row(
        "Digest and a body",
        "--digest -d a=1 -u user:secret {apache}/digest/text.txt",
    )
    .shows(&["line 1999 "]),
    row(
        "Digest and a body of a file",
        "--digest -d @{dir}/form -u user:secret {apache}/digest/text.txt",
    )
    .files(&[("form", "a=1")])
    .shows(&["line 1999 "]),
    row(
        "Digest by a proxy with a password",
        "--digest -x http://{squid_guarded} --proxy-user user:secret -u user:secret {apache}/digest/text.txt",
    ),
    row(
        "a password and a token",
        "-u user:secret --oauth2-bearer token {plain}/echo",
    )
    .own_code(2, "only one of them can be sent")
    .own_output("only one of them can be sent")
    .own_requests("only one of them can be sent"),
    row(
        "a password and the field",
        "-u user:secret -H 'Authorization: x' {plain}/echo",
    ),
    row("netrc and elsewhere", "--netrc -L {plain}/elsewhere")
        .files(NETRC)
        .own_output("a password stays with its origin, whose port is another")
        .own_requests("a password stays with its origin, whose port is another"),
    row(
        "a password in the URL and -u",
        "-u user:secret http://other:hidden@127.0.0.1:{port}/echo",
    ),
    row(
        "a password in the URL and elsewhere",
        "-L http://user:secret@127.0.0.1:{port}/elsewhere",
    )
    .shows(&["authorization=\n"]),
    row(
        "a password in the URL and here",
        "-L http://user:secret@127.0.0.1:{port}/to/302",
    )
    .shows(&["authorization=Basic"]),
    row(
        "an encoded password in the URL",
        "http://user:a%3Ab%20c@127.0.0.1:{port}/echo",
    ),
    row("netrc if it is there", "--netrc-optional {plain}/echo").shows(&["authorization=\n"]),
    row("netrc by its letter", "-n {plain}/private/file.txt")
        .files(NETRC)
        .shows(&["for user alone"]),
    row("netrc that is not there", "--netrc {plain}/echo"),
];

const SOCKETS: &[Row] = &[
    row(
        "another host to connect to",
        "--connect-to h.test:{port}:127.0.0.1:{other_port} http://h.test:{port}/echo",
    )
    .shows(&["host=h.test:"]),
    row(
        "another host for all",
        "--connect-to ::127.0.0.1:{tls_port} --cacert {ca} https://server.test/echo",
    )
    .shows(&["host=server.test\n"]),
    row("a Unix socket", "--unix-socket {socket} http://h.test/echo")
        .shows(&["unix:", "host=h.test\n"]),
    row(
        "no Unix socket",
        "--unix-socket {dir}/none http://h.test/echo",
    )
    .code(7),
    row("from an address", "--interface 127.0.0.5 {plain}/echo").shows(&["127.0.0.5 "]),
    row("from an interface", "--interface lo {plain}/echo").shows(&["127.0.0.1 "]),
    row("from a port", "--local-port {local_ports} {plain}/local").shows(&["1\n"]),
    row("IPv4", "-4 http://localhost:{port}/echo").shows(&["127.0.0.1 "]),
    row("IPv6", "-6 http://[::1]:{port}/echo")
        .needs_ipv6()
        .shows(&["::1 "]),
    row("an address of IPv6", "http://[::1]:{port}/echo")
        .needs_ipv6()
        .shows(&["host=[::1]:"]),
    row(
        "IPv6 before IPv4",
        "-6 --resolve h.test:{port}:127.0.0.1,[::1] http://h.test:{port}/echo",
    )
    .needs_ipv6()
    .shows(&["::1 "]),
    row("keep-alive", "--keepalive-time 5 {plain}/echo"),
    row(
        "a Unix socket and a redirect",
        "-L --unix-socket {socket} http://h.test/to/302",
    )
    .shows(&["unix:"]),
    row(
        "a Unix socket and a body",
        "-d a=1 --unix-socket {socket} http://h.test/body",
    )
    .shows(&["a=1"]),
    row(
        "an interface that is not there",
        "--interface nosuch0 {plain}/echo",
    )
    .code(45),
    row(
        "an address of another machine",
        "--interface 192.0.2.1 {plain}/echo",
    )
    .code(45),
    row("IPv4 and an address of IPv6", "-4 http://[::1]:{port}/echo")
        .needs_ipv6()
        .code(7)
        .own_code(6, "there is no address of that kind"),
    row("IPv6 and an address of IPv4", "-6 {plain}/echo")
        .code(7)
        .own_code(6, "there is no address of that kind"),
    row(
        "another host and a redirect",
        "-L --connect-to h.test::127.0.0.1: http://h.test:{port}/to/302",
    ),
    row(
        "from an address by TLS",
        "--interface 127.0.0.5 --cacert {ca} {tls}/echo",
    )
    .shows(&["127.0.0.5 "]),
    row("no keep-alive", "--no-keepalive {plain}/echo"),
];

const CERTIFICATES: &[Row] = &[
    row("a pinned key", "--pinnedpubkey {pin} --cacert {ca} {tls}/echo"),
    row("a pinned key and no certificate", "--pinnedpubkey {pin} -k {tls}/echo"),
    row(
        "another pinned key",
        "--pinnedpubkey sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --cacert {ca} {tls}/echo",
    )
    .code(90),
    row(
        "one of two pinned keys",
        "--pinnedpubkey 'sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;{pin}' --cacert {ca} {tls}/echo",
    ),
    row("TLS 1.3 at least", "--tlsv1.3 --cacert {ca} {tls}/echo").shows(&["TLSv1.3"]),
    row("TLS 1.2 at least", "--tlsv1.2 --cacert {ca} {tls_12}/echo").shows(&["TLSv1.2"]),
    row("TLS 1.2 at most", "--tls-max 1.2 --cacert {ca} {tls}/echo").shows(&["TLSv1.2"]),
    row("TLS 1.3 of a server of 1.2", "--tlsv1.3 --cacert {ca} {tls_12}/echo").code(35),
    row("TLS 1.2 of a server of 1.3", "--tls-max 1.2 --cacert {ca} {tls_13}/echo").code(35),

    row("a pinned key by a proxy", "-x http://{squid} --pinnedpubkey {pin} --cacert {ca} {tls}/echo")
        .shows(&["127.0.0.2 "]),
    row("TLS 1.3 by SOCKS", "--socks5 {socks} --tlsv1.3 --cacert {ca} {tls}/echo").shows(&["127.0.0.4 "]),

    row("a certificate of the client", "-E {leaf} --key {key} --cacert {ca} {mutual}/echo").shows(&["TLSv1.3"]),
    row("a certificate of the client, large", "-E {leaf} --key {key} --cacert {ca} {mutual}/large.bin"),
    row("no certificate of the client", "-i --cacert {ca} {mutual}/echo").shows(&["HTTP/1.1 400"]),
    row("a certificate of the client by a proxy", "-x {squid} -E {leaf} --key {key} --cacert {ca} {mutual}/echo")
        .shows(&["127.0.0.2 "]),
    row("no key of the certificate", "-E {leaf} --key {dir}/none --cacert {ca} {mutual}/echo").code(58).own_code(2, UNREADABLE),
    row("no file of authorities", "--cacert {dir}/none {tls}/echo").code(77).own_code(2, UNREADABLE),
];
