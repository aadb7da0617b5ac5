//! Listings of ACO, Mesa's compiler for AMD.

use super::{Block, Class, Instruction, class};
use std::collections::HashMap;

const CLASSES: [(&str, Class); 26] = [
    ("v_fma_f32", Class::MultiplyAdd),
    ("v_fma_f16", Class::MultiplyAdd),
    ("v_fmac_", Class::MultiplyAdd),
    ("v_fmaak_", Class::MultiplyAdd),
    ("v_fmamk_", Class::MultiplyAdd),
    ("v_dual_fma", Class::MultiplyAdd),
    ("v_pk_fma_", Class::MultiplyAdd),
    ("v_dot4_", Class::MultiplyAdd),
    ("v_wmma_", Class::Matrix),
    ("ds_load", Class::LoadShared),
    ("ds_store", Class::StoreShared),
    ("buffer_load", Class::LoadGlobal),
    ("global_load", Class::LoadGlobal),
    ("buffer_store", Class::StoreGlobal),
    ("global_store", Class::StoreGlobal),
    ("scratch_", Class::Local),
    ("s_barrier", Class::Barrier),
    ("s_cbranch", Class::Control),
    ("s_branch", Class::Control),
    ("s_endpgm", Class::Control),
    ("s_wait", Class::Wait),
    ("s_delay", Class::Wait),
    ("s_nop", Class::Wait),
    ("s_clause", Class::Wait),
    ("s_sleep", Class::Wait),
    ("s_set_inst_prefetch", Class::Wait),
];

/// `BB3:`, then an instruction a line, two where they are issued together; a block ends at a branch that
/// is always taken, or goes on with the next.
pub fn parse(listing: &str) -> Option<Vec<Block>> {
    let (_, assembly) = listing.split_once("==== Assembly\n")?;
    let (mut blocks, mut numbers) = (vec![Block::default()], HashMap::new());
    let (mut branches, mut goes_on) = (Vec::new(), true);
    for line in assembly.lines() {
        let text = line.split(';').next()?.trim();
        if let Some(label) = text.strip_suffix(':') {
            let next = blocks.len();
            if goes_on {
                blocks[next - 1].successors.push(next);
            }
            goes_on = true;
            numbers.insert(label, next);
            blocks.push(Block::default());
            continue;
        }
        for text in text.split("::").map(str::trim) {
            // Else it says how often the line above is repeated.
            if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            let last = blocks.len() - 1;
            blocks[last].instructions.push(instruction(text));
            if let Some((branch, target)) = text.split_once(' ')
                && (branch.starts_with("s_cbranch") || branch == "s_branch")
            {
                branches.push((last, target.trim()));
                goes_on = branch != "s_branch";
            }
        }
    }
    for (block, target) in branches {
        blocks[block].successors.extend(numbers.get(target));
    }
    Some(blocks)
}

/// `v_fma_f32 v1, v2, v3, v1`, or `v_fmac_f32_e32 v1, v2, v3`, which adds to what it writes.
fn instruction(text: &str) -> Instruction {
    let (opcode, operands) = text.split_once(' ').unwrap_or((text, ""));
    let operands: Vec<_> = operands.split(',').map(str::trim).collect();
    let added = match opcode.contains("fmac_") {
        true => operands.first(),
        false => operands.get(3),
    };
    let added = added.and_then(|operand| operand.split_whitespace().next());
    super::instruction(class(opcode, &CLASSES), operands[0], added.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_sums() {
        let listing = "==== ACO IR\nBB0:\n\tv_fmac_f32 v9, v1, v2\n==== Assembly
BB0:
\ts_load_b128 s[4:7], s[2:3], null                            ; f4080101 f8000000
BB2:
\ts_cbranch_scc1 BB53                                         ; bfa20289
\tds_load_b32 v3, v4                                          ; d8d80000 03000004
\ts_nop 0                                                     ; bf800000
\t(then repeated 2 times)
\tv_fmac_f32_e32 v16, v32, v37                                ; 56204b20
\tv_dual_fmac_f32 v17, v32, v37 :: v_dual_mov_b32 v4, v5      ; 56184b1f
\tv_fma_f32 v18, v1, v2, v18                                  ; 56284b21
\tv_fmaak_f32 v19, v1, v19, 0x3efffffe                        ; 56284b21
\ts_branch BB2                                                ; bfa0fd75
BB53:
\ts_endpgm                                                    ; bfb00000
";
        let blocks = parse(listing).expect("it is of ACO");
        let successors: Vec<_> = blocks.iter().map(|block| block.successors.clone()).collect();
        assert_eq!(successors, [vec![1], vec![2], vec![3, 2], vec![]]);
        let products = [("v16", "v16"), ("v17", "v17"), ("v18", "v18"), ("v19", "0x3efffffe")];
        assert_eq!(blocks[2].products(), products);
        assert_eq!(blocks[2].instructions.len(), 9);
    }
}
