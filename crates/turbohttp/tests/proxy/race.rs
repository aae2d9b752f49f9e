//! Happy Eyeballs (RFC 8305) where an address is a black hole.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use turbohttp::{ErrorKind, Phase, Timeouts};
use turbohttp_loopback::script::Script;
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

/// A listener whose queue is full: Linux answers no further SYN, as a host that is not there.
struct BlackHole {
    listener: Socket,
    /// Keeps the queue full.
    filling: TcpStream,
    address: SocketAddr,
}

impl BlackHole {
    fn new(address: &str) -> BlackHole {
        let address: SocketAddr = address.parse().unwrap();
        let listener = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        BlackHole {
            filling: TcpStream::connect(address).unwrap(),
            listener,
            address,
        }
    }
}

#[tokio::test]
async fn silent_addresses_do_not_hold_up_the_others() {
    let server = Server::start(Options::default()).unwrap();
    let (v4, v6) = (BlackHole::new("127.0.0.1:0"), BlackHole::new("[::1]:0"));
    let refusing = Script::new().start().unwrap().addr();
    for addresses in [
        vec![v6.address, server.addr()],
        vec![v4.address, server.addr()],
        vec![v6.address, v4.address, server.addr()],
        vec![v6.address, refusing, server.addr()],
    ] {
        let client = TestClient::with(|builder| builder.resolve("both.test", addresses));
        let request = client.get("http://both.test/small");
        let mut response = soon(request.send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"Hello, world!");
        assert_eq!(response.remote_addr(), Some(server.addr()));
    }
}

/// The first address answers only when the second, which never does, has been started.
#[tokio::test]
async fn late_answer_wins_over_silence() {
    let late = BlackHole::new("127.0.0.1:0");
    let silent = BlackHole::new("[::1]:0");
    let client = TestClient::with(|builder| {
        builder.resolve("both.test", vec![late.address, silent.address])
    });
    let accept = tokio::task::spawn_blocking(move || {
        // Room in the queue: the SYN that is sent again is answered.
        let filling = late.listener.accept().unwrap();
        let (stream, _) = late.listener.accept().unwrap();
        let mut stream = TcpStream::from(stream);
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No\r\n\r\n").unwrap();
        late.filling.shutdown(std::net::Shutdown::Both).unwrap();
        (filling, stream, late)
    });
    let response = soon(client.get("http://both.test/").send()).await.unwrap();
    assert_eq!(response.status(), 204);
    drop((response, client));
    drop(soon(accept).await.unwrap());
}

#[tokio::test]
async fn silence_of_all_ends_at_the_limit() {
    let (v4, v6) = (BlackHole::new("127.0.0.1:0"), BlackHole::new("[::1]:0"));
    let client = TestClient::with(|builder| {
        let timeouts = Timeouts::default().connect(Duration::from_millis(300));
        let addresses = vec![v6.address, v4.address];
        builder.resolve("both.test", addresses).timeouts(timeouts)
    });
    let error = soon(client.get("http://both.test/").send())
        .await
        .unwrap_err();
    let met = (error.kind(), error.phase());
    assert_eq!(met, (ErrorKind::Timeout, Some(Phase::Connect)));
}
