//! A body that is written as it arrives: a file of any length, one buffer of memory.
//!
//! `cargo run --example copy_to -- URL FILE`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, Error, ErrorKind, Result, Timeouts};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, path] = &arguments[..] else {
        return Err(Error::new(ErrorKind::Config, "usage: copy_to URL FILE"));
    };
    // A download may take any time in all, but not half a minute without a byte.
    let timeouts = Timeouts::default().body(std::time::Duration::from_secs(30));
    let client = Client::builder().timeouts(timeouts).build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;

    let unwritable = |error| Error::new(ErrorKind::Output, "cannot write FILE").with_source(error);
    let mut file = tokio::fs::File::create(path).await.map_err(unwritable)?;
    let bytes = response.copy_to(&mut file).await?;
    println!("{bytes} bytes in {:.1?}", response.timeline().total());
    Ok(())
}
