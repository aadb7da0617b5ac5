//! Listings of NAK, Mesa's compiler for NVIDIA.

use super::{Block, Class, Instruction, class};
use std::collections::HashMap;

const CLASSES: [(&str, Class); 21] = [
    ("ffma", Class::MultiplyAdd),
    ("hfma2", Class::MultiplyAdd),
    ("idp4", Class::MultiplyAdd),
    ("hmma", Class::Matrix),
    ("imma", Class::Matrix),
    ("ld.shared", Class::LoadShared),
    ("ldsm", Class::LoadShared),
    ("st.shared", Class::StoreShared),
    ("ld.global", Class::LoadGlobal),
    ("st.global", Class::StoreGlobal),
    ("ld.local", Class::Local),
    ("st.local", Class::Local),
    ("bar.", Class::Barrier),
    ("membar", Class::Barrier),
    ("bra", Class::Control),
    ("bssy", Class::Control),
    ("bsync", Class::Control),
    ("bclear", Class::Control),
    ("break", Class::Control),
    ("exit", Class::Control),
    ("nop", Class::Wait),
];

/// `block.u 3 L7 [2] -> {`, an instruction a line, `} -> [4]`.
pub fn parse(listing: &str) -> Option<Vec<Block>> {
    let (_, assembly) = listing.split_once("==== NAK assembly\n")?;
    let mut blocks = Vec::new();
    let (mut numbers, mut followed) = (HashMap::new(), Vec::new());
    for line in assembly.lines() {
        if line.starts_with("block") && line.ends_with("-> {") {
            numbers.insert(line.split_whitespace().nth(1)?, blocks.len());
            blocks.push(Block::default());
        } else if let Some(rest) = line.strip_prefix("} -> [") {
            followed.push(rest.trim_end_matches(']').split(", ").filter(|n| !n.is_empty()));
        } else if let Some(block) = blocks.last_mut() {
            block.instructions.extend(instruction(line));
        }
    }
    for (block, successors) in blocks.iter_mut().zip(followed) {
        block.successors = successors.filter_map(|number| numbers.get(number).copied()).collect();
    }
    Some(blocks)
}

/// `r9 = ffma.ftz r27 r29 r9  // delay=1`, possibly after `@!p0`.
fn instruction(line: &str) -> Option<Instruction> {
    let text = line.split("//").next()?.trim();
    let text = match text.split_once(' ') {
        Some((predicate, rest)) if predicate.starts_with('@') => rest.trim(),
        _ => text,
    };
    let (writes, operation) = text.split_once(" = ").unwrap_or(("", text));
    let mut words = operation.split_whitespace();
    let class = class(words.next()?, &CLASSES);
    Some(super::instruction(class, writes.trim(), words.next_back().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_sums() {
        let listing = "==== NIR shader\n    r1 = ffma r1 r1 r1\n==== NAK assembly
block.u 0 L2 [] -> {
      ur0      = s2r sr[0x25]                                          // delay=1 wr:0
      r9       = mov rZ                                                // delay=1
} -> [4]
block 4 L3 [0, 4] -> {
      r27      = ld.shared.strong.cta.b32 [r3+0x40]                    // delay=1 wr:0
      r9       = ffma.ftz r27 r29 r9                                   // delay=1
      r8       = ffma.ftz r27 r8 0x3f800000                            // delay=1
@!p0             bra L3                                                           // delay=1
} -> [4, 7]
block 7 L4 [4] -> {
                 exit                                                  // delay=1
} -> []
";
        let blocks = parse(listing).expect("it is of NAK");
        let classes = blocks.iter().map(|block| {
            block.instructions.iter().map(|instruction| instruction.class).collect::<Vec<_>>()
        });
        use Class::{Control, LoadShared, MultiplyAdd, Other};
        let expected = [
            vec![Other, Other],
            vec![LoadShared, MultiplyAdd, MultiplyAdd, Control],
            vec![Control],
        ];
        assert!(classes.eq(expected));
        let successors: Vec<_> = blocks.iter().map(|block| block.successors.clone()).collect();
        assert_eq!(successors, [vec![1], vec![1, 2], vec![]]);
        let products = [("r9", "r9"), ("r8", "0x3f800000")];
        assert_eq!(blocks[1].products(), products);
    }
}
