//! A reverse proxy by axum: bodies stream both ways, and a caller that goes away cancels what it asked for.
//!
//! `cargo run --manifest-path peers/Cargo.toml --example reverse_proxy -- http://127.0.0.1:8080`; without an argument,
//! it stands before a server of its own, and shows both.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tower::Service as _;
use turbohttp::{Client, RedirectPolicy};

#[derive(Clone)]
struct Proxy {
    client: Client,
    upstream: Uri,
}

/// What belongs to one connection, and is not passed on (RFC 9110 section 7.6.1).
fn strip(headers: &mut HeaderMap) {
    let listed: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| {
            value
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase())
        })
        .collect();
    for name in listed {
        headers.remove(&name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

async fn pass_on(State(mut proxy): State<Proxy>, mut request: Request) -> Response {
    let root = PathAndQuery::from_static("/");
    let mut parts = proxy.upstream.clone().into_parts();
    parts.path_and_query = Some(request.uri().path_and_query().cloned().unwrap_or(root));
    match Uri::from_parts(parts) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
    strip(request.headers_mut());
    request.headers_mut().remove(header::HOST);
    // Dropped with this future when the caller goes away: so are the request, its connection and its permit.
    match proxy.client.call(request).await {
        Ok(mut response) => {
            strip(response.headers_mut());
            response.map(Body::new)
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn serve(router: Router) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}

fn proxy(upstream: &str) -> Result<(Router, Client), Box<dyn std::error::Error>> {
    let upstream: Uri = upstream.parse()?;
    assert_eq!(
        upstream.scheme(),
        Some(&Scheme::HTTP),
        "an upstream of http"
    );
    // What the server says is for the caller: redirects, codings.
    let client = Client::builder()
        .redirect(RedirectPolicy::none())
        .decoding(turbohttp::Decoding::none());
    let client = client.build()?;
    let state = Proxy {
        client: client.clone(),
        upstream,
    };
    Ok((Router::new().fallback(pass_on).with_state(state), client))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(upstream) = std::env::args().nth(1) {
        let (router, _) = proxy(&upstream)?;
        println!("{}", serve(router).await?);
        std::future::pending::<()>().await;
    }
    let upstream = turbohttp_loopback::Server::start(turbohttp_loopback::Options::default())?;
    let (router, through) = proxy(&format!("http://{}", upstream.addr()))?;
    let front = serve(router).await?;

    // Both ways, larger than any buffer between.
    let client = Client::new()?;
    let sent = vec![7; 8 << 20];
    let response = client
        .post(format!("{front}/echo"))
        .body(sent.clone())
        .send()
        .await?;
    println!(
        "{}: {} bytes came back",
        response.status(),
        response.bytes().await?.len()
    );

    // A caller that goes away before the answer, which never comes.
    let asked = client
        .get(format!("{front}/never"))
        .timeout(Duration::from_millis(200));
    println!(
        "{}",
        asked
            .send()
            .await
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    );
    while !through.audit().is_idle() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("and nothing is left of it: {}", through.audit().is_idle());
    Ok(())
}
