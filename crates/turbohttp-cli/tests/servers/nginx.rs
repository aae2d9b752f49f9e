//! nginx: the origin behind all proxies. It writes down what each request asked for, and from which address.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use turbohttp_loopback::pattern;
use turbohttp_loopback::tls::TestCa;

use crate::child::{Served, are_there, fill, poll, write};

/// Bytes of `/large.bin`, which holds [`pattern()`].
pub(crate) const LARGE_BYTES: usize = 1024 * 1024;

/// How many ports `--local-port` may choose from.
const LOCAL_PORTS: u16 = 64;

/// `absolute_redirect` makes nginx complete a `Location` that begins with a slash, so it is off where
/// the client is to do that.
const CONFIG: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {}
http {
    log_format seen '$remote_addr $server_port $ssl_protocol $connection_requests $request_method '
        '$request_uri $server_protocol $status host=$http_host authorization="$shown" '
        'cookie="$http_cookie" accept="$http_accept" type="$content_type" length=$content_length '
        'proxy="$http_proxy_authorization$http_proxy_connection" range="$http_range"';
    map $http_authorization $shown {
        "~^Digest " "Digest";
        default $http_authorization;
    }
    map $remote_port $is_local {
        @LOCAL@
        default 0;
    }
    access_log seen.log seen;
    keepalive_requests 100000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types { text/html shtml; text/plain txt; }
    default_type application/octet-stream;
    ssl_certificate leaf.pem;
    ssl_certificate_key leaf.key;
    server {
        listen 127.0.0.1:@PLAIN@;
        listen 127.0.0.1:@OTHER@;
        listen 127.0.0.1:@TLS@ ssl;
        listen unix:nginx.sock;
        @LISTEN_6@
        ssl_protocols TLSv1.2 TLSv1.3;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@TLS_12@ ssl;
        ssl_protocols TLSv1.2;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@TLS_13@ ssl;
        ssl_protocols TLSv1.3;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@MUTUAL@ ssl;
        ssl_client_certificate ca.pem;
        ssl_verify_client on;
        ssl_protocols TLSv1.2 TLSv1.3;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@TLS_2@ ssl http2;
        listen 127.0.0.1:@PRIOR@ http2;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@CLOSING@;
        keepalive_timeout 0;
        include site.conf;
    }
    server {
        listen 127.0.0.1:@SHOWN@;
        access_log off;
        location / { return 200 "$http_x_method $content_type $http_x_body\n"; }
    }
}
"#;

const SITE: &str = r#"
root www;
if_modified_since before;
location ~ shtml { ssi on; }
location = /long.txt { gzip on; gzip_types text/plain; gzip_min_length 100; }
location /mark { return 204; }
location /echo {
    return 200 "$request_method $request_uri
host=$http_host
authorization=$http_authorization
cookie=$http_cookie
accept=$http_accept
x=$http_x
type=$content_type length=$content_length\n";
}
location /body {
    proxy_set_header X-Body $request_body;
    proxy_set_header X-Method $request_method;
    proxy_pass http://127.0.0.1:@SHOWN@/;
}
location /local { return 200 "$is_local\n"; }
location /dav/ { dav_methods PUT DELETE; client_max_body_size 8m; }
location /tight { client_max_body_size 1k; }
location /gone { return 204; }
location = /fields {
    return 200 "agent=$http_user_agent
referer=$http_referer
range=$http_range
if=$http_if_range\n";
}
location = /whole.txt { max_ranges 0; }
location = /given { add_header Content-Disposition 'attachment; filename="given.txt"'; return 200 "given\n"; }
location = /given/up { add_header Content-Disposition 'attachment; filename="../../given.txt"'; return 200 "given\n"; }
location = /given/extended {
    add_header Content-Disposition "attachment; filename=plain; filename*=UTF-8''%c3%a9.txt";
    return 200 "given\n";
}
location = /to/fields { return 302 /fields; }
location = /to/other/fields { return 302 http://127.0.0.1:@OTHER@/fields; }
location = /down/fields { return 302 http://localhost:@PLAIN@/fields; }
location /part/ { return 200 "$request_uri\n"; }
location = /nothing { return 404 "nothing here\n"; }
location /closed { return 444; }
location /busy { return 503; }
location /later { add_header Retry-After 1 always; return 503; }
location /private { auth_basic "turbohttp test"; auth_basic_user_file users; }

absolute_redirect off;
location = /to/301 { return 301 /echo; }
location = /to/302 { return 302 /echo; }
location = /to/303 { return 303 /echo; }
location = /to/307 { return 307 /echo; }
location = /to/308 { return 308 /echo; }
location = /to/307/body { return 307 /body; }
location = /absolute { absolute_redirect on; return 302 /echo; }
location = /deep/er/relative { return 302 "../../echo?relative"; }
location = /deep/er/query {
    if ($args = moved) { return 200 "moved\n"; }
    return 302 "?moved";
}
location = /fragment { return 302 "/echo#part"; }
location = /strange { return 302 "/echo?a b=c"; }
location = /named { return 302 http://user:secret@127.0.0.1:@PLAIN@/echo; }
location = /elsewhere { return 302 http://127.0.0.1:@OTHER@/echo; }
location = /elsewhere/307 { return 307 http://127.0.0.1:@OTHER@/body; }
location = /up { return 302 https://localhost:@TLS@/echo; }
location = /down { return 302 http://localhost:@PLAIN@/echo; }
location = /unknown { return 302 gopher://127.0.0.1:@PLAIN@/echo; }
location = /loop { return 302 /loop; }
location = /chain/5 { return 302 /chain/4; }
location = /chain/4 { return 301 /chain/3; }
location = /chain/3 { return 307 /chain/2; }
location = /chain/2 { return 308 /chain/1; }
location = /chain/1 { return 303 /echo; }

location = /cookie/set {
    add_header Set-Cookie "baseline=1; Path=/cookie" always;
    add_header Set-Cookie "hidden=3; Path=/cookie; HttpOnly" always;
    add_header Set-Cookie "secure=4; Path=/; Secure" always;
    add_header Set-Cookie "new=2; Path=/" always;
    add_header Set-Cookie "other=5; Domain=other.test" always;
    add_header Set-Cookie "up=6; Path=/; Expires=Tue, 01 Jan 2036 00:00:00 GMT" always;
    add_header Set-Cookie "gone=7; Path=/; Max-Age=0" always;
    add_header Set-Cookie "deep=8; Path=/cookie/deep" always;
    return 302 /cookie/seen;
}
location = /cookie/one {
    add_header Set-Cookie "sid=7; Path=/" always;
    return 302 /cookie/seen;
}
location = /cookie/bare {
    add_header Set-Cookie "bare=1" always;
    return 302 /cookie/seen;
}
location /cookie/seen { return 200 "$http_cookie\n"; }
location /cookie/deep { return 200 "$http_cookie\n"; }
"#;

/// nginx with files of its own.
#[derive(Debug)]
pub(crate) struct Nginx {
    served: Served,
    pub(crate) plain: u16,
    pub(crate) other: u16,
    pub(crate) closing: u16,
    pub(crate) tls: u16,
    /// TLS 1.2 alone, and 1.3 alone.
    pub(crate) tls_12: u16,
    pub(crate) tls_13: u16,
    /// TLS with HTTP/2 and HTTP/1.1, and HTTP/2 alone without TLS.
    pub(crate) tls_2: u16,
    pub(crate) prior: u16,
    /// TLS that asks for a certificate of the same authority.
    pub(crate) mutual: u16,
    /// The first and the last port that `--local-port` may choose.
    pub(crate) local_ports: (u16, u16),
}

impl Nginx {
    /// `None` where it cannot be had.
    pub(crate) fn start() -> Option<Nginx> {
        if !are_there(&["nginx", "openssl", "setpriv"]) {
            return None;
        }
        let (served, ports) = Served::start("nginx", prepare);
        let [
            plain,
            other,
            closing,
            tls,
            tls_12,
            tls_13,
            tls_2,
            prior,
            mutual,
            shown,
        ] = ports;
        Some(Nginx {
            served,
            plain,
            other,
            closing,
            tls,
            tls_12,
            tls_13,
            tls_2,
            prior,
            mutual,
            local_ports: local_ports(shown),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.plain)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.served.file(name)
    }

    /// The hash of the server's public key, as `--pinnedpubkey` takes it.
    pub(crate) fn pin(&self) -> String {
        const SCRIPT: &str = "openssl pkey -in leaf.key -pubout -outform DER \
             | openssl dgst -sha256 -binary | openssl base64";
        let mut command = Command::new("sh");
        let output = command.args(["-c", SCRIPT]).current_dir(self.served.path());
        let hash = String::from_utf8(output.output().unwrap().stdout).unwrap();
        format!("sha256//{}", hash.trim())
    }

    /// The requests since the last call, in order. nginx is one thread and writes a line when it has
    /// answered, so all of them stand before the line of the request that is sent here.
    pub(crate) fn seen(&self, from: &mut usize) -> Vec<String> {
        let mark = format!("/mark/{from}");
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.plain)).unwrap();
        write!(
            stream,
            "GET {mark} HTTP/1.1\r\nHost: mark\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        let end = format!(" {mark} HTTP/1.1 ");
        let log = poll(|| {
            let log = self.served.read("seen.log").split_off(*from);
            let is_marked = log.lines().any(|line| line.contains(&end));
            (is_marked && log.ends_with('\n')).then_some(log)
        });
        let log = log.expect("nginx writes the mark into its log");
        *from += log.len();
        let lines = log.lines().filter(|line| !line.contains(" host=mark "));
        lines.map(str::to_owned).collect()
    }
}

/// The ports behind that of an inner server.
fn local_ports(inner: u16) -> (u16, u16) {
    let first = inner.min(u16::MAX - LOCAL_PORTS) + 1;
    (first, first + LOCAL_PORTS - 1)
}

/// Whether connections to this machine by IPv6 are possible.
pub(crate) fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

fn prepare(folder: &Path, ports: &[u16; 10]) -> Vec<String> {
    let [
        plain,
        other,
        closing,
        tls,
        tls_12,
        tls_13,
        tls_2,
        prior,
        mutual,
        shown,
    ] = *ports;
    let ca = TestCa::new();
    let leaf = ca.leaf(&["localhost", "127.0.0.1", "server.test"]);
    write(folder, "ca.pem", ca.pem());
    write(folder, "leaf.pem", leaf.certificate_pem());
    write(folder, "leaf.key", leaf.key_pem());
    write(folder, "users", "user:{PLAIN}secret\n");
    write(folder, "www/small.txt", "Hello, world!\n");
    write(folder, "www/empty.txt", "");
    write(folder, "www/whole.txt", "Hello, world!\n");
    write(folder, "www/private/file.txt", "for user alone\n");
    write(folder, "www/dav/other", "");
    write(folder, "www/large.bin", pattern(LARGE_BYTES));
    write(folder, "www/long.txt", long_text());
    // Includes make the length unknown beforehand, so nginx sends chunks.
    let part = |part: usize| {
        format!("<!--# set var=\"x\" value=\"{part}\" --><p><!--# echo var=\"x\" --></p>\n")
    };
    let page: String = (0..500).map(part).collect();
    write(folder, "www/page.shtml", page);
    let (first, last) = local_ports(shown);
    let locals: String = (first..=last).map(|port| format!("{port} 1; ")).collect();
    let listen_6 = match has_ipv6() {
        true => format!("listen [::1]:{plain};"),
        false => String::new(),
    };
    let values: [(&str, &dyn ToString); 12] = [
        ("MUTUAL", &mutual),
        ("PLAIN", &plain),
        ("OTHER", &other),
        ("CLOSING", &closing),
        ("TLS", &tls),
        ("TLS_12", &tls_12),
        ("TLS_13", &tls_13),
        ("TLS_2", &tls_2),
        ("PRIOR", &prior),
        ("SHOWN", &shown),
        ("LOCAL", &locals),
        ("LISTEN_6", &listen_6),
    ];
    write(folder, "nginx.conf", fill(CONFIG, &values));
    write(folder, "site.conf", fill(SITE, &values));
    let folder = folder.to_str().unwrap();
    let arguments = ["-c", "nginx.conf", "-e", "error.log", "-p", folder];
    arguments.map(str::to_owned).to_vec()
}

/// Some 64 KiB that compress well.
pub(crate) fn long_text() -> String {
    (0..2_000)
        .map(|line| format!("line {line} of a long text\n"))
        .collect()
}
