//! What a simulation finds.

use std::{collections::BTreeSet, fmt};

/// What went wrong when the invocations of a dispatch were followed one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hazard {
    /// Two invocations use one word, at least one of them writes it, and no barrier is between.
    Race {
        /// The word, such as `tile[17].x`.
        word: String,
        /// The access that came first here; on a device the order is open.
        first: Access,
        /// The other.
        second: Access,
    },
    /// Two invocations use one atomic, no barrier is between, and what comes of it depends on which
    /// is first: one loads, or replaces, what the other changes. To add up in any order is none.
    Unordered {
        /// The atomic, such as `counts[3]`.
        word: String,
        /// The access that came first here.
        first: Access,
        /// The other.
        second: Access,
    },
    /// Some invocations of a workgroup reach a barrier, and some do not: they have returned, or
    /// took another branch.
    DivergentBarrier {
        /// Line of the barrier.
        line: u32,
        /// One that waits.
        waits: Invocation,
        /// One that does not come.
        misses: Invocation,
    },
    /// A word of workgroup memory is read that no invocation has written. WGSL says that it is 0, but
    /// in a module without runtime checks it is whatever the kernel before has left.
    Unwritten {
        /// The word.
        word: String,
        /// The access.
        read: Access,
    },
    /// An index lies past the end. WGSL says that some other element is used, or 0.
    OutOfBounds {
        /// What is indexed.
        array: String,
        /// The index.
        index: u32,
        /// Number of elements.
        len: u32,
        /// The line, and the invocation.
        access: Access,
    },
}

/// An invocation of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// `workgroup_id`.
    pub workgroup: [u32; 3],
    /// `local_invocation_index`.
    pub index: u32,
}

/// A use of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub by: Invocation,
    /// Line of the text.
    pub line: u32,
    /// Whether it writes.
    pub writes: bool,
}

impl Hazard {
    /// Whether it is an access to what is not there, as data may cause: it is past an end, or was never
    /// written.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn is_of_memory(&self) -> bool {
        matches!(self, Hazard::OutOfBounds { .. } | Hazard::Unwritten { .. })
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup;
        write!(f, "invocation {} of workgroup ({x}, {y}, {z})", self.index)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.writes { "writes" } else { "reads" };
        write!(f, "{} {verb} it in line {}", self.by, self.line)
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hazard::Race { word, first, second } => {
                write!(f, "a race for {word}: {first}, {second}, and no barrier is between")
            }
            Hazard::Unordered { word, first, second } => {
                write!(f, "no order for {word}: {first}, {second}, and no barrier is between")
            }
            Hazard::DivergentBarrier { line, waits, misses } => write!(
                f,
                "a barrier that not all reach: {waits} waits in line {line}, {misses} does not"
            ),
            Hazard::Unwritten { word, read } => {
                write!(f, "{word} is read before it is written: {read}")
            }
            Hazard::OutOfBounds { array, index, len, access } => write!(
                f,
                "index {index} of {array}, which has {len} elements: {} in line {}",
                access.by, access.line
            ),
        }
    }
}

/// Outcome of a simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The first hazard of each kind at each pair of lines.
    pub hazards: Vec<Hazard>,
    /// Lines of the barriers that were reached.
    pub barriers: BTreeSet<u32>,
    /// Workgroups that were followed.
    pub workgroups: u64,
    /// Workgroups that were to be followed; more if they took too much work.
    pub wanted: u64,
    /// Line of the loop in which a workgroup was given up, since it took too much work: it has a loop
    /// that does not end, or is very large.
    pub unfinished: Option<u32>,
}

impl Report {
    /// Whether work ran out before all workgroups were followed.
    pub fn is_capped(&self) -> bool {
        self.workgroups < self.wanted
    }
}

/// What became of a dispatch of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DispatchReport {
    /// Index of its step in the plan.
    pub step: usize,
    /// Its operations.
    pub label: String,
    /// Name of the file in `shaders/`, without its extension.
    pub shader: &'static str,
    /// What was found.
    pub report: Report,
}

impl fmt::Display for DispatchReport {
    /// A line for each hazard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { hazards, workgroups, wanted, .. } = &self.report;
        write!(f, "step {}, {} ({}.wgsl): ", self.step, self.label, self.shader)?;
        match hazards.len() {
            0 => write!(f, "no hazard")?,
            1 => write!(f, "1 hazard")?,
            several => write!(f, "{several} hazards")?,
        }
        write!(f, " in {workgroups} workgroups")?;
        if self.report.is_capped() {
            write!(f, " of the {wanted} that were to be followed")?;
        }
        if let Some(line) = self.report.unfinished {
            write!(f, "; one was given up in the loop in line {line}")?;
        }
        hazards.iter().try_for_each(|hazard| write!(f, "\n  {hazard}"))
    }
}
