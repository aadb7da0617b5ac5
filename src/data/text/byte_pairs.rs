//! Byte pairs as tokens: the vocabularies of GPT-2 and of models after it.

use super::{Tokenizer, words::words};
use crate::{
    error::{Error, FileError, TokenError},
    io::write_atomically,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, HashSet},
    ops::Range,
    path::Path,
};

/// Tokens that are bytes, or pairs of other tokens that are frequent next to each other.
///
/// A text is cut into words, as GPT-2 does, and the bytes of each are merged, the pair that was
/// learned first before the others. Every text has tokens. Sampled tokens need not be UTF-8: what
/// is not is decoded as U+FFFD.
///
/// ```
/// use wgrad::data::text::{BytePairs, Tokenizer};
///
/// let text = "the cat that sat on the mat";
/// let pairs = BytePairs::train(text, 256 + 4)?;
/// assert_eq!(pairs.size(), 260);
/// let tokens = pairs.encode(text)?;
/// assert!(tokens.len() < text.len());
/// assert_eq!(pairs.decode(&tokens)?, text);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Source
///
/// R. Sennrich, B. Haddow, A. Birch, *Neural Machine Translation of Rare Words with Subword Units*,
/// 2016; A. Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019, whose
/// words and files these are.
#[doc(alias("BPE", "ByteLevelBPETokenizer", "GPT2Tokenizer", "tiktoken"))]
#[derive(Clone, PartialEq, Eq)]
pub struct BytePairs {
    /// The bytes of each token.
    tokens: Vec<Vec<u8>>,
    /// The token of each byte.
    bytes: Vec<u32>,
    merges: HashMap<Pair, Merge>,
}

type Pair = (u32, u32);

/// The token that replaces a pair. Pairs of a lower rank are merged first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merge {
    rank: u32,
    token: u32,
}

impl BytePairs {
    /// Learns a vocabulary of `size` tokens from a text: the 256 bytes, and the most frequent pairs
    /// of tokens, one after another; of equally frequent ones, the pair of lower tokens. There are
    /// fewer if no pair is left.
    ///
    /// # Errors
    ///
    /// [`TokenError::Vocabulary`] if `size` is below 256, or above 2^31.
    pub fn train(text: &str, size: usize) -> Result<Self, TokenError> {
        if !(256..=1 << 31).contains(&size) {
            let message = format!("expected a size of 256 to 2^31 tokens, found {size}");
            return Err(TokenError::Vocabulary { message });
        }
        let mut pairs = BytePairs {
            tokens: (0..=255).map(|byte| vec![byte]).collect(),
            bytes: (0..256).collect(),
            merges: HashMap::new(),
        };
        let mut corpus = Corpus::new(text);
        while pairs.tokens.len() < size {
            let Some((left, right)) = corpus.most_frequent() else { break };
            let (rank, token) = (pairs.merges.len() as u32, pairs.tokens.len() as u32);
            let bytes = [left, right].map(|token| pairs.tokens[token as usize].as_slice()).concat();
            pairs.tokens.push(bytes);
            pairs.merges.insert((left, right), Merge { rank, token });
            corpus.merge((left, right), token);
        }
        Ok(pairs)
    }

    /// Reads a vocabulary from the two files of GPT-2, `vocab.json` and `merges.txt`.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]; [`FileError::Corrupt`] if tokens are not numbered from 0, if there is none
    /// of a byte, or, with the line, if a merge has other tokens.
    #[doc(alias = "from_file")]
    pub fn read(vocabulary: &Path, merges: &Path) -> Result<Self, Error> {
        let corrupt = |path: &Path, message| FileError::Corrupt { path: path.to_owned(), message };
        let names: HashMap<String, u32> = serde_json::from_str(&super::read(vocabulary)?)
            .map_err(|error| corrupt(vocabulary, error.to_string()))?;
        let mut pairs = BytePairs::of(&names).map_err(|message| corrupt(vocabulary, message))?;
        let text = super::read(merges)?;
        let lines = (1..).zip(text.lines()).filter(|&(number, line): &(usize, &str)| {
            !(line.trim().is_empty() || number == 1 && line.starts_with("#version"))
        });
        for (number, line) in lines {
            let merge = line.trim_end().split_once(' ').and_then(|(left, right)| {
                let token = names.get(&format!("{left}{right}"))?;
                Some(((*names.get(left)?, *names.get(right)?), *token))
            });
            let rank = pairs.merges.len() as u32;
            let is_new = merge.is_some_and(|(pair, token)| {
                pairs.merges.insert(pair, Merge { rank, token }).is_none()
            });
            if !is_new {
                let expected = "two tokens of the vocabulary whose pair is one, each pair once";
                let message = format!("line {number}: expected {expected}, found {line:?}");
                return Err(corrupt(merges, message).into());
            }
        }
        Ok(pairs)
    }

    /// Writes the vocabulary as the two files that [`read`](Self::read) reads.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`].
    pub fn write(&self, vocabulary: &Path, merges: &Path) -> Result<(), Error> {
        let alphabet = alphabet();
        let character = |&byte: &u8| alphabet[usize::from(byte)];
        let name = |bytes: &Vec<u8>| bytes.iter().map(character).collect();
        let names: Vec<String> = self.tokens.iter().map(name).collect();
        let numbered: BTreeMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let json = serde_json::to_string(&numbered).map_err(|error| FileError::Io {
            path: vocabulary.to_owned(),
            message: error.to_string(),
        })?;
        let mut ranked: Vec<(u32, Pair)> =
            self.merges.iter().map(|(&pair, merge)| (merge.rank, pair)).collect();
        ranked.sort_unstable();
        let mut lines = "#version: 0.2\n".to_owned();
        for (_, (left, right)) in ranked {
            lines += &format!("{} {}\n", names[left as usize], names[right as usize]);
        }
        write_atomically(vocabulary, json.as_bytes())?;
        write_atomically(merges, lines.as_bytes())
    }

    /// The token with exactly these bytes: of `<|endoftext|>`, for instance, which `encode` never returns.
    #[doc(alias("token_to_id", "convert_tokens_to_ids"))]
    pub fn token(&self, bytes: &[u8]) -> Option<u32> {
        self.tokens.iter().position(|known| known == bytes).map(|token| token as u32)
    }

    /// A vocabulary without merges.
    fn of(names: &HashMap<String, u32>) -> Result<Self, String> {
        let alphabet = alphabet();
        let byte: HashMap<char, u8> = alphabet.iter().copied().zip(0..=255).collect();
        let mut tokens = vec![None; names.len()];
        for (name, &token) in names {
            let size = names.len();
            let place = tokens.get_mut(token as usize).filter(|place| place.is_none());
            let place = place.ok_or_else(|| {
                format!("expected tokens 0 to {}, each once, found {name:?}: {token}", size - 1)
            })?;
            // Other characters, as special tokens may have, are those of their UTF-8.
            let bytes = |c: char| match byte.get(&c) {
                Some(&byte) => vec![byte],
                None => c.to_string().into_bytes(),
            };
            *place = Some(name.chars().flat_map(bytes).collect());
        }
        let tokens: Vec<Vec<u8>> = tokens.into_iter().flatten().collect();
        let token = |c: &char| {
            let token = names.get(c.encode_utf8(&mut [0; 4])).copied();
            token.ok_or_else(|| format!("expected a token of every byte, found none {c:?}"))
        };
        let bytes = alphabet.iter().map(token).collect::<Result<_, _>>()?;
        Ok(BytePairs { tokens, bytes, merges: HashMap::new() })
    }

    /// Appends the tokens of a word: in a list of its bytes, the pair of the lowest rank is
    /// replaced until there is none.
    fn merge(&self, word: &str, tokens: &mut Vec<u32>) {
        let mut list: Vec<Entry> = (word.bytes().enumerate())
            .map(|(index, byte)| Entry {
                token: Some(self.bytes[usize::from(byte)]),
                before: index.wrapping_sub(1),
                after: index + 1,
            })
            .collect();
        let mut heap = BinaryHeap::new();
        let candidate = |list: &[Entry], at: usize| {
            let entry = list.get(at)?;
            let pair = (entry.token?, list.get(entry.after)?.token?);
            Some(Reverse((*self.merges.get(&pair)?, at, pair)))
        };
        heap.extend((0..list.len()).filter_map(|at| candidate(&list, at)));
        while let Some(Reverse((merge, at, pair))) = heap.pop() {
            // It may have been merged with another since.
            let is_stale = |Reverse((_, _, now))| now != pair;
            if candidate(&list, at).is_none_or(is_stale) {
                continue;
            }
            let Entry { before, after, .. } = list[at];
            let next = list[after].after;
            list[at] = Entry { token: Some(merge.token), before, after: next };
            list[after].token = None;
            if let Some(entry) = list.get_mut(next) {
                entry.before = at;
            }
            heap.extend([before, at].into_iter().filter_map(|at| candidate(&list, at)));
        }
        tokens.extend(list.iter().filter_map(|entry| entry.token));
    }
}

/// An entry of a doubly linked list. An index outside of the list is none.
#[derive(Clone, Copy)]
struct Entry {
    /// None if it was merged with the one before.
    token: Option<u32>,
    before: usize,
    after: usize,
}

impl Tokenizer for BytePairs {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let mut tokens = Vec::new();
        // Where the tokens of a word are that occurred before.
        let mut known: HashMap<&str, Range<usize>> = HashMap::new();
        for word in words(text) {
            let begin = tokens.len();
            match known.get(word) {
                Some(range) => tokens.extend_from_within(range.clone()),
                None => {
                    self.merge(word, &mut tokens);
                    known.insert(word, begin..tokens.len());
                }
            }
        }
        Ok(tokens)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, TokenError> {
        let mut bytes = Vec::new();
        for (index, &token) in tokens.iter().enumerate() {
            let size = self.size();
            let known = self.tokens.get(token as usize);
            bytes.extend(known.ok_or(TokenError::Token { token, index, size })?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn size(&self) -> usize {
        self.tokens.len()
    }
}

impl std::fmt::Debug for BytePairs {
    /// A summary.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BytePairs({} tokens, {} merges)", self.tokens.len(), self.merges.len())
    }
}

/// The words of a text, and how often pairs occur in them.
struct Corpus {
    /// Tokens and count of each.
    words: Vec<(Vec<u32>, u64)>,
    counts: HashMap<Pair, u64>,
    /// The words that had a pair when it was last counted.
    places: HashMap<Pair, HashSet<usize>>,
    /// Counts that may be too large: a pair is counted again when it comes first.
    heap: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Corpus {
    fn new(text: &str) -> Self {
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        words(text).for_each(|word| *counted.entry(word).or_default() += 1);
        let words = counted.into_iter().map(|(word, n)| (word.bytes().map(u32::from).collect(), n));
        let mut corpus = Corpus {
            words: words.collect(),
            counts: HashMap::new(),
            places: HashMap::new(),
            heap: BinaryHeap::new(),
        };
        (0..corpus.words.len()).for_each(|index| corpus.count(index));
        corpus.heap = corpus.counts.iter().map(|(&pair, &n)| (n, Reverse(pair))).collect();
        corpus
    }

    /// Adds the pairs of a word.
    fn count(&mut self, index: usize) {
        let (tokens, n) = &self.words[index];
        for pair in tokens.windows(2).map(|pair| (pair[0], pair[1])) {
            *self.counts.entry(pair).or_default() += n;
            self.places.entry(pair).or_default().insert(index);
        }
    }

    fn most_frequent(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.heap.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or_default();
            if now == count && count > 0 {
                return Some(pair);
            }
            if now > 0 {
                self.heap.push((now, Reverse(pair)));
            }
        }
        None
    }

    /// Replaces a pair by a token.
    fn merge(&mut self, merged: Pair, token: u32) {
        let mut changed = HashSet::new();
        for index in self.places.remove(&merged).unwrap_or_default() {
            let (tokens, n) = &mut self.words[index];
            for pair in tokens.windows(2).map(|pair| (pair[0], pair[1])) {
                if let Some(count) = self.counts.get_mut(&pair) {
                    *count -= *n;
                }
            }
            let mut rest = std::mem::take(tokens).into_iter().peekable();
            while let Some(next) = rest.next() {
                let is_pair = next == merged.0 && rest.next_if_eq(&merged.1).is_some();
                tokens.push(if is_pair { token } else { next });
            }
            let new = tokens.windows(2).map(|pair| (pair[0], pair[1]));
            changed.extend(new.filter(|pair| pair.0 == token || pair.1 == token));
            self.count(index);
        }
        for pair in changed {
            let count = self.counts.get(&pair).copied().unwrap_or_default();
            self.heap.push((count, Reverse(pair)));
        }
    }
}

/// The characters that the bytes are written as in the files of GPT-2: those of their numbers,
/// except for spaces and controls.
fn alphabet() -> Vec<char> {
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut others = '\u{100}'..;
    let character = |byte: u8| if is_plain(byte) { Some(byte.into()) } else { others.next() };
    (0..=255).filter_map(character).collect()
}
