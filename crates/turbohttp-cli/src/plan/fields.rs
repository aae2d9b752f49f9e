//! The fields of a request: those that were typed, and those that are sent by themselves.

use anyhow::bail;
use turbohttp::ClientBuilder;
use turbohttp::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, USER_AGENT,
};

use crate::batch::line::{FIELDS_MAX, field};
use crate::output::visible;

const USER_AGENT_VALUE: &str = concat!("turbohttp/", env!("CARGO_PKG_VERSION"));

/// What a request cannot do without, or what follows from its body.
const FIXED: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];

/// What `-H` says, read as curl reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// `Name: value`, and `Name;`, which has an empty value.
    pub(crate) set: HeaderMap,
    /// `Name:`. The field is not sent unless it is set, too.
    left_out: Vec<HeaderName>,
}

impl Fields {
    pub(crate) fn read(typed: &[String]) -> anyhow::Result<Fields> {
        let mut fields = Fields::default();
        if typed.len() > FIELDS_MAX {
            bail!("--header: more than {FIELDS_MAX} fields");
        }
        for text in typed {
            fields.add(text)?;
        }
        Ok(fields)
    }

    fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim_matches([' ', '\t']))),
            None => match text.trim_end().strip_suffix(';') {
                Some(name) => (name, None),
                None => bail!(
                    "--header \"{}\": no colon: write 'Name: value'",
                    visible(text)
                ),
            },
        };
        let (name, checked) =
            field(name.trim_end(), value.unwrap_or_default()).map_err(anyhow::Error::msg)?;
        if value.is_some_and(str::is_empty) {
            if FIXED.contains(&name) {
                bail!("--header \"{name}:\": {name} cannot be left out");
            }
            self.left_out.push(name);
        } else if self.set.try_append(name, checked).is_err() {
            bail!("--header: more than {FIELDS_MAX} fields");
        }
        Ok(())
    }

    /// Has the client send none of its own fields that are left out.
    pub(crate) fn leave_out(&self, builder: ClientBuilder) -> ClientBuilder {
        let names = self.left_out.iter();
        names.fold(builder, ClientBuilder::without_default_header)
    }

    /// Whether both leave out the same fields.
    pub(super) fn leaves_out_as(&self, other: &Fields) -> bool {
        self.left_out == other.left_out
    }

    /// Whether the field is not to be sent by itself.
    fn is_left_out(&self, name: &HeaderName) -> bool {
        self.left_out.contains(name)
    }

    /// Takes out what came with the URL and is left out.
    pub(crate) fn take_out(&self, headers: &mut HeaderMap) {
        for name in &self.left_out {
            if !self.set.contains_key(name) {
                headers.remove(name);
            }
        }
    }

    /// Adds what the client would add by itself, unless it is there or left out: to be shown.
    pub(crate) fn complete(&self, headers: &mut HeaderMap) {
        self.take_out(headers);
        self.offer(headers, USER_AGENT, USER_AGENT_VALUE);
        self.offer(headers, ACCEPT, "*/*");
    }

    /// Adds what a request with content says of it.
    pub(crate) fn describe_content(&self, headers: &mut HeaderMap, is_json: bool) {
        const JSON: &str = "application/json";
        if is_json {
            self.offer(headers, CONTENT_TYPE, JSON);
            self.offer(headers, ACCEPT, JSON);
        } else {
            self.offer(headers, CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
    }

    fn offer(&self, headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
        if !self.is_left_out(&name) {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCEPT, Fields, HeaderMap, USER_AGENT};

    fn read(typed: &[&str]) -> anyhow::Result<Fields> {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        Fields::read(&typed)
    }

    #[test]
    fn a_name_alone_leaves_a_field_out_unless_it_is_set() {
        let fields = read(&["user-agent:", "Accept: a", "accept:", "x;", "y : 1"]).unwrap();
        let mut headers = fields.set.clone();
        fields.complete(&mut headers);
        assert!(!headers.contains_key(USER_AGENT));
        assert_eq!(headers[ACCEPT], "a");
        assert_eq!(
            (&headers["x"], &headers["y"]),
            (&"".parse().unwrap(), &"1".parse().unwrap())
        );
        let mut headers = HeaderMap::new();
        Fields::default().complete(&mut headers);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn what_a_request_needs_stays() {
        for typed in [
            "Host:",
            "content-length: ",
            "Transfer-Encoding:",
            "a",
            ": x",
            ";",
        ] {
            assert!(read(&[typed]).is_err(), "{typed}");
        }
    }
}
