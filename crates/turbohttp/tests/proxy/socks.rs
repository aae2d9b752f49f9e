//! SOCKS5: what is asked, and every way in which it is not granted.

use turbohttp::{ErrorKind, Phase, Proxy};
use turbohttp_loopback::script::{Script, ScriptServer, Step};

use crate::support::{TestClient, poll_times, read, settle, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NO_AUTH: [u8; 2] = [5, 0];
const PASSWORD: [u8; 2] = [5, 2];
const GRANTED: [u8; 10] = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

fn client(url: &str) -> TestClient {
    let rule = Proxy::all(url).unwrap();
    TestClient::with(|builder| {
        builder
            .resolve("named.test", [([192, 0, 2, 7], 0).into()])
            .proxy(rule)
    })
}

/// A proxy that grants a request of so many bytes, and plays the origin behind it.
fn granting(request_bytes: usize) -> ScriptServer {
    let steps = [
        Step::ReadExact(3),
        Step::send(NO_AUTH),
        Step::ReadExact(request_bytes),
        Step::send(GRANTED),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    Script::new().accept(steps).start().unwrap()
}

#[tokio::test]
async fn origins_are_asked_for_by_address_or_name() {
    let name = [&[5, 1, 0, 3, 10][..], b"named.test", &[0, 80]].concat();
    let v4 = [5, 1, 0, 1, 192, 0, 2, 7, 0, 80].to_vec();
    let v6 = [&[5, 1, 0, 4][..], &[0; 15], &[1, 31, 144]].concat();
    for (scheme, url, expected) in [
        ("socks5", "http://named.test/", v4.clone()),
        ("socks5h", "http://named.test/", name),
        ("socks5", "http://192.0.2.7/", v4.clone()),
        ("socks5h", "http://192.0.2.7/", v4),
        ("socks5h", "http://[::1]:8080/", v6),
    ] {
        let proxy = granting(expected.len());
        let client = client(&format!("{scheme}://{}", proxy.addr()));
        let mut response = soon(client.get(url).send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        let received = proxy.received().remove(0);
        let (asked, request) = received.split_at(3 + expected.len());
        assert_eq!(
            asked,
            [&[5, 1, 0][..], &expected].concat(),
            "{scheme} {url}"
        );
        assert!(request.starts_with(b"GET / HTTP/1.1\r\n"), "in origin form");
    }
}

#[tokio::test]
async fn credentials_are_shown_by_rfc_1929() {
    let steps = [
        Step::ReadExact(4),
        Step::send(PASSWORD),
        Step::ReadExact(11),
        Step::send([1, 0]),
        Step::ReadExact(10),
        Step::send(GRANTED),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let proxy = Script::new().accept(steps).start().unwrap();
    let client = client(&format!("socks5://user:word@{}", proxy.addr()));
    let mut response = soon(client.get("http://192.0.2.7/").send()).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    let received = proxy.received().remove(0);
    assert!(received.starts_with(b"\x05\x02\x00\x02\x01\x04user\x04word\x05\x01\x00\x01"));
}

#[tokio::test]
async fn refusals_say_what_the_proxy_said() {
    for code in 1..=9 {
        let mut refused = GRANTED;
        refused[1] = code;
        let steps = [
            Step::ReadExact(3),
            Step::send(NO_AUTH),
            Step::ReadExact(10),
            Step::send(refused),
            Step::Close,
        ];
        let proxy = Script::new().accept(steps).start().unwrap();
        let client = client(&format!("socks5h://{}", proxy.addr()));
        let error = soon(client.get("http://192.0.2.7/").send())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Proxy, Some(Phase::Tunnel))
        );
        assert!(error.is_retryable(), "nothing was sent");
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    }
    // No method that it accepts, a version that is none, credentials that are refused.
    for steps in [
        vec![Step::ReadExact(4), Step::send([5, 255])],
        vec![Step::ReadExact(4), Step::send([4, 0])],
        vec![
            Step::ReadExact(4),
            Step::send(PASSWORD),
            Step::ReadExact(15),
            Step::send([1, 1]),
        ],
        vec![
            Step::ReadExact(4),
            Step::send("HTTP/1.1 400 Bad Request\r\n\r\n"),
        ],
    ] {
        let proxy = Script::new().accept(steps).start().unwrap();
        let client = client(&format!("socks5h://canary:canary@{}", proxy.addr()));
        let error = soon(client.get("http://192.0.2.7/").send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

/// Whatever is cut off, it is an error of the proxy, and nothing stays open.
#[tokio::test]
async fn answers_cut_at_every_byte_are_errors() {
    let answers = [NO_AUTH.to_vec(), GRANTED.to_vec()];
    let whole: usize = answers.iter().map(Vec::len).sum();
    for cut in 0..whole {
        let (mut left, mut steps) = (cut, Vec::new());
        for (asked, answer) in [3, 10].into_iter().zip(&answers) {
            steps.push(Step::ReadExact(asked));
            let length = answer.len().min(left);
            if length > 0 {
                steps.push(Step::send(&answer[..length]));
            }
            left -= length;
            if length < answer.len() {
                break;
            }
        }
        steps.push(Step::Close);
        let proxy = Script::new().accept(steps).start().unwrap();
        let client = client(&format!("socks5h://{}", proxy.addr()));
        let error = soon(client.get("http://192.0.2.7/").send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy, "cut at {cut}: {error:?}");
        drop((error, client));
        soon(proxy.all_closed()).await;
    }
}

#[tokio::test]
async fn silence_ends_at_the_limit() {
    let steps = [Step::ReadExact(3), Step::send(NO_AUTH), Step::Stall];
    let proxy = Script::new().accept(steps).start().unwrap();
    let rule = Proxy::all(&format!("socks5h://{}", proxy.addr())).unwrap();
    let client = TestClient::with(|builder| {
        builder
            .proxy(rule)
            .connect_timeout(std::time::Duration::from_millis(800))
    });
    let error = soon(client.get("http://name.test/").send())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Tunnel))
    );
}

#[tokio::test]
async fn drop_at_every_poll_leaves_nothing_open() {
    let steps = [
        Step::ReadExact(3),
        Step::send(NO_AUTH),
        Step::ReadExact(10),
        Step::send_split(GRANTED, 4),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let proxy = Script::new().accept(steps).repeat_last().start().unwrap();
    for polls in 1..64 {
        let client = client(&format!("socks5h://{}", proxy.addr()));
        let sent = poll_times(client.get("http://192.0.2.7/").send(), polls).await;
        let is_over = sent.is_some();
        drop(sent);
        settle().await;
        client.audit();
        drop(client);
        soon(proxy.all_closed()).await;
        if is_over {
            return;
        }
    }
    panic!("64 polls are not enough");
}
