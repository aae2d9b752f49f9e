//! Server-sent events over two connections: the source goes on behind the last event; against a server in this
//! process.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, StatusCode};
use turbohttp::{MockReply, MockTransport};

#[tokio::main]
async fn main() -> turbohttp::Result<()> {
    // What a server answers to the first request, to the second, and to all that follow.
    let events = |text: &'static str| {
        let reply = MockReply::new(StatusCode::OK);
        reply.header("content-type", "text/event-stream").body(text)
    };
    let server = MockTransport::new(MockReply::new(StatusCode::NO_CONTENT));
    server.script(events(
        "retry: 10\nid: 1\ndata: one\n\nid: 2\ndata: two\n\n",
    ));
    server.script(events("event: end\nid: 3\ndata: three\n\n"));
    let client = Client::builder()
        .transport(server)
        .on_request(|request| {
            println!(
                "asks for what follows {:?}",
                request.headers().get("last-event-id")
            );
            Ok(())
        })
        .build()?;

    let mut source = client.get("http://example.com/news").events();
    while let Some(event) = source.next().await {
        let event = event?;
        println!("{} {}: {}", event.id, event.event, event.data);
    }
    println!("the server has no more to say");
    Ok(())
}
