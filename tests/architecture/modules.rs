//! The modules of a crate and what each says: imports, definitions, paths.

use crate::tokens::{
    Token::{self, Colons, Group, Sign, Word},
    tokens,
};
use proc_macro2::TokenStream;
use std::collections::{BTreeMap, BTreeSet};

/// Segments, from the root of the crate or as they are written.
pub type Path = Vec<String>;
/// Text by file, relative to `src/`.
pub type Sources = BTreeMap<String, String>;

/// A file, or `mod name { … }` in one.
#[derive(Default)]
pub struct Module {
    pub file: String,
    pub definitions: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths in code, in macros and in attributes, and their lines.
    pub mentions: Vec<(Path, usize)>,
}

/// A leaf of a `use` tree.
pub struct Import {
    /// `*` for all names of the module at `path`.
    pub name: String,
    pub path: Path,
    pub line: usize,
    pub is_public: bool,
}

/// The path of the module that a file holds; a program is at `bin` and its name.
pub fn path_of(file: &str) -> Path {
    let name = file.trim_end_matches(".rs");
    let mut path: Path = name.split('/').map(str::to_owned).collect();
    let is_root = file == "lib.rs" || name.starts_with("bin/") && name.ends_with("/main");
    if is_root || name.ends_with("/mod") {
        path.pop();
    }
    path
}

/// Every module of the crate but those for tests.
pub fn modules(sources: &Sources) -> Result<BTreeMap<Path, Module>, String> {
    let mut reader = Reader::default();
    for (file, text) in sources {
        let stream: TokenStream =
            text.parse().map_err(|error| format!("{file} is not Rust: {error}"))?;
        reader.module(file, path_of(file), &tokens(stream));
    }
    let Reader { mut modules, tests } = reader;
    let is_test = |path: &Path| {
        path.contains(&"tests".into()) || tests.iter().any(|test| path.starts_with(test))
    };
    modules.retain(|path, _| !is_test(path));
    Ok(modules)
}

#[derive(Default)]
struct Reader {
    modules: BTreeMap<Path, Module>,
    /// Modules that are declared under `#[cfg(test)]`.
    tests: Vec<Path>,
}

impl Reader {
    fn module(&mut self, file: &str, path: Path, tokens: &[Token]) {
        // One name may stand for two modules, each on its own platform.
        let mut module = self.modules.remove(&path).unwrap_or_default();
        module.file = file.into();
        module.definitions.extend(definitions(tokens));
        self.code(&mut module, &path, tokens);
        self.modules.insert(path, module);
    }

    fn code(&mut self, module: &mut Module, path: &Path, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            let (before, ahead) = tokens.split_at(at);
            at += match ahead {
                [Sign('#'), Group('[', attribute), item @ ..] if is_for_tests(attribute) => {
                    let item = &item[..item_length(item)];
                    if let [.., keyword, Word(name, _), Sign(';')] = item
                        && keyword.is("mod")
                    {
                        self.tests.push(child(path, name));
                    }
                    2 + item.len()
                }
                // `use<'a>` of a type is no import.
                [keyword, tree @ ..] if keyword.is("use") && tree.first() != Some(&Sign('<')) => {
                    let tree = tree.split(|token| *token == Sign(';')).next().unwrap_or(tree);
                    module.import(tree, Path::new(), is_public(before));
                    1 + tree.len()
                }
                [keyword, Word(name, _), Group('{', body), ..] if keyword.is("mod") => {
                    self.module(&module.file, child(path, name), body);
                    3
                }
                [Word(..), ..] => module.mention(before, ahead),
                [Group(_, inner), ..] => {
                    self.code(module, path, inner);
                    1
                }
                _ => 1,
            };
        }
    }
}

impl Module {
    /// The leaves of a `use` tree below `path`.
    fn import(&mut self, tree: &[Token], mut path: Path, is_public: bool) {
        let (tree, alias) = match tree {
            [tree @ .., keyword, Word(name, _)] if keyword.is("as") => (tree, Some(name)),
            _ => (tree, None),
        };
        let mut line = 0;
        for token in tree {
            match token {
                Word(segment, at) => {
                    path.push(segment.clone());
                    line = *at;
                }
                Sign('*') => path.push("*".into()),
                Group(_, branches) => {
                    let branches = branches.split(|token| *token == Sign(','));
                    for branch in branches.filter(|branch| !branch.is_empty()) {
                        self.import(branch, path.clone(), is_public);
                    }
                    return;
                }
                _ => {}
            }
        }
        if path.len() > 1 && path.ends_with(&["self".into()]) {
            path.pop();
        }
        let Some(name) = alias.or(path.last()).cloned() else { return };
        if name == "*" {
            path.pop();
        }
        self.imports.push(Import { name, path, line, is_public });
    }

    /// Keeps the path that begins here, and gives its number of tokens.
    fn mention(&mut self, before: &[Token], ahead: &[Token]) -> usize {
        let (mut path, mut length) = (Path::new(), 0);
        while let Some(Word(segment, _)) = ahead.get(length) {
            path.push(segment.clone());
            length += 1;
            if ahead.get(length) != Some(&Colons) {
                break;
            }
            length += 1;
        }
        let is_name = path.len() > 1 || is_item(&path[0], before, &ahead[1..]);
        if let [Word(_, line), ..] = ahead
            && is_name
            && before.last() != Some(&Colons)
        {
            self.mentions.push((path, *line));
        }
        length
    }
}

/// Whether one word may name an item rather than a local value, a field or a method.
fn is_item(word: &str, before: &[Token], after: &[Token]) -> bool {
    let is_free = !before.last().is_some_and(|token| *token == Sign('.') || token.is("fn"));
    let is_called = matches!(after, [Group('(', _) | Colons, ..] | [Sign('!'), Group(..), ..]);
    is_free && (is_called || word.starts_with(char::is_uppercase))
}

pub fn child(path: &[String], name: &str) -> Path {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

fn definitions(tokens: &[Token]) -> BTreeSet<String> {
    let keywords = ["const", "enum", "fn", "static", "struct", "trait", "type", "union"];
    let items = tokens.windows(2).filter_map(|pair| match pair {
        [keyword, Word(name, _)] if keywords.iter().any(|&k| keyword.is(k)) => Some(name.clone()),
        _ => None,
    });
    let macros = tokens.windows(3).filter_map(|triple| match triple {
        [keyword, Sign('!'), Word(name, _)] if keyword.is("macro_rules") => Some(name.clone()),
        _ => None,
    });
    items.chain(macros).collect()
}

fn is_public(before: &[Token]) -> bool {
    match before {
        [.., keyword, Group('(', _)] | [.., keyword] => keyword.is("pub"),
        [] => false,
    }
}

/// `cfg(test)` and `cfg(all(test, …))`.
fn is_for_tests(attribute: &[Token]) -> bool {
    let [cfg, Group('(', condition)] = attribute else { return false };
    cfg.is("cfg")
        && match &condition[..] {
            [all, Group('(', conditions)] => {
                all.is("all") && conditions.iter().any(|condition| condition.is("test"))
            }
            [condition] => condition.is("test"),
            _ => false,
        }
}

/// Items that start with one of these may have commas before they end, in parameters and bounds.
const WITH_COMMAS: [&str; 11] =
    ["async", "const", "enum", "fn", "impl", "let", "struct", "trait", "type", "union", "unsafe"];

/// Number of tokens of the item, statement, field or variant that begins here.
fn item_length(tokens: &[Token]) -> usize {
    match tokens {
        [Sign('#'), Group('[', _), rest @ ..] => 2 + item_length(rest),
        [keyword, Group('(', _), rest @ ..] if keyword.is("pub") => 2 + item_length(rest),
        [keyword, rest @ ..] if keyword.is("pub") => 1 + item_length(rest),
        _ => {
            let starts_with = |word: &&str| tokens.first().is_some_and(|first| first.is(word));
            let ends_at_comma = !WITH_COMMAS.iter().any(starts_with);
            let is_last = |token: &Token| match token {
                Sign(',') => ends_at_comma,
                token => matches!(token, Sign(';') | Group('{', _)),
            };
            tokens.iter().position(is_last).map_or(tokens.len(), |last| last + 1)
        }
    }
}
