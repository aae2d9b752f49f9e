//! What a caller sees: verbs, fields, bodies, errors, secrets, middlewares and the mock.

use turbohttp::RequestBuilder;
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::{Options, Server};

use crate::support::TestClient;

mod line;
mod middlewares;
mod mock;
mod promises;
mod requests;
mod responses;
mod secrets;

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

/// A server that gives this answer to one request on each connection.
fn answering(answer: impl Into<Vec<u8>>) -> ScriptServer {
    Script::new()
        .accept([Step::ReadHead, Step::Send(answer.into()), Step::Close])
        .repeat_last()
        .start()
        .unwrap()
}

fn ok(fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

/// The request head as the server saw it.
async fn seen(client: &TestClient, request: RequestBuilder) -> String {
    let head = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(client.net().open, client.net().idle);
    head
}
