//! A body that is read while it is sent: a file of any length in pieces of at most 64 KiB.
//!
//! `cargo run --example upload -- FILE URL`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Body, Client, Error, ErrorKind, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, url] = &arguments[..] else {
        return Err(Error::new(ErrorKind::Config, "usage: upload FILE URL"));
    };
    let unreadable =
        |error| Error::new(ErrorKind::RequestBody, "cannot read FILE").with_source(error);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let length = file.metadata().await.map_err(unreadable)?.len();

    // With a length the request says Content-Length; without one it goes out in chunks.
    let body = Body::from_reader(file, Some(length));
    let request = Client::new()?.put(url).body(body);
    // The server may refuse before it is sent anything.
    let response = request.expect_continue().send().await?;
    println!("{length} bytes sent, answered {}", response.status());
    println!("{}", response.text().await?);
    Ok(())
}
