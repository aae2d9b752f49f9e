//! What follows an answer: failures, redirects, retries, codings.

use crate::row::{Row, row};

const DECODED_HEAD: &str = "the head is that of the decoded body";

pub(super) const FAILURES: &[Row] = &[
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

pub(super) const REDIRECTS: &[Row] = &[
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

pub(super) const RETRIES: &[Row] = &[
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

pub(super) const CODINGS: &[Row] = &[
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
