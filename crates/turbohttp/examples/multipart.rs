//! A form with a text, bytes and a file, and how much of it has been sent; against a server in this process.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::Client;
use turbohttp::multipart::{Form, Part};
use turbohttp_loopback::{Options, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Options::default())?;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/multipart.rs");

    let picture = Part::bytes(vec![7; 200_000])
        .file_name("picture.png")
        .mime_str("image/png")?;
    let form = Form::new()
        .text("title", "a picture and its source")
        .part("picture", picture)
        // Opened here, and read while it is sent.
        .file("source", path)
        .await?;

    let request = Client::new()?
        .post(server.url("/echo"))
        .multipart(form)
        .on_progress(|progress| {
            let total = progress.total_bytes.unwrap_or_default();
            println!("{} of {total} bytes", progress.sent_bytes);
        });
    let body = request.send().await?.error_for_status()?.bytes().await?;
    println!("the server has sent {} bytes back", body.len());
    Ok(())
}
