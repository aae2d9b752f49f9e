//! Server-sent events: bytes in, events out (HTML standard, section 9.2 "Server-sent events").
//!
//! # Implementation
//!
//! Bytes are gathered to the end of a line, which CR, LF or both end; a line fills one of the buffers of the
//! event, and a blank line dispatches it. Only whole lines are decoded, as UTF-8 with replacement: no byte of
//! a line end is part of a character. What is gathered is bounded, so that no peer decides about memory.

use std::fmt;

use memchr::memchr2;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The type: the last field `event`, or `message`.
    pub event: String,
    /// The values of all fields `data`, a line feed between them.
    pub data: String,
    /// The last id of the stream so far, empty if there was none: where to go on after a reconnect.
    pub id: String,
}

/// A line, or an event, has more bytes than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventTooLarge {
    /// The limit that was passed, in bytes.
    pub max: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event exceeds {} bytes", self.max)
    }
}

impl std::error::Error for EventTooLarge {}

/// The parser of one stream of events. Any split of the bytes gives the same events.
///
/// ```
/// use turbohttp_core::events::EventParser;
///
/// let mut parser = EventParser::new(1024);
/// let mut bytes = &b"data: a\ndata: b\nid: 7\n\n"[..];
/// let event = parser.next(&mut bytes).unwrap().unwrap();
/// assert_eq!((&*event.event, &*event.data, &*event.id), ("message", "a\nb", "7"));
/// assert_eq!(parser.next(&mut bytes), Ok(None));
/// ```
#[derive(Debug)]
pub struct EventParser {
    /// The most bytes of a line, and of the type and the data of an event together.
    max_bytes: usize,
    /// The line so far.
    line: Vec<u8>,
    /// No line was read yet: a byte order mark may stand before the first.
    is_first_line: bool,
    /// The last byte was a CR, of which an LF may be the second half.
    is_after_cr: bool,
    event: String,
    /// Each value with a line feed behind it.
    data: String,
    /// The last value of the field `id`.
    id: String,
    /// The id as of the last blank line.
    last_id: String,
    retry_ms: Option<u64>,
}

impl EventParser {
    /// A parser for a stream whose lines and events have at most `max_bytes` bytes each.
    pub fn new(max_bytes: usize) -> EventParser {
        EventParser {
            max_bytes,
            line: Vec::new(),
            is_first_line: true,
            is_after_cr: false,
            event: String::new(),
            data: String::new(),
            id: String::new(),
            last_id: String::new(),
            retry_ms: None,
        }
    }

    /// The same for a stream that goes on behind the event `last_id`.
    #[must_use]
    pub fn after(mut self, last_id: &str) -> EventParser {
        self.id = last_id.to_owned();
        self.last_id = self.id.clone();
        self
    }

    /// The next event of `input`, which is moved behind what was read; `None` when all of it was. At the end
    /// of the stream an event without its blank line is none.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if a line or an event passes the limit; the stream is to be given up then.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, EventTooLarge> {
        loop {
            if self.is_after_cr && !input.is_empty() {
                self.is_after_cr = false;
                *input = input.strip_prefix(b"\n").unwrap_or(input);
            }
            let Some(end) = memchr2(b'\r', b'\n', input) else {
                self.gather(input)?;
                *input = &[];
                return Ok(None);
            };
            self.gather(&input[..end])?;
            self.is_after_cr = input[end] == b'\r';
            *input = &input[end + 1..];
            if let Some(event) = self.end_line()? {
                return Ok(Some(event));
            }
        }
    }

    /// The id of the last event, also of one without data; empty if there was none.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The last time to wait before a reconnect that the stream has named, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn gather(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        // Before the copy: the bound holds for what is kept, however long the piece is.
        self.check(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn check(&self, bytes: usize) -> Result<(), EventTooLarge> {
        let max = self.max_bytes;
        (bytes <= max).then_some(()).ok_or(EventTooLarge { max })
    }

    fn end_line(&mut self) -> Result<Option<Event>, EventTooLarge> {
        let mut line = std::mem::take(&mut self.line);
        let is_first = std::mem::replace(&mut self.is_first_line, false);
        let mark = "\u{feff}".as_bytes();
        let text = match is_first {
            true => line.strip_prefix(mark).unwrap_or(&line),
            false => &line,
        };
        let event = match text.is_empty() {
            true => self.dispatch(),
            false => {
                self.read_field(&String::from_utf8_lossy(text))?;
                None
            }
        };
        // The memory serves the next line, too.
        line.clear();
        self.line = line;
        Ok(event)
    }

    fn read_field(&mut self, line: &str) -> Result<(), EventTooLarge> {
        // A comment has an empty name.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => {
                self.check(value.len() + self.data.len())?;
                self.event = value.to_owned();
            }
            "data" => {
                self.check(self.event.len() + self.data.len() + value.len())?;
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.to_owned(),
            "retry" if is_number(value) => {
                // More digits than a number holds are as good as for ever.
                self.retry_ms = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
        Ok(())
    }

    /// The event that a blank line ends; none without data.
    fn dispatch(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id);
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // The line feed behind the last value; data that is empty has none.
        data.pop()?;
        let event = match event.is_empty() {
            true => "message".to_owned(),
            false => event,
        };
        let id = self.last_id.clone();
        Some(Event { event, data, id })
    }
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
