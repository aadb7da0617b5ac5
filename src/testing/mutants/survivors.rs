//! Mutants that nothing can notice, and why.
//!
//! Each line of the table has, separated by tabs: the shader, the operator, the line as it is, the
//! line of the mutant, and the reason. In all but the last `*` stands for any text.

use super::mutant::Mutant;

const TABLE: &str = include_str!("survivors.tsv");

/// Why nothing can notice a mutant, if that is known.
pub(super) fn explanation(mutant: &Mutant) -> Option<&'static str> {
    rules().find(|rule| is_it(rule, mutant)).map(|rule| rule[4])
}

fn rules() -> impl Iterator<Item = [&'static str; 5]> {
    TABLE.lines().filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

fn is_it([shader, operator, before, after, _]: &[&str; 5], mutant: &Mutant) -> bool {
    let texts = [&mutant.shader, &mutant.operator.to_string(), &mutant.before, &mutant.after];
    [shader, operator, before, after].into_iter().zip(texts).all(|(a, b)| matches(a, b))
}

/// Whether a text is what a pattern describes.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let Some((inner, end)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in inner.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::{super::Mutants, *};
    use crate::{Error, ops::precision::MatrixUnits};

    #[test]
    fn a_star_is_any_text() {
        assert!(matches("a", "a") && !matches("a", "ab") && matches("*", "") && matches("*", "ab"));
        assert!(matches("a*b", "ab") && matches("a*b", "acb") && !matches("a*b", "abc"));
        assert!(matches("*(x * 2)*", "f(x * 2)") && matches("a*b*c", "abbc"));
        assert!(!matches("a*b*c", "ac") && !matches("ab*ba", "aba"));
    }

    /// A line of the table that fits no mutant explains nothing.
    #[test]
    fn every_explanation_is_of_a_mutant() -> Result<(), Error> {
        let mutants = Mutants::of_units(&MatrixUnits::ALL)?;
        assert!(TABLE.lines().all(|line| line.split('\t').count() == 5), "a line has other fields");
        for rule in rules() {
            assert!(mutants.all().iter().any(|mutant| is_it(&rule, mutant)), "{rule:?}");
        }
        Ok(())
    }
}
