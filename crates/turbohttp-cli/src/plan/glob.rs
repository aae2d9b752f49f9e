//! URLs that stand for many: `{a,b}` and `[1-9]`, as in curl.

use std::ffi::{OsStr, OsString};

use anyhow::{anyhow, bail};

use super::url::shown;

/// Braces and brackets of one URL, as many as curl takes.
const CHOICES_MAX: usize = 100;

/// The most digits of a number in a range, leading zeros included: a URL has room for far more.
const DIGITS_MAX: usize = 255;

/// A URL and what its braces and brackets stand for. Nothing of it is written out before it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Choice(Choice),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    /// `{a,b}`.
    Words(Vec<String>),
    /// `[a-z:2]`.
    Letters { first: u8, last: u8, step: u64 },
    /// `[001-100:10]`; `digits` is how many there are at least.
    Numbers {
        first: u64,
        last: u64,
        step: u64,
        digits: usize,
    },
}

/// One of the URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) url: String,
    /// What each choice has come to: `#1` is the first.
    chosen: Vec<String>,
}

impl Glob {
    /// A URL that is taken as it is.
    pub(crate) fn literal(url: &str) -> Glob {
        Glob {
            parts: vec![Part::Text(url.to_owned())],
        }
    }

    /// # Errors
    ///
    /// Where a brace or a bracket is not closed, or holds no list or no range.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Glob> {
        let refuse = |at: usize, fault: &str| {
            let column = url[..at].chars().count() + 1;
            anyhow!(
                "\"{}\" {fault} in column {column}; -g takes it as it is",
                shown(url)
            )
        };
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while let Some(c) = url[at..].chars().next() {
            let rest = &url[at..];
            let (choice, length) = match c {
                '\\' if rest[1..].starts_with(['{', '}', '[', ']']) => {
                    text.push_str(&rest[1..2]);
                    at += 2;
                    continue;
                }
                '[' if let_through(rest) > 0 => {
                    text.push_str(&rest[..let_through(rest)]);
                    at += let_through(rest);
                    continue;
                }
                '{' => words(&rest[1..]).map_err(|fault| refuse(at, fault))?,
                '[' => range(&rest[1..]).map_err(|fault| refuse(at, fault))?,
                '}' | ']' => return Err(refuse(at, "closes what is not open")),
                c => {
                    text.push(c);
                    at += c.len_utf8();
                    continue;
                }
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Choice(choice));
            at += 1 + length;
        }
        if !text.is_empty() || parts.is_empty() {
            parts.push(Part::Text(text));
        }
        let choices = parts.iter().filter(|part| matches!(part, Part::Choice(_)));
        if choices.count() > CHOICES_MAX {
            bail!(
                "\"{}\" has more than {CHOICES_MAX} braces and brackets",
                shown(url)
            );
        }
        Ok(Glob { parts })
    }

    /// Whether it stands for itself alone.
    pub(crate) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| part.choice().is_none())
    }

    /// The URLs, the last choice changing first.
    pub(crate) fn expand(self) -> impl Iterator<Item = Expanded> + Send + 'static {
        let choices = self.parts.iter().filter_map(Part::choice);
        let mut places: Option<Vec<u64>> = Some(choices.map(|_| 0).collect());
        std::iter::from_fn(move || {
            let now = places.take()?;
            let expanded = self.at(&now);
            places = self.after(now);
            Some(expanded)
        })
    }

    fn at(&self, places: &[u64]) -> Expanded {
        let mut expanded = Expanded {
            url: String::new(),
            chosen: Vec::new(),
        };
        let mut places = places.iter();
        for part in &self.parts {
            match part {
                Part::Text(text) => expanded.url.push_str(text),
                Part::Choice(choice) => {
                    let chosen = choice.at(places.next().copied().unwrap_or(0));
                    expanded.url.push_str(&chosen);
                    expanded.chosen.push(chosen);
                }
            }
        }
        expanded
    }

    fn after(&self, mut places: Vec<u64>) -> Option<Vec<u64>> {
        let choices: Vec<&Choice> = self.parts.iter().filter_map(Part::choice).collect();
        for (place, choice) in places.iter_mut().zip(choices).rev() {
            if *place < choice.last() {
                *place += 1;
                return Some(places);
            }
            *place = 0;
        }
        None
    }
}

impl Part {
    fn choice(&self) -> Option<&Choice> {
        match self {
            Part::Choice(choice) => Some(choice),
            Part::Text(_) => None,
        }
    }
}

impl Choice {
    fn at(&self, place: u64) -> String {
        match self {
            Choice::Words(words) => usize::try_from(place)
                .ok()
                .and_then(|place| words.get(place))
                .cloned()
                .unwrap_or_default(),
            // Within the range, which is one of bytes.
            Choice::Letters { first, step, .. } => {
                char::from(first.saturating_add((place * step) as u8)).to_string()
            }
            Choice::Numbers {
                first,
                step,
                digits,
                ..
            } => {
                format!("{:0digits$}", first + place * step)
            }
        }
    }

    /// The number of the last element, from 0.
    fn last(&self) -> u64 {
        match self {
            Choice::Words(words) => words.len() as u64 - 1,
            Choice::Letters { first, last, step } => u64::from(last - first) / step,
            Choice::Numbers {
                first, last, step, ..
            } => (last - first) / step,
        }
    }
}

impl Expanded {
    /// `name` with each `#N` replaced by what the N-th choice has come to; others stay.
    pub(crate) fn name(&self, name: &OsStr) -> OsString {
        let Some(name) = name.to_str() else {
            return name.to_owned();
        };
        let mut out = String::new();
        let mut parts = name.split('#');
        out.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let number = part[..digits].parse::<usize>().ok();
            match number.and_then(|number| self.chosen.get(number.wrapping_sub(1))) {
                Some(chosen) => {
                    out.push_str(chosen);
                    out.push_str(&part[digits..]);
                }
                None => {
                    out.push('#');
                    out.push_str(part);
                }
            }
        }
        out.into()
    }
}

/// The length of an address of IPv6 in brackets, or of empty brackets, at the beginning of `text`.
fn let_through(text: &str) -> usize {
    let Some(end) = text.find(']') else {
        return 0;
    };
    let inner = &text[1..end];
    let address = inner.split_once('%').map_or(inner, |(address, _)| address);
    match inner.is_empty() || address.parse::<std::net::Ipv6Addr>().is_ok() {
        true => end + 1,
        false => 0,
    }
}

/// A list and its length with the brace behind it.
fn words(text: &str) -> Result<(Choice, usize), &'static str> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '}' if words.is_empty() && word.is_empty() => return Err("has an empty brace"),
            '}' => {
                words.push(word);
                return Ok((Choice::Words(words), at + 1));
            }
            ',' => words.push(std::mem::take(&mut word)),
            '{' | '[' => return Err("has a bracket within a brace"),
            ']' => return Err("closes what is not open"),
            '\\' => word.extend(chars.next().map(|(_, c)| c)),
            c => word.push(c),
        }
    }
    Err("has a brace that is not closed")
}

/// A range and its length with the bracket behind it.
fn range(text: &str) -> Result<(Choice, usize), &'static str> {
    const BAD: &str = "has no range in its bracket, such as 1-9, a-z or 0-100:10,";
    let end = text.find(']').ok_or("has a bracket that is not closed")?;
    let (ends, step) = match text[..end].split_once(':') {
        Some((ends, step)) => (ends, step.parse::<u64>().map_err(|_| BAD)?),
        None => (&text[..end], 1),
    };
    let (first, last) = ends.split_once('-').ok_or(BAD)?;
    let choice = match (first.as_bytes(), last.as_bytes()) {
        (&[from], &[to]) if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() => {
            if from.is_ascii_lowercase() != to.is_ascii_lowercase() {
                return Err(BAD);
            }
            Choice::Letters {
                first: from,
                last: to,
                step,
            }
        }
        _ => {
            let is_number = |text: &str| {
                text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit())
            };
            let number = |text: &str| match is_number(text) {
                true => text.parse::<u64>().map_err(|_| BAD),
                false => Err(BAD),
            };
            let is_padded = first.len() > 1 && first.starts_with('0');
            Choice::Numbers {
                first: number(first)?,
                last: number(last)?,
                step,
                digits: if is_padded { first.len() } else { 1 },
            }
        }
    };
    let (from, to) = match choice {
        Choice::Letters { first, last, .. } => (u64::from(first), u64::from(last)),
        Choice::Numbers { first, last, .. } => (first, last),
        Choice::Words(_) => return Err(BAD),
    };
    let is_single = from == to && step == 1;
    if !is_single && (from >= to || step == 0 || step > to - from) {
        return Err(BAD);
    }
    Ok((choice, end + 1))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn urls(text: &str) -> Vec<String> {
        let expanded = Glob::parse(text).unwrap().expand();
        expanded.take(1_000).map(|one| one.url).collect()
    }

    #[test]
    fn lists_and_ranges_are_written_out_last_choice_first() {
        assert_eq!(urls("h/{a,b}[1-2]"), ["h/a1", "h/a2", "h/b1", "h/b2"]);
        assert_eq!(urls("[001-100:45]x"), ["001x", "046x", "091x"]);
        assert_eq!(urls("[a-g:3]"), ["a", "d", "g"]);
        assert_eq!(urls("[8-11]"), ["8", "9", "10", "11"]);
        assert_eq!(urls("[3-3]{,x\\,y}"), ["3", "3x,y"]);
        assert_eq!(urls("h"), ["h"]);
        assert_eq!(urls("\\{a\\}\\[1-2\\]"), ["{a}[1-2]"]);
        assert_eq!(
            urls("http://[::1]:80/[]?a[]=é{x,y}"),
            ["http://[::1]:80/[]?a[]=éx", "http://[::1]:80/[]?a[]=éy"]
        );
    }

    #[test]
    fn what_is_no_list_and_no_range_is_refused_with_its_column() {
        for wrong in [
            "{",
            "{}",
            "{a",
            "}",
            "]",
            "[",
            "[1]",
            "[1-]",
            "[-1]",
            "[3-1]",
            "[1-3:0]",
            "[1-3:3]",
            "[3-3:2]",
            "[a-3]",
            "[a-Z]",
            "[z-a]",
            "{a{b}}",
            "{[1-2]}",
            "[1-99999999999999999999]",
            "[+1-2]",
            "[é-z]",
        ] {
            assert!(Glob::parse(wrong).is_err(), "{wrong}");
        }
        let error = Glob::parse("http://u:secret@h/[3-1]")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
        let error = Glob::parse("é/[3-1]").unwrap_err().to_string();
        assert!(error.contains("in column 3"), "{error}");
        for (zeros, is_fine) in [(254, true), (255, false), (70_000, false)] {
            let padded = Glob::parse(&format!("[{}1-2]", "0".repeat(zeros)));
            assert_eq!(padded.is_ok(), is_fine, "{zeros}");
            let first = padded.ok().and_then(|glob| glob.expand().next());
            assert_eq!(first.is_some_and(|first| first.url.len() == 255), is_fine);
        }
        assert!(Glob::parse(&"{a}".repeat(100)).is_ok());
        assert!(Glob::parse(&"{a}".repeat(101)).is_err());
    }

    #[test]
    fn a_huge_range_costs_nothing_before_it_is_asked_for() {
        let mut all = Glob::parse("[0-18446744073709551615][0-18446744073709551615]")
            .unwrap()
            .expand();
        assert_eq!(all.next().unwrap().url, "00");
        assert_eq!(all.next().unwrap().url, "01");
    }

    #[test]
    fn names_have_what_was_chosen() {
        let second = Glob::parse("{a,b}/[01-02]")
            .unwrap()
            .expand()
            .nth(3)
            .unwrap();
        for (name, expected) in [
            ("#1_#2.txt", "b_02.txt"),
            ("#3#", "#3#"),
            ("#0", "#0"),
            ("x", "x"),
            ("#12", "#12"),
        ] {
            assert_eq!(second.name(name.as_ref()), *expected, "{name}");
        }
    }
}
