//! The instructions that a driver lists, as blocks of a control flow graph.

mod aco;
mod agx;
mod nak;

/// The work of an instruction, as far as the page tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A product that is added: `fma` of floats, a dot product of bytes.
    MultiplyAdd,
    /// The same for whole matrices, by the invocations of a subgroup.
    Matrix,
    LoadShared,
    StoreShared,
    LoadGlobal,
    StoreGlobal,
    /// A load or store of memory of the invocation: spilled registers, arrays that are indexed.
    Local,
    Barrier,
    Control,
    /// Waits for results of other instructions, and what only tells the hardware of them.
    Wait,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    pub class: Class,
    /// The register that it writes, or the range of registers.
    pub writes: Option<String>,
    /// The last operand of a multiply-add: a register, or a constant.
    pub addend: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    pub instructions: Vec<Instruction>,
    /// Positions of the blocks that may follow.
    pub successors: Vec<usize>,
}

/// The blocks of a listing in their order; `None` if it is of no compiler that is known.
pub fn parse(listing: &str) -> Option<Vec<Block>> {
    nak::parse(listing).or_else(|| aco::parse(listing)).or_else(|| agx::parse(listing))
}

/// The class of an opcode by the first of the prefixes that it has.
fn class(opcode: &str, prefixes: &[(&str, Class)]) -> Class {
    let found = prefixes.iter().find(|(prefix, _)| opcode.starts_with(prefix));
    found.map_or(Class::Other, |(_, class)| *class)
}

/// An instruction by its parts; an empty text is none.
fn instruction(class: Class, writes: &str, last: &str) -> Instruction {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let is_product = matches!(class, Class::MultiplyAdd | Class::Matrix);
    Instruction { class, writes: text(writes), addend: text(last).filter(|_| is_product) }
}

#[cfg(test)]
impl Block {
    /// Pairs of what multiply-adds write and add.
    fn products(&self) -> Vec<(&str, &str)> {
        let instructions = self.instructions.iter();
        instructions
            .filter_map(|one| Some((one.writes.as_deref()?, one.addend.as_deref()?)))
            .collect()
    }
}
