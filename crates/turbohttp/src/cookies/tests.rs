//! The jar behind its lock, with the real list of suffixes, and its files.

use std::io;

use super::*;

const URL: &str = "https://www.example.com/a/b?q=/c";

fn jar(cookies: &[&str]) -> Jar {
    let jar = Jar::new();
    for cookie in cookies {
        jar.insert(URL, cookie).unwrap();
    }
    jar
}

fn sent(jar: &Jar, url: &str) -> String {
    let value = jar.cookies(url);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[test]
fn what_responses_set_is_sent() {
    let jar = Jar::new();
    let fields: [&[u8]; 4] = [
        b"a=1",
        b"b=2; Path=/; Domain=.Example.COM",
        b"refused\0",
        b"c=3; Secure",
    ];
    jar.store(URL, &mut fields.into_iter());
    assert_eq!(jar.len(), 3);
    let value = jar.cookies("https://www.example.com/a?x").unwrap();
    assert_eq!(value, "a=1; c=3; b=2");
    assert!(value.is_sensitive());
    assert_eq!(sent(&jar, "http://WWW.example.com:8080/a/"), "a=1; b=2");
    assert_eq!(sent(&jar, "http://example.com"), "b=2");
    for url in [
        "https://example.org/a",
        "ftp://www.example.com/a",
        "www.example.com",
        "data:,x",
        "",
    ] {
        assert_eq!(jar.cookies(url), None, "{url}");
        jar.store(
            url,
            &mut [&b"d=4"[..]].into_iter().filter(|_| !url.contains(".org")),
        );
    }
    assert_eq!(jar.len(), 3);
    jar.clear();
    assert!(jar.is_empty() && jar.cookies(URL).is_none());
}

#[test]
fn bytes_beyond_ascii_come_back() {
    let jar = Jar::new();
    jar.store(URL, &mut [&b"n=\xe4"[..]].into_iter());
    assert_eq!(jar.cookies(URL).unwrap().as_bytes(), b"n=\xe4");
}

#[test]
fn hosts_are_compared_as_urls_spell_them() {
    let jar = Jar::new();
    jar.insert(
        "https://B\u{fc}cher.example/",
        "n=1; Domain=xn--bcher-kva.example",
    )
    .unwrap();
    assert_eq!(sent(&jar, "https://www.xn--bcher-kva.example/"), "n=1");
    jar.insert("http://[::0:1]/", "local=1; Secure").unwrap();
    assert_eq!(sent(&jar, "http://[::1]/"), "local=1");
    jar.insert("http://127.1/", "four=1").unwrap();
    assert_eq!(sent(&jar, "http://127.0.0.1/"), "four=1");
}

#[test]
fn public_suffixes_are_those_of_the_list() {
    for domain in [
        "com",
        "co.uk",
        "github.io",
        "s3.amazonaws.com",
        "unlisted",
        "localhost",
    ] {
        assert!(is_public_suffix(domain), "{domain}");
    }
    for domain in [
        "example.com",
        "a.co.uk",
        "me.github.io",
        "a.unlisted",
        "www.ck",
    ] {
        assert!(!is_public_suffix(domain), "{domain}");
    }
    let (suffix, jar) = ("github.io", Jar::new());
    let refused = jar.insert(
        &format!("https://me.{suffix}/"),
        &format!("n=1; Domain={suffix}"),
    );
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "the domain of the cookie is a public suffix"
    );
    let error = jar.insert(suffix, "n=1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Url);
}

#[test]
fn time_passes() {
    let jar = Jar::new();
    let url = url_of(URL).unwrap();
    jar.store_at(&url, b"n=1; Max-Age=10", 1_000).unwrap();
    assert_eq!(jar.cookies_at(&url, 1_009).unwrap(), "n=1");
    assert_eq!(jar.cookies_at(&url, 1_010), None);
    // It has expired long ago, by the clock of the system.
    assert_eq!((jar.len(), jar.to_vec().len(), jar.len()), (1, 0, 0));
}

const NETSCAPE: &str = "# Netscape HTTP Cookie File
www.example.com\tFALSE\t/a\tTRUE\t0\tid\t7=8
#HttpOnly_.example.com\tTRUE\t/\tFALSE\t4102444800\tlang\ten\tde
www.example.com\tFALSE\t/a\tFALSE\t0\t\tnameless
";

#[test]
fn files_of_netscape_are_read_and_written() {
    let text = NETSCAPE.replace("4102444800", &(now() + 1_000).to_string());
    let jar = Jar::read_netscape(text.as_bytes()).unwrap();
    assert_eq!(sent(&jar, URL), "id=7=8; nameless; lang=en\tde");
    assert_eq!(sent(&jar, "http://example.com/"), "lang=en\tde");
    let mut written = Vec::new();
    assert_eq!(jar.write_netscape(&mut written).unwrap(), 3);
    assert_eq!(String::from_utf8(written).unwrap(), text);
    let mut written = Vec::new();
    assert_eq!(Jar::new().write_netscape(&mut written).unwrap(), 0);
    assert_eq!(written, b"# Netscape HTTP Cookie File\n");
}

#[test]
fn files_of_netscape_are_read_leniently_where_others_write_them_so() {
    let text = "\n# a comment\r\n  \r\n.A.Example.com\ttrue\t/\tfalse\t-1\tn\tv\r\n\
                b.example.com\tFALSE\t/\tFALSE\t0\tempty\n\
                c.example.com\tFALSE\t/\tFALSE\t1\tgone\tv\n#HttpOnly_ of nobody\t";
    let error = Jar::read_netscape(text.as_bytes()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 7 of the cookie file is no cookie"),
        "{error}"
    );
    let text = text.rsplit_once('\n').unwrap().0;
    let jar = Jar::read_netscape(text.as_bytes()).unwrap();
    assert_eq!(jar.len(), 2);
    assert_eq!(sent(&jar, "http://x.a.example.com/"), "n=v");
    assert_eq!(sent(&jar, "http://b.example.com/"), "empty=");
}

#[test]
fn a_line_that_is_no_cookie_is_named_and_not_shown() {
    for line in [
        "secret",
        "a.example.com FALSE / FALSE 0 n secret",
        "a.example.com\tFALSE\t/\tFALSE\t0",
        "a.example.com\tperhaps\t/\tFALSE\t0\tn\tsecret",
        "a.example.com\tFALSE\t/\tFALSE\tsoon\tn\tsecret",
        "a.example.com\tFALSE\tx\tFALSE\t0\tn\tsecret",
        "a.example.com\tFALSE\t/\tFALSE\t0\tn\tsec\x01ret",
        "\tFALSE\t/\tFALSE\t0\tn\tsecret",
        "\u{fffd}\tFALSE\t/\tFALSE\t0\tn\tsecret",
        "a.example.com\tFALSE\t/\tFALSE\t0\t\t",
        "a.example.com\tTRUE\t/\tTRUE\t0\t__Host-n\tsecret",
    ] {
        let text = format!("# Netscape HTTP Cookie File\n{line}\n");
        let error = Jar::read_netscape(text.as_bytes()).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(
            said.starts_with("line 2 of the cookie file is no cookie: "),
            "{said}"
        );
        assert!(!said.contains("sec"), "{said}");
    }
    let long = "a".repeat(20_000);
    let error = Jar::read_netscape(long.as_bytes()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("line 1 of the cookie file is no cookie: it exceeds 16384 bytes")
    );
}

#[test]
fn a_cookie_that_the_format_cannot_hold_is_left_out() {
    let jar = jar(&["a\tb=1", "c=2; path=/x\ty", "d=3"]);
    let mut written = Vec::new();
    assert_eq!(jar.write_netscape(&mut written).unwrap(), 1);
    assert_eq!(Jar::read_netscape(&written[..]).unwrap().len(), 1);
}

#[cfg(feature = "json")]
#[test]
fn json_keeps_everything() {
    let jar = jar(&[
        "a=1; Secure; HttpOnly; SameSite=Lax; Max-Age=1000",
        "b\t=\u{e4}; Domain=example.com; Path=/; SameSite=None",
        "=nameless; SameSite=Strict",
    ]);
    jar.store(URL, &mut [&b"bytes=\xff"[..]].into_iter());
    let mut written = Vec::new();
    assert_eq!(jar.write_json(&mut written).unwrap(), 4);
    let again = Jar::read_json(&written[..]).unwrap();
    assert_eq!(again.to_vec(), jar.to_vec());
    let short = r#"{"cookies":[{"name":"n","value":"v","domain":"example.com","path":"/"}]}"#;
    assert_eq!(sent(&Jar::read_json(short.as_bytes()).unwrap(), URL), "n=v");
}

#[cfg(feature = "json")]
#[test]
fn json_that_is_no_cookies_is_named_and_not_shown() {
    for (text, expected) in [
        (
            "",
            "the cookie file is not the JSON expected at line 1, column 0",
        ),
        (
            "{\"cookies\":\n\"secret\"}",
            "the cookie file is not the JSON expected at line 2, column 8",
        ),
        (
            r#"{"cookies":[{"name":"n","value":"v","domain":"Secret","path":"/"}]}"#,
            "entry 0 of the cookie file is no cookie: the domain or path of the cookie is malformed",
        ),
    ] {
        let error = Jar::read_json(text.as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::Config, expected)
        );
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[test]
fn files_that_fail_are_errors() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = Jar::read_netscape(io::BufReader::new(Broken)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let error = jar(&["a=1"]).write_netscape(Broken).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output);
}

#[test]
fn debug_shows_counts_only() {
    let jar = jar(&["name=secret"]);
    assert_eq!(format!("{jar:?}"), "Jar { cookies: 1 }");
}

#[test]
fn threads_share_a_jar() {
    let jar = Arc::new(Jar::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store: Box<dyn CookieStore> = Box::new(jar.clone());
            scope.spawn(move || {
                for at in 0..50 {
                    let field = format!("n{thread}x{at}=1; Path=/");
                    store.store(URL, &mut [field.as_bytes()].into_iter());
                    assert!(store.cookies(URL).is_some());
                }
            });
        }
    });
    assert_eq!(jar.len(), turbohttp_core::cookie::COOKIES_PER_DOMAIN_MAX);
}
