//! A body in gzip: decoded, as it is, and as a bomb.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::io::Write as _;

use turbohttp::{Client, Decoding, MockReply, MockTransport, StatusCode};

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (text, bomb) = (gzip(&b"text ".repeat(1_000))?, gzip(&vec![0; 64 << 20])?);
    // Stands for a server that sends in gzip whatever is asked for.
    let mock = MockTransport::with_handler(move |request| {
        let body = if request.url().ends_with("/bomb") {
            &bomb
        } else {
            &text
        };
        let reply = MockReply::new(StatusCode::OK).header("content-encoding", "gzip");
        reply.body(body.clone())
    });

    // What is compiled in is asked for and undone.
    let client = Client::builder().transport(mock.clone()).build()?;
    let response = client.get("http://mock.test/").send().await?;
    let field = response.header("content-encoding").map(str::to_owned);
    println!("{} bytes, {field:?}", response.bytes().await?.len());

    // Who asks for a coding gets it.
    let request = client
        .get("http://mock.test/")
        .header("accept-encoding", "gzip");
    let response = request.send().await?;
    let field = response.header("content-encoding").map(str::to_owned);
    println!("{} bytes, {field:?}", response.bytes().await?.len());

    // The ratio ends a bomb, piece by piece too; `bytes_max` ends what grows more slowly.
    let decoding = Decoding::all().ratio_max(100).bytes_max(1 << 30);
    let client = Client::builder()
        .transport(mock)
        .decoding(decoding)
        .build()?;
    let mut response = client.get("http://mock.test/bomb").send().await?;
    let mut bytes = 0;
    let error = loop {
        match response.chunk().await {
            Ok(chunk) => bytes += chunk.ok_or("the bomb was decoded")?.len(),
            Err(error) => break error,
        }
    };
    println!("{:?} after {bytes} bytes: {error}", error.kind());
    Ok(())
}
