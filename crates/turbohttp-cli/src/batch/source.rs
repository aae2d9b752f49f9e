//! Lines, read only as fast as they are wanted.
//!
//! A thread of its own reads: reading a terminal or a pipe may block for any time, and a blocked
//! thread is left behind when the command ends.

use std::io::{self, BufRead};
use std::thread;

use memchr::memchr2;
use tokio::sync::mpsc;

use super::line::{Job, Rules, parse, wide_encoding};
use super::name::Taken;

/// The longest line, in bytes: room for a URL of the largest size and a body. A longer one is an
/// error of that line.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;

/// Lines read ahead of the queue: enough that the engine need not wait for the thread.
const LINES_AHEAD_MAX: usize = 64;

/// A line that asks for something.
#[derive(Debug)]
pub(crate) struct Line {
    /// Counted from 1, with blank lines and comments.
    pub(crate) number: u64,
    /// Its part of the whole, for progress: its bytes, and those of the skipped lines before it.
    pub(crate) weight: u64,
    pub(crate) job: Result<Job, String>,
}

/// Reads `input` until it ends or nobody wants more. `None` is the end: a channel that closes without
/// it has lost lines.
pub(crate) fn read(
    input: impl BufRead + Send + 'static,
    rules: Rules,
) -> io::Result<mpsc::Receiver<Option<Line>>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD_MAX);
    let reader = Reader::new(input);
    thread::Builder::new()
        .name("batch-lines".to_owned())
        .spawn(move || {
            let mut reader = reader;
            while let Some(line) = reader.next_job(&rules) {
                let is_last = matches!(line, Next::Broken(_));
                if sender.blocking_send(Some(line.into())).is_err() {
                    return;
                }
                if is_last {
                    break;
                }
            }
            // If nobody wants more, nobody asks whether this was all.
            let _ = sender.blocking_send(None);
        })?;
    Ok(receiver)
}

enum Next {
    Line(Line),
    /// The input cannot be read further.
    Broken(Line),
}

impl From<Next> for Line {
    fn from(next: Next) -> Line {
        match next {
            Next::Line(line) | Next::Broken(line) => line,
        }
    }
}

struct Reader<R> {
    input: R,
    /// Invariant: at most [`LINE_BYTES_MAX`] bytes.
    buffer: Vec<u8>,
    number: u64,
    weight: u64,
    /// The line before ended with CR: a LF behind it belongs to that end.
    is_after_cr: bool,
    /// Names of outputs so far.
    taken: Taken,
}

impl<R: BufRead> Reader<R> {
    fn new(input: R) -> Reader<R> {
        Reader {
            input,
            buffer: Vec::new(),
            number: 0,
            weight: 0,
            is_after_cr: false,
            taken: Taken::default(),
        }
    }

    /// The next line that is neither blank nor a comment.
    fn next_job(&mut self, rules: &Rules) -> Option<Next> {
        loop {
            self.number += 1;
            let job = match self.fill() {
                Ok(Filled::End) => return None,
                Ok(Filled::Line) => {
                    let job = parse(self.number, &self.buffer, rules);
                    // Of a whole file in another encoding one error is enough.
                    if self.number == 1 && wide_encoding(&self.buffer).is_some() {
                        return job.map(|job| Next::Broken(self.line(job)));
                    }
                    job
                }
                Ok(Filled::TooLong) => Some(Err(format!("longer than {LINE_BYTES_MAX} bytes"))),
                Err(error) => {
                    let reason = format!("input cannot be read: {error}");
                    return Some(Next::Broken(self.line(Err(reason))));
                }
            };
            if let Some(job) = job {
                let job = job.and_then(|job| self.with_own_output(job));
                return Some(Next::Line(self.line(job)));
            }
        }
    }

    /// Refuses a job whose body would replace that of another line.
    fn with_own_output(&mut self, job: Job) -> Result<Job, String> {
        if let Some(name) = &job.output {
            self.taken.take(name, self.number)?;
        }
        Ok(job)
    }

    fn line(&mut self, job: Result<Job, String>) -> Line {
        Line {
            number: self.number,
            weight: std::mem::take(&mut self.weight),
            job,
        }
    }

    /// Reads one line into the buffer, without its end: LF, CR or both. Of one that is too long, the rest
    /// is read and forgotten.
    fn fill(&mut self) -> io::Result<Filled> {
        self.buffer.clear();
        let mut read_any = false;
        let mut is_too_long = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if std::mem::take(&mut self.is_after_cr) && available.first() == Some(&b'\n') {
                self.input.consume(1);
                self.weight += 1;
                continue;
            }
            if available.is_empty() && !read_any {
                return Ok(Filled::End);
            }
            read_any = true;
            let newline = memchr2(b'\n', b'\r', available);
            self.is_after_cr = newline.is_some_and(|at| available[at] == b'\r');
            let length = newline.unwrap_or(available.len());
            is_too_long |= self.buffer.len() + length > LINE_BYTES_MAX;
            if !is_too_long {
                self.buffer.extend_from_slice(&available[..length]);
            }
            let is_whole = newline.is_some() || available.is_empty();
            let consumed = length + usize::from(newline.is_some());
            self.input.consume(consumed);
            self.weight += consumed as u64;
            if is_whole {
                return Ok(if is_too_long {
                    Filled::TooLong
                } else {
                    Filled::Line
                });
            }
        }
    }
}

enum Filled {
    Line,
    TooLong,
    End,
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::{LINE_BYTES_MAX, Line, Next, Reader, Rules, read};

    fn lines(text: Vec<u8>) -> Vec<Line> {
        let mut reader = Reader::new(BufReader::with_capacity(1000, Cursor::new(text)));
        std::iter::from_fn(|| reader.next_job(&Rules::default()).map(Line::from)).collect()
    }

    #[test]
    fn numbers_count_skipped_lines_and_weights_add_up() {
        let text = "http://a/\n\n# note\nhttp://b/\nhttp://c/";
        let lines = lines(text.into());
        let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 4, 5]);
        let weight: u64 = lines.iter().map(|line| line.weight).sum();
        assert_eq!(weight, text.len() as u64);
    }

    #[test]
    fn lines_end_with_lf_cr_or_both() {
        let text = "http://a/\r\rhttp://b/\r\nhttp://c/\nhttp://d/\r";
        let lines = lines(text.into());
        let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 3, 4, 5]);
        assert!(lines.iter().all(|line| line.job.is_ok()));
        let weight: u64 = lines.iter().map(|line| line.weight).sum();
        assert_eq!(weight, text.len() as u64);
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error_of_that_line_only() {
        let mut text = b"http://a/".to_vec();
        text.resize(LINE_BYTES_MAX, b'a');
        text.push(b'\n');
        text.resize(2 * LINE_BYTES_MAX + 2, b'b');
        text.extend_from_slice(b"\nhttp://c/\n");
        let lines = lines(text);
        // The first is within the limit of lines and beyond that of URLs.
        let reasons: Vec<bool> = lines
            .iter()
            .map(|line| {
                line.job
                    .as_ref()
                    .is_err_and(|reason| reason.contains("longer than 262144"))
            })
            .collect();
        assert_eq!(reasons, [false, true, false]);
        assert!(lines[2].job.is_ok());
    }

    #[test]
    fn an_input_that_breaks_is_the_last_line() {
        struct Broken;
        impl std::io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("cable"))
            }
        }
        let mut reader = Reader::new(BufReader::new(Broken));
        let Some(Next::Broken(line)) = reader.next_job(&Rules::default()) else {
            panic!()
        };
        assert_eq!(line.job.unwrap_err(), "input cannot be read: cable");
    }

    #[test]
    fn only_an_end_that_is_told_is_one() {
        struct Panics;
        impl std::io::Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                panic!("a reader that panics, as this test wants")
            }
        }
        let all = Cursor::new("http://a/\n");
        let mut lines = read(all, Rules::default()).unwrap();
        assert!(lines.blocking_recv().unwrap().is_some());
        assert!(lines.blocking_recv().unwrap().is_none());
        let mut lines = read(BufReader::new(Panics), Rules::default()).unwrap();
        assert!(lines.blocking_recv().is_none());
    }
}
