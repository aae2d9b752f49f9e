//! A transport of your own: streams files from below a folder, so that `file.local` needs no server.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::{Component, Path, PathBuf};

use turbohttp::{
    Client, Error, ErrorKind, Request, Response, ResponseBody, Result, StatusCode, Transport,
};

/// Serves the path of the URL from a folder.
struct Folder(PathBuf);

impl Transport for Folder {
    async fn send(&self, request: Request) -> Result<Response> {
        let url = request.uri()?;
        let path = Path::new(url.path().trim_start_matches('/'));
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Ok(request.respond(StatusCode::FORBIDDEN, ""));
        }
        match tokio::fs::File::open(self.0.join(path)).await {
            Ok(file) => {
                // Streamed piece by piece: the file is never in memory as a whole.
                let length = file.metadata().await.ok().map(|file| file.len());
                let body = ResponseBody::from_reader(file, length);
                let mut response = request.respond(StatusCode::OK, body);
                response.push_header("content-type", b"application/octet-stream");
                Ok(response)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(request.respond(StatusCode::NOT_FOUND, "no such file"))
            }
            Err(error) => {
                Err(Error::new(ErrorKind::Transport, "cannot read the file").with_source(error))
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::builder()
        .transport(Folder(PathBuf::from(env!("CARGO_MANIFEST_DIR"))))
        .build()?;
    for name in ["Cargo.toml", "nothing", "../../Cargo.toml"] {
        let response = client
            .get(format!("http://file.local/{name}"))
            .send()
            .await?;
        let status = response.status();
        println!("{name}: {status}, {} bytes", response.bytes().await?.len());
    }
    Ok(())
}
