//! What is printed holds no secret.

use std::error::Error as _;

use turbohttp::{Client, HeaderValue, RequestBuilder, header};
use turbohttp_loopback::script::ScriptServer;

use super::{answering, ok};
use crate::support::{TestClient, read};

const CANARY: &str = "c4n4ry";

/// A request that carries the canary wherever it can.
fn telling(client: &Client, server: &ScriptServer) -> RequestBuilder {
    let url = server
        .url("/")
        .replace("http://", &format!("http://user:{CANARY}@"));
    client
        .post(format!("{url}?key={CANARY}#{CANARY}"))
        .header("cookie", CANARY)
        .header("x-api-key", CANARY)
        .body(CANARY)
}

fn telling_server() -> ScriptServer {
    let fields =
        format!("connection: close\r\nset-cookie: id={CANARY}\r\nauthorization: {CANARY}\r\n");
    answering(ok(&fields, CANARY.as_bytes()))
}

/// Nothing that is printed shows what only the server should see.
#[tokio::test]
async fn debug_output_holds_no_secret() {
    let server = telling_server();
    let value = HeaderValue::from_static(CANARY);
    let builder = Client::builder().default_header(header::PROXY_AUTHORIZATION, value);
    let mut printed = vec![format!("{builder:?}")];
    #[cfg(feature = "__tls")]
    {
        let tls = turbohttp::Tls::default().client_certificate_pem("chain", CANARY);
        printed.push(format!("{tls:?} {:?}", Client::builder().tls(tls.clone())));
    }
    let client = TestClient::from(builder.build().unwrap());
    let request = || telling(&client, &server);
    printed.push(format!("{:?}", request()));
    printed.push(format!(
        "{:?}",
        request().bearer_auth(CANARY).build().unwrap()
    ));
    let mut response = request().send().await.unwrap();
    printed.push(format!("{response:?} {:?}", response.timeline()));
    response.headers();
    printed.push(format!("{response:?}"));
    read(&mut response).await.unwrap();
    printed.push(format!("{response:?} {:?}", response.timeline()));
    drop(response);
    printed.push(format!("{:?} {:?}", *client, client.stats()));
    for text in &printed {
        assert!(!text.contains(CANARY), "{text}");
    }
}

/// Advisory 45: neither do errors, down to their first cause.
#[tokio::test]
async fn errors_hold_no_secret() {
    let server = telling_server();
    let client = TestClient::new();
    let request = || telling(&client, &server);
    let collected = request()
        .body_bytes_max(1)
        .send()
        .await
        .unwrap()
        .bytes()
        .await;
    let mut errors = vec![
        collected.unwrap_err(),
        request()
            .header("x", format!("{CANARY}\n"))
            .send()
            .await
            .unwrap_err(),
        request()
            .header(format!("{CANARY}\n"), "x")
            .send()
            .await
            .unwrap_err(),
        request()
            .basic_auth(format!("a:{CANARY}"), Some(CANARY))
            .send()
            .await
            .unwrap_err(),
    ];
    for url in [
        format!("http://user:{CANARY}@[/"),
        format!("http://[/?key={CANARY}"),
        format!("http://[/#{CANARY}"),
        format!("http://[/?mail=a@{CANARY}"),
        format!("ftp://user:{CANARY}?x@a.test/"),
        format!("http://user:a@{CANARY}@[/"),
    ] {
        errors.push(client.get(url).send().await.unwrap_err());
    }
    for error in &errors {
        let mut printed = format!("{error:?} {error} {:?}", error.timeline());
        let mut source = error.source();
        while let Some(error) = source {
            printed += &format!("{error:?} {error}");
            source = error.source();
        }
        assert!(!printed.contains(CANARY), "{printed}");
    }
}
