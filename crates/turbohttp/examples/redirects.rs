//! Redirects that are followed, decided upon, refused and left alone; against a server in this process.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, RedirectAction, RedirectPolicy, header};
use turbohttp_loopback::{Options, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Options::default())?;
    let url = server.url("/status/302"); // points to /small

    // By default up to 10 are followed.
    let response = Client::new()?.get(&url).send().await?;
    println!("{} from {}", response.status(), response.url());
    for hop in response.history() {
        println!(
            "  by way of {} {} {}",
            hop.method(),
            hop.url(),
            hop.status()
        );
    }

    // A closure sees each redirect before it is followed, with the ones that came before.
    let policy = RedirectPolicy::custom(|redirect| {
        println!("{} to {}?", redirect.status(), redirect.url());
        match redirect.url().host_str() {
            Some("127.0.0.1") if redirect.history().len() <= 3 => RedirectAction::Follow,
            Some("127.0.0.1") => RedirectAction::Stop, // the 3xx is the response
            _ => RedirectAction::Refuse,               // an error
        }
    });
    // Beside Authorization, Cookie and what is marked as sensitive, this does not leave its origin.
    let policy = policy.secret_field(header::HeaderName::from_static("x-api-key"));
    let client = Client::builder().redirect(policy).build()?;
    let request = client.get(&url).header("x-api-key", "secret");
    println!("{}", request.send().await?.status());

    // Each redirect that is not followed is an error with the chain in it.
    let none = RedirectPolicy::custom(|_| RedirectAction::Refuse);
    let strict = Client::builder().redirect(none).build()?;
    if let Err(error) = strict.get(&url).send().await {
        println!("{:?}: {error}", error.kind());
    }

    // Without a policy of redirects, a 3xx is a response like any other.
    let plain = Client::builder().redirect(RedirectPolicy::none()).build()?;
    let response = plain.get(&url).send().await?;
    println!("{} {:?}", response.status(), response.header("location"));
    Ok(())
}
