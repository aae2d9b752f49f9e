//! A transport that wraps the network and streams: what it has seen once it answers itself, piece by piece.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Mutex;

use turbohttp::{
    Bytes, Client, Method, NetTransport, Request, Response, ResponseBody, Result, StatusCode,
    Transport,
};
use turbohttp_loopback::{Options, Server};

/// Keeps the bodies of GET requests, at most this many, and asks the network for all others.
struct Remembering {
    net: NetTransport,
    known: Mutex<HashMap<String, Bytes>>,
}

const KNOWN_MAX: usize = 100;

impl Transport for Remembering {
    async fn send(&self, request: Request) -> Result<Response> {
        let url = request.url().to_owned();
        let known = self
            .known
            .lock()
            .expect("no panic under the lock")
            .get(&url)
            .cloned();
        if let Some(bytes) = known {
            let length = bytes.len() as u64;
            let body = ResponseBody::from_reader(Cursor::new(bytes), Some(length));
            return Ok(request.respond(StatusCode::OK, body));
        }
        let is_get = *request.method() == Method::GET;
        let mut response = self.net.send(request).await?;
        if !is_get || response.status() != StatusCode::OK {
            return Ok(response);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(chunk);
        }
        let bytes = Bytes::from(body);
        response.replace_body(|_| ResponseBody::from(bytes.clone()));
        let mut known = self.known.lock().expect("no panic under the lock");
        if known.len() < KNOWN_MAX {
            known.insert(url, bytes);
        }
        Ok(response)
    }

    fn close(&self) -> Result<()> {
        self.net.close()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::start(Options::default()).expect("a loopback socket");
    let client = Client::builder()
        .transport(Remembering {
            net: NetTransport::builder().build()?,
            known: Mutex::default(),
        })
        .build()?;
    for _ in 0..3 {
        let mut response = client.get(server.url("/bytes/100000")).send().await?;
        let mut pieces = 0;
        while response.chunk().await?.is_some() {
            pieces += 1;
        }
        println!("{pieces} pieces from {:?}", response.remote_addr());
    }
    println!("{} requests reached the server", server.stats().requests);
    Ok(())
}
