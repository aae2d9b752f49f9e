//! Redirects, retries and credentials, as they are typed.

use std::fs;

use crate::support::{Directory, run, server, turbohttp};

#[test]
fn redirects_are_followed_when_asked() {
    let server = server();
    let directory = Directory::new();
    let url = server.url("/status/302");
    for (arguments, code) in [
        (&["get", "-L", &url][..], 0),
        (&["get", "--location-trusted", &url], 0),
        (&["get", "-L", "--max-redirs", "1", &url], 0),
        (&["get", "-L", "--max-redirs", "-1", &url], 0),
        (&["get", "-L", "--max-redirs", "0", &url], 47),
        (&["get", "--max-redirs", "0", &url], 0),
    ] {
        let got = run(arguments);
        assert_eq!(got.code, Some(code), "{arguments:?}: {}", got.stderr);
    }
    let file = directory.file("small");
    run(&["get", "-L", &url, "-o", &file]).is_quietly_ok();
    let small = run(&["get", &server.url("/small")]);
    assert_eq!(fs::read(&file).unwrap(), small.stdout);
    let wrong = run(&["get", "-L", "--max-redirs", "-2", &url]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("-2 is not in -1..=1000"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn netrc_is_read_and_guarded() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = server();
    let directory = Directory::new();
    let url = server.url("/small");
    let file = directory.write("netrc", "machine 127.0.0.1 login joe password canary");
    let private = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    private(0o644);
    let refused = run(&["get", "--netrc-file", &file, &url]);
    refused.fails_with(2, &["others may read it: chmod 600 it"]);
    private(0o600);
    let sent = run(&["get", "-v", "--netrc-file", &file, &url]);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(sent.stderr.contains("> authorization: "), "{}", sent.stderr);
    assert!(!sent.stderr.contains("canary"), "{}", sent.stderr);
    run(&["get", "--netrc-file", &directory.file("none"), &url]).fails_with(2, &["cannot be read"]);
    let optional = [
        "get",
        "--netrc-optional",
        "--netrc-file",
        &directory.file("none"),
        &url,
    ];
    assert_eq!(run(&optional).code, Some(0));
    fs::rename(&file, directory.file(".netrc")).unwrap();
    let mut command = turbohttp(&["get", "-n", "-v", &url]);
    let at_home = command.env("HOME", directory.path()).output().unwrap();
    let stderr = String::from_utf8(at_home.stderr).unwrap();
    assert!(stderr.contains("> authorization: "), "{stderr}");
}
