//! Figures of one text on one target.

use crate::{
    Failure,
    listing::{self, Block, Class},
    loops::{self, Loop},
    spirv::Form,
    texts::Kernel,
};
use std::{env, path::Path, process::Command};

/// Terms of a sum where the instructions of a whole kernel are counted.
pub const TERMS: usize = 1024;

/// A driver's account of a text.
pub struct Compiled {
    /// Names and values, as the driver gives them.
    pub statistics: Vec<(String, f64)>,
    pub listing: String,
}

/// The figures of a text on a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Of 32 bits, for an invocation; on Apple of 16 bits.
    pub registers: f64,
    /// Bytes of local memory: what is spilled, and arrays that no register can hold.
    pub local: f64,
    /// Values that are spilled to memory.
    pub spills: f64,
    /// Subgroups that fit: on an SM of NVIDIA, on a SIMD of AMD; on Apple invocations on a core.
    pub occupancy: f64,
    /// Share of multiply-adds in the hottest loop, if there is one; of matrices of them, if there are any.
    pub share: Option<f64>,
    /// How many of them multiply matrices.
    pub matrices: usize,
    /// See [`loops::per_multiply_add`].
    pub per_multiply_add: Option<f64>,
}

/// Compiles a file for a target, in a process of its own: a driver prints as it likes, and may end
/// its process.
pub fn compile(
    target: &str,
    file: &Path,
    overrides: &[(String, f64)],
    form: Form,
) -> Result<Compiled, Failure> {
    let on = Path::new(env!("CARGO_MANIFEST_DIR")).join("on");
    let mut command = Command::new(on);
    command.arg(target).arg(env::current_exe()?).arg("driver").arg(file);
    command.args(overrides.iter().map(|(name, value)| format!("{name}={value}")));
    if form == Form::Checked {
        command.arg("--checked");
    }
    let output = command.env("AGX_MESA_DEBUG", "shaders").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let (file, status) = (file.display(), output.status);
        return Err(format!("{file}, on {target}: {status}\n{said}").into());
    }
    let statistics = said.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix(STATISTIC)?.split_once('\t')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Compiled { statistics: statistics.collect(), listing })
}

/// Begins a line with a statistic in the output of a process that compiles.
pub const STATISTIC: &str = "statistic\t";

impl Compiled {
    /// The blocks of the listing.
    pub fn blocks(&self) -> Result<Vec<Block>, Failure> {
        listing::parse(&self.listing).ok_or_else(|| "the listing is of no known compiler".into())
    }

    /// The first statistic that has one of these names; what a driver lacks it does not count.
    fn statistic(&self, names: &[&str]) -> Option<f64> {
        let found = self.statistics.iter().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| *value)
    }

    /// The figures.
    pub fn measure(&self) -> Result<Measure, Failure> {
        let blocks = self.blocks()?;
        let found = loops::loops(&blocks);
        let matrices = found.iter().max_by_key(|found| found.count(Class::Matrix));
        let matrices = matrices.filter(|found| found.count(Class::Matrix) > 0);
        let needed = |names: &[&str]| {
            self.statistic(names).ok_or_else(|| format!("the driver gives none of {names:?}"))
        };
        Ok(Measure {
            registers: needed(&["Number of GPRs", "VGPRs", "GPRs"])?,
            local: needed(&["SLM size", "Scratch size", "Scratch"])?,
            spills: needed(&["Spills to memory", "Spilled VGPRs", "Spills"])?,
            occupancy: needed(&["Max warps/SM", "Subgroups per SIMD", "Threads"])?,
            share: matrices.or(loops::hottest(&found)).map(Loop::share),
            matrices: matrices.map_or(0, |found| found.count(Class::Matrix)),
            per_multiply_add: loops::per_multiply_add(&blocks, &found, TERMS),
        })
    }
}

impl Measure {
    /// Whether the kernel keeps everything in registers and workgroup memory.
    pub fn is_in_registers(&self) -> bool {
        self.local == 0.0 && self.spills == 0.0
    }

    /// The worse of both in every figure: of several sets of overrides.
    pub fn worse(self, other: Measure) -> Measure {
        let either = |a: Option<f64>, b: Option<f64>, worse: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(worse(a, b)),
            (a, b) => a.or(b),
        };
        Measure {
            registers: self.registers.max(other.registers),
            local: self.local.max(other.local),
            spills: self.spills.max(other.spills),
            occupancy: self.occupancy.min(other.occupancy),
            share: either(self.share, other.share, f64::min),
            matrices: self.matrices.min(other.matrices),
            per_multiply_add: either(self.per_multiply_add, other.per_multiply_add, f64::max),
        }
    }
}

/// The figures of a kernel, whose text lies in a folder.
pub fn measure(
    target: &str,
    folder: &Path,
    kernel: &Kernel,
    form: Form,
) -> Result<Measure, Failure> {
    compile(target, &kernel.path(folder), &kernel.overrides, form)?.measure()
}
