//! Servers and clients that speak HTTP/2.

use std::future::Future;

use turbohttp::{Client, ClientBuilder};
use turbohttp_loopback::{Http2, Options, Protocols, Server};

/// A server that speaks HTTP/2 alone.
pub(crate) fn server() -> Server {
    server_with(Http2::default())
}

pub(crate) fn server_with(http2: Http2) -> Server {
    let options = Options {
        protocols: Protocols::Http2,
        http2,
        ..Options::default()
    };
    Server::start(options).unwrap()
}

pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder().http2_prior_knowledge()
}

/// Runs on a runtime of one thread.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}

/// Runs on a runtime of two workers.
pub(crate) fn run_on_two<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
}
