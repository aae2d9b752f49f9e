//! The directives of Cache-Control (RFC 9111 section 5.2).

use super::limits::CACHE_SECONDS_MAX;

/// The directives of one message in the order in which they stand; of two with one name the first counts
/// (section 4.2.1).
pub(super) struct Directives(Vec<Directive>);

struct Directive {
    /// In lower case.
    name: String,
    argument: Option<Vec<u8>>,
}

impl Directives {
    /// Reads all lines of a field as one list. What is malformed is a directive that nobody knows.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Directives {
        let mut directives = Vec::new();
        for mut rest in lines {
            while !rest.is_empty() {
                let (member, behind) = rest.split_at(member_length(rest));
                rest = behind.get(1..).unwrap_or_default();
                directives.extend(read(member.trim_ascii()));
            }
        }
        Directives(directives)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether the directive is there without an argument.
    pub(super) fn is_bare(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|found| found.argument.is_none())
    }

    /// The argument in seconds; zero if it is no number, so that nothing is fresh by mistake.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        let found = self.find(name)?;
        let argument = found.argument.as_deref().unwrap_or_default();
        Some(seconds(argument).unwrap_or(0))
    }

    fn find(&self, name: &str) -> Option<&Directive> {
        self.0.iter().find(|directive| directive.name == name)
    }
}

/// Digits alone; more seconds than can be counted are [`CACHE_SECONDS_MAX`] (section 1.2.2).
pub(super) fn seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    Some(text.iter().fold(0, add).min(CACHE_SECONDS_MAX))
}

/// Bytes up to the next comma outside of a quoted string. One that is not closed is none: it must not hide a
/// `no-store` behind it.
fn member_length(list: &[u8]) -> usize {
    let end = |mark| list.iter().position(|byte| *byte == mark);
    match closed_member_length(list) {
        Some(length) => length,
        None => end(b',').unwrap_or(list.len()),
    }
}

/// The same; `None` where a quoted string is not closed.
fn closed_member_length(list: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |byte: &u8| {
        let is_end = *byte == b',' && !is_quoted;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        is_end
    };
    let end = list.iter().position(is_end);
    end.or((!is_quoted).then_some(list.len()))
}

fn read(member: &[u8]) -> Option<Directive> {
    let mut parts = member.splitn(2, |byte| *byte == b'=');
    let name = str::from_utf8(parts.next()?).ok()?;
    let argument = parts.next().map(|value| match value {
        [b'"', inner @ .., b'"'] => inner.to_vec(),
        token => token.to_vec(),
    });
    (!name.is_empty()).then(|| Directive {
        name: name.to_ascii_lowercase(),
        argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Directives {
        Directives::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn a_string_that_is_not_closed_hides_nothing() {
        for line in ["x=\"a, no-store", "x=\"a\\\", no-store", "\", no-store"] {
            assert!(parse(&[line]).has("no-store"), "{line}");
        }
    }

    #[test]
    fn arguments_are_tokens_or_quoted_and_names_have_no_case() {
        for (lines, expected) in [
            (&["max-age=60"][..], Some(60)),
            (&["MaX-AgE=60"], Some(60)),
            (&["max-age=\"60\""], Some(60)),
            (&["a, max-age=60 ,b"], Some(60)),
            (&["a", "max-age=60"], Some(60)),
            (&["max-age=1, max-age=60"], Some(1)),
            (&["max-age=00060"], Some(60)),
            (
                &["max-age=99999999999999999999999"],
                Some(CACHE_SECONDS_MAX),
            ),
            (&["max-age=-1"], Some(0)),
            (&["max-age=1.5"], Some(0)),
            (&["max-age='60'"], Some(0)),
            (&["max-age=a60"], Some(0)),
            (&["max-age= 60"], Some(0)),
            (&["max-age"], Some(0)),
            (&["x=\"max-age=60\""], None),
            (&["x=\", max-age=60, \""], None),
            (&["x=\"\\\", max-age=60, \""], None),
            (&["max-age =60"], None),
            (&["", ",,", "="], None),
        ] {
            assert_eq!(parse(lines).seconds("max-age"), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_directive_without_an_argument_is_bare() {
        assert!(parse(&["max-stale"]).is_bare("max-stale"));
        assert!(!parse(&["max-stale=1"]).is_bare("max-stale"));
        assert!(!parse(&["no-cache"]).is_bare("max-stale"));
    }
}
