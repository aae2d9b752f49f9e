//! Ways to a server: a resolver, and another host; TLS with a root and a pinned key. Host field, limits and
//! certificate are those of the URL each time.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{io, net::IpAddr};

use turbohttp::{Client, Resolve, Tls, TlsVersion};
use turbohttp_loopback::{Options, Server, tls::TestCa};

/// Knows one name, and asks nobody.
struct Table;

impl Resolve for Table {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match name {
            "api.test" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "not in the table")),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ca = TestCa::new();
    let server = Server::start(Options {
        tls: Some(ca.server_config(&["api.test"])),
        ..Options::default()
    })?;
    let port = server.addr().port();
    let trusting = Tls::default()
        .root_pem(ca.pem())
        .only_added_roots()
        .min_version(TlsVersion::V1_3);

    let client = Client::builder()
        .resolver(Table)
        .tls(trusting.clone())
        .build()?;
    let response = client
        .get(format!("https://api.test:{port}/small"))
        .send()
        .await?;
    println!("{} from {:?}", response.status(), response.remote_addr());

    // The error tells the hash of the key that was shown: what is to be pinned.
    let pinned = trusting.pin_spki("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let to = format!("127.0.0.1:{port}");
    let client = Client::builder()
        .connect_to("api.test:443", &to)
        .tls(pinned)
        .build()?;
    if let Err(error) = client.get("https://api.test/small").send().await {
        println!("with another key: {error}");
    }
    Ok(())
}
