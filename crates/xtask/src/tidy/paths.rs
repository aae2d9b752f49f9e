//! The paths in a file's code, and the files that they lead to.

use std::collections::{BTreeMap, BTreeSet};

use super::is_in_crate;
use super::source::Source;

/// How many re-exports are followed: more than there are in a row.
const HOPS_MAX: usize = 8;

type Path = Vec<String>;

/// One module of a crate, and what its code names.
pub(super) struct File<'a> {
    pub(super) source: &'a Source,
    /// Below the crate's root, which has none.
    pub(super) module: Path,
    /// Every path in the code, with its line.
    paths: Vec<(usize, Path)>,
    /// The names that `use` brings in, each with its path.
    imports: BTreeMap<String, Path>,
}

/// A name that one file takes from another.
pub(super) struct Arrow<'a> {
    pub(super) from: &'a File<'a>,
    pub(super) to: &'a File<'a>,
    pub(super) line: usize,
    pub(super) name: String,
}

/// The files of a crate by their modules.
pub(super) struct Crate<'a>(BTreeMap<Path, File<'a>>);

impl<'a> Crate<'a> {
    pub(super) fn read(sources: &'a [Source], name: &str) -> Crate<'a> {
        let ours = sources.iter().filter(|source| source.is_rust());
        let ours = ours.filter(|source| is_in_crate(&source.path, name) && !source.is_test());
        let files = ours.map(|source| File::read(source, name));
        Crate(files.map(|file| (file.module.clone(), file)).collect())
    }

    /// The arrows between files, without those from and to the crate's root, which only declares.
    pub(super) fn arrows(&self) -> Vec<Arrow<'_>> {
        let mut arrows = Vec::new();
        for from in self.0.values() {
            for (line, path) in &from.paths {
                let Some((to, name)) = self.find(from, path, HOPS_MAX) else {
                    continue;
                };
                let is_root = from.module.is_empty() || to.module.is_empty();
                if !is_root && !std::ptr::eq(from, to) {
                    arrows.push(Arrow {
                        from,
                        to,
                        line: *line,
                        name,
                    });
                }
            }
        }
        arrows
    }

    /// The file that a path of `from` leads to, and the name that is taken from there.
    fn find<'b>(
        &'b self,
        from: &'b File<'a>,
        path: &[String],
        hops: usize,
    ) -> Option<(&'b File<'a>, String)> {
        let mut rest = path;
        let mut at = match rest.first()?.as_str() {
            "crate" => self.0.get(&Path::new())?,
            "self" | "super" => self.0.get(&from.module)?,
            first if self.child(from, first).is_some() => from,
            first => {
                let import = from
                    .imports
                    .get(first)
                    .filter(|import| import[..] != *path)?;
                let whole = [import, &path[1..]].concat();
                return self.find(from, &whole, hops.checked_sub(1)?);
            }
        };
        while let Some(word) = rest.first() {
            match word.as_str() {
                "crate" | "self" => {}
                "super" => at = self.0.get(&at.module[..at.module.len().checked_sub(1)?])?,
                word => match (self.child(at, word), at.imports.get(word)) {
                    (Some(child), _) => at = child,
                    (None, Some(import)) => {
                        let whole = [import, &rest[1..]].concat();
                        return self.find(at, &whole, hops.checked_sub(1)?);
                    }
                    (None, None) => break,
                },
            }
            rest = &rest[1..];
        }
        Some((at, rest.first().or(path.last())?.clone()))
    }

    fn child(&self, file: &File<'a>, name: &str) -> Option<&File<'a>> {
        self.0.get(&[&file.module[..], &[name.to_owned()]].concat())
    }
}

impl<'a> File<'a> {
    fn read(source: &'a Source, name: &str) -> File<'a> {
        let below = &source.path["crates/".len() + name.len() + "/src/".len()..];
        let below = below.trim_end_matches(".rs").trim_end_matches("/mod");
        let module = below
            .split('/')
            .filter(|word| *word != "lib")
            .map(str::to_owned)
            .collect();
        let (text, starts) = joined(source);
        let mut paths = Vec::new();
        let mut imports = BTreeMap::new();
        let mut at = 0;
        while let Some(found) = next_path(&text, at) {
            let is_use = text[..found].trim_end().ends_with("use");
            let mut parsed = BTreeSet::new();
            at = parse(&text, found, &[], &mut parsed);
            let line = starts[starts.partition_point(|(start, _)| *start <= found) - 1].1;
            for (path, alias) in parsed {
                if is_use {
                    imports.insert(alias, path.clone());
                }
                paths.push((line, path));
            }
        }
        File {
            source,
            module,
            paths,
            imports,
        }
    }
}

/// The code as one text, as a path may go over several lines, and the offset of each line.
fn joined(source: &Source) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut starts) = (String::new(), Vec::new());
    for (number, line) in source.code() {
        starts.push((text.len(), number));
        text.push_str(line);
        text.push('\n');
    }
    (text, starts)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the word that stands first.
fn word(text: &str) -> usize {
    text.find(|c| !is_of_word(c)).unwrap_or(text.len())
}

/// Where the next path of two words or more begins. `$crate::` of a macro is none of ours.
fn next_path(text: &str, from: usize) -> Option<usize> {
    for (at, _) in text[from..]
        .match_indices("::")
        .map(|(at, _)| (from + at, ()))
    {
        let start = text[..at]
            .rfind(|c| !is_of_word(c))
            .map_or(0, |before| before + 1);
        if start < at && start >= from && !text[..start].ends_with(['$', ':']) {
            return Some(start);
        }
    }
    None
}

/// Reads the path at `at`, or the paths that its braces stand for, each with the name it brings in;
/// where it ends.
fn parse(text: &str, at: usize, before: &[String], found: &mut BTreeSet<(Path, String)>) -> usize {
    let skip = |at: usize| at + (text[at..].len() - text[at..].trim_start().len());
    let mut at = skip(at);
    if text[at..].starts_with('{') {
        at = skip(at + 1);
        while at < text.len() && !text[at..].starts_with('}') {
            let next = skip(parse(text, at, before, found));
            // Anything but a word, as `*`, is passed over.
            at = skip(next + usize::from(text[next..].starts_with([',', '*']) || next == at));
        }
        return (at + 1).min(text.len());
    }
    let end = at + word(&text[at..]);
    let mut path = before.to_vec();
    if end > at && (before.is_empty() || &text[at..end] != "self") {
        path.push(text[at..end].to_owned());
    }
    if let Some(rest) = text[end..].strip_prefix("::")
        && rest.starts_with(|c| is_of_word(c) || c == '{')
    {
        return parse(text, end + 2, &path, found);
    }
    let alias = text[end..]
        .strip_prefix(" as ")
        .map(|rest| &rest[..word(rest)]);
    let name = alias.map(str::to_owned).or(path.last().cloned());
    let length = alias.map_or(0, |alias| " as ".len() + alias.len());
    found.extend(name.filter(|_| path.len() > 1).map(|name| (path, name)));
    end + length
}
