//! Sockets, interfaces and certificates.

use crate::row::{Row, row};

const UNREADABLE: &str = "a file that cannot be read is a mistake in what was typed";

pub(super) const SOCKETS: &[Row] = &[
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

pub(super) const CERTIFICATES: &[Row] = &[
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
