//! Apache httpd: Digest authentication, the codings gzip and br, and a CGI script that reads forms.

use std::path::Path;

use crate::child::{Served, are_there, fill, poll, write};
use crate::nginx::long_text;

/// Where Debian keeps the modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// MD5 of `user:turbohttp test:secret`, as the program `htdigest` writes it.
const DIGEST_USERS: &str = "user:turbohttp test:a2612c9f93bf2fdc75d3c863b1a4afe5\n";

const LOADED: [&str; 15] = [
    "mpm_worker",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "auth_digest",
    "alias",
    "brotli",
    "cgi",
    "deflate",
    "dir",
    "filter",
    "headers",
    "mime",
];

const CONFIG: &str = r#"
ServerRoot "@DIR@"
DefaultRuntimeDir "@DIR@"
PidFile "@DIR@/httpd.pid"
ErrorLog "@DIR@/error.log"
Mutex file:@DIR@
@LOADED@
LogFormat "%m %U%q %>s %u" seen
CustomLog "@DIR@/seen.log" seen
Listen 127.0.0.1:@PORT@
ServerName localhost
ServerTokens Prod
TypesConfig /dev/null
AddType text/plain .txt
DocumentRoot "@DIR@/www"
KeepAlive On
# A tag of a file that is a second old says so.
FileETag None
<Directory "@DIR@/www">
    Require all granted
</Directory>
<Location "/digest">
    AuthType Digest
    AuthName "turbohttp test"
    AuthDigestProvider file
    AuthUserFile "@DIR@/digest"
    AuthDigestQop auth
    Require valid-user
    Header always set X-User "expr=%{REMOTE_USER}"
</Location>
<Location "/gzip">
    SetOutputFilter DEFLATE
</Location>
<Location "/br">
    SetOutputFilter BROTLI_COMPRESS
</Location>
ScriptAlias "/form" "@DIR@/form.pl"
<Location "/form">
    Require all granted
</Location>
Redirect 302 "/moved" "/digest/text.txt"
"#;

/// Tells the parts of a form: name, name of the file, type, length and hash of each.
const FORM: &str = r#"#!/usr/bin/perl
use strict;
use Digest::SHA qw(sha256_hex);
binmode STDIN;
local $/;
my $content = <STDIN>;
print "Content-Type: text/plain\r\n\r\n$ENV{REQUEST_METHOD}";
my ($type, $boundary) = $ENV{CONTENT_TYPE} =~ /^([^;]*); boundary=(.+)$/ or die "no form";
print " $type\n";
my @parts = split /\r\n--\Q$boundary\E/, "\r\n$content";
die "no end" if pop(@parts) ne "--\r\n";
shift @parts;
for my $part (@parts) {
    my ($head, $body) = $part =~ /^\r\n(.*?)\r\n\r\n(.*)$/s or die "no part";
    my %fields;
    for my $line (split /\r\n/, $head) {
        my ($name, $value) = $line =~ /^([^:]+): *(.*)$/ or die "no field";
        $fields{lc $name} = $value;
    }
    my @told = map { "$_: $fields{$_}" } sort keys %fields;
    print join("; ", @told), " ", length($body), " ", sha256_hex($body), "\n";
}
"#;

/// Apache httpd with files of its own.
#[derive(Debug)]
pub(crate) struct Apache {
    served: Served,
    pub(crate) port: u16,
}

impl Apache {
    /// `None` where it cannot be had.
    pub(crate) fn start() -> Option<Apache> {
        if !are_there(&["apache2", "perl", "setpriv"]) {
            return None;
        }
        let (served, [port]) = Served::start("apache2", prepare);
        Some(Apache { served, port })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far, `expected` at least: method, target, status and user of each, in the order of
    /// the answers. Apache writes a line behind its answer.
    pub(crate) fn seen(&self, expected: usize) -> Vec<String> {
        let look = || {
            let log = self.served.read("seen.log");
            let lines: Vec<String> = log.lines().map(str::to_owned).collect();
            (lines.len() >= expected && log.ends_with('\n')).then_some(lines)
        };
        poll(look).unwrap_or_else(|| panic!("Apache writes down {expected} requests"))
    }
}

fn prepare(folder: &Path, [port]: &[u16; 1]) -> Vec<String> {
    write(folder, "digest", DIGEST_USERS);
    write(folder, "form.pl", FORM);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.join("form.pl"), mode).unwrap();
    for name in ["plain", "digest", "gzip", "br"] {
        write(folder, &format!("www/{name}/text.txt"), long_text());
    }
    let load = |name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
    let loaded: String = LOADED.map(load).concat();
    let config = fill(
        CONFIG,
        &[
            ("DIR", &folder.display()),
            ("PORT", port),
            ("LOADED", &loaded),
        ],
    );
    write(folder, "httpd.conf", config);
    // One process with threads, in the foreground.
    let config = folder.join("httpd.conf").to_str().unwrap().to_owned();
    vec!["-X".to_owned(), "-f".to_owned(), config]
}
