//! The WGSL files, and the samples that run each of their functions.

use super::operators::parsed;
use crate::{
    array64::Array64,
    device::Device,
    error::Error,
    gpu::{Assembly, ENABLE_HALVES, ENABLE_UNITS, assemble, assemble_steps},
    graph::Graph,
    ops::{Op, library, precision::MatrixUnits},
    rewrite::{self, Target},
    schedule::{
        self,
        plan::{Step, StepKind},
    },
    testing::{self, Agreement, Sample, samples},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::OnceLock,
};
use wgpu::naga::{Block, Function, Module, Statement};

/// A WGSL file.
#[derive(Debug)]
pub(super) struct File {
    /// Its name without extension; `lib/` precedes that of a fragment.
    pub name: String,
    pub source: String,
    /// An assembly with this file.
    pub example: String,
    /// Uses by function.
    uses: BTreeMap<String, Vec<Use>>,
}

/// A step of a sample's program that calls a function.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// Index of the program.
    pub program: usize,
    /// Index among its steps, and of the variant of its kernel.
    pub step: usize,
    pub variant: usize,
    /// Whether a kernel or a reduction calls it, or an expression.
    is_kernel: bool,
    /// Elements of a kernel; of an expression the length of its text, and how few elements it has.
    /// What is made for a fragment has none.
    size: [usize; 2],
    /// Uses of different kinds tell of different code.
    kind: String,
    /// The overrides, by name and bits.
    overrides: Vec<(&'static str, u64)>,
}

/// A sample as a program.
pub(super) struct Subject {
    sample: Sample,
    /// Whether something is fused behind it.
    has_consumer: bool,
    pub steps: Vec<Step>,
    /// What it should give, calculated when it is needed.
    expected: OnceLock<Result<(Array64, Vec<f64>), Error>>,
}

impl Subject {
    /// Runs it and compares the result with its definition.
    ///
    /// # Errors
    ///
    /// Any error of compiling or running it.
    pub fn check(&self, device: &Device) -> Result<Agreement, Error> {
        let expected = self.expected.get_or_init(|| self.sample.expected()).as_ref();
        self.sample.check_against(device, self.has_consumer, expected.map_err(Clone::clone)?)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumer = if self.has_consumer { ", with a consumer" } else { "" };
        write!(f, "{}{consumer}", self.sample)
    }
}

/// The programs of the samples, and the files these use.
pub(super) struct Uses {
    pub programs: Vec<Subject>,
    pub files: Vec<File>,
}

impl Uses {
    /// Plans every sample for a device with these matrix units, without one.
    ///
    /// # Errors
    ///
    /// An error in a sample.
    pub fn new(available: &[MatrixUnits]) -> Result<Self, Error> {
        let (mut programs, mut files) = (Vec::new(), BTreeMap::new());
        let mut called = Called::default();
        let samples = samples().into_iter();
        for (sample, has_consumer) in samples.flat_map(|s| [(s.clone(), false), (s, true)]) {
            let graph = Graph::new();
            let y = match has_consumer {
                true => sample.build_with_consumer(&graph),
                false => sample.build(&graph).1,
            };
            graph.check()?;
            let (rewritten, ids) =
                rewrite::run(&graph, &[y.id], false, Target::with_units(available))?;
            let steps = assemble_steps(&schedule::plan(&rewritten, &ids, 2));
            for (number, (step, assemblies)) in steps.iter().enumerate() {
                for assembly in assemblies {
                    let called = called.of(&assembly.text);
                    let a_use = Use::new(&sample, [programs.len(), number, 0], step, assembly);
                    note(&mut files, assembly, called, &a_use, &sample.subject, |_| true);
                }
            }
            let steps = steps.into_iter().map(|(step, _)| step).collect();
            programs.push(Subject { sample, has_consumer, steps, expected: OnceLock::new() });
        }
        // Kernels that are other variants of those with another file, and fragments that only they have.
        let known: BTreeSet<String> = files.keys().cloned().collect();
        for (program, Subject { sample, steps, .. }) in programs.iter().enumerate() {
            for (number, step) in steps.iter().enumerate() {
                for variant in (1..step.variants()).filter(|&it| is_of_others(step, it, &known)) {
                    for assembly in assemble(step, usize::MAX, variant) {
                        let called = called.of(&assembly.text);
                        let a_use = Use::new(sample, [program, number, variant], step, &assembly);
                        let own = assembly.shader;
                        let is_new = |name: &str| name == own || !known.contains(name);
                        note(&mut files, &assembly, called, &a_use, &sample.subject, is_new);
                    }
                }
            }
        }
        let mut files: Vec<File> = files.into_values().collect();
        files
            .iter_mut()
            .flat_map(|file| file.uses.values_mut())
            .for_each(|uses| *uses = sorted(uses));
        Ok(Uses { programs, files })
    }
}

impl Use {
    fn new(
        sample: &Sample,
        [program, number, variant]: [usize; 3],
        step: &Step,
        assembly: &Assembly,
    ) -> Self {
        let elements: usize = step.reads.iter().chain(&step.writes).map(|region| region.len).sum();
        let is_made_for_it = matches!(sample.subject, testing::Subject::Op(Op::Custom(_)));
        let is_kernel = !matches!(step.kind, StepKind::Map { .. });
        let is_reduction = matches!(step.kind, StepKind::Reduce { .. });
        let many = if elements > LARGE { 0 } else { elements };
        Use {
            program,
            step: number,
            variant,
            is_kernel,
            size: match (is_made_for_it, is_kernel) {
                (true, _) => MADE_FOR_IT,
                (_, true) => [elements, 0],
                (_, false) => [assembly.text.len(), LARGE - many],
            },
            kind: format!(
                "{} {:?} {}",
                if is_reduction { "" } else { sample.subject.name() },
                assembly.overrides,
                regime(assembly)
            ),
            overrides: assembly
                .overrides
                .iter()
                .map(|&(name, value)| (name, value.to_bits()))
                .collect(),
        }
    }
}

impl File {
    /// The uses of a function, or of a constant of the file if the name is empty: those that have every value
    /// of an override, then small ones first, one of each kind before the second of any.
    pub fn uses(&self, function: &str) -> Vec<Use> {
        match self.uses.get(function) {
            Some(uses) => uses.clone(),
            None if function.is_empty() => {
                let all: Vec<Use> = self.uses.values().flatten().cloned().collect();
                sorted(&all)
            }
            None => vec![],
        }
    }
}

/// The size of a use that is made for a fragment.
const MADE_FOR_IT: [usize; 2] = [0, 0];

/// More elements than this take time and tell nothing more of an expression.
const LARGE: usize = 1 << 16;

/// The functions that texts call, each parsed once.
#[derive(Default)]
struct Called(HashMap<String, BTreeSet<String>>);

impl Called {
    fn of(&mut self, text: &str) -> &BTreeSet<String> {
        self.0.entry(text.to_owned()).or_insert_with(|| functions_called(text))
    }
}

/// Whether a variant of a step is the first with its file, or has a file or a fragment that is not known.
fn is_of_others(step: &Step, variant: usize, known: &BTreeSet<String>) -> bool {
    let StepKind::Kernel { kernel, .. } = &step.kind else { return false };
    let file = &kernel.shaders[variant].file;
    let is_first = kernel.shaders[..variant].iter().all(|before| before.file.name != file.name);
    let is_known = |import: &&str| known.contains(&format!("lib/{import}"));
    is_first || !known.contains(file.name) || !file.imports.iter().all(is_known)
}

/// Notes a use of every file in an assembly whose name is wanted.
fn note(
    files: &mut BTreeMap<String, File>,
    assembly: &Assembly,
    called: &BTreeSet<String>,
    a_use: &Use,
    subject: &testing::Subject,
    is_wanted: impl Fn(&str) -> bool,
) {
    let own = Some((assembly.shader.to_owned(), file_of(&assembly.text)))
        .filter(|_| !matches!(subject, testing::Subject::Op(Op::Custom(_))));
    let fragments = library::fragments()
        .filter(|(_, source)| assembly.text.contains(source))
        .map(|(name, source)| (format!("lib/{name}"), source));
    let of_it = own.into_iter().chain(fragments).filter(|(name, _)| is_wanted(name));
    for (name, source) in of_it {
        let file = files.entry(name.clone()).or_insert_with(|| File {
            name,
            source: source.to_owned(),
            example: assembly.text.clone(),
            uses: BTreeMap::new(),
        });
        let defined = called.iter().filter(|function| source.contains(&format!("fn {function}(")));
        for function in defined {
            file.uses.entry(function.clone()).or_default().push(a_use.clone());
        }
    }
}

/// Which of the numbers that a shader is given are 0, 1, multiples of a tile, or others; and whether it
/// has one workgroup, or several.
fn regime(assembly: &Assembly) -> String {
    let words = assembly.params.bytes().as_chunks::<4>().0.iter().map(|&b| u32::from_le_bytes(b));
    let groups = assembly.workgroups.iter().product::<u32>().min(2);
    let class = |word: u32| match word {
        0 => '0',
        1 => '1',
        _ if word.is_multiple_of(32) => '*',
        _ if word.is_multiple_of(4) => '4',
        _ => 'n',
    };
    words.map(class).chain([class(groups)]).collect()
}

/// The file with which an assembly begins.
fn file_of(text: &str) -> &str {
    let own = text.strip_prefix(ENABLE_HALVES).unwrap_or(text);
    let own = own.strip_prefix(ENABLE_UNITS).unwrap_or(own);
    own.split_once("\n// ---- appended by the host ----\n").map_or(own, |(file, _)| file)
}

/// The functions that the entry point of a shader reaches, itself included.
fn functions_called(text: &str) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    if let Some((module, _)) = parsed(text) {
        for entry in &module.entry_points {
            called.insert(entry.name.clone());
            reach(&module, &entry.function, &mut called);
        }
    }
    called
}

fn reach(module: &Module, function: &Function, called: &mut BTreeSet<String>) {
    fn blocks<'a>(block: &'a Block, found: &mut Vec<&'a Statement>) {
        for statement in block.iter() {
            found.push(statement);
            match statement {
                Statement::Block(inner) => blocks(inner, found),
                Statement::If { accept, reject, .. } => {
                    [accept, reject].map(|b| blocks(b, found)).into_iter().collect()
                }
                Statement::Loop { body, continuing, .. } => {
                    [body, continuing].map(|b| blocks(b, found)).into_iter().collect()
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| blocks(&case.body, found))
                }
                _ => {}
            }
        }
    }
    let mut statements = Vec::new();
    blocks(&function.body, &mut statements);
    for statement in statements {
        if let Statement::Call { function, .. } = statement {
            let function = &module.functions[*function];
            if called.insert(function.name.clone().unwrap_or_default()) {
                reach(module, function, called);
            }
        }
    }
}

/// Kernels and expressions in turn, round robin over their kinds; those of one step only once.
fn sorted(uses: &[Use]) -> Vec<Use> {
    let mut seen = BTreeSet::new();
    let (kernels, expressions): (Vec<&Use>, Vec<&Use>) = uses
        .iter()
        .filter(|a_use| seen.insert((a_use.program, a_use.step, a_use.variant)))
        .partition(|a_use| a_use.is_kernel);
    let [kernels, expressions] =
        [kernels, expressions].map(|of_one| ranked(of_one).into_iter().enumerate());
    let mut both: Vec<(usize, &Use)> = kernels.chain(expressions).collect();
    both.sort_by_key(|(place, _)| *place);
    with_every_override(both.into_iter().map(|(_, a_use)| a_use).collect())
}

/// The same, behind those that are made for a fragment, and a few small ones that have every value of every
/// override among them: some tiles are in large samples only.
fn with_every_override(uses: Vec<&Use>) -> Vec<Use> {
    let mut by_size: Vec<usize> = (0..uses.len()).collect();
    by_size.sort_by_key(|&place| uses[place].size);
    let mut seen = BTreeSet::new();
    let mut is_first = |place: &usize| {
        let Use { size, overrides, .. } = uses[*place];
        let new = overrides.iter().filter(|value| seen.insert(**value)).count();
        new > 0 || *size == MADE_FOR_IT
    };
    let few: Vec<usize> = by_size.into_iter().filter(|place| is_first(place)).collect();
    let others = (0..uses.len()).filter(|place| !few.contains(place));
    few.iter().copied().chain(others).map(|place| uses[place].clone()).collect()
}

/// One of each kind, then a second of each, and so on; from both ends of their sizes in turn, and large
/// ones last.
fn ranked(uses: Vec<&Use>) -> Vec<&Use> {
    let mut by_kind: BTreeMap<&str, Vec<&Use>> = BTreeMap::new();
    for a_use in uses {
        by_kind.entry(&a_use.kind).or_default().push(a_use);
    }
    let mut ranked: Vec<(usize, &Use)> = Vec::new();
    for of_kind in by_kind.values_mut() {
        of_kind.sort_by_key(|a_use| a_use.size);
        ranked.extend(of_kind.iter().copied().enumerate());
    }
    let (mut small, mut large): (Vec<_>, Vec<_>) =
        ranked.into_iter().partition(|(_, a_use)| a_use.size[0] <= LARGE);
    small.sort_by_key(|(rank, a_use)| (*rank, a_use.size));
    large.sort_by_key(|(_, a_use)| a_use.size);
    let mut ordered = Vec::new();
    for of_rank in small.chunk_by(|a, b| a.0 == b.0) {
        let mut rest = of_rank.iter().map(|(_, a_use)| *a_use);
        while let Some(smallest) = rest.next() {
            ordered.push(smallest);
            ordered.extend(rest.next_back());
        }
    }
    ordered.extend(large.into_iter().map(|(_, a_use)| a_use));
    ordered
}
