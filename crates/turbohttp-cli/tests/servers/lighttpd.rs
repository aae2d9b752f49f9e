//! lighttpd: files, ranges and WebDAV by a third hand.

use std::path::Path;

use crate::child::{Served, are_there, fill, write};
use crate::nginx::long_text;

const CONFIG: &str = r#"
server.document-root = "@DIR@/www"
server.port = @PORT@
server.bind = "127.0.0.1"
server.errorlog = "@DIR@/error.log"
server.upload-dirs = ( "@DIR@" )
server.modules = ( "mod_redirect" )
url.redirect = ( "^/moved$" => "/plain/text.txt" )
mimetype.assign = ( ".txt" => "text/plain" )
"#;

/// lighttpd with files of its own.
#[derive(Debug)]
pub(crate) struct Lighttpd {
    _served: Served,
    pub(crate) port: u16,
}

impl Lighttpd {
    /// `None` where it cannot be had.
    pub(crate) fn start() -> Option<Lighttpd> {
        if !are_there(&["lighttpd", "setpriv"]) {
            return None;
        }
        let (served, [port]) = Served::start("lighttpd", prepare);
        Some(Lighttpd {
            _served: served,
            port,
        })
    }
}

fn prepare(folder: &Path, [port]: &[u16; 1]) -> Vec<String> {
    write(folder, "www/plain/text.txt", long_text());
    let config = fill(CONFIG, &[("DIR", &folder.display()), ("PORT", port)]);
    write(folder, "lighttpd.conf", config);
    let config = folder.join("lighttpd.conf").to_str().unwrap().to_owned();
    // In the foreground.
    vec!["-D".to_owned(), "-f".to_owned(), config]
}
