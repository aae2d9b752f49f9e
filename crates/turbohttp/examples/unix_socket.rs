//! Requests over a Unix socket, as daemons take them: the URL gives Host, path and limits, the socket the way.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("daemon.sock");
    let listener = tokio::net::UnixListener::bind(&path)?;
    let client = turbohttp::Client::builder().unix_socket(&path).build()?;

    // Stands for the daemon: one request, one answer.
    let serving = async {
        let (mut stream, _) = listener.accept().await?;
        let mut head = vec![0; 1_024];
        let length = stream.read(&mut head).await?;
        print!("{}", String::from_utf8_lossy(&head[..length]));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
        stream.write_all(answer).await
    };
    let sending = client.get("http://daemon.test/version").send();
    let (served, response) = tokio::join!(serving, sending);
    served?;
    let response = response?;
    println!("{} from {:?}", response.status(), response.remote_addr());
    println!("{}", response.text().await?);
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("this system has no Unix sockets");
}
