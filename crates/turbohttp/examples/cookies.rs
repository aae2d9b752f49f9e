//! A jar of cookies: set by a login, sent behind it, written to a file and read by the next client.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use turbohttp::{Client, Jar, MockReply, MockTransport, Request, Result, StatusCode};

/// Stands for a server: its login sets a cookie and sends on to the page that wants one.
fn answer(request: &Request) -> MockReply {
    if request.url().ends_with("/login") {
        return MockReply::new(StatusCode::SEE_OTHER)
            .header("location", "/home")
            .header("set-cookie", "id=7; Path=/; Max-Age=3600; Secure; HttpOnly");
    }
    match request.headers().contains_key("cookie") {
        true => MockReply::new(StatusCode::OK).body("welcome"),
        false => MockReply::new(StatusCode::UNAUTHORIZED).body("who are you?"),
    }
}

fn client(jar: &Arc<Jar>) -> Result<Client> {
    Client::builder()
        .transport(MockTransport::with_handler(answer))
        .cookies(jar.clone())
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    let jar = Arc::new(Jar::new());
    let first = client(&jar)?;
    let home = first.get("https://shop.test/home").send().await?;
    println!("before: {}", home.text().await?);
    let login = first.post("https://shop.test/login").send().await?;
    println!("by the redirect: {}", login.text().await?);

    // A cookie's value is a secret: name, domain and expiry are not.
    for cookie in jar.to_vec() {
        let name = String::from_utf8_lossy(cookie.name());
        println!("{name} of {} until {:?}", cookie.domain(), cookie.expires());
    }

    // The format of curl; a program writes it to a file that only its owner may read.
    let mut file = Vec::new();
    let written = jar.write_netscape(&mut file)?;
    let read = Arc::new(Jar::read_netscape(&file[..])?);
    let home = client(&read)?.get("https://shop.test/home").send().await?;
    println!("with {written} from the file: {}", home.text().await?);

    // What a server may not set is not kept.
    for wrong in ["x=1; Domain=other.test", "x=1; Domain=test"] {
        if let Err(error) = jar.insert("https://shop.test/", wrong) {
            println!("{wrong}: {error}");
        }
    }
    Ok(())
}
