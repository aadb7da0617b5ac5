//! Counts with their plurals, and names from outside as they may be printed.

use std::path::Path;

/// `1 image`, `2 images`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Text from a file or the file system on one line: a terminal obeys control characters, and some
/// characters reverse the direction of what follows.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// The same of a path.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// JSON for a terminal: `serde_json` escapes control characters below 32 only, and these occur in
/// strings only.
pub fn json_line(value: &serde_json::Value) -> String {
    let mut safe = String::new();
    for c in value.to_string().chars() {
        if is_obeyed(c) { safe += &format!("\\u{:04x}", u32::from(c)) } else { safe.push(c) }
    }
    safe
}

/// Controls, line and paragraph separators, and marks of direction.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_is_singular() {
        let said = [0, 1, 2].map(|n| count(n, "class", "classes"));
        assert_eq!(said, ["0 classes", "1 class", "2 classes"]);
    }

    #[test]
    fn no_name_controls_a_terminal() {
        let name = "a\n\u{1b}[31mred\u{9b}0m\u{7f}\u{202e}gnp.\u{2028}é 猫";
        let safe = "a\\n\\u{1b}[31mred\\u{9b}0m\\u{7f}\\u{202e}gnp.\\u{2028}é 猫";
        assert_eq!(shown(name), safe);
        let line = json_line(&json!({ "name": name }));
        assert!(!line.contains(is_obeyed), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(read["name"], name);
    }
}
