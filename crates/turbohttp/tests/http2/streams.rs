//! The server's limit on streams: what is more waits in the scheduler, in order and visibly.

use std::time::Duration;

use turbohttp::{Phase, Priority};
use turbohttp_loopback::Http2;

use super::ground::{client, run, server_with};

#[test]
fn one_stream_at_a_time_serves_all() {
    let server = server_with(Http2 {
        max_concurrent_streams: Some(1),
        ..Http2::default()
    });
    run(async {
        let client = client();
        let mut tasks = Vec::new();
        for number in 0..64 {
            let priority = match number % 4 {
                0 => Priority::Low,
                1 => Priority::Normal,
                2 => Priority::High,
                _ => Priority::Critical,
            };
            let (client, url) = (client.clone(), server.url(&format!("/id/{number}")));
            tasks.push(tokio::spawn(async move {
                let response = client.get(url).priority(priority).send().await.unwrap();
                let waited = response.timeline().duration(Phase::HostPermit);
                let text = response.text().await.unwrap();
                assert_eq!(text, number.to_string());
                waited
            }));
        }
        let mut waited = 0;
        for task in tasks {
            waited += usize::from(task.await.unwrap() > Duration::ZERO);
        }
        assert!(waited > 32, "{waited}");
    });
    let stats = server.stop().http2;
    // Those that were sent before the settings of the server came were refused, and sent again.
    assert_eq!(stats.connections, 1);
}
