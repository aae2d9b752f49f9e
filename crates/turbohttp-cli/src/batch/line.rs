//! One line of a batch, read and checked.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use turbohttp::limits::RETRIES_MAX;
use turbohttp::{Checksum, HeaderMap, HeaderName, HeaderValue, Method, Priority, Request};

use super::form::Form;
use super::name;
use crate::output::visible;
use crate::plan::{Auth, Cookies, Fields, url};

/// The most fields of a request. A map of fields panics beyond its own limit, which is higher: the
/// client's fields fit in, too.
pub(crate) const FIELDS_MAX: usize = 16_384;

/// The most mirrors of one line.
const MIRRORS_MAX: usize = 64;

/// What lines of a batch have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Fields of every request that does not set them itself.
    pub(crate) fields: Arc<Fields>,
    pub(crate) cookies: Cookies,
    /// Credentials of lines whose URL has none.
    pub(crate) auth: Arc<Auth>,
    /// Whether bodies go to files.
    pub(crate) has_directory: bool,
}

/// A request that can be sent.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) method: Method,
    pub(crate) url: String,
    /// The line's own and those of all lines.
    pub(crate) headers: HeaderMap,
    /// What is sent by itself.
    pub(crate) fields: Arc<Fields>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) body: Bytes,
    /// A form with files in place of the body.
    pub(crate) form: Form,
    pub(crate) priority: Priority,
    /// How long it may wait for its turn, if the line says so.
    pub(crate) deadline: Option<Duration>,
    /// Where the body goes, within the directory of outputs.
    pub(crate) output: Option<PathBuf>,
    /// What the file hashes to.
    pub(crate) checksums: Vec<Checksum>,
    /// How often the same URL is tried again.
    pub(crate) retry: u32,
    /// What is tried in place of the URL when that has failed.
    pub(crate) mirrors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: Headers,
    body: Option<String>,
    #[serde(default)]
    form: Form,
    priority: Option<String>,
    deadline_ms: Option<u64>,
    output: Option<String>,
    sha256: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    retry: u32,
    #[serde(default)]
    mirrors: Vec<String>,
}

/// Fields of a line. Their names are compared without regard to case, and a second one is an error: JSON
/// does not say which of two counts.
#[derive(Default)]
struct Headers(Vec<(HeaderName, HeaderValue)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
        deserializer.deserialize_map(ReadHeaders)
    }
}

struct ReadHeaders;

impl<'de> Visitor<'de> for ReadHeaders {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header fields")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Headers, M::Error> {
        let mut headers = Headers::default();
        let mut names = HashSet::new();
        // As many as fit into a line.
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            let (name, value) = field(&name, &value).map_err(M::Error::custom)?;
            if !names.insert(name.clone()) {
                return Err(M::Error::custom(format!("duplicate header {name}")));
            }
            headers.0.push((name, value));
        }
        Ok(headers)
    }
}

/// A line that asks for something, or what is wrong with it; `None` if it is blank or a comment.
pub(crate) fn parse(number: u64, line: &[u8], rules: &Rules) -> Option<Result<Job, String>> {
    let text = match decode(line) {
        Ok(text) => text,
        Err(reason) => return Some(Err(reason)),
    };
    // Blanks before a URL do no harm, but one behind it may be meant.
    let begins = text.trim_start();
    if begins.is_empty() || begins.starts_with('#') {
        return None;
    }
    let object = if begins.starts_with('{') {
        from_json(text)
    } else {
        from_text(text)
    };
    Some(object.and_then(|object| job(number, object, rules)))
}

/// The text of a line, without the byte order mark that a file may begin with: also in the middle of a
/// list, where files were put together.
fn decode(line: &[u8]) -> Result<&str, String> {
    if let Some(encoding) = wide_encoding(line) {
        return Err(format!("{encoding} text: convert the list to UTF-8"));
    }
    match str::from_utf8(line) {
        Ok(text) => Ok(text.trim_start_matches('\u{feff}')),
        Err(error) => Err(format!("not UTF-8 at byte {}", error.valid_up_to())),
    }
}

/// The name of an encoding of two or four bytes, by its byte order mark or by the zeros between ASCII.
pub(super) fn wide_encoding(line: &[u8]) -> Option<&'static str> {
    match line {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // A line of UTF-16 ends in the middle of its LF, so that the next one begins with a zero.
        [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

fn from_text(text: &str) -> Result<Object, String> {
    let url = text.trim_start();
    url::require_scheme(url).map_err(|error| error.to_string())?;
    if let Some((c, column)) = url::stray(url) {
        let before = text.chars().count() - url.chars().count();
        return Err(format!("{} in column {}", url::name(c), before + column));
    }
    Ok(Object {
        url: url.to_owned(),
        method: None,
        headers: Headers::default(),
        body: None,
        form: Form::default(),
        priority: None,
        deadline_ms: None,
        output: None,
        sha256: None,
        checksum: None,
        retry: 0,
        mirrors: Vec::new(),
    })
}

fn from_json(text: &str) -> Result<Object, String> {
    let object: Object = serde_json::from_str(text).map_err(|error| explain(&error))?;
    match url::fault(&object.url) {
        Some(fault) => Err(format!("url {fault} of it")),
        None => Ok(object),
    }
}

/// The parser counts lines of its own, which would be taken for the batch's.
fn explain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(before, _)| before);
    format!("{} (column {})", visible(message), error.column())
}

fn job(number: u64, object: Object, rules: &Rules) -> Result<Job, String> {
    let usual = match object.form.is_empty() {
        true => Method::GET,
        false => Method::POST,
    };
    let method = object.method.as_deref().map_or(Ok(usual), method)?;
    check_url(&method, &object.url)?;
    if object.body.is_some() && !object.form.is_empty() {
        return Err("a line has a body or a form, and not both".to_owned());
    }
    let checksums = checksums(&object, &method, rules)?;
    if object.retry > RETRIES_MAX {
        return Err(format!(
            "retry is at most {RETRIES_MAX} (got {})",
            object.retry
        ));
    }
    if object.mirrors.len() > MIRRORS_MAX {
        return Err(format!("more than {MIRRORS_MAX} mirrors"));
    }
    for mirror in &object.mirrors {
        check_url(&method, mirror).map_err(|why| format!("mirror: {why}"))?;
    }
    let mut headers = rules.fields.set.clone();
    for (name, value) in object.headers.0 {
        let is_put = headers.try_insert(name, value).is_ok();
        if !is_put || headers.len() > FIELDS_MAX {
            return Err(format!("more than {FIELDS_MAX} header fields"));
        }
    }
    rules.cookies.add(&mut headers, &object.url);
    let output = match object.output {
        Some(_) if !rules.has_directory => return Err("output needs --out-dir".to_owned()),
        Some(wanted) => Some(name::checked(&wanted)?),
        None => rules
            .has_directory
            .then(|| name::from_url(number, &object.url)),
    };
    Ok(Job {
        method,
        url: object.url,
        headers,
        fields: rules.fields.clone(),
        auth: rules.auth.clone(),
        form: object.form,
        body: object.body.map(Bytes::from).unwrap_or_default(),
        priority: object
            .priority
            .as_deref()
            .map_or(Ok(Priority::default()), priority)?,
        deadline: object.deadline_ms.map(deadline).transpose()?,
        output,
        checksums,
        retry: object.retry,
        mirrors: object.mirrors,
    })
}

/// What the file of a line must hash to.
fn checksums(object: &Object, method: &Method, rules: &Rules) -> Result<Vec<Checksum>, String> {
    let mut checksums = Vec::new();
    let says = |error: turbohttp::Error| visible(&error.to_string());
    if let Some(hex) = &object.sha256 {
        checksums.push(Checksum::sha256(hex).map_err(says)?);
    }
    if let Some(text) = &object.checksum {
        checksums.push(text.parse().map_err(says)?);
    }
    if checksums.is_empty() {
        return Ok(checksums);
    }
    if !rules.has_directory {
        return Err("a checksum needs --out-dir".to_owned());
    }
    if *method != Method::GET || object.body.is_some() || !object.form.is_empty() {
        return Err("a checksum is of a GET without a body".to_owned());
    }
    Ok(checksums)
}

/// URLs are refused here, as the line's fault, and not when their turn comes.
fn check_url(method: &Method, text: &str) -> Result<(), String> {
    url::require_scheme(text).map_err(|error| error.to_string())?;
    match Request::new(method.clone(), text) {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::output::client_chain(&error)),
    }
}

fn method(name: &str) -> Result<Method, String> {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let known = KNOWN.into_iter().find(|method| method.as_str() == name);
    known.ok_or_else(|| {
        let name = visible(name);
        format!("unknown method \"{name}\": use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    })
}

fn priority(name: &str) -> Result<Priority, String> {
    let parsed = name.parse::<Priority>();
    parsed.map_err(|error| format!("{error} (got \"{}\")", visible(name)))
}

fn deadline(ms: u64) -> Result<Duration, String> {
    match ms {
        0 => Err("deadline_ms must be 1 or more (got 0)".to_owned()),
        ms => Ok(Duration::from_millis(ms)),
    }
}

/// A field of a request; the message names it and keeps its value, a possible secret, to itself.
pub(crate) fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let shown = visible(name);
    let name =
        HeaderName::from_str(name).map_err(|_| format!("header \"{shown}\": not a field name"))?;
    let value = HeaderValue::from_str(value)
        .map_err(|_| format!("header {shown}: its value holds a control byte"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Job, Priority, Rules, parse};

    fn parsed(line: &str) -> Option<Result<Job, String>> {
        parse(2, line.as_bytes(), &Rules::default())
    }

    fn reason(line: &str) -> String {
        parsed(line).unwrap().unwrap_err()
    }

    #[test]
    fn urls_and_objects_are_jobs() {
        let job = parsed("\u{feff} http://h/a").unwrap().unwrap();
        assert_eq!(
            (job.url.as_str(), job.priority),
            ("http://h/a", Priority::Normal)
        );
        let text = r#"{"url":"http://h/","method":"PUT","headers":{"x":"1"},"body":"b","priority":"high","deadline_ms":250}"#;
        let job = parsed(text).unwrap().unwrap();
        assert_eq!((job.method.as_str(), &job.body[..]), ("PUT", &b"b"[..]));
        assert_eq!(
            (job.headers["x"].as_bytes(), job.priority),
            (&b"1"[..], Priority::High)
        );
        assert_eq!(job.deadline, Some(Duration::from_millis(250)));
        assert!(job.output.is_none());
    }

    #[test]
    fn blank_lines_and_comments_ask_for_nothing() {
        for line in ["", "  ", "\r", "# http://h/", "  #"] {
            assert!(parsed(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        let cases = [
            ("h/a", "no scheme"),
            ("ftp://h/", "\"ftp\" is not http or https"),
            ("http://", "host"),
            ("http://h/ ", "a blank in column 10"),
            (" http://h/\t", "a tab in column 11"),
            ("http://h/\0", "a NUL in column 10"),
            (
                r#"{"url":"http://h/ "}"#,
                "url holds a blank in column 10 of it",
            ),
            (
                r#"{"url":"http://h/","url":"http://h/"}"#,
                "duplicate field `url`",
            ),
            (
                r#"{"url":"http://h/","headers":{"A":"","a":""}}"#,
                "duplicate header a",
            ),
            ("h\0t\0t\0", "UTF-16 text"),
            ("\0h\0t\0t", "UTF-16 text"),
            ("{", "EOF while parsing an object (column 1)"),
            (r#"{"method":"GET"}"#, "missing field `url`"),
            (r#"{"url":"http://h/","ulr":1}"#, "unknown field `ulr`"),
            (
                r#"{"url":"http://h/","method":"FETCH"}"#,
                "unknown method \"FETCH\"",
            ),
            (
                r#"{"url":"http://h/","method":"get"}"#,
                "unknown method \"get\"",
            ),
            (
                r#"{"url":"http://h/","priority":"urgent"}"#,
                "one of critical, high, normal, low (got \"urgent\")",
            ),
            (
                r#"{"url":"http://h/","headers":{"a b":"1"}}"#,
                "not a field name",
            ),
            (
                r#"{"url":"http://h/","headers":{"a":"1\n2"}}"#,
                "header a: its value",
            ),
            (
                r#"{"url":"http://h/","deadline_ms":0}"#,
                "deadline_ms must be 1 or more (got 0)",
            ),
            (
                r#"{"url":"http://h/","deadline_ms":-5}"#,
                "invalid value: integer `-5`",
            ),
            (r#"{"url":"http://h/","output":"a"}"#, "needs --out-dir"),
        ];
        for (line, part) in cases {
            let reason = reason(line);
            assert!(reason.contains(part), "{line}: {reason}");
            assert!(!reason.contains('\n'), "{reason}");
        }
        let binary = parse(1, b"http://h/\xff", &Rules::default());
        assert_eq!(binary.unwrap().unwrap_err(), "not UTF-8 at byte 9");
    }
}
