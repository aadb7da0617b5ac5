use super::*;
use crate::{Array, data::Dataset, error::VariableError};
use std::{fs, path::PathBuf};

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wgrad-text-{}-{name}", std::process::id()))
}

/// Writes a file and reads it.
fn with<T>(name: &str, content: &[u8], read: impl Fn(&Path) -> T) -> T {
    let path = path(name);
    fs::write(&path, content).expect("it is written");
    let result = read(&path);
    fs::remove_file(path).expect("it can be removed");
    result
}

#[test]
fn a_file_is_utf8_without_its_mark() -> Result<(), Error> {
    assert_eq!(with("mark", "\u{feff}a\u{feff}é".as_bytes(), read)?, "a\u{feff}é");
    assert_eq!(with("empty", b"", read)?, "");
    for (content, expected) in [
        (&b"abc\xff"[..], "at byte 3: expected UTF-8, found 0xff"),
        (b"\xc3\xa9\xc3", "at byte 2: expected UTF-8, found 0xc3"),
        (b"\x1f\x8b\x08\x00\x00", "at byte 1: expected UTF-8, found 0x8b of a gzip archive"),
    ] {
        let error = with("bytes", content, read).expect_err("no text");
        assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    let error = read(&path("none")).expect_err("there is none");
    assert!(matches!(error, Error::File(FileError::Io { .. })), "{error:?}");
    Ok(())
}

#[test]
fn characters_are_in_order_of_code_point() -> Result<(), TokenError> {
    let characters = Characters::new("zé\na中z");
    assert_eq!(characters.characters(), ['\n', 'a', 'z', 'é', '中']);
    assert_eq!((characters.size(), characters.encode("中a\n")?), (5, vec![4, 1, 0]));
    let missing = TokenError::Character { character: 'b', byte: 2 };
    assert_eq!(characters.encode("éb"), Err(missing));
    let error = characters.decode(&[0, 5]).expect_err("there are five");
    assert_eq!(error.to_string(), "token 1: there is no 5 in a vocabulary of 5");
    let unknown = characters.clone().with_unknown();
    assert_eq!((unknown.size(), unknown.encode("éb中")?), (6, vec![3, 5, 4]));
    assert_eq!(unknown.decode(&[3, 5, 4])?, "é\u{fffd}中");
    assert!(unknown.decode(&[6]).is_err());
    for characters in [characters, unknown, Characters::new("")] {
        assert_eq!(Characters::from_json(&characters.to_json())?, characters);
    }
    Ok(())
}

#[test]
fn what_is_no_vocabulary_says_why() {
    for (json, expected) in [
        ("", "EOF"),
        ("[1, 2]", "expected {"),
        ("{\"characters\": \"ab\"}", "expected {"),
        ("{\"characters\": \"aab\", \"unknown\": false}", "expected ascending characters"),
    ] {
        let error = Characters::from_json(json).expect_err(json).to_string();
        assert!(error.starts_with("no vocabulary: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn bytes_are_their_own_tokens() -> Result<(), TokenError> {
    assert_eq!(Bytes.encode("a中")?, [0x61, 0xe4, 0xb8, 0xad]);
    assert_eq!(Bytes.decode(&[0x61, 0xe4, 0x62])?, "a\u{fffd}b");
    let missing = TokenError::Token { token: 256, index: 1, size: 256 };
    assert_eq!(Bytes.decode(&[0, 256]), Err(missing));
    Ok(())
}

#[test]
fn every_token_is_a_target_once() -> Result<(), Error> {
    for (tokens, rows) in [(6, 1), (10, 1), (11, 2), (15, 2), (16, 3)] {
        let windows = Windows::new((0..tokens).collect(), 5)?;
        assert_eq!(windows.len(), rows, "{tokens}");
        let all = windows.get(&(0..rows).collect::<Vec<_>>())?;
        let targets: Vec<u32> = (1..=5 * rows as u32).collect();
        assert_eq!(all.get("targets"), Some(&Array::new([rows, 5], &targets)?));
        let fields = windows.fields();
        assert!(fields.iter().all(|(_, row)| row.shape.dims() == [5]), "{fields:?}");
    }
    let windows = Windows::with_stride((0..20).collect(), 4, 7)?;
    assert_eq!(windows.len(), 3);
    let inputs = Array::from([[14u32, 15, 16, 17], [0, 1, 2, 3]]);
    assert_eq!(windows.get(&[2, 0])?.get("inputs"), Some(&inputs));
    for row in [3, usize::MAX] {
        let Err(Error::Variable(VariableError::Row { row: found, shape })) = windows.get(&[row])
        else {
            panic!("there are three")
        };
        assert_eq!((found, shape.dims()), (row, &[3, 4][..]));
    }
    let debug = format!("{windows:?}");
    assert_eq!(debug, "Windows { tokens: [0, 1, 2, 3, and 16 more], length: 4, stride: 7 }");
    Ok(())
}

#[test]
fn windows_have_tokens() {
    for (tokens, length, stride) in [(4, 4, 1), (0, 1, 1), (4, 0, 1), (4, 1, 0), (4, usize::MAX, 1)]
    {
        let error = Windows::with_stride(vec![0; tokens], length, stride).expect_err("none");
        assert_eq!(error, TokenError::Windows { tokens, length, stride });
        assert!(error.to_string().contains("expected at least"), "{error}");
    }
}

/// The bytes as the files of GPT-2 write them.
const ALPHABET: &str = "ĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠ!\"#$%&'()*+,-./0123456789:;<=>?@\
    ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ġĢģĤĥĦħĨĩĪīĬĭĮįİıĲĳĴĵĶķĸĹĺĻļĽľĿŀŁł\
    ¡¢£¤¥¦§¨©ª«¬Ń®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";
const MERGES: &str = "#version: 0.2\nh e\nt he\nĠ the\nl l\nll o\na a\naa a\n' s\nÃ ©\nĠ Ġ\n";

/// The vocabulary of the alphabet and the merges.
fn vocabulary() -> String {
    let bytes = ALPHABET.chars().map(String::from);
    let merges = MERGES.lines().skip(1).map(|line| line.replace(' ', ""));
    let names = bytes.chain(merges).chain(["<|endoftext|>".to_owned()]);
    let names: serde_json::Map<_, _> =
        names.zip(0..).map(|(name, token)| (name, serde_json::Value::from(token))).collect();
    serde_json::Value::from(names).to_string()
}

fn byte_pairs(name: &str, vocabulary: &str, merges: &str) -> Result<BytePairs, Error> {
    with(&format!("{name}.json"), vocabulary.as_bytes(), |vocabulary| {
        with(&format!("{name}.txt"), merges.as_bytes(), |merges| {
            BytePairs::read(vocabulary, merges)
        })
    })
}

#[test]
fn tokens_are_those_of_tokenizers() -> Result<(), Box<dyn std::error::Error>> {
    let pairs = byte_pairs("tokens", &vocabulary(), MERGES)?;
    // From the Python package `tokenizers` 0.23, `BPE` with `ByteLevel`.
    for (text, expected) in [
        ("the hello  aaaaa aaaaaa", &[257, 32, 256, 260, 32, 32, 261, 262, 32, 261, 261, 261][..]),
        (
            "theatre's été\n\n  the",
            &[257, 97, 116, 114, 101, 263, 32, 264, 116, 264, 10, 10, 32, 258],
        ),
        ("lllo   ", &[259, 108, 111, 265, 32]),
        ("hehe\tthe llllo", &[256, 256, 9, 257, 32, 259, 260]),
        ("", &[]),
    ] {
        assert_eq!(pairs.encode(text)?, expected, "{text}");
        assert_eq!(pairs.decode(expected)?, text);
    }
    assert_eq!((pairs.size(), pairs.token(b"<|endoftext|>")), (267, Some(266)));
    assert_eq!(pairs.decode(&[266, 0xc3])?, "<|endoftext|>\u{fffd}");
    let missing = TokenError::Token { token: 267, index: 0, size: 267 };
    assert_eq!(pairs.decode(&[267]), Err(missing));
    let (vocabulary, merges) = (path("pairs.json"), path("pairs.txt"));
    pairs.write(&vocabulary, &merges)?;
    assert_eq!(fs::read_to_string(&merges)?, MERGES);
    assert_eq!(BytePairs::read(&vocabulary, &merges)?, pairs);
    fs::remove_file(vocabulary)?;
    fs::remove_file(merges)?;
    Ok(())
}

#[test]
fn words_are_those_of_tokenizers() {
    // From `ByteLevel(add_prefix_space=False).pre_tokenize_str` of the same.
    for (text, expected) in [
        (
            "I'll say 'tis  don't we've\n\n\tHELLO 3rd   ",
            &[
                "I", "'ll", " say", " '", "tis", " ", " don", "'t", " we", "'ve", "\n\n", "\t",
                "HELLO", " 3", "rd", "   ",
            ][..],
        ),
        (
            " 'she said' x²½ नमस्ते 中文１２\u{a0}é\u{3000}\u{3000}z!?..(a) ",
            &[
                " '",
                "she",
                " said",
                "'",
                " x",
                "²½",
                " नमस",
                "\u{94d}",
                "त",
                "\u{947}",
                " 中文",
                "１２",
                "\u{a0}",
                "é",
                "\u{3000}",
                "\u{3000}",
                "z",
                "!?..(",
                "a",
                ")",
                " ",
            ],
        ),
        ("a\r\n b  \n c'S's", &["a", "\r\n", " b", "  \n", " c", "'", "S", "'s"]),
        (
            "\u{2028}a \u{308}b Ⅻ\u{1f}z\u{85}q",
            &["\u{2028}", "a", " \u{308}", "b", " Ⅻ", "\u{1f}", "z", "\u{85}", "q"],
        ),
    ] {
        assert_eq!(words::words(text).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_most_frequent_pair_is_learned_first() -> Result<(), TokenError> {
    // In "aaabdaaabac" the pair aa occurs four times; then ab and (aa)a twice, and of these a b is
    // the pair of lower tokens.
    let pairs = BytePairs::train("aaabdaaabac", 259)?;
    let names: Vec<String> =
        [256, 257, 258].iter().map(|&token| pairs.decode(&[token])).collect::<Result<_, _>>()?;
    assert_eq!(names, ["aa", "ab", "aaab"]);
    assert_eq!(pairs.encode("aaabdaaabac")?, [258, 100, 258, 97, 99]);
    // Three words of two tokens each leave no pair but their own.
    let few = BytePairs::train("ab ab", 1000)?;
    assert_eq!((few.size(), few.encode("ab ab")?), (258, vec![256, 257]));
    assert!(BytePairs::train("", 255).is_err());
    assert_eq!(BytePairs::train("", 256)?.encode("é")?, [0xc3, 0xa9]);
    Ok(())
}

/// The definition, without any index: count all pairs, replace the first of the most frequent.
#[test]
fn training_is_that_of_the_definition() -> Result<(), TokenError> {
    let mut random = crate::data::Random::new(&[5]);
    for _ in 0..20 {
        let text: String = (0..200).map(|_| ['a', 'b', 'c', ' '][random.below(4)]).collect();
        let mut words: Vec<Vec<u32>> =
            words::words(&text).map(|word| word.bytes().map(u32::from).collect()).collect();
        for token in 256..300 {
            let mut counts = std::collections::BTreeMap::new();
            for pair in words.iter().flat_map(|word| word.windows(2)) {
                *counts.entry((pair[0], pair[1])).or_insert(0) += 1;
            }
            let most = counts.values().copied().max().unwrap_or(0);
            let Some((&(left, right), _)) = counts.iter().find(|(_, count)| **count == most) else {
                break;
            };
            for word in &mut words {
                let mut index = 0;
                while index + 1 < word.len() {
                    if word[index..index + 2] == [left, right] {
                        word.splice(index..index + 2, [token]);
                    }
                    index += 1;
                }
            }
        }
        let pairs = BytePairs::train(&text, 300)?;
        assert_eq!(pairs.encode(&text)?, words.concat(), "{text}");
    }
    Ok(())
}

#[test]
fn damage_of_a_vocabulary_names_the_line() {
    let good = vocabulary();
    for (vocabulary, merges, expected) in [
        ("", MERGES, ".json: EOF"),
        ("{\"a\": 0}", MERGES, ".json: expected a token of every byte, found none 'Ā'"),
        ("{\"a\": 1}", MERGES, ".json: expected tokens 0 to 0, each once, found \"a\": 1"),
        (&good, "h e\nh", ".txt: line 2: expected two tokens of the vocabulary"),
        (&good, "h e\nh e", ".txt: line 2: expected two tokens of the vocabulary"),
        (&good, "h x", ".txt: line 1: expected two tokens of the vocabulary"),
    ] {
        let error = byte_pairs("damage", vocabulary, merges).expect_err("it is damaged");
        assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    for cut in 0..MERGES.len() {
        if MERGES.is_char_boundary(cut) {
            // Some lines are those of another merge, or an error.
            let _ = byte_pairs("cut", &good, &MERGES[..cut]);
        }
    }
}

#[test]
fn a_long_word_takes_no_quadratic_time() -> Result<(), TokenError> {
    // A million bytes: quadratic time would be hours.
    let text = "a".repeat(1 << 20);
    let pairs = BytePairs::train(&text[..64], 262)?;
    assert_eq!(pairs.encode(&text)?.len(), (1 << 20) / 64);
    Ok(())
}
