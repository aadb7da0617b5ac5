//! Listings of AGX, Mesa's compiler for Apple, which prints them on its standard output if
//! `AGX_MESA_DEBUG=shaders` asks for it.

use super::{Block, Class, Instruction, class};
use std::collections::HashMap;

const CLASSES: [(&str, Class); 19] = [
    ("ffma", Class::MultiplyAdd),
    ("hfma", Class::MultiplyAdd),
    ("simd_matrix", Class::Matrix),
    ("local_load", Class::LoadShared),
    ("local_store", Class::StoreShared),
    ("device_load", Class::LoadGlobal),
    ("device_store", Class::StoreGlobal),
    ("stack_", Class::Local),
    ("threadgroup_barrier", Class::Barrier),
    ("memory_barrier", Class::Barrier),
    ("if_", Class::Control),
    ("else_", Class::Control),
    ("while_", Class::Control),
    ("jmp_", Class::Control),
    ("push_exec", Class::Control),
    ("pop_exec", Class::Control),
    ("begin_cf", Class::Control),
    ("stop", Class::Control),
    ("wait", Class::Wait),
];

/// `block5 {`, an instruction a line, `} -> block6 block7  from block4`.
///
/// It prints every shader in several stages, and then in bits: the last stage has its registers. What
/// it moves in front of a shader, to run once a dispatch, comes after it.
pub fn parse(listing: &str) -> Option<Vec<Block>> {
    let is_bits = |line: &&str| {
        let (address, rest) = line.trim_start().split_once(": ").unwrap_or(("", ""));
        let is_hex = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
        is_hex(address) && rest.split(' ').next().is_some_and(|code| code.len() > 3 && is_hex(code))
    };
    let stages: Vec<&str> = listing.lines().take_while(|line| !is_bits(line)).collect();
    let begin = stages.iter().rposition(|line| *line == "block0 {")?;
    let mut blocks = Vec::new();
    let (mut numbers, mut followed) = (HashMap::new(), Vec::new());
    for line in &stages[begin..] {
        if let Some(name) = line.strip_suffix(" {") {
            numbers.insert(name, blocks.len());
            blocks.push(Block::default());
        } else if let Some(rest) = line.strip_prefix('}') {
            let successors = rest.split("from").next().unwrap_or_default();
            followed.push(successors.split_whitespace().filter(|word| *word != "->"));
        } else if let (false, Some(block)) = (line.trim().is_empty(), blocks.last_mut()) {
            block.instructions.push(instruction(line.trim()));
        }
    }
    for (block, successors) in blocks.iter_mut().zip(followed) {
        block.successors = successors.filter_map(|name| numbers.get(name).copied()).collect();
    }
    Some(blocks)
}

/// `r16 = ffma ^r33, $r37, ^r16`: the marks are of the life of the value.
fn instruction(text: &str) -> Instruction {
    let register = |text: &str| text.trim().trim_start_matches(['$', '^']).to_owned();
    let (writes, operation) = text.split_once(" = ").unwrap_or(("", text));
    let (opcode, operands) = operation.split_once(' ').unwrap_or((operation, ""));
    let last = operands.split(',').next_back().unwrap_or_default();
    super::instruction(class(opcode, &CLASSES), &register(writes), &register(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_sums() {
        let listing = "shader: MESA_SHADER_COMPUTE
block0 {
   9 = ffma 1, 2, 3
}

block0 {
   $r1 = get_sr #0x0
} -> block2 

block2 {
   r33 = local_load r4h, #0, xyzw, #0x0
   wait #0x0, slot 0
   $r16 = ffma ^r33, r37, ^r16
   r17 = ffma r17, r37, u4
   jmp_exec_any #0x558aa72a2ce0
} -> block2 block3  from block0 block2

block3 {
   stop 
} from block2

   0: 7e15ce0a8000           mov      r5, ^r7
   6: 8800                   stop
block0 {
   r16 = ffma r33, r37, r16
   stop 
}
";
        let blocks = parse(listing).expect("it is of AGX");
        let successors: Vec<_> = blocks.iter().map(|block| block.successors.clone()).collect();
        assert_eq!(successors, [vec![1], vec![1, 2], vec![]]);
        assert_eq!(blocks[1].products(), [("r16", "r16"), ("r17", "u4")]);
        assert_eq!(blocks[1].instructions.len(), 5);
    }
}
