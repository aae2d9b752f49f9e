//! What was typed, divided at `--next`, with the files of `--config` in their places.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::config;

/// Files of `--config` that may name one another in a row.
const DEPTH_MAX: usize = 10;

/// The groups of words between `--next`; there is at least one.
pub(super) fn split(typed: Vec<OsString>) -> Result<Vec<Vec<OsString>>, clap::Error> {
    let mut all = super::command();
    all.build();
    let get = all
        .find_subcommand("get")
        .expect("the command has it")
        .clone();
    let mut groups = Groups {
        get,
        groups: vec![Vec::new()],
    };
    groups.take(typed, 0)?;
    // As in curl: nothing behind the last one means nothing.
    if groups.groups.len() > 1 && groups.groups.last().is_some_and(Vec::is_empty) {
        groups.groups.pop();
    }
    Ok(groups.groups)
}

struct Groups {
    get: Command,
    groups: Vec<Vec<OsString>>,
}

impl Groups {
    fn take(&mut self, typed: Vec<OsString>, depth: usize) -> Result<(), clap::Error> {
        let mut words = typed.into_iter();
        while let Some(word) = words.next() {
            let option = word.to_string_lossy();
            if option == "--" {
                self.push(word);
                words.by_ref().for_each(|word| self.push(word));
            } else if option == "--next" {
                self.groups.push(Vec::new());
            } else if let Some(name) = option.strip_prefix("--") {
                let (name, value) = match name.split_once('=') {
                    Some((name, value)) => (name, Some(OsString::from(value))),
                    None => (name, None),
                };
                let takes_value = self.long(name).is_some_and(takes_value);
                if name == "config" {
                    self.include(value.or_else(|| words.next()), depth)?;
                } else {
                    let is_open = takes_value && value.is_none();
                    self.push(word);
                    is_open
                        .then(|| words.next())
                        .flatten()
                        .into_iter()
                        .for_each(|word| self.push(word));
                }
            } else if option.len() > 1 && option.starts_with('-') {
                let cluster = option.into_owned();
                self.cluster(word, &cluster, &mut words, depth)?;
            } else {
                self.push(word);
            }
        }
        Ok(())
    }

    /// Takes a word of short options, such as `-sSo`, of which the last one may have the next word as its value.
    fn cluster(
        &mut self,
        word: OsString,
        cluster: &str,
        words: &mut impl Iterator<Item = OsString>,
        depth: usize,
    ) -> Result<(), clap::Error> {
        for (at, c) in cluster.char_indices().skip(1) {
            let rest = &cluster[at + c.len_utf8()..];
            let before = || (at > 1).then(|| OsString::from(&cluster[..at]));
            match c {
                ':' if rest.is_empty() => {
                    before().into_iter().for_each(|word| self.push(word));
                    self.groups.push(Vec::new());
                    return Ok(());
                }
                'K' => {
                    before().into_iter().for_each(|word| self.push(word));
                    let attached = (!rest.is_empty()).then(|| OsString::from(rest));
                    return self.include(attached.or_else(|| words.next()), depth);
                }
                c if self.short(c).is_some_and(takes_value) => {
                    self.push(word);
                    let value = rest.is_empty().then(|| words.next()).flatten();
                    value.into_iter().for_each(|word| self.push(word));
                    return Ok(());
                }
                _ => {}
            }
        }
        self.push(word);
        Ok(())
    }

    fn include(&mut self, file: Option<OsString>, depth: usize) -> Result<(), clap::Error> {
        let Some(file) = file else {
            // What it lacks is said by clap.
            self.push("--config".into());
            return Ok(());
        };
        if depth >= DEPTH_MAX {
            return Err(self.refuse(&file, &format!("more than {DEPTH_MAX} files in a row")));
        }
        let read = config::read(&file).map_err(|fault| self.refuse(&file, &fault))?;
        let mut words = Vec::new();
        for line in read {
            words.extend(
                self.words_of(line)
                    .map_err(|fault| self.refuse(&file, &fault))?,
            );
        }
        self.take(words, depth + 1)
    }

    /// A line of a file as what could have been typed.
    fn words_of(&self, line: config::Line) -> Result<Vec<OsString>, String> {
        let config::Line {
            number,
            name,
            value,
        } = line;
        let short = name.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        let found = match short {
            Some(":") => None,
            Some(letters) => {
                let mut letters = letters.chars();
                match (letters.next(), letters.next()) {
                    (Some(letter), None) => self.short(letter),
                    _ => return Err(format!("line {number}: one option a line")),
                }
            }
            None => self.long(name.trim_start_matches('-')),
        };
        let long = match (found.and_then(Arg::get_long), short) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(_)) => name,
            (None, None) => format!("--{}", name.trim_start_matches('-')),
        };
        match (found.is_some_and(takes_value), value) {
            (true, Some(value)) => Ok(vec![format!("{long}={value}").into()]),
            (false, Some(_)) if found.is_some() => {
                Err(format!("line {number}: {long} takes no value"))
            }
            _ => Ok(vec![long.into()]),
        }
    }

    fn push(&mut self, word: OsString) {
        if let Some(group) = self.groups.last_mut() {
            group.push(word);
        }
    }

    fn long(&self, name: &str) -> Option<&Arg> {
        let is_it = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        };
        self.get.get_arguments().find(is_it)
    }

    fn short(&self, letter: char) -> Option<&Arg> {
        self.get
            .get_arguments()
            .find(|arg| arg.get_short() == Some(letter))
    }

    fn refuse(&self, file: &OsStr, fault: &str) -> clap::Error {
        let shown = crate::output::visible(&file.to_string_lossy());
        let message = format!("--config {shown}: {fault}");
        super::command().error(ErrorKind::ValueValidation, message)
    }
}

fn takes_value(arg: &Arg) -> bool {
    let fixed = arg.get_num_args().map(|values| values.max_values());
    arg.get_action().takes_values() && fixed != Some(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::split;

    fn groups(typed: &[&str]) -> Vec<Vec<String>> {
        let typed = typed.iter().map(Into::into).collect();
        let groups = split(typed).unwrap();
        let text = |group: Vec<std::ffi::OsString>| {
            let words = group.into_iter();
            words.map(|word| word.into_string().unwrap()).collect()
        };
        groups.into_iter().map(text).collect()
    }

    #[test]
    fn values_are_no_options() {
        assert_eq!(
            groups(&[
                "-d", "--next", "a", "--next", "-sSo", "-:", "b", "-s:", "c", "-O", "--", "--next"
            ]),
            [
                vec!["-d", "--next", "a"],
                vec!["-sSo", "-:", "b", "-s"],
                vec!["c", "-O", "--", "--next"],
            ]
        );
        assert_eq!(groups(&["a", "--next"]), [["a"]]);
        assert_eq!(groups(&[]).len(), 1);
        assert_eq!(
            groups(&["--data=x", "--max-time", "--next"]),
            [["--data=x", "--max-time", "--next"]]
        );
    }

    #[test]
    fn files_stand_in_their_place_and_end_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let one = file("one", "url = h\n-A \"a b\"\nfail\nnext\n--silent\n-o out\n");
        let expected = [
            vec!["x", "--url=h", "--user-agent=a b", "--fail"],
            vec!["--silent", "--output=out", "y"],
        ];
        assert_eq!(groups(&["x", "-K", &one, "y"]), expected);
        assert_eq!(groups(&["x", &format!("--config={one}"), "y"]), expected);
        assert_eq!(groups(&["-sK", &one])[0][..2], ["-s", "--url=h"]);
        let circle = directory.path().join("circle");
        let circle = circle.to_str().unwrap();
        file("circle", &format!("config = {circle}\n"));
        for wrong in [
            circle,
            &file("value", "fail = yes"),
            "/no/such/file",
            &file("many", "-sS"),
        ] {
            assert!(split(vec!["-K".into(), wrong.into()]).is_err(), "{wrong}");
        }
    }
}
