//! Names that were perhaps meant.

/// Up to three of `known` that resemble `name`, the closest first: a few letters differ, or only the
/// last part of the path is given.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let few = 1 + name.chars().count() / 4;
    let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|path| {
            let edits = Some(strsim::levenshtein(name, path)).filter(|&edits| edits <= few);
            let is_last = last(path).as_deref() == Some(name);
            edits.or(is_last.then_some(few)).map(|edits| (edits, path))
        })
        .collect();
    found.sort_unstable();
    let best = found.first().map_or(0, |(edits, _)| *edits);
    found.retain(|(edits, _)| *edits <= best + 1);
    found.into_iter().take(3).map(|(_, path)| path.to_owned()).collect()
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
    fn the_closest_come_first_and_strangers_not_at_all() {
        let known = ["net/bias", "net/weight", "optim/lr", "optim/step", "gen/lr", "disc/lr"];
        let of = |name| similar(name, known.into_iter());
        assert_eq!(of("optim.lr"), ["optim/lr"]);
        assert_eq!(of("net/wieght"), ["net/weight"]);
        assert_eq!(of("lr"), ["disc/lr", "gen/lr", "optim/lr"]);
        assert_eq!(of("momentum"), [] as [&str; 0]);
    }
}
