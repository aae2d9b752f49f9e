//! What a fresh look at the options of issue 11 found.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

use turbohttp_loopback::script::{Script, ScriptServer, Step};

use crate::support::{Directory, run, run_with_input, server, shell, turbohttp};

/// A server that sets a cookie on every connection.
fn setting() -> ScriptServer {
    let answer = "HTTP/1.1 200 OK\r\nset-cookie: id=canary\r\ncontent-length: 2\r\n\r\nok";
    let steps = [Step::ReadHead, Step::send(answer)];
    Script::new().accept(steps).repeat_last().start().unwrap()
}

/// Pipes and devices are written to as they are, and links stay: `-c /dev/null` is how curl is told to keep
/// cookies for one run.
#[test]
fn cookie_jar_replaces_no_device_and_no_link() {
    let server = setting();
    let url = server.url("/");
    let directory = Directory::new();
    let (pipe, out) = (directory.file("pipe"), directory.file("out"));
    let script = "mkfifo \"$3\" && { cat \"$3\" > \"$4\" & \"$0\" \"$1\" -c \"$3\" \"$2\"; wait; }";
    let made = shell(script, &["get", &url, &pipe, &out]).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(fs::read_to_string(&out).unwrap().contains("canary"));
    let (real, link) = (directory.write("real", ""), directory.file("link"));
    symlink(&real, &link).unwrap();
    assert_eq!(run(&["get", "-c", &link, &url]).code, Some(0));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("canary"));
}

/// What others have laid beside it is not written to.
#[test]
fn cookie_jar_is_made_for_its_owner_alone() {
    let server = setting();
    let directory = Directory::new();
    let victim = directory.write("victim", "precious");
    symlink(&victim, directory.file("jar.part")).unwrap();
    let jar = directory.file("jar");
    run(&["get", "-c", &jar, &server.url("/")]).is_quietly_ok();
    assert_eq!(
        fs::metadata(&jar).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(fs::read_to_string(&jar).unwrap().contains("canary"));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(directory.names(), ["jar", "jar.part", "victim"]);
    let nowhere = directory.file("none/jar");
    run(&["get", "-c", &nowhere, &server.url("/")]).fails_with(23, &["--cookie-jar", "none/jar"]);
}

/// A password in the URL is not shown by Basic where Digest was asked for.
#[test]
fn digest_is_meant_of_the_userinfo_too() {
    let challenge = "HTTP/1.1 401 X\r\nwww-authenticate: Digest realm=\"r\", nonce=\"n\", \
                     qop=\"auth\"\r\ncontent-length: 0\r\n\r\n";
    let fine = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let steps = [
        Step::ReadHead,
        Step::send(challenge),
        Step::ReadHead,
        Step::send(fine),
    ];
    let server = Script::new().accept(steps).repeat_last().start().unwrap();
    let url = server.url("/x").replace("http://", "http://us%40er:pass@");
    run(&["get", "--digest", &url]).is_quietly_ok();
    let batch = run_with_input(&["batch", "--digest", "-"], url.as_bytes());
    assert_eq!(batch.code, Some(0), "{}", batch.stderr);
    let received = server.received();
    assert_eq!(received.len(), 2);
    for heads in received {
        let heads = String::from_utf8(heads).unwrap();
        assert!(!heads.contains("Basic"), "{heads}");
        assert!(heads.contains("Digest username=\"us@er\""), "{heads}");
    }
}

/// Variables that name proxies speak of the network.
#[test]
fn unix_socket_passes_proxies_of_the_environment_by() {
    let directory = Directory::new();
    let socket = directory.file("none");
    let server = server();
    let url = server.url("/");
    let mut command = turbohttp(&["get", "--unix-socket", &socket, &url]);
    let output = command.env("http_proxy", "http://127.0.0.1:1").output();
    let run = crate::support::Run::from(output.unwrap());
    run.fails_with(7, &["no connection to the socket"]);
}

/// An override holds for every port of its host, so that two that differ cannot both hold.
#[test]
fn overrides_that_contradict_one_another_are_refused() {
    let server = server();
    let url = server.url("/small").replace("127.0.0.1", "x.test");
    let port = server.addr().port();
    let own = format!("x.test:{port}:127.0.0.1");
    let other = format!("x.test:{}:192.0.2.7", port ^ 1);
    let refused = run(&["get", "-L", "--resolve", &own, "--resolve", &other, &url]);
    refused.fails_with(2, &["--resolve gives x.test other addresses"]);
    let same = format!("+x.test:{}:127.0.0.1", port ^ 1);
    run(&["get", "-L", "--resolve", &own, "--resolve", &same, &url]).is_quietly_ok();
}
