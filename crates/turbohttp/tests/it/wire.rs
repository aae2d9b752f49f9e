//! Every fault of a connection or of HTTP/1.1 is a typed outcome, never a wrong or a short body, and
//! the connection is closed afterwards.

use std::io;
use std::time::Duration;

use turbohttp::{Bytes, ErrorKind, Phase, StatusCode};
use turbohttp_loopback::script::{Script, ScriptServer, Step};

use crate::support::{TestClient, expect_error, read, soon};

mod connecting;
mod framing;
mod heads;
mod replay;
mod reuse;
mod times;
mod uploads;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A body source of these pieces.
struct Pieces(std::vec::IntoIter<io::Result<Bytes>>);

impl Pieces {
    fn of(pieces: &[&'static [u8]]) -> Pieces {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece)))
            .collect();
        Pieces(pieces.into_iter())
    }
}

impl futures_core::Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        std::task::Poll::Ready(self.0.next())
    }
}

fn server(steps: impl Into<Vec<Step>>) -> ScriptServer {
    Script::new().accept(steps).start().unwrap()
}

/// Two connections with a script each.
fn servers(first: impl Into<Vec<Step>>, second: impl Into<Vec<Step>>) -> ScriptServer {
    Script::new().accept(first).accept(second).start().unwrap()
}

/// Waits until the server has taken its first connection.
async fn accepted(server: &ScriptServer) {
    while server.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn origin(server: &ScriptServer) -> String {
    server.url("")
}

/// What a GET of `steps` ends with; afterwards the connection is closed.
async fn outcome(
    steps: &[Step],
    collect: bool,
) -> (ScriptServer, turbohttp::Result<(StatusCode, Vec<u8>)>) {
    let server = server(steps);
    let client = TestClient::new();
    let outcome = async {
        let mut response = client.get(server.url("/x")).send().await?;
        let status = response.status();
        let body = if collect {
            response.bytes().await?.to_vec()
        } else {
            read(&mut response).await?
        };
        Ok((status, body))
    };
    let outcome = soon(outcome).await;
    client.audit();
    assert_eq!(client.net().open, 0, "the connection was kept: {outcome:?}");
    (server, outcome)
}

/// Each `answer`, whole and dribbled, read both ways, ends with this error in this phase.
async fn refused(phase: Phase, end: Step, cases: &[(&str, ErrorKind, &str)]) {
    for (answer, kind, message) in cases {
        let sends = [Step::send(*answer), Step::send_split(*answer, 1)];
        for (send, collect) in sends.iter().flat_map(|send| [(send, false), (send, true)]) {
            let steps = [Step::ReadHead, send.clone(), end.clone()];
            let (server, outcome) = outcome(&steps, collect).await;
            let error = match outcome {
                Err(error) => error,
                Ok(answer) => panic!("{answer:?} for {send:?}"),
            };
            expect_error(&error, *kind, phase, message, origin(&server));
            soon(server.all_closed()).await;
        }
    }
}

/// A source without end.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = io::Result<Bytes>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<Bytes>>> {
        std::task::Poll::Ready(Some(Ok(Bytes::from_static(&[7; 16 * 1024]))))
    }
}

/// A server that answers once and does this then. A test that stops the clock before its second
/// request has a connection already: nothing but the server's silence takes time.
async fn warm(then: impl IntoIterator<Item = Step>) -> ScriptServer {
    server(
        [Step::ReadHead, Step::send(OK)]
            .into_iter()
            .chain(then)
            .collect::<Vec<_>>(),
    )
}
