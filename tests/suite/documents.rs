//! Links and chapters of the documents exist, their code is tested, and rustdoc finds the names of PyTorch,
//! NumPy and Keras.

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

/// The links of a document to files, as they are resolved from its folder; not those in code.
fn links(document: &Path) -> Vec<PathBuf> {
    let folder = document.parent().expect("it is in a folder");
    let text = text(document);
    // Every other part is within fences.
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    let targets = prose.iter().flat_map(|prose| prose.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split([')', '#']).next());
    let is_file = |target: &&str| !target.is_empty() && !target.contains("://");
    targets.filter(is_file).map(|target| folder.join(target)).collect()
}

#[test]
fn links_lead_to_files() {
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut count = 0;
    let mut dead = vec![];
    for document in documents {
        for link in links(&document) {
            count += 1;
            if !link.exists() {
                dead.push(format!("{}: {}", document.display(), link.display()));
            }
        }
    }
    assert!(count > 60, "only {count} links are seen");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn the_summary_of_the_book_lists_every_chapter_once() {
    let summary = root().join("docs/SUMMARY.md");
    let chapters = links(&summary);
    let listed: BTreeSet<_> = chapters.iter().cloned().collect();
    assert_eq!(listed.len(), chapters.len(), "a chapter is listed twice");
    let mut documents: BTreeSet<_> = files(&root().join("docs"), "md").into_iter().collect();
    assert!(documents.remove(&summary));
    assert_eq!(listed, documents);
}

/// A title in the summary is that of the chapter.
#[test]
fn the_summary_names_decisions_by_their_titles() {
    let summary = text(&root().join("docs/SUMMARY.md"));
    let decisions = files(&root().join("docs/decisions"), "md");
    for path in &decisions {
        let title = text(path).lines().next().unwrap_or_default().replacen("# ", "", 1);
        let name = path.file_name().expect("it is a file").to_string_lossy();
        let link = format!("[{title}](decisions/{name})");
        assert!(summary.contains(&link), "{link}");
    }
    assert!(decisions.len() >= 20);
}

/// Code in a document is compiled where `src/lib.rs` includes it.
#[test]
fn code_of_documents_is_tested() {
    let library = text(&root().join("src/lib.rs"));
    let documents = files(&root().join("docs"), "md").into_iter().chain([root().join("README.md")]);
    let with_code: Vec<_> = documents.filter(|path| text(path).contains("```rust")).collect();
    for path in &with_code {
        let name = path.strip_prefix(root()).expect("it is in the tree");
        let name = name.display().to_string().replace('\\', "/");
        assert!(library.contains(&format!("include_str!(\"../{name}\")")), "{name}");
    }
    assert!(with_code.len() >= 5);
}

/// Every line of the worked example is in the file that a line above it names.
#[test]
fn the_worked_example_is_in_the_tree() {
    let text = text(&root().join("CONTRIBUTING.md"));
    let example = text.split("### Worked example").nth(1).expect("there is one");
    let code = example.split("```").nth(1).expect("there is code");
    let mut file = String::new();
    let mut count = 0;
    for line in code.lines().skip(1) {
        if let Some(path) = line.strip_prefix("// ") {
            file = fs::read_to_string(root().join(path)).expect("it is a file");
            continue;
        }
        let fragment = line.split("  //").next().unwrap_or_default().trim();
        count += 1;
        assert!(file.lines().any(|line| line.trim() == fragment), "{fragment}");
    }
    assert!(count > 8, "only {count} lines");
}

/// The texts between backticks.
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

/// rustdoc's search finds our items by the names that other libraries use.
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
