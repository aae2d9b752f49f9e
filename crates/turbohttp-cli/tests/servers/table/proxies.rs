//! Proxies of HTTP and SOCKS, and the variables that name them.

use crate::row::{Row, row};

pub(super) const PROXIES: &[Row] = &[
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

pub(super) const SOCKS: &[Row] = &[
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

pub(super) const VARIABLES: &[Row] = &[
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
