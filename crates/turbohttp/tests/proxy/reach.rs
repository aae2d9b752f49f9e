//! How a server is reached: resolvers, other places, Unix sockets, and this end of a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use turbohttp::{Client, ErrorKind, IpVersion, Phase, Resolve, Timeouts};
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

async fn status(client: &TestClient, url: String) -> u16 {
    let mut response = soon(client.get(url).send()).await.unwrap();
    read(&mut response).await.unwrap();
    response.status().as_u16()
}

async fn error_of(client: &TestClient, url: &str) -> turbohttp::Error {
    soon(client.get(url).send()).await.unwrap_err()
}

enum Names {
    Loopback,
    Flood,
    Nothing,
    Unknown,
    Panic,
    Silence,
}

impl Resolve for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Names::Loopback if name == "name.test" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            Names::Flood => Ok(vec![Ipv4Addr::LOCALHOST.into(); 100_000]),
            Names::Nothing => Ok(Vec::new()),
            Names::Panic => panic!("no idea"),
            Names::Silence => std::future::pending().await,
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "not in the book")),
        }
    }
}

#[tokio::test]
async fn resolver_of_the_user_is_asked_for_names() {
    let server = server();
    let port = server.addr().port();
    for names in [Names::Loopback, Names::Flood] {
        let client = TestClient::with(|builder| builder.resolver(names));
        assert_eq!(
            status(&client, format!("http://name.test:{port}/small")).await,
            200
        );
    }
    // What the options say wins.
    let client = TestClient::with(|builder| {
        builder
            .resolver(Names::Panic)
            .resolve("name.test", server.addr())
    });
    assert_eq!(
        status(&client, "http://name.test/small".to_owned()).await,
        200
    );
    assert_eq!(
        status(&client, server.url("/small")).await,
        200,
        "a literal is no question"
    );
}

#[tokio::test]
async fn failures_of_a_resolver_are_errors_of_dns() {
    for (names, kind, part) in [
        (Names::Nothing, ErrorKind::Dns, "no address for name.test"),
        (Names::Unknown, ErrorKind::Dns, "no address for name.test"),
        (Names::Panic, ErrorKind::Dns, "no address for name.test"),
        (Names::Silence, ErrorKind::Timeout, "looking the name up"),
    ] {
        let client = TestClient::with(|builder| {
            let timeouts = Timeouts::default().dns(Duration::from_millis(20));
            builder.resolver(names).timeouts(timeouts)
        });
        let error = error_of(&client, "http://name.test/").await;
        assert_eq!(
            (error.kind(), error.phase()),
            (kind, Some(Phase::Dns)),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(part) && error.is_retryable(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn connections_lead_where_they_are_told() {
    let server = server();
    let to = server.addr().to_string();
    let client = TestClient::with(|builder| {
        builder
            .connect_to("a.test:81", &to)
            .connect_to("b.test", &to)
    });
    for url in [
        "http://a.test:81/small",
        "http://b.test/small",
        "http://b.test:7/small",
    ] {
        assert_eq!(status(&client, url.to_owned()).await, 200, "{url}");
    }
    let error = Client::builder()
        .connect_to("a.test:x", "")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn families_that_are_not_wanted_are_not_tried() {
    let server = server();
    let port = server.addr().port();
    let addresses = [([127, 0, 0, 1], port).into(), "[::1]:1".parse().unwrap()];
    for (version, is_reached) in [(IpVersion::V4Only, true), (IpVersion::V6Only, false)] {
        let client =
            TestClient::with(|builder| builder.resolve("name.test", addresses).ip_version(version));
        let sent = soon(client.get("http://name.test/small").send()).await;
        assert_eq!(sent.is_ok(), is_reached, "{version:?}");
    }
    let client = TestClient::with(|builder| builder.ip_version(IpVersion::V6Only));
    let error = error_of(&client, &server.url("/small")).await;
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert!(error.to_string().contains("no IPv6 address"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn this_end_is_bound_as_told() {
    let server = server();
    let own = Ipv4Addr::new(127, 0, 0, 77);
    let client = TestClient::with(|builder| builder.local_address(IpAddr::from(own)));
    let mut response = soon(client.get(server.url("/small")).send()).await.unwrap();
    read(&mut response).await.unwrap();
    assert_eq!(response.local_addr().unwrap().ip(), own);
    // A port of the system's choice is free a moment later, too.
    let taken = std::net::TcpListener::bind((own, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let last = port.saturating_add(64);
    let client = TestClient::with(|builder| {
        builder
            .local_address(IpAddr::from(own))
            .local_port(port..=last)
    });
    let mut response = soon(client.get(server.url("/small")).send()).await.unwrap();
    read(&mut response).await.unwrap();
    let local = response.local_addr().unwrap().port();
    assert!(local > port && local <= last, "{local} of {port}..={last}");
    let client = TestClient::with(|builder| builder.local_address(IpAddr::from([192, 0, 2, 1])));
    let error = error_of(&client, &server.url("/small")).await;
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Connect, Some(Phase::Connect))
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn interface_is_bound_to() {
    let server = server();
    let client = TestClient::with(|builder| builder.interface("lo"));
    match soon(client.get(server.url("/small")).send()).await {
        Ok(response) => assert_eq!(response.status(), 200),
        // A system that permits it to none but root.
        Err(error) => {
            let source = std::error::Error::source(&error).unwrap();
            let system = source.downcast_ref::<io::Error>().unwrap();
            assert_eq!(system.kind(), io::ErrorKind::PermissionDenied, "{error:?}");
        }
    }
    let client = TestClient::with(|builder| builder.interface("none7"));
    assert_eq!(
        error_of(&client, &server.url("/small")).await.kind(),
        ErrorKind::Connect
    );
}

#[test]
fn options_of_sockets_are_checked() {
    let builders = [
        Client::builder().local_port(0..=5),
        #[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
        Client::builder().local_port(5..=1),
        Client::builder().interface(""),
        Client::builder().interface("a name that is too long"),
        Client::builder()
            .local_address(IpAddr::from([127, 0, 0, 1]))
            .ip_version(IpVersion::V6Only),
    ];
    for builder in builders {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn unix_socket_is_the_way_to_every_origin() {
    use std::io::{Read as _, Write as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let serve = |mut stream: std::os::unix::net::UnixStream| {
        let (mut head, mut piece) = (Vec::new(), [0; 1024]);
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            head.extend_from_slice(&piece[..length]);
            if piece[..length].ends_with(b"\r\n\r\n") {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).unwrap();
            }
        }
        String::from_utf8(head).unwrap()
    };
    let thread = std::thread::spawn(move || {
        let streams = (0..2).map(|_| listener.accept().unwrap().0);
        let threads: Vec<_> = streams
            .map(|stream| std::thread::spawn(move || serve(stream)))
            .collect();
        let heads = threads.into_iter().map(|thread| thread.join().unwrap());
        heads.collect::<Vec<String>>()
    });
    let client = TestClient::with(|builder| builder.unix_socket(&path));
    for url in ["http://a.test/1", "http://a.test/2", "http://b.test/3"] {
        let mut response = soon(client.get(url).send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!(
            (response.remote_addr(), response.local_addr()),
            (None, None)
        );
    }
    assert_eq!(client.net().opened, 2, "one for each origin");
    drop(client);
    let heads = thread.join().unwrap();
    assert!(
        heads[0].contains("GET /2") && heads[0].contains("host: a.test"),
        "{heads:?}"
    );
    assert!(heads[1].contains("GET /3"));
    let nowhere = TestClient::with(|builder| builder.unix_socket(folder.path().join("none")));
    let error = error_of(&nowhere, "http://a.test/").await;
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Connect, Some(Phase::Connect))
    );
}
