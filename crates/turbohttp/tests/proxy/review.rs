//! What a fresh look at ways that meet found.

use turbohttp::{ErrorKind, Proxy};
use turbohttp_loopback::script::{Script, Step};

use crate::support::{TestClient, soon};

/// A rule of `connect_to` is not passed over where a proxy is asked.
#[tokio::test]
async fn connect_to_holds_behind_a_proxy_or_is_refused() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let steps = [Step::ReadHead, Step::send(refusal)];
    let proxy = Script::new().accept(steps).repeat_last().start().unwrap();
    let rule = Proxy::all(&proxy.url("")).unwrap();
    let client = TestClient::with(|builder| {
        builder
            .proxy(rule)
            .connect_to("name.test", "other.test:8443")
    });
    for url in ["https://name.test/", "https://free.test/"] {
        let error = soon(client.get(url).send()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
    }
    let error = soon(client.get("http://name.test/").send())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("connect_to"), "{error}");
    let received = proxy.received();
    let asked = |at: usize| String::from_utf8(received[at].clone()).unwrap();
    assert!(
        asked(0).starts_with("CONNECT other.test:8443 "),
        "{}",
        asked(0)
    );
    assert!(
        asked(1).starts_with("CONNECT free.test:443 "),
        "{}",
        asked(1)
    );
}
