//! Digest authentication: the challenge of a 401 is answered, and the requests that follow carry an answer from
//! the beginning.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, Credentials, MockReply, MockTransport, Request, Result, StatusCode};

/// Stands for a server that wants an answer to its challenge; a real one computes the answer as well.
fn answer(request: &Request) -> MockReply {
    let given = request.headers().get("authorization");
    let given = given.and_then(|value| value.to_str().ok());
    match given {
        Some(value) if value.starts_with("Digest ") => {
            let shown = value.split(", ").filter(|part| {
                ["qop", "nc", "uri"]
                    .iter()
                    .any(|name| part.starts_with(name))
            });
            println!("  answered: {}", shown.collect::<Vec<_>>().join(", "));
            MockReply::new(StatusCode::OK).body("fine")
        }
        _ => {
            println!("  challenged");
            MockReply::new(StatusCode::UNAUTHORIZED).header(
                "www-authenticate",
                r#"Digest realm="files", nonce="c2FsdA==", qop="auth", algorithm=SHA-256"#,
            )
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::builder()
        .transport(MockTransport::with_handler(answer))
        .credentials("http://files.test", Credentials::digest("user", "password"))
        .build()?;
    for path in ["a", "b", "c"] {
        let response = client
            .get(format!("http://files.test/{path}"))
            .send()
            .await?;
        println!("{path}: {}", response.status());
    }

    // For one request, and its origin only.
    let once = client
        .get("http://other.test/")
        .credentials(Credentials::digest("guest", ""));
    println!("other: {}", once.send().await?.status());
    Ok(())
}
