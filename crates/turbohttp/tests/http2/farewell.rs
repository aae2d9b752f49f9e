//! How a TLS connection at rest ends, on either version of HTTP: with `close_notify`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::io::AsyncWriteExt;
use turbohttp::{Client, Shutdown, Timeouts, Tls};
use turbohttp_loopback::script::frames;
use turbohttp_loopback::tls::TestCa;

use super::ground::{answer, run};

/// What ends the connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Drop,
    Idle,
}

/// A server of one request on one connection, and how that connection has ended for it.
struct Listening {
    url: String,
    ended: JoinHandle<io::Result<usize>>,
}

type Answer = fn(&mut StreamOwned<ServerConnection, TcpStream>);

fn listening(config: Arc<ServerConfig>, answer: Answer) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let ended = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
        answer(&mut stream);
        stream.flush().unwrap();
        // 0 for an end by `close_notify`, and UnexpectedEof for one without.
        loop {
            match stream.read(&mut [0; 4_096])? {
                0 => return Ok(0),
                _ => continue,
            }
        }
    });
    Listening { url, ended }
}

fn answer_http1(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
    read_to(stream, b"\r\n\r\n");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.write_all(answer).unwrap();
}

fn switch(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
    read_to(stream, b"\r\n\r\n");
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
}

fn answer_http2(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
    stream.write_all(&frames::settings(&[])).unwrap();
    // The end of the HEADERS cannot be told without their length: what is sent is the acknowledgement too.
    read_to(stream, &frames::settings_ack());
    stream.write_all(&answer(1, "ok")).unwrap();
}

/// Reads until the last bytes are these.
fn read_to(stream: &mut impl Read, end: &[u8]) {
    let (mut seen, mut piece) = (Vec::new(), [0; 4_096]);
    while !seen.windows(end.len()).any(|bytes| bytes == end) {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the client closed");
        seen.extend_from_slice(&piece[..length]);
    }
}

async fn until_ended(server: &Listening) {
    while !server.ended.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn every_connection_at_rest_ends_with_close_notify() {
    let ca = TestCa::new();
    let versions: [(&str, Answer); 2] = [("http/1.1", answer_http1), ("h2", answer_http2)];
    for (protocol, answer) in versions {
        for end in [End::Close, End::Drop, End::Idle] {
            let config = ca.server_config_with_alpn(&["127.0.0.1"], &[protocol]);
            let server = listening(config, answer);
            run(async {
                let mut timeouts = Timeouts::default();
                if let End::Idle = end {
                    timeouts = timeouts.idle(Duration::from_millis(20));
                }
                let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
                let client = Client::builder().tls(tls).timeouts(timeouts);
                let client = client.build().unwrap();
                let response = client.get(&server.url).send().await.unwrap();
                assert_eq!(response.text().await.unwrap(), "ok");
                match end {
                    End::Close => drop(client.close(Shutdown::Now).await),
                    End::Drop => drop(client),
                    // Kept until its connection has ended by itself.
                    End::Idle => until_ended(&server).await,
                }
                // The task of a connection ends in its own time.
                until_ended(&server).await;
            });
            let ended = server.ended.join().unwrap();
            assert_eq!(ended.unwrap(), 0, "{protocol} {end:?}");
        }
    }
}

/// Behind a switch the end is the owner's to say: a stream that was dropped looks cut.
#[test]
fn another_protocol_ends_with_close_notify_if_it_was_shut_down() {
    for is_shut_down in [false, true] {
        let ca = TestCa::new();
        let config = ca.server_config_with_alpn(&["127.0.0.1"], &["http/1.1"]);
        let server = listening(config, switch);
        run(async {
            let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
            let client = Client::builder().tls(tls).build().unwrap();
            let request = client.get(&server.url).upgrade("other");
            let mut stream = request.send().await.unwrap().upgrade().unwrap();
            if is_shut_down {
                stream.shutdown().await.unwrap();
            }
            drop(stream);
            until_ended(&server).await;
        });
        let ended = server.ended.join().unwrap().map_err(|error| error.kind());
        let expected = match is_shut_down {
            true => Ok(0),
            false => Err(io::ErrorKind::UnexpectedEof),
        };
        assert_eq!(ended, expected);
    }
}
