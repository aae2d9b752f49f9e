//! Options of curl for HTTP that `get` does not have: said so, where a parser would call them unknown.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Their names, sorted. One that is built goes away from here, as a test says.
const NAMES: [&str; 95] = [
    "-#",
    "-0",
    "-1",
    "-2",
    "-3",
    "-M",
    "-Y",
    "-a",
    "-p",
    "-y",
    "-z",
    "--abstract-unix-socket",
    "--alt-svc",
    "--anyauth",
    "--aws-sigv4",
    "--capath",
    "--cert-status",
    "--cert-type",
    "--ciphers",
    "--create-file-mode",
    "--crlfile",
    "--curves",
    "--delegation",
    "--disallow-username-in-url",
    "--dns-interface",
    "--dns-ipv4-addr",
    "--dns-ipv6-addr",
    "--dns-servers",
    "--doh-cert-status",
    "--doh-insecure",
    "--doh-url",
    "--engine",
    "--etag-compare",
    "--etag-save",
    "--expect100-timeout",
    "--false-start",
    "--form-escape",
    "--happy-eyeballs-timeout-ms",
    "--haproxy-protocol",
    "--hsts",
    "--http0.9",
    "--http1.0",
    "--http3",
    "--http3-only",
    "--ignore-content-length",
    "--key-type",
    "--libcurl",
    "--manual",
    "--negotiate",
    "--no-alpn",
    "--no-sessionid",
    "--ntlm",
    "--pass",
    "--post301",
    "--post302",
    "--post303",
    "--preproxy",
    "--progress-bar",
    "--proto",
    "--proto-default",
    "--proto-redir",
    "--proxy-anyauth",
    "--proxy-basic",
    "--proxy-cacert",
    "--proxy-cert",
    "--proxy-digest",
    "--proxy-header",
    "--proxy-insecure",
    "--proxy-key",
    "--proxy-ntlm",
    "--proxy1.0",
    "--proxytunnel",
    "--raw",
    "--request-target",
    "--service-name",
    "--socks4",
    "--socks4a",
    "--speed-limit",
    "--speed-time",
    "--ssl-reqd",
    "--stderr",
    "--styled-output",
    "--suppress-connect-headers",
    "--tcp-fastopen",
    "--tcp-nodelay",
    "--time-cond",
    "--tls13-ciphers",
    "--tlsv1",
    "--tlsv1.0",
    "--tlsv1.1",
    "--tr-encoding",
    "--trace",
    "--trace-ascii",
    "--url-query",
    "--xattr",
];

/// `error`, or one that says that the option is curl's, and not there.
pub(super) fn told(error: clap::Error) -> clap::Error {
    let name = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.clone(),
        _ => return error,
    };
    if error.kind() != ErrorKind::UnknownArgument || !NAMES.contains(&&*name) {
        return error;
    }
    let message = format!("{name} is an option of curl that is not built yet");
    super::command().error(ErrorKind::UnknownArgument, message)
}

#[cfg(test)]
mod tests {
    use super::super::Args;
    use super::NAMES;

    #[test]
    fn names_that_are_built_are_not_among_them() {
        for name in NAMES {
            let typed = ["turbohttp", "get", "http://h/", name].map(Into::into);
            let error = Args::parse(typed).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{name} is an option of curl")),
                "{error}"
            );
        }
        let other = ["turbohttp", "get", "http://h/", "--nope"].map(Into::into);
        assert!(!Args::parse(other).unwrap_err().to_string().contains("curl"));
    }
}
