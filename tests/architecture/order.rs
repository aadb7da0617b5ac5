//! The table of docs/architecture.md, and what goes against it.

use crate::{edges::Edges, modules::path_of};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// From a file to one further down, and why.
pub type Exception = (&'static str, &'static str, &'static str);

/// The rows of the table, each with the modules it names.
pub struct Order(pub Vec<Vec<String>>);

impl Order {
    pub fn read(markdown: &str) -> Self {
        let lines = markdown.lines().skip_while(|line| !line.starts_with("| where |"));
        let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
        let names = |row: &str| {
            let cell = row.split('|').nth(1).unwrap_or_default();
            let quoted = cell.split('`').skip(1).step_by(2);
            quoted.map(|name| name.trim_end_matches('/').to_owned()).collect()
        };
        Order(rows.map(names).collect())
    }

    /// The row of a file: that of the longest name.
    pub fn row(&self, file: &str) -> Option<usize> {
        let path = path_of(file);
        (1..=path.len()).rev().find_map(|length| {
            let name = path[..length].join("/");
            self.0.iter().position(|row| row.contains(&name))
        })
    }

    /// Uses of files further down, and exceptions that nothing needs.
    pub fn upward(&self, edges: &Edges, exceptions: &[Exception]) -> Vec<String> {
        let mut unused: BTreeSet<(&str, &str)> =
            exceptions.iter().map(|&(from, to, _)| (from, to)).collect();
        let mut found = Vec::new();
        for ((from, to), line) in edges {
            let (Some(user), Some(used)) = (self.row(from), self.row(to)) else { continue };
            if used > user && !unused.remove(&(from.as_str(), to.as_str())) {
                let (user, used) = (self.0[user].join(" "), self.0[used].join(" "));
                found.push(format!("{from}:{line} -> {to} runs up, from `{user}` to `{used}`"));
            }
        }
        for (from, to) in unused {
            found.push(format!("{from} -> {to} is no longer used: strike the exception"));
        }
        found
    }

    /// Files that use one another, but for those of the row that has `knot`.
    pub fn circles(&self, edges: &Edges, knot: &str) -> Vec<String> {
        let is_knot = |file: &&str| {
            self.row(file).is_some_and(|row| self.0[row].iter().any(|name| name == knot))
        };
        let circles = circles(edges).into_iter().filter(|circle| !circle.iter().all(is_knot));
        circles.map(|circle| describe(&circle, edges)).collect()
    }
}

fn describe(circle: &BTreeSet<&str>, edges: &Edges) -> String {
    let files: Vec<&str> = circle.iter().copied().collect();
    let mut text = format!("{} files use one another: {}", files.len(), files.join(" "));
    for ((from, to), line) in edges {
        if circle.contains(from.as_str()) && circle.contains(to.as_str()) {
            let _ = write!(text, "\n  {from}:{line} -> {to}");
        }
    }
    text
}

/// The largest sets of files in which each reaches each.
fn circles(edges: &Edges) -> Vec<BTreeSet<&str>> {
    let mut uses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        uses.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|&file| (file, reach(file, &uses))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let comes_back = |other: &&str| reached.get(other).is_some_and(|set| set.contains(file));
        let circle: BTreeSet<&str> = others.iter().copied().filter(comes_back).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reach<'a>(file: &'a str, uses: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![file]);
    while let Some(file) = open.pop() {
        let others = uses.get(file).into_iter().flatten();
        open.extend(others.filter(|&&other| reached.insert(other)));
    }
    reached
}
