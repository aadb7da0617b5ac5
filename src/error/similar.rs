//! Names that were perhaps meant.

/// Up to three of `known` that resemble `name`, the closest first: a few letters differ, or only the
/// last part of the path is given.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let few = 1 + name.chars().count() / 4;
    let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|path| {
            let edits = edits(name, path, few);
            let is_last = last(path).as_deref() == Some(name);
            edits.or(is_last.then_some(few)).map(|edits| (edits, path))
        })
        .collect();
    found.sort_unstable();
    let best = found.first().map_or(0, |(edits, _)| *edits);
    found.retain(|(edits, _)| *edits <= best + 1);
    found.into_iter().take(3).map(|(_, path)| path.to_owned()).collect()
}

/// The number of letters to insert, delete or replace, if it is at most `most`.
fn edits(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // The distances of the beginnings of `b` from the part of `a` that was seen.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().filter(|&edits| edits <= most)
}

/// `: "a", "b"` behind `before`; empty without names.
pub(crate) fn quoted(before: &str, names: &[String]) -> String {
    match names {
        [] => String::new(),
        _ => format!(
            "{before}{}",
            names.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("optim.lr", "optim/lr", 1),
            ("ab", "ba", 2),
            ("über", "uber", 1),
        ] {
            assert_eq!([edits(a, b, 9), edits(b, a, 9)], [Some(expected); 2], "{a} {b}");
            assert_eq!(expected.checked_sub(1).and_then(|most| edits(a, b, most)), None);
        }
    }

    #[test]
    fn the_closest_come_first_and_strangers_not_at_all() {
        let known = ["net/bias", "net/weight", "optim/lr", "optim/step", "gen/lr", "disc/lr"];
        let of = |name| similar(name, known.into_iter());
        assert_eq!(of("optim.lr"), ["optim/lr"]);
        assert_eq!(of("net/wieght"), ["net/weight"]);
        assert_eq!(of("lr"), ["disc/lr", "gen/lr", "optim/lr"]);
        assert_eq!(of("momentum"), [] as [&str; 0]);
    }
}
