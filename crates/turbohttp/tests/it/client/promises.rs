//! What types promise, and options out of their bounds.

use std::fmt::Debug;
use std::time::Duration;

use turbohttp::{
    Body, Client, ClientBuilder, Error, ErrorKind, Limits, MockTransport, Request, RequestBuilder,
    Response, Stats, Timeline, Timeouts,
};

use super::server;
use crate::support::{TestClient, read, soon};

/// What may go to another thread, and what errors promise.
#[test]
fn types_are_as_promised() {
    fn shared<T: Send + Sync + Debug + 'static>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Error>();
    shared::<Stats>();
    shared::<Timeline>();
    shared::<MockTransport>();
    shared::<Limits>();
    shared::<Timeouts>();
    fn movable<T: Send + 'static>() {}
    movable::<Request>();
    movable::<Response>();
    movable::<RequestBuilder>();
    movable::<Body>();
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Client>(), size_of::<usize>());
    let client = TestClient::new();
    let send = client.get("http://a.test/").send();
    sent(&send);
    assert!(size_of_val(&send) < 1024, "{}", size_of_val(&send));
    let clone: fn(&Client) -> Client = Clone::clone;
    drop((send, clone));
}

#[test]
fn bad_options_name_field_bound_and_value() {
    let limits = [
        (
            Limits::default().body_bytes(0),
            "limits.body_bytes must be 1..=1099511627776 (got 0)",
        ),
        (
            Limits::default().head_bytes(1_023),
            "limits.head_bytes must be 1024..=16777216 (got 1023)",
        ),
        (
            Limits::default().head_bytes(usize::MAX),
            "limits.head_bytes must be 1024..=16777216 (got ",
        ),
        (
            Limits::default().head_fields(0),
            "limits.head_fields must be 1..=10000 (got 0)",
        ),
        (
            Limits::default().head_fields(10_001),
            "limits.head_fields must be 1..=10000 (got 10001)",
        ),
        (
            Limits::default().idle_per_origin(0),
            "limits.idle_per_origin must be 1..=65536 (got 0)",
        ),
        (
            Limits::default().idle_total(65_537),
            "limits.idle_total must be 1..=65536 (got 65537)",
        ),
    ];
    for (limits, message) in limits {
        let error = Client::builder().limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(message), "{error}");
    }
    let zero = Duration::ZERO;
    let timeouts = [
        (Timeouts::default().dns(zero), "timeouts.dns"),
        (Timeouts::default().connect(zero), "timeouts.connect"),
        (Timeouts::default().tls(zero), "timeouts.tls"),
        (Timeouts::default().head(zero), "timeouts.head"),
        (Timeouts::default().body(zero), "timeouts.body"),
        (Timeouts::default().request(zero), "timeouts.request"),
        (Timeouts::default().idle(zero), "timeouts.idle"),
        (Timeouts::default().lifetime(zero), "timeouts.lifetime"),
    ];
    for (timeouts, field) in timeouts {
        let error = Client::builder().timeouts(timeouts).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(
            text.contains(field) && text.contains("longer than zero"),
            "{text}"
        );
    }
}

/// The longest waits that can be said do not overflow anything.
#[tokio::test]
async fn longest_timeouts_are_no_timeouts() {
    let server = server();
    let long = Duration::MAX;
    let client = TestClient::timeouts(|timeouts| {
        let timeouts = timeouts
            .dns(long)
            .connect(long)
            .tls(long)
            .head(long)
            .body(long);
        timeouts.request(long).idle(long).lifetime(long)
    });
    for _ in 0..2 {
        let url = server.url("/delay/5");
        let mut response = soon(client.get(url).timeout(long).send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"Hello, world!");
    }
    assert_eq!(client.net().opened, 1);
}
