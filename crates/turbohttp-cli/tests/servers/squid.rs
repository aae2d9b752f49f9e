//! squid: a proxy for HTTP, on one port for all and on another for `user` with the password `secret`.

use std::path::Path;

use crate::child::{Served, are_there, fill, write};

/// From where squid connects to servers: what an origin sees tells the way to it.
pub(crate) const FROM: &str = "127.0.0.2";

/// Where Debian keeps the program that checks passwords.
const CHECKER: &str = "/usr/lib/squid/basic_ncsa_auth";

/// `secret`, hashed as `openssl passwd -apr1` does it.
const USERS: &str = "user:$apr1$turbohtt$klznpoLMa2UXNONlXfojh1\n";

const CONFIG: &str = r#"
http_port 127.0.0.1:@OPEN@
http_port 127.0.0.1:@GUARDED@ name=guarded
auth_param basic program @CHECKER@ @DIR@/users
auth_param basic children 1
auth_param basic realm turbohttp test
acl guarded myportname guarded
acl known proxy_auth REQUIRED
http_access deny guarded !known
http_access allow all
cache deny all
cache_mem 1 MB
tcp_outgoing_address @FROM@
server_persistent_connections off
access_log none
cache_log @DIR@/cache.log
coredump_dir @DIR@
pid_filename none
pinger_enable off
netdb_filename none
max_filedescriptors 1024
visible_hostname localhost
dns_nameservers 127.0.0.1
shutdown_lifetime 0 seconds
"#;

/// squid with files of its own.
#[derive(Debug)]
pub(crate) struct Squid {
    _served: Served,
    pub(crate) open: u16,
    pub(crate) guarded: u16,
}

impl Squid {
    /// `None` where it cannot be had.
    pub(crate) fn start() -> Option<Squid> {
        if !are_there(&["squid", CHECKER, "setpriv"]) {
            return None;
        }
        let (served, [open, guarded]) = Served::start("squid", prepare);
        Some(Squid {
            _served: served,
            open,
            guarded,
        })
    }
}

fn prepare(folder: &Path, [open, guarded]: &[u16; 2]) -> Vec<String> {
    write(folder, "users", USERS);
    let config = fill(
        CONFIG,
        &[
            ("DIR", &folder.display()),
            ("OPEN", open),
            ("GUARDED", guarded),
            ("CHECKER", &CHECKER),
            ("FROM", &FROM),
        ],
    );
    write(folder, "squid.conf", config);
    // One process, in the foreground; the name is that of its shared memory.
    let name = format!("turbohttp{open}");
    let arguments = ["-N", "-n", &name, "-f", "squid.conf"];
    arguments.map(str::to_owned).to_vec()
}
