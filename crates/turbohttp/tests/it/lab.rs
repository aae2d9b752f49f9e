//! A transport for tests of scheduler: it does what the URL says in the runtime's time, and keeps its
//! own counts of who was inside.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use turbohttp::{Error, ErrorKind, Request, Response, ResponseBody, Result, StatusCode, Transport};

/// `/ms/N` answers after N milliseconds, `/never` never, `/fail` fails, `/panic` panics; everything
/// else answers at once. The body is the path, and holds its permit until it has been read.
#[derive(Clone, Default)]
pub(crate) struct Lab {
    book: Arc<Mutex<Book>>,
}

#[derive(Clone, Default)]
pub(crate) struct Book {
    pub(crate) entered: u64,
    pub(crate) inside: usize,
    pub(crate) peak: usize,
    pub(crate) hosts: BTreeMap<String, Host>,
    /// Paths in the order in which they came in.
    pub(crate) order: Vec<String>,
    pub(crate) closed: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Host {
    pub(crate) inside: usize,
    pub(crate) peak: usize,
}

impl Lab {
    pub(crate) fn book(&self) -> Book {
        self.book.lock().unwrap().clone()
    }

    fn enter(&self, request: &Request) -> Inside {
        let host = request.origin().host().to_owned();
        let path = request.url()[request.origin().as_str().len()..].to_owned();
        let mut book = self.book.lock().unwrap();
        book.entered += 1;
        book.inside += 1;
        book.peak = book.peak.max(book.inside);
        book.order.push(path.clone());
        let entry = book.hosts.entry(host.clone()).or_default();
        entry.inside += 1;
        entry.peak = entry.peak.max(entry.inside);
        Inside {
            lab: self.clone(),
            host,
            path,
        }
    }
}

/// One request inside.
struct Inside {
    lab: Lab,
    host: String,
    path: String,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut book = self.lab.book.lock().unwrap();
        book.inside -= 1;
        book.hosts.get_mut(&self.host).unwrap().inside -= 1;
    }
}

impl Transport for Lab {
    async fn send(&self, request: Request) -> Result<Response> {
        let inside = self.enter(&request);
        let mut words = inside.path.split('/').skip(1);
        match words.next() {
            Some("ms") => {
                let time = words.next().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_millis(time)).await;
            }
            Some("never") => pending().await,
            Some("fail") => return Err(Error::new(ErrorKind::Transport, "as asked")),
            Some("panic") => panic!("as asked"),
            _ => {}
        }
        Ok(request.respond(
            StatusCode::OK,
            ResponseBody::from_reader(std::io::Cursor::new(inside.path.clone()), None),
        ))
    }

    fn close(&self) -> Result<()> {
        self.book.lock().unwrap().closed += 1;
        Ok(())
    }
}
