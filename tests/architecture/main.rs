//! Data flows down the list of docs/architecture.md and never back up.
//!
//! The uses of a file are read from its paths. Methods have none: the target of a method call is not
//! seen, but its type is.

mod edges;
mod examples;
mod modules;
mod order;
mod tokens;

use edges::edges;
use modules::{Sources, path_of};
use order::{Exception, Order};
use std::{fs, path::Path};

/// Uses that may run up: from a file, to a file, and the reason. The list may only shrink.
const EXCEPTIONS: &[Exception] = &[];

/// The row in which files may use one another: a graph holds operations, which are made of graphs.
const KNOT: &str = "ops";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn order() -> Order {
    let markdown = fs::read_to_string(root().join("docs/architecture.md"));
    Order::read(&markdown.expect("the table can be read"))
}

fn sources() -> Sources {
    let (src, mut sources) = (root().join("src"), Sources::new());
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&src).expect("it is in src").components();
                let name: Vec<_> = name.map(|part| part.as_os_str().to_string_lossy()).collect();
                sources.insert(name.join("/"), fs::read_to_string(&path).expect("it is text"));
            }
        }
    }
    sources
}

fn report(violations: &[String]) {
    assert!(violations.is_empty(), "{}:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn every_file_has_a_row() {
    let (order, sources) = (order(), sources());
    let modules = modules::modules(&sources).expect("the crate can be read");
    let files = modules.values().map(|module| &module.file).filter(|file| *file != "lib.rs");
    let strangers = files.filter(|file| order.row(file).is_none());
    let mut violations: Vec<String> =
        strangers.map(|file| format!("src/{file} is in no row of docs/architecture.md")).collect();
    for name in order.0.iter().flatten() {
        let segments: modules::Path = name.split('/').map(str::to_owned).collect();
        let is_module = sources.keys().any(|file| path_of(file).starts_with(&segments));
        if !is_module && !root().join(name).is_dir() {
            violations.push(format!("`{name}` of docs/architecture.md is no module and no folder"));
        }
    }
    violations.dedup();
    report(&violations);
}

#[test]
fn data_flows_down() {
    assert!(EXCEPTIONS.len() <= 12, "so many exceptions are no order");
    report(&order().upward(&edges(&sources()).expect("the crate can be read"), EXCEPTIONS));
}

#[test]
fn no_circles() {
    report(&order().circles(&edges(&sources()).expect("the crate can be read"), KNOT));
}
