//! Which file uses what which other file defines.

use crate::modules::{Import, Module, Path, Sources, child, modules};
use std::collections::BTreeMap;

/// The line of the first use, by the file that uses and the file that defines.
pub type Edges = BTreeMap<(String, String), usize>;

/// How many imports a name is followed through: circles of `*` have no end.
const STEPS: usize = 12;

pub fn edges(sources: &Sources) -> Result<Edges, String> {
    let names = Names { modules: modules(sources)? };
    let mut edges = Edges::new();
    for (path, module) in &names.modules {
        // A name that a file only re-exports is not used by it.
        let imports = module.imports.iter().filter(|import| !import.is_public);
        let imports = imports.map(|import| (&import.path, import.line));
        let mentions = module.mentions.iter().map(|(mention, line)| (mention, *line));
        for (used, line) in imports.chain(mentions) {
            // A module that is imported is the start of other paths: those are what is used.
            if let Some(Place::File(file)) = names.resolve(path, used, STEPS)
                && *file != module.file
            {
                let first = edges.entry((module.file.clone(), file.to_owned())).or_insert(line);
                *first = line.min(*first);
            }
        }
    }
    Ok(edges)
}

/// Where a name leads: to a module, or to the file that defines it.
enum Place<'a> {
    Module(Path),
    File(&'a str),
}

struct Names {
    modules: BTreeMap<Path, Module>,
}

impl Names {
    /// Follows a path that is written in the module `from`; `None` if it leaves the crate.
    fn resolve(&self, from: &[String], path: &[String], steps: usize) -> Option<Place<'_>> {
        let is_program = from.first().is_some_and(|first| first == "bin");
        let mut module = from.to_vec();
        for (at, name) in path.iter().enumerate() {
            match name.as_str() {
                "crate" => module.truncate(if is_program { 2 } else { 0 }),
                "wgrad" if is_program => module.clear(),
                "self" => {}
                "super" => module.truncate(module.len().saturating_sub(1)),
                _ => match self.lookup(from, &module, &path[at..], steps) {
                    Some(Place::Module(inner)) => module = inner,
                    // No text has what a macro makes.
                    None if at > 0 => return Some(Place::File(&self.modules.get(&module)?.file)),
                    found => return found,
                },
            }
        }
        Some(Place::Module(module))
    }

    /// Resolves the first of the names in the module `path`, seen from the module `from`.
    fn lookup(
        &self,
        from: &[String],
        path: &[String],
        names: &[String],
        steps: usize,
    ) -> Option<Place<'_>> {
        let (name, steps) = (&names[0], steps.checked_sub(1)?);
        let module = self.modules.get(path)?;
        let inner = child(path, name);
        let inner = self.modules.contains_key(&inner).then_some(Place::Module(inner));
        // A module and a function may have one name.
        if inner.is_some() && names.len() > 1 {
            return inner;
        }
        if module.definitions.contains(name) {
            return Some(Place::File(&module.file));
        }
        // Children see what their parents import.
        let is_visible = |import: &&Import| import.is_public || from.starts_with(path);
        let imports = module.imports.iter().filter(is_visible);
        let (globs, mut named): (Vec<_>, Vec<_>) = imports.partition(|i| i.name == "*");
        named.retain(|import| import.name == *name);
        // A name that is imported hides those that come with a `*`.
        if !named.is_empty() {
            return named.iter().find_map(|i| self.resolve(path, &i.path, steps)).or(inner);
        }
        let in_glob = |glob: &&Import| match self.resolve(path, &glob.path, steps)? {
            Place::Module(module) => self.lookup(path, &module, names, steps),
            Place::File(_) => None,
        };
        globs.iter().find_map(in_glob).or(inner)
    }
}
