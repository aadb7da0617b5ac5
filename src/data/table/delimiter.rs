//! The delimiter of a text, by its first records.

/// Candidates, in order of preference.
const KNOWN: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Number of records that are looked at.
const RECORDS: usize = 20;

/// The candidate by which all of the first records have as many fields, and the most; otherwise the
/// one by which the first record has the most.
pub(super) fn sniff(text: &str) -> u8 {
    let mut best = (b',', (false, 1));
    for delimiter in KNOWN {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let widths = reader.byte_records().take(RECORDS);
        let widths: Vec<usize> = widths.map_while(Result::ok).map(|record| record.len()).collect();
        let first = widths.first().copied().unwrap_or_default();
        let score = (first > 1 && widths.iter().all(|&width| width == first), first);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_a_table() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("a\tb, of c\td\n1\t2\t3\n", b'\t'),
            ("a|b\n\"1|2\"|3\n", b'|'),
            // None fits: the first line decides.
            ("a,b,c\n1,2\n1|2|3,4\n", b','),
            ("a\n1;2\n", b','),
            ("", b','),
        ] {
            assert_eq!(sniff(text) as char, expected as char, "{text:?}");
        }
    }
}
