//! A WebSocket: the handshake is a request, and the frames are of the crate tungstenite; against a server in
//! this process.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example shows what it does, and its server ends with it"
)]

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, accept_async};
use turbohttp::Client;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/chat", listener.local_addr()?);
    tokio::spawn(echo(listener));

    let key = generate_key();
    let request = Client::new()?.get(url).upgrade("websocket");
    let request = request
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", &key);
    let response = request.send().await?;
    let accepted = response.header("sec-websocket-accept");
    if accepted != Some(&*derive_accept_key(key.as_bytes())) {
        return Err("the server has not accepted the key".into());
    }
    // It holds its permit until it is dropped, and a close of the client ends it.
    let stream = response.upgrade()?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    for text in ["hello", "world"] {
        socket.send(Message::text(text)).await?;
        let answer = socket.next().await.ok_or("the server has left")??;
        println!("{text} came back as {answer}");
    }
    socket.close(None).await?;
    Ok(())
}

/// Sends every text back.
async fn echo(listener: TcpListener) -> Result<(), AnyError> {
    let (stream, _) = listener.accept().await?;
    let mut socket = Box::pin(accept_async(stream)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
