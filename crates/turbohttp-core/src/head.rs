//! The head of a response: status, version and fields, kept as text with a table of spans.

use std::fmt;

use http::{StatusCode, Version};

/// A response head in one reusable buffer. Looking a field up allocates nothing and builds no map.
///
/// The text of the head is copied here when it has arrived whole, so it stays readable while the
/// body passes through the connection's buffer.
///
/// # Examples
///
/// ```
/// use turbohttp_core::head::ResponseHead;
///
/// let mut head = ResponseHead::default();
/// head.push("Content-Type", b"text/plain");
/// assert_eq!(head.get("content-type"), Some(&b"text/plain"[..]));
/// ```
pub struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) text: Vec<u8>,
    pub(crate) fields: Vec<FieldSpan>,
    /// Entries of `fields` from this one on are trailer fields, which follow a chunked body (RFC
    /// 9112 section 7.1.2).
    pub(crate) trailers_from: usize,
    /// Malformed field lines that were passed over.
    pub(crate) skipped: usize,
}

/// Where one field stands in the text.
///
/// Invariant: both ranges lie inside the text of the head that holds the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name_start: u32,
    pub(crate) value_start: u32,
    pub(crate) name_len: u32,
    pub(crate) value_len: u32,
}

/// The capacity that a head keeps when it is reset, in bytes of text and in fields. Memory beyond
/// it is freed, so that one large response does not occupy it for as long as the pool lives.
const TEXT_KEPT_BYTES_MAX: usize = 16 * 1024;
const FIELDS_KEPT_MAX: usize = 128;

impl Default for ResponseHead {
    fn default() -> ResponseHead {
        ResponseHead {
            status: StatusCode::OK,
            version: Version::HTTP_11,
            text: Vec::new(),
            fields: Vec::new(),
            trailers_from: usize::MAX,
            skipped: 0,
        }
    }
}

impl ResponseHead {
    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Sets the status code, for transports that make their responses themselves.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// The HTTP version of the response.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Sets the HTTP version, for transports that make their responses themselves.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Appends a field, for transports that make their responses themselves. Neither name nor value
    /// is checked.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        // Without a separator: the spans say where name and value end.
        let name_start = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        let value_start = self.text.len();
        self.text.extend_from_slice(value);
        self.fields.push(FieldSpan::new(
            name_start,
            name.len(),
            value_start,
            value.len(),
        ));
    }

    /// Removes every header field called `name`, compared without regard to case; trailer fields stay.
    ///
    /// It takes one pass over the fields and allocates nothing. The text of the removed fields stays in
    /// the buffer until the next [`reset`](ResponseHead::reset), out of reach of all accessors.
    pub fn remove(&mut self, name: &str) {
        let ResponseHead {
            text,
            fields,
            trailers_from,
            ..
        } = self;
        let headers = (*trailers_from).min(fields.len());
        let (mut at, mut removed) = (0, 0);
        fields.retain(|span| {
            let is_header = at < headers;
            at += 1;
            let start = span.name_start as usize;
            let spelled = &text[start..start + span.name_len as usize];
            let goes = is_header && eq_ignore_case(spelled, name.as_bytes());
            removed += usize::from(goes);
            !goes
        });
        // Without trailers it is `usize::MAX`, which stands for the end of the fields.
        if *trailers_from != usize::MAX {
            *trailers_from -= removed;
        }
    }

    /// Whether there is a header field called Content-Encoding (RFC 9110 section 8.4).
    ///
    /// A head keeps no flag for it, which every response would pay for: this looks at the lengths of the
    /// names, two instructions a field, when it is asked.
    #[inline]
    pub fn has_content_coding(&self) -> bool {
        self.get("content-encoding").is_some()
    }

    /// The value of the first header field called `name`, compared without regard to case (RFC 9110
    /// section 5.1).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.find(self.header_spans(), name)
    }

    /// The values of all header fields called `name`, in the order of arrival.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let spans = self.header_spans().iter();
        spans
            .filter(|span| {
                span.name_len as usize == name.len()
                    && eq_ignore_case(self.name_bytes(span), name.as_bytes())
            })
            .map(|span| self.value_of(span))
    }

    /// The value of the first trailer field called `name`, compared without regard to case.
    pub fn trailer(&self, name: &str) -> Option<&[u8]> {
        self.find(&self.fields[self.header_spans().len()..], name)
    }

    /// Every header field in the order of arrival, names as the server spelled them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.header_spans()
            .iter()
            .map(|span| (self.name_of(span), self.value_of(span)))
    }

    /// Every trailer field in the order of arrival.
    pub fn trailers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let spans = &self.fields[self.header_spans().len()..];
        spans
            .iter()
            .map(|span| (self.name_of(span), self.value_of(span)))
    }

    /// The header fields whose names have one of these lengths, as bytes: the codec looks for a few
    /// names in one pass.
    pub(crate) fn iter_of_lengths<const N: usize>(
        &self,
        lengths: [u32; N],
    ) -> impl Iterator<Item = (&[u8], &[u8])> {
        let spans = self.header_spans().iter();
        spans
            .filter(move |span| lengths.contains(&span.name_len))
            .map(|span| (self.name_bytes(span), self.value_of(span)))
    }

    /// Malformed field lines that were passed over: none, unless
    /// [`HeadLimits::lenient`](crate::h1::HeadLimits::lenient) permits them.
    pub fn skipped_fields(&self) -> usize {
        self.skipped
    }

    /// How many header fields there are.
    pub fn len(&self) -> usize {
        self.header_spans().len()
    }

    /// Whether there is no header field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the fields of `section` as trailers.
    #[cold]
    pub(crate) fn append_trailers(&mut self, section: &ResponseHead) {
        let start = self.text.len() as u32;
        self.trailers_from = self.fields.len();
        self.text.extend_from_slice(&section.text);
        self.fields
            .extend(section.fields.iter().map(|span| FieldSpan {
                name_start: span.name_start + start,
                value_start: span.value_start + start,
                ..*span
            }));
    }

    /// Makes the head blank, and keeps a bounded part of its buffers.
    pub fn reset(&mut self) {
        let ResponseHead {
            status,
            version,
            text,
            fields,
            trailers_from,
            skipped,
        } = self;
        *skipped = 0;
        *status = StatusCode::OK;
        *version = Version::HTTP_11;
        *trailers_from = usize::MAX;
        // The spare capacity is never read, but it held bytes of a request: they are overwritten,
        // so that not even a bug elsewhere could show them to the next one.
        text.fill(0);
        text.clear();
        fields.clear();
        if text.capacity() > TEXT_KEPT_BYTES_MAX {
            *text = Vec::new();
        }
        if fields.capacity() > FIELDS_KEPT_MAX {
            *fields = Vec::new();
        }
    }

    /// Whether this head is as good as new.
    pub fn is_blank(&self) -> bool {
        self.text.is_empty()
            && self.fields.is_empty()
            && self.trailers_from == usize::MAX
            && self.skipped == 0
    }

    fn header_spans(&self) -> &[FieldSpan] {
        &self.fields[..self.trailers_from.min(self.fields.len())]
    }

    fn find(&self, spans: &[FieldSpan], name: &str) -> Option<&[u8]> {
        spans
            .iter()
            .find(|span| {
                // The length first, which differs for nearly all fields.
                span.name_len as usize == name.len()
                    && eq_ignore_case(self.name_bytes(span), name.as_bytes())
            })
            .map(|span| self.value_of(span))
    }

    fn name_of(&self, span: &FieldSpan) -> &str {
        // A name is a token of ASCII characters, which the parser has checked (RFC 9110 section
        // 5.6.2).
        str::from_utf8(self.name_bytes(span)).unwrap_or_default()
    }

    fn name_bytes(&self, span: &FieldSpan) -> &[u8] {
        let start = span.name_start as usize;
        &self.text[start..start + span.name_len as usize]
    }

    fn value_of(&self, span: &FieldSpan) -> &[u8] {
        let start = span.value_start as usize;
        &self.text[start..start + span.value_len as usize]
    }
}

impl FieldSpan {
    pub(crate) fn new(
        name_start: usize,
        name_len: usize,
        value_start: usize,
        value_len: usize,
    ) -> FieldSpan {
        // The casts lose nothing: heads are bounded far below 4 GiB.
        FieldSpan {
            name_start: name_start as u32,
            value_start: value_start as u32,
            name_len: name_len as u32,
            value_len: value_len as u32,
        }
    }
}

impl fmt::Debug for ResponseHead {
    /// Shows the names of fields only, as values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .field(
                "fields",
                &self.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .finish()
    }
}

/// Whether `a` and `b` are equal without regard to the case of ASCII letters.
///
/// Does what `eq_ignore_ascii_case` does, in a few instructions per eight bytes: field names are
/// compared several times per request.
#[inline]
pub(crate) fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    let mut words = a_words.iter().zip(b_words);
    if !words.all(|(a, b)| eq_word(a, b)) {
        return false;
    }
    // The last word covers what is left, and overlaps the one before it.
    match (a.last_chunk(), b.last_chunk()) {
        (Some(a), Some(b)) => eq_word(a, b),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Compares eight bytes at once: two bytes may differ only in bit 0x20, and only if they are
/// letters.
#[inline]
fn eq_word(a: &[u8; 8], b: &[u8; 8]) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let (a, b) = (u64::from_le_bytes(*a), u64::from_le_bytes(*b));
    let difference = a ^ b;
    if difference == 0 {
        return true;
    }
    if difference & !each(0x20) != 0 {
        return false;
    }
    // With the high bits masked no sum carries into the next byte. The high bit of each sum is the
    // answer for its byte.
    let lower = (a | each(0x20)) & each(0x7f);
    let from_a = lower + each(0x80 - b'a');
    let beyond_z = lower + each(0x7f - b'z');
    let letters = from_a & !beyond_z & !a & each(0x80);
    (difference << 2) & !letters == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> ResponseHead {
        let mut head = ResponseHead::default();
        for (name, value) in fields {
            head.push(name, value.as_bytes());
        }
        head
    }

    #[test]
    fn removing_takes_every_field_of_the_name_and_no_other() {
        let mut head = head(&[("A", "1"), ("b", "2"), ("a", "3"), ("ab", "4"), ("A", "5")]);
        head.remove("a");
        assert_eq!(
            head.iter().collect::<Vec<_>>(),
            [("b", &b"2"[..]), ("ab", b"4")]
        );
        head.remove("c");
        assert_eq!(head.len(), 2);
        head.push("a", b"6");
        assert_eq!(head.get("A"), Some(&b"6"[..]));
    }

    #[test]
    fn removing_leaves_trailers_alone() {
        let mut head = head(&[("a", "1"), ("b", "2"), ("a", "3")]);
        head.trailers_from = 2;
        head.remove("a");
        assert_eq!(head.iter().collect::<Vec<_>>(), [("b", &b"2"[..])]);
        assert_eq!(head.trailers().collect::<Vec<_>>(), [("a", &b"3"[..])]);
    }

    #[test]
    fn content_coding_is_known_until_it_is_removed_or_reset() {
        let mut head = head(&[("content-length", "1")]);
        assert!(!head.has_content_coding());
        head.push("CONTENT-encoding", b"br");
        assert!(head.has_content_coding());
        head.remove("Content-Encoding");
        assert!(!head.has_content_coding());
        head.push("Content-Encoding", b"br");
        head.reset();
        assert!(!head.has_content_coding());
    }
}

#[cfg(test)]
mod case_tests {
    use proptest::prelude::*;

    use super::eq_ignore_case;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

        #[test]
        fn it_is_what_the_standard_library_says(
            a in prop::collection::vec(any::<u8>(), 0..40),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
        ) {
            // Mostly in the bit of case, so that near misses are common.
            let mut b = a.clone();
            for (at, in_case) in flips {
                if !b.is_empty() {
                    let at = at.index(b.len());
                    b[at] ^= if in_case { 0x20 } else { 0x40 };
                }
            }
            prop_assert_eq!(eq_ignore_case(&a, &b), a.eq_ignore_ascii_case(&b));
        }
    }
}
