//! An end for every loop: a mutant may count the wrong way.

/// Iterations of an invocation, over all loops together. No sample needs as many.
const FUEL: u32 = 1 << 16;

/// The shader with an end for each loop. Line numbers stay.
pub(super) fn limited(text: &str) -> String {
    let code = without_comments(text);
    let mut limited = String::with_capacity(text.len() + 1024);
    let mut copied = 0;
    for body in bodies(&code) {
        limited += &text[copied..body];
        limited += " if mutant_fuel == 0u { break; } mutant_fuel -= 1u;";
        copied = body;
    }
    limited += &text[copied..];
    limited + &format!("\nvar<private> mutant_fuel: u32 = {FUEL}u;\n")
}

/// The text with spaces in the place of comments.
fn without_comments(text: &str) -> Vec<u8> {
    let mut code = text.as_bytes().to_vec();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(start) = line.find("//") {
            let end = line.trim_end_matches('\n').len();
            code[offset + start..offset + end].fill(b' ');
        }
        offset += line.len();
    }
    code
}

/// Where the bodies of loops begin, behind their brace.
fn bodies(code: &[u8]) -> Vec<usize> {
    let mut bodies = Vec::new();
    let mut word = 0..0;
    let mut is_header = false;
    let mut depth = 0;
    for (index, &byte) in code.iter().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            if word.end != index {
                word.start = index;
            }
            word.end = index + 1;
            continue;
        }
        if word.end == index && matches!(&code[word.clone()], b"for" | b"while" | b"loop") {
            (is_header, depth) = (true, 0);
        }
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'{' if is_header && depth == 0 => {
                bodies.push(index + 1);
                is_header = false;
            }
            _ => {}
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_ends() {
        let text = "fn f() {\n    // for (ever) {\n    for (var i = g(0u); i < 3u; i += 1u) { h(); }\n    \
                    loop { if a { break; } }\n    while (b) { }\n    if formal { }\n}";
        let limited = limited(text);
        assert_eq!(limited.matches("mutant_fuel -= 1u").count(), 3, "{limited}");
        assert!(limited.contains("i += 1u) { if mutant_fuel == 0u"), "{limited}");
        assert_eq!(limited.lines().position(|l| l.contains("while")), Some(4));
    }
}
