//! HTTP/2 of the library against nginx, nghttpd and h2o, over TLS and by prior knowledge, beside curl.
#![allow(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]

use std::path::Path;
use std::process::Command;

use turbohttp::{Client, ClientBuilder, Limits, Method, Tls, Version};
use turbohttp_loopback::pattern;
use turbohttp_loopback::tls::TestCa;

use crate::child::{Served, are_there, fill, write};

/// Bytes of `/large.bin`, which holds [`pattern()`].
const LARGE_BYTES: usize = 3_000_000;

/// Bytes of an upload.
const UPLOAD_BYTES: usize = 10_000_000;

/// Requests at once.
const CROWD: usize = 1_000;

const SMALL: &str = "Hello, world!\n";

const NGINX: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events { worker_connections 2048; }
http {
    access_log off;
    keepalive_requests 100;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    ssl_certificate leaf.pem;
    ssl_certificate_key leaf.key;
    server {
        listen 127.0.0.1:@PLAIN@ http2;
        listen 127.0.0.1:@TLS@ ssl http2;
        root www;
        client_max_body_size 20m;
        location = /upload { proxy_pass http://127.0.0.1:@BEHIND@/; }
    }
    server {
        listen 127.0.0.1:@BEHIND@;
        client_max_body_size 20m;
        location / { return 200 "$content_length bytes\n"; }
    }
}
"#;

const H2O: &str = r#"
hosts:
  default:
    paths:
      /:
        file.dir: www
listen:
  host: 127.0.0.1
  port: @PLAIN@
listen:
  host: 127.0.0.1
  port: @TLS@
  ssl:
    certificate-file: leaf.pem
    key-file: leaf.key
num-threads: 1
access-log: access.log
error-log: error.log
"#;

/// A running server, and how it is reached in the clear and over TLS.
struct Site {
    _served: Vec<Served>,
    ca: TestCa,
    plain: u16,
    tls: u16,
}

/// Writes what a server serves, and what it proves itself with.
fn furnish(folder: &Path, ca: &TestCa) {
    let leaf = ca.leaf(&["localhost", "127.0.0.1"]);
    write(folder, "leaf.pem", leaf.certificate_pem());
    write(folder, "leaf.key", leaf.key_pem());
    write(folder, "ca.pem", ca.pem());
    write(folder, "www/small.txt", SMALL);
    write(folder, "www/large.bin", pattern(LARGE_BYTES));
}

impl Site {
    fn nginx() -> Option<Site> {
        if !are_there(&["nginx", "setpriv", "curl"]) {
            return None;
        }
        let ca = TestCa::new();
        let (served, [plain, tls, _]) = Served::start("nginx", |folder, [plain, tls, behind]| {
            furnish(folder, &ca);
            let values: [(&str, &dyn ToString); 3] =
                [("PLAIN", plain), ("TLS", tls), ("BEHIND", behind)];
            write(folder, "nginx.conf", fill(NGINX, &values));
            let prefix = folder.to_str().unwrap().to_owned();
            [
                "-p".to_owned(),
                prefix,
                "-c".to_owned(),
                "nginx.conf".to_owned(),
            ]
            .to_vec()
        });
        Some(Site {
            _served: vec![served],
            ca,
            plain,
            tls,
        })
    }

    fn h2o() -> Option<Site> {
        if !are_there(&["h2o", "setpriv", "curl"]) {
            return None;
        }
        let ca = TestCa::new();
        let (served, [plain, tls]) = Served::start("h2o", |folder, [plain, tls]| {
            furnish(folder, &ca);
            let values: [(&str, &dyn ToString); 2] = [("PLAIN", plain), ("TLS", tls)];
            write(folder, "h2o.conf", fill(H2O, &values));
            ["-c".to_owned(), "h2o.conf".to_owned()].to_vec()
        });
        Some(Site {
            _served: vec![served],
            ca,
            plain,
            tls,
        })
    }

    /// One process in the clear and one over TLS; both send uploads back, and a trailer field.
    fn nghttpd() -> Option<Site> {
        if !are_there(&["nghttpd", "setpriv", "curl"]) {
            return None;
        }
        let ca = TestCa::new();
        let start = |is_tls: bool| {
            Served::start("nghttpd", |folder, [port]| {
                furnish(folder, &ca);
                let options = "--address=127.0.0.1 --htdocs=www --echo-upload --trailer=x-end:here";
                let mut arguments: Vec<String> = options.split(' ').map(str::to_owned).collect();
                let files: &[&str] = match is_tls {
                    true => &["leaf.key", "leaf.pem"],
                    false => &["--no-tls"],
                };
                let (options, files): (Vec<&str>, Vec<&str>) =
                    files.iter().partition(|file| file.starts_with('-'));
                arguments.extend(options.into_iter().map(str::to_owned));
                arguments.push(port.to_string());
                arguments.extend(files.into_iter().map(str::to_owned));
                arguments
            })
        };
        let ((clear, [plain]), (over_tls, [tls])) = (start(false), start(true));
        Some(Site {
            _served: vec![clear, over_tls],
            ca,
            plain,
            tls,
        })
    }

    /// Both ways to the server: a client, the base of its URLs, and the options of curl.
    fn ways(&self) -> Vec<(Client, String, Vec<String>)> {
        let limits = Limits::default().per_host(256);
        let build = |builder: ClientBuilder| builder.limits(limits).build().unwrap();
        let tls = Tls::default().root_pem(self.ca.pem()).only_added_roots();
        vec![
            (
                build(Client::builder().http2_prior_knowledge()),
                format!("http://127.0.0.1:{}", self.plain),
                vec!["--http2-prior-knowledge".to_owned()],
            ),
            (
                build(Client::builder().tls(tls)),
                format!("https://127.0.0.1:{}", self.tls),
                vec!["--http2".to_owned(), "--insecure".to_owned()],
            ),
        ]
    }
}

/// What curl gets.
fn curl(options: &[String], url: &str) -> Vec<u8> {
    let mut command = Command::new("curl");
    let output = command
        .arg("--silent")
        .args(options)
        .arg(url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

async fn get(client: &Client, url: &str) -> Vec<u8> {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, Version::HTTP_2),
        "{url}"
    );
    response.bytes().await.unwrap().to_vec()
}

/// GET and HEAD, small and large, as curl has them; and a thousand requests at once.
async fn serves(site: &Site) {
    for (client, base, options) in site.ways() {
        for path in ["/small.txt", "/large.bin"] {
            let url = format!("{base}{path}");
            let body = get(&client, &url).await;
            assert!(body == curl(&options, &url), "{url}");
            let head = client.request(Method::HEAD, &url).send().await.unwrap();
            assert_eq!(head.version(), Version::HTTP_2);
            if let Some(length) = head.header("content-length") {
                assert_eq!(length, body.len().to_string());
            }
            assert_eq!(head.bytes().await.unwrap().len(), 0);
        }
        let missing = client.get(format!("{base}/missing")).send().await.unwrap();
        assert_eq!(missing.status(), 404);
        drop(missing);
        let crowd: Vec<_> = (0..CROWD)
            .map(|number| {
                let (client, base) = (client.clone(), base.clone());
                tokio::spawn(async move {
                    match number % 100 {
                        0 => assert!(
                            get(&client, &format!("{base}/large.bin")).await
                                == pattern(LARGE_BYTES)
                        ),
                        _ => assert_eq!(
                            get(&client, &format!("{base}/small.txt")).await,
                            SMALL.as_bytes()
                        ),
                    }
                })
            })
            .collect();
        for one in crowd {
            one.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_serves_a_crowd_and_ends_its_connections_after_a_hundred_requests() {
    let Some(site) = Site::nginx() else { return };
    serves(&site).await;
    for (client, base, _) in site.ways() {
        let request = client
            .post(format!("{base}/upload"))
            .body(pattern(UPLOAD_BYTES));
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text, format!("{UPLOAD_BYTES} bytes\n"));
        // Each answer says how much was posted, so that none is counted for another.
        let posts: Vec<_> = (0..CROWD)
            .map(|number| {
                let request = client
                    .post(format!("{base}/upload"))
                    .body(pattern(number + 1));
                tokio::spawn(async move {
                    let text = request.send().await.unwrap().text().await.unwrap();
                    assert_eq!(text, format!("{} bytes\n", number + 1));
                })
            })
            .collect();
        for post in posts {
            post.await.unwrap();
        }
        let opened = client.stats().net.unwrap().opened;
        assert!(opened >= 10, "{opened} connections for 1,001 requests");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nghttpd_serves_a_crowd_and_sends_uploads_back_with_trailers() {
    let Some(site) = Site::nghttpd() else { return };
    serves(&site).await;
    for (client, base, _) in site.ways() {
        let content = pattern(UPLOAD_BYTES);
        let request = client.post(format!("{base}/")).body(content.clone());
        let mut response = request.send().await.unwrap();
        let mut echo = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            echo.extend_from_slice(chunk);
        }
        assert!(echo == content, "{} bytes", echo.len());
        assert_eq!(response.trailer("x-end"), Some("here"));
        assert_eq!(client.stats().net.unwrap().opened, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2o_serves_a_crowd() {
    let Some(site) = Site::h2o() else { return };
    serves(&site).await;
}
