//! The challenges of WWW-Authenticate and Proxy-Authenticate, and the parameters of Authentication-Info (RFC
//! 9110 sections 11.2 to 11.7).
//!
//! A comma separates challenges and parameters alike: a word with an equals sign behind it is a parameter of
//! the challenge before it, and any other word begins a challenge.

use std::fmt;

/// Challenges of one response that are read: servers offer a handful. Further ones are passed over.
const CHALLENGES_MAX: usize = 16;

/// Parameters of one challenge that are read: Digest has nine. Further ones are passed over.
const PARAMETERS_MAX: usize = 32;

/// One challenge. `Debug` leaves the values out: a nonce belongs to one client.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case.
    pub(crate) scheme: String,
    /// What stands in the place of parameters, as in `Negotiate`.
    pub(crate) token: Option<String>,
    pub(crate) parameters: Parameters,
}

/// Names in lower case, and values without the quotes. A name may stand there twice: the first one counts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    /// The parameters of a field that has nothing else: Authentication-Info (RFC 7615 section 3). Those in
    /// front of a malformed one are kept.
    pub(crate) fn parse(field: &[u8]) -> Parameters {
        let mut parameters = Parameters::default();
        let mut rest = Text(field);
        rest.skip(b" \t,");
        while let Some(parameter) = rest.parameter() {
            parameters.push(parameter);
            rest.skip(b" \t");
            if !rest.0.starts_with(b",") {
                break;
            }
            rest.skip(b" \t,");
        }
        parameters
    }

    /// The value of the parameter called `name`, which is in lower case.
    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &value[..])
    }

    /// Whether the parameter called `name` has this value, in any case of letters.
    pub(crate) fn says(&self, name: &str, value: &str) -> bool {
        let said = self.value(name);
        said.is_some_and(|said| said.eq_ignore_ascii_case(value.as_bytes()))
    }

    fn push(&mut self, (name, value): (String, Vec<u8>)) {
        if self.0.len() < PARAMETERS_MAX {
            self.0.push((name, value));
        }
    }
}

/// The challenges of all `fields`, in their order. Of a field that is malformed, those before the one at the
/// fault are kept.
pub(crate) fn parse<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for field in fields {
        let from = challenges.len();
        if parse_field(Text(field), &mut challenges).is_none() && challenges.len() > from {
            // The one that was being read is not known to be whole.
            challenges.pop();
        }
    }
    challenges.truncate(CHALLENGES_MAX);
    challenges
}

/// Appends the challenges of one field; `None` if it is malformed, within the last one that was appended.
fn parse_field(mut rest: Text<'_>, challenges: &mut Vec<Challenge>) -> Option<()> {
    let first = challenges.len();
    rest.skip(b" \t,");
    while !rest.0.is_empty() && challenges.len() <= CHALLENGES_MAX {
        let current = challenges[first..].last_mut();
        if rest.is_parameter() {
            let current = current.filter(|current| current.token.is_none())?;
            current.parameters.push(rest.parameter()?);
        } else {
            let scheme = rest.token()?.to_ascii_lowercase();
            challenges.push(Challenge {
                scheme,
                token: None,
                parameters: Parameters::default(),
            });
            let spaces = rest.skip(b" ");
            if spaces > 0 && !rest.is_at_end() {
                let token = rest.token68();
                if token.is_none() && rest.is_parameter() {
                    // The first parameter stands behind the scheme, without a comma.
                    continue;
                }
                challenges.last_mut()?.token = Some(token?);
            }
        }
        rest.skip(b" \t");
        if !rest.is_at_end() {
            return None;
        }
        rest.skip(b" \t,");
    }
    Some(())
}

/// What has not been read of a field.
#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Passes over these bytes, and says over how many.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        self.take(|byte| bytes.contains(&byte)).len()
    }

    fn take(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !belongs(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Whether an element of the list ends here.
    fn is_at_end(&self) -> bool {
        matches!(self.0, [] | [b',', ..])
    }

    /// A token (RFC 9110 section 5.6.2).
    fn token(&mut self) -> Option<String> {
        let token =
            self.take(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        (!token.is_empty()).then(|| String::from_utf8_lossy(token).into_owned())
    }

    /// A `token68` (RFC 9110 section 11.2), if an element of the list ends behind it.
    fn token68(&mut self) -> Option<String> {
        let mut ahead = *self;
        let word = ahead.take(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let padding = ahead.take(|byte| byte == b'=');
        let text = [word, padding].concat();
        ahead.skip(b" \t");
        if word.is_empty() || !ahead.is_at_end() {
            return None;
        }
        *self = ahead;
        String::from_utf8(text).ok()
    }

    /// Whether a token with an equals sign behind it is next.
    fn is_parameter(&self) -> bool {
        let mut ahead = *self;
        let name = ahead.token();
        ahead.skip(b" \t");
        name.is_some() && ahead.0.starts_with(b"=")
    }

    fn parameter(&mut self) -> Option<(String, Vec<u8>)> {
        let name = self.token()?.to_ascii_lowercase();
        self.skip(b" \t");
        self.0 = self.0.strip_prefix(b"=")?;
        self.skip(b" \t");
        let value = match self.0 {
            [b'"', ..] => self.quoted()?,
            _ => self.token()?.into_bytes(),
        };
        Some((name, value))
    }

    /// A quoted string without its quotes and escapes (RFC 9110 section 5.6.4).
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut bytes = self.0.iter().copied().enumerate().skip(1);
        loop {
            match bytes.next()? {
                (at, b'"') => {
                    self.0 = &self.0[at + 1..];
                    return Some(value);
                }
                (_, b'\\') => value.push(bytes.next()?.1),
                (_, byte) => value.push(byte),
            }
        }
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("scheme", &self.scheme)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each challenge as `scheme[:token] name=value ...`.
    fn read(fields: &[&str]) -> Vec<String> {
        let shown = |challenge: Challenge| {
            let mut text = challenge.scheme;
            if let Some(token) = challenge.token {
                text += &format!(":{token}");
            }
            for (name, value) in &challenge.parameters.0 {
                text += &format!(" {name}={}", String::from_utf8_lossy(value));
            }
            text
        };
        let fields = fields.iter().map(|field| field.as_bytes());
        parse(fields).into_iter().map(shown).collect()
    }

    #[test]
    fn challenges_are_told_apart() {
        for (fields, expected) in [
            (&["Basic realm=\"a\""][..], &["basic realm=a"][..]),
            (&["BASIC Realm=a"], &["basic realm=a"]),
            (&["Basic"], &["basic"]),
            (&["Negotiate, NTLM"], &["negotiate", "ntlm"]),
            (&["Negotiate YWJj=="], &["negotiate:YWJj=="]),
            (
                &["Negotiate a/b+c~==, Basic realm=x"],
                &["negotiate:a/b+c~==", "basic realm=x"],
            ),
            (
                &[
                    "Digest realm=\"a, b=\\\"c\\\"\", nonce=n, qop=\"auth,auth-int\", Basic realm=\"d\"",
                ],
                &[
                    "digest realm=a, b=\"c\" nonce=n qop=auth,auth-int",
                    "basic realm=d",
                ],
            ),
            (
                &["Digest realm = \"a\" ,\tnonce\t=\tn"],
                &["digest realm=a nonce=n"],
            ),
            (
                &[" , ,Basic realm=a,, ,Digest nonce=n, "],
                &["basic realm=a", "digest nonce=n"],
            ),
            (
                &["Basic realm=a", "Digest nonce=n"],
                &["basic realm=a", "digest nonce=n"],
            ),
            (&["Basic realm=a, realm=b"], &["basic realm=a realm=b"]),
            (&["Basic realm=\"\""], &["basic realm="]),
            (&["", " ", ","], &[]),
            // Malformed: what is before the one at the fault is kept.
            (&["Basic realm=a, Digest nonce=\"open"], &["basic realm=a"]),
            (
                &["Basic realm=a, Digest nonce=,"],
                &["basic realm=a", "digest:nonce="],
            ),
            (&["Basic realm=a, Digest nonce=n, qop="], &["basic realm=a"]),
            (
                &["Basic realm=a, Digest nonce=\"n\"x, Other"],
                &["basic realm=a"],
            ),
            (&["Basic realm=a, @"], &[]),
            (&["realm=a"], &[]),
            (&["Negotiate abc, realm=a"], &[]),
            (&["Digest nonce=\"n\\", "Basic realm=a"], &["basic realm=a"]),
        ] {
            assert_eq!(read(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_is_read_is_bounded() {
        assert_eq!(read(&[&"a,".repeat(100)]).len(), CHALLENGES_MAX);
        assert_eq!(read(&["a"; 100]).len(), CHALLENGES_MAX);
        let many = format!("Digest {}", "a=b,".repeat(100));
        assert_eq!(
            parse([many.as_bytes()])[0].parameters.0.len(),
            PARAMETERS_MAX
        );
    }

    #[test]
    fn parameters_alone_are_read() {
        let info = Parameters::parse(b"nextnonce=\"a,b\" , qop=auth,, NC=00000001 rest");
        assert_eq!(info.value("nextnonce"), Some(&b"a,b"[..]));
        assert_eq!(info.value("nc"), Some(&b"00000001"[..]));
        assert!(info.says("qop", "AUTH") && !info.says("qop", "auth-int"));
        assert_eq!(Parameters::parse(b"=\"a\", b=c").value("b"), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", parse([&b"Digest nonce=secret"[..]]));
        assert!(
            shown.contains("nonce") && !shown.contains("secret"),
            "{shown}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

        #[test]
        fn arbitrary_fields_never_panic(fields in prop::collection::vec(prop::collection::vec(
            prop_oneof![prop::sample::select(b"ab=\",\\ \t/".to_vec()), any::<u8>()], 0..40), 0..4,
        )) {
            let challenges = parse(fields.iter().map(|field| &field[..]));
            prop_assert!(challenges.len() <= CHALLENGES_MAX);
            for challenge in challenges {
                prop_assert!(!challenge.scheme.is_empty());
            }
            for field in &fields {
                Parameters::parse(field);
            }
        }
    }
}
