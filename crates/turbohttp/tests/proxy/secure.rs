//! The options of TLS, against servers that show what they do.

use std::sync::Arc;

use turbohttp::{Client, ErrorKind, Phase, Tls, TlsVersion};
use turbohttp_loopback::script::{Script, Step};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

fn server(config: Arc<rustls::ServerConfig>) -> Server {
    let tls = Some(config);
    let options = Options::default();
    Server::start(Options { tls, ..options }).unwrap()
}

fn trusting(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

async fn get(client: &TestClient, server: &Server) -> turbohttp::Result<Vec<u8>> {
    let mut response = soon(client.get(server.url("/small")).send()).await?;
    read(&mut response).await
}

fn with(tls: Tls) -> TestClient {
    TestClient::with(|builder| builder.tls(tls))
}

#[tokio::test]
async fn versions_are_bounded_on_both_sides() {
    let ca = TestCa::new();
    let both = server(ca.server_config(NAMES));
    for tls in [
        trusting(&ca).max_version(TlsVersion::V1_2),
        trusting(&ca).min_version(TlsVersion::V1_3),
        trusting(&ca)
            .min_version(TlsVersion::V1_2)
            .max_version(TlsVersion::V1_2),
    ] {
        get(&with(tls), &both).await.unwrap();
    }
    let turned = Tls::default()
        .min_version(TlsVersion::V1_3)
        .max_version(TlsVersion::V1_2);
    let error = Client::builder().tls(turned).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn only_pinned_keys_are_accepted_and_the_seen_one_is_told() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let other = format!("sha256//{}=", "A".repeat(43));
    let client = with(trusting(&ca).pin_spki(&other));
    let error = get(&client, &server).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Tls, Some(Phase::Tls))
    );
    let text = error.to_string();
    let seen = text.split_once("sha256//").expect("the key is told").1;
    let seen = format!("sha256//{}", seen.split(' ').next().unwrap());
    drop((error, client));
    for pins in [seen.clone(), format!("{other};{seen}")] {
        get(&with(trusting(&ca).pin_spki(&pins)), &server)
            .await
            .unwrap();
    }
    // A pin alone is enough where every certificate is accepted, and no more than the one pin.
    let any = Tls::default().danger_accept_any_certificate();
    get(&with(any.clone().pin_spki(&seen)), &server)
        .await
        .unwrap();
    let client = with(any.pin_spki(&other));
    assert!(
        get(&client, &server)
            .await
            .is_err_and(|error| error.kind() == ErrorKind::Tls)
    );
    // The pin does not take the place of the certificate.
    let stranger = with(trusting(&TestCa::new()).pin_spki(&seen));
    assert!(get(&stranger, &server).await.is_err());
    let error = Client::builder()
        .tls(Tls::default().pin_spki("nonsense"))
        .build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn sessions_are_resumed_by_the_client_that_has_them() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let closing = |tls: Tls| {
        TestClient::with(|builder| {
            let close = turbohttp::HeaderValue::from_static("close");
            builder
                .tls(tls)
                .default_header(turbohttp::header::CONNECTION, close)
        })
    };
    let shared = trusting(&ca);
    for (tls, resumed) in [
        (shared.clone(), 2),
        (shared.clone(), 2),
        (shared.resumption(false), 0),
    ] {
        let client = closing(tls);
        for _ in 0..3 {
            get(&client, &server).await.unwrap();
        }
        let net = client.net();
        assert_eq!((net.tls_handshakes, net.tls_resumed), (3, resumed));
    }
}

#[tokio::test]
async fn configuration_of_the_user_is_taken_as_it_is() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let config = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(ca.roots())
            .with_no_client_auth();
        // What is not spoken is not offered.
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    };
    get(&with(Tls::default().client_config(config())), &server)
        .await
        .unwrap();
    for beside in [Tls::default().sni(false), trusting(&ca)] {
        let error = Client::builder()
            .tls(beside.client_config(config()))
            .build();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn name_of_the_host_is_hidden_if_asked() {
    for (is_sent, expected) in [(true, true), (false, false)] {
        let steps = [Step::ReadExact(200), Step::Close];
        let server = Script::new().accept(steps).start().unwrap();
        let client = TestClient::with(|builder| {
            let tls = Tls::default().danger_accept_any_certificate().sni(is_sent);
            builder.tls(tls).resolve("hidden-name.test", server.addr())
        });
        let sent = soon(client.get("https://hidden-name.test/").send()).await;
        drop(sent);
        let hello = server.received().remove(0);
        let is_named = hello
            .windows(16)
            .any(|window| window == b"hidden-name.test");
        assert_eq!(is_named, expected);
    }
}

/// The proxy gets neither the certificate of the client nor is its key held to the pins.
#[tokio::test]
async fn pins_are_about_origins_not_proxies() {
    let ca = TestCa::new();
    let own = ca.leaf(&["name.test"]);
    let steps = [
        Step::Handshake(ca.server_config(&["127.0.0.1"])),
        Step::ReadHead,
        Step::send("HTTP/1.1 200 OK\r\n\r\n"),
        Step::Handshake(own.server_config()),
        Step::ReadHead,
        Step::send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        Step::Stall,
    ];
    let proxy = Script::new().accept(steps).repeat_last().start().unwrap();
    let rule = turbohttp::Proxy::all(&format!("https://{}", proxy.addr())).unwrap();
    let by = |pin: &str| {
        let tls = trusting(&ca).pin_spki(pin);
        TestClient::with(|builder| builder.tls(tls).proxy(rule.clone()))
    };
    let client = by(&format!("sha256//{}=", "A".repeat(43)));
    let error = soon(client.get("https://name.test/").send())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("name.test was refused"), "{text}");
    let seen = text.split_once("sha256//").unwrap().1;
    let seen = format!("sha256//{}", seen.split(' ').next().unwrap());
    drop((error, client));
    let client = by(&seen);
    let mut response = soon(client.get("https://name.test/").send()).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
}
