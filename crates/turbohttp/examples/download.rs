//! A file that is downloaded, and gone on with after an answer that breaks off.
//!
//! `cargo run --example download --features download -- URL FILE [CONNECTIONS]`, or without arguments from a
//! server in this process.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Checksum, Client, ErrorKind, MockReply, MockTransport, Result, StatusCode};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [url, path, more @ ..] = &arguments[..] {
        let connections = more.first().and_then(|typed| typed.parse().ok());
        let download = Client::new()?
            .download(url)
            .connections(connections.unwrap_or(4));
        let file = download.to(path).await?;
        println!("{} bytes by {} requests", file.length(), file.requests());
        return Ok(());
    }
    // Stands for a server with one file of three bytes.
    let mock = MockTransport::with_handler(|_| MockReply::new(StatusCode::OK).body("abc"));
    let client = Client::builder().transport(mock).build()?;
    let path = std::env::temp_dir().join(format!("turbohttp-example-{}", std::process::id()));

    let abc = "sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let url = "http://mock.test/abc";
    let file = client
        .download(url)
        .checksum(abc.parse()?)
        .on_progress(|progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
        .to(&path)
        .await?;
    println!("{} has {} bytes", file.path().display(), file.length());

    // What does not add up is no file; the one that was there stays.
    let other = Checksum::md5("00000000000000000000000000000000")?;
    let refused = client.download(url).checksum(other).to(&path).await;
    let error = refused
        .err()
        .filter(|error| error.kind() == ErrorKind::Checksum);
    println!(
        "{}",
        error.map(|error| error.to_string()).unwrap_or_default()
    );
    std::fs::remove_file(&path).unwrap_or_else(|error| println!("{error}"));
    Ok(())
}
