//! Sends a request by the proxies that the environment names, or by the one that the command line does:
//! `cargo run --example proxy -- http://example.com/ [http://user:password@127.0.0.1:3128]`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, ErrorKind, Proxy, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or_else(|| "http://127.0.0.1/".to_owned());
    let builder = match arguments.next() {
        Some(proxy) => Client::builder().proxy(Proxy::all(&proxy)?),
        None => Client::builder().proxy_from_env(),
    };
    let client = builder.build()?;
    match client.get(url).send().await {
        Ok(response) => {
            println!("{} from {:?}", response.status(), response.remote_addr());
            for span in response.timeline().spans() {
                println!("{:>12} {:?}", span.phase.name(), span.end - span.start);
            }
        }
        Err(error) if error.kind() == ErrorKind::Proxy => {
            println!("the proxy did not open the way: {error}");
        }
        Err(error) => println!("{error}"),
    }
    Ok(())
}
