//! The paths in a file's code, and the files that they lead to.

use std::collections::BTreeMap;

use super::source::Source;
use crate::run;

/// How many re-exports are followed: more than there are in a row.
const HOPS_MAX: usize = 8;

type Path = Vec<String>;

/// What a line of code is read as. `$crate::` of a macro is none of ours.
const TOKEN: &str = r"(?x)
    ^\s* (?: pub (?:\([^)]*\))? \s )? (?<import> use ) \s
    | (?<foreign> \$ | :: )? (?<path> (?: \w+:: )* ) (?<last> \w+ | \{ )
    | (?<end> [};] )";

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
        let ours = ours.filter(|source| source.is_in(name) && !source.is_test());
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
        let mut at = from;
        for (index, word) in path.iter().enumerate() {
            at = match word.as_str() {
                "crate" => self.0.get(&Path::new())?,
                "self" => at,
                "super" => self.0.get(&at.module[..at.module.len().checked_sub(1)?])?,
                word => match (self.child(at, word), at.imports.get(word)) {
                    (Some(child), _) => child,
                    (None, Some(import)) => {
                        let whole = [import, &path[index + 1..]].concat();
                        return self.find(at, &whole, hops.checked_sub(1)?);
                    }
                    (None, None) => return Some((at, word.to_owned())),
                },
            }
        }
        Some((at, path.last()?.clone()))
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
        let mut file = File {
            source,
            module,
            paths: Vec::new(),
            imports: BTreeMap::new(),
        };
        file.read_paths();
        file
    }

    fn read_paths(&mut self) {
        let tokens = run::pattern(TOKEN);
        // The paths before the braces that are open, and the one that was read last.
        let (mut open, mut last) = (Vec::<Path>::new(), Path::new());
        let (mut is_import, mut is_alias) = (false, false);
        for (line, text) in self.source.code() {
            for token in tokens.captures_iter(text) {
                let mut path = open.last().cloned().unwrap_or_default();
                let words = token.name("path").map_or("", |path| path.as_str());
                path.extend(words.split_terminator("::").map(str::to_owned));
                let mut kinds = ["import", "last", "end"].into_iter();
                let word = kinds.find_map(|kind| token.name(kind));
                match word.map_or("", |word| word.as_str()) {
                    ";" => is_import = false,
                    "}" => drop(open.pop()),
                    "{" => open.push(path),
                    "use" => is_import = true,
                    "as" => is_alias = true,
                    _ if token.name("foreign").is_some() => {}
                    word if is_import && is_alias => {
                        is_alias = false;
                        if let Some(name) = last.last() {
                            self.imports.remove(name);
                        }
                        self.imports.insert(word.to_owned(), last.clone());
                    }
                    word => {
                        is_alias = false;
                        if word != "self" || path.is_empty() {
                            path.push(word.to_owned());
                        }
                        last.clone_from(&path);
                        self.take(line, path, is_import);
                    }
                }
            }
        }
    }

    fn take(&mut self, line: usize, path: Path, is_import: bool) {
        if let [.., _, name] = &path[..] {
            if is_import {
                self.imports.insert(name.clone(), path.clone());
            }
            self.paths.push((line, path));
        }
    }
}
