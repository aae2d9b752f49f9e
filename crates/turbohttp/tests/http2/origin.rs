//! A server of HTTP/2, by the crate `h2`, that answers by a function of the request.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// One request as the server saw it.
pub(crate) type Seen = Request<Vec<u8>>;

/// An answer: status, fields and content.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server on a port of its own; it lives as long as the process.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(crate) fn reply(status: u16, fields: &[(&'static str, &str)], content: &str) -> Reply {
    let fields = fields
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    (status, fields.collect(), content.as_bytes().to_vec())
}

impl Origin {
    pub(crate) fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Origin {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (answer, record): (Arc<Answer>, _) = (Arc::new(answer), seen.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((tcp, _)) = listener.accept().await {
                    tokio::spawn(serve(tcp, answer.clone(), record.clone()));
                }
            });
        });
        Origin { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, as method, path and content.
    pub(crate) fn seen(&self) -> Vec<(String, String, Vec<u8>)> {
        let seen = self.seen.lock().unwrap();
        let of = |seen: &Seen| {
            let (method, path) = (seen.method().to_string(), seen.uri().path().to_owned());
            (method, path, seen.body().clone())
        };
        seen.iter().map(of).collect()
    }

    /// The values of a field, one for each request.
    pub(crate) fn field(&self, name: &str) -> Vec<Option<String>> {
        let seen = self.seen.lock().unwrap();
        let of = |seen: &Seen| Some(seen.headers().get(name)?.to_str().unwrap().to_owned());
        seen.iter().map(of).collect()
    }
}

async fn serve(tcp: TcpStream, answer: Arc<Answer>, record: Arc<Mutex<Vec<Seen>>>) {
    let Ok(mut connection) = Box::pin(server::handshake(tcp)).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (answer, record) = (answer.clone(), record.clone());
        tokio::spawn(async move {
            // A stream that was reset is its own affair.
            _ = exchange(request, respond, &*answer, &record).await;
        });
    }
}

async fn exchange(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: &Answer,
    record: &Mutex<Vec<Seen>>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut content = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        content.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    let seen = Request::from_parts(head, content);
    let (status, fields, content) = answer(&seen);
    record.lock().unwrap().push(seen);
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(name, value);
    }
    let mut stream = respond.send_response(response.body(()).unwrap(), content.is_empty())?;
    if !content.is_empty() {
        stream.send_data(content.into(), true)?;
    }
    Ok(())
}
