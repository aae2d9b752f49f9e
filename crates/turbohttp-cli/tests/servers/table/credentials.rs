//! Cookies, netrc files and credentials.

use crate::row::{Row, row};

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

pub(super) const COOKIES: &[Row] = &[
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

pub(super) const CREDENTIALS: &[Row] = &[
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
