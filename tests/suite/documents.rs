//! Documents point at what exists: names of PyTorch, NumPy and Keras.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it is text")
}

/// All files with this extension in a folder and those below it.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is a folder");
    let paths = entries.map(|entry| entry.expect("it is readable").path());
    let found = |path: PathBuf| match path.is_dir() {
        true => files(&path, extension),
        false if path.extension().is_some_and(|is| is == extension) => vec![path],
        false => vec![],
    };
    paths.flat_map(found).collect()
}

/// What is between backticks.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The last name of what is called or looked up: `LSTM` of `nn.LSTM(…, bidirectional=True)`. `None`
/// where it is none, as of `%`.
fn last_name(span: &str) -> Option<&str> {
    let path = span.split(|c| !is_of_name(c) && c != '.').next()?;
    path.rsplit('.').next().filter(|name| !name.is_empty())
}

/// Everything that `#[doc(alias)]` gives to items of the library.
fn aliases() -> BTreeSet<String> {
    let mut aliases = BTreeSet::new();
    for path in files(&root().join("src"), "rs") {
        for part in text(&path).split("#[doc(alias").skip(1) {
            let attribute = part.split(")]").next().unwrap_or_default();
            aliases.extend(attribute.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    aliases
}

/// Who knows another library's name for something finds ours by it.
#[test]
fn names_of_other_libraries_are_found() {
    let aliases = aliases();
    let mut count = 0;
    let mut unknown = vec![];
    for row in text(&root().join("docs/from-pytorch.md")).lines().filter(|l| l.starts_with("| `")) {
        let mut cells = row.split('|').skip(1);
        let [theirs, ours] = [(); 2].map(|()| cells.next().unwrap_or_default());
        let ours: BTreeSet<&str> = spans(ours).flat_map(|s| s.split(|c| !is_of_name(c))).collect();
        for name in spans(theirs).filter_map(last_name) {
            count += 1;
            if !ours.contains(name) && !aliases.contains(name) {
                unknown.push(name.to_owned());
            }
        }
    }
    assert!(count > 80, "only {count} names are seen");
    assert!(unknown.is_empty(), "no alias in src: {}", unknown.join(", "));
}
