//! Paths of variables by pattern.

/// Whether a pattern matches a path or a scope above it: `net` matches `net/0:dense/weight`.
///
/// `*` stands for any text within one name, `**` for any number of names.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let names = |text: &'_ str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    scope_matches(&names(pattern), &names(path))
}

/// Whether the pattern matches the first of these names, or all.
fn scope_matches(pattern: &[String], names: &[String]) -> bool {
    match (pattern, names) {
        ([], _) => true,
        ([any, rest @ ..], _) if any == "**" => {
            (0..=names.len()).any(|skipped| scope_matches(rest, &names[skipped..]))
        }
        ([first, rest @ ..], [name, names @ ..]) => {
            name_matches(first, name) && scope_matches(rest, names)
        }
        (_, []) => false,
    }
}

/// Whether the parts between asterisks lie in the name one after another.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_paths_and_scopes() {
        let path = "net/0:dense/weight";
        for pattern in [
            "net",
            "net/0:dense",
            path,
            "net/*",
            "net/*:dense",
            "**",
            "**/weight",
            "net/**/weight",
            "*/*/w*t",
            "n*t",
            "**/0:*",
            "net/0:dense/**",
            "*e*/0*d*s*e",
        ] {
            assert!(matches(pattern, path), "{pattern}");
        }
        for pattern in [
            "ne",
            "net/0",
            "weight",
            "*/weight",
            "net/*/bias",
            "**/bias",
            "net/0:dense/weight/x",
            "",
            "net/",
            "*n*t*t/**",
            "net/*dd*",
        ] {
            assert!(!matches(pattern, path), "{pattern}");
        }
    }
}
