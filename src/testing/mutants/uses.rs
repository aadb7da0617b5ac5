//! The WGSL files, and the samples that run each of their functions.

use super::operators::parsed;
use crate::{
    array64::Array64,
    device::Device,
    error::Error,
    gpu::{Assembly, assemble_steps},
    graph::Graph,
    ops::{Op, library},
    schedule::plan::Step,
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
    /// Index among its steps.
    pub step: usize,
    /// Elements that the step reads and writes.
    size: usize,
    /// Uses of different kinds tell of different code.
    kind: String,
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
    /// Compiles every sample, without a device.
    ///
    /// # Errors
    ///
    /// Any error of compiling one.
    pub fn new() -> Result<Self, Error> {
        let (mut programs, mut files) = (Vec::new(), BTreeMap::new());
        let mut called: HashMap<String, BTreeSet<String>> = HashMap::new();
        let samples = samples().into_iter();
        for (sample, has_consumer) in samples.flat_map(|s| [(s.clone(), false), (s, true)]) {
            let graph = Graph::new();
            let y = match has_consumer {
                true => sample.build_with_consumer(&graph),
                false => sample.build(&graph).1,
            };
            let program = graph.compile_pure(&Device::cpu(), &[y])?;
            let steps = program.plan().map(assemble_steps).unwrap_or_default();
            for (number, (step, assemblies)) in steps.iter().enumerate() {
                for assembly in assemblies {
                    let text = &assembly.text;
                    if !called.contains_key(text) {
                        called.insert(text.clone(), functions_called(text));
                    }
                    let kind = format!("{:?}", assembly.overrides);
                    let size = step.reads.iter().chain(&step.writes).map(|region| region.len).sum();
                    let a_use = Use { program: programs.len(), step: number, size, kind };
                    note(&mut files, assembly, &called[text], &a_use, &sample.subject);
                }
            }
            let steps = steps.into_iter().map(|(step, _)| step).collect();
            programs.push(Subject { sample, has_consumer, steps, expected: OnceLock::new() });
        }
        let mut files: Vec<File> = files.into_values().collect();
        files
            .iter_mut()
            .flat_map(|file| file.uses.values_mut())
            .for_each(|uses| *uses = sorted(uses));
        Ok(Uses { programs, files })
    }
}

impl File {
    /// The uses of a function, or of a constant of the file if the name is empty: small ones first,
    /// one of each kind before the second of any.
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

/// Notes a use of every file in an assembly.
fn note(
    files: &mut BTreeMap<String, File>,
    assembly: &Assembly,
    called: &BTreeSet<String>,
    a_use: &Use,
    subject: &testing::Subject,
) {
    let own = Some((assembly.shader.to_owned(), file_of(&assembly.text), regime(assembly)))
        .filter(|_| !matches!(subject, testing::Subject::Op(Op::Custom(_))));
    let fragments = library::fragments()
        .filter(|(_, source)| assembly.text.contains(source))
        .map(|(name, source)| (format!("lib/{name}"), source, subject.name().to_owned()));
    for (name, source, kind) in own.into_iter().chain(fragments) {
        let file = files.entry(name.clone()).or_insert_with(|| File {
            name,
            source: source.to_owned(),
            example: assembly.text.clone(),
            uses: BTreeMap::new(),
        });
        let defined = called.iter().filter(|function| source.contains(&format!("fn {function}(")));
        let a_use = Use { kind: format!("{kind} {}", a_use.kind), ..a_use.clone() };
        for function in defined {
            file.uses.entry(function.clone()).or_default().push(a_use.clone());
        }
    }
}

/// Which of the numbers that a shader is given are 0, 1, multiples of a tile, or others.
fn regime(assembly: &Assembly) -> String {
    let words = assembly.params.bytes().as_chunks::<4>().0.iter().map(|&b| u32::from_le_bytes(b));
    words
        .map(|word| match word {
            0 => '0',
            1 => '1',
            _ if word.is_multiple_of(32) => '*',
            _ if word.is_multiple_of(4) => '4',
            _ => 'n',
        })
        .collect()
}

/// The file with which an assembly begins.
fn file_of(text: &str) -> &str {
    let own = text.strip_prefix("enable f16; ").unwrap_or(text);
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

/// Uses by size, round robin over their kinds; those of one step only once.
fn sorted(uses: &[Use]) -> Vec<Use> {
    let mut by_kind: BTreeMap<&str, Vec<&Use>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for a_use in uses.iter().filter(|u| seen.insert((u.program, u.step))) {
        by_kind.entry(&a_use.kind).or_default().push(a_use);
    }
    let mut ranked: Vec<(usize, usize, &Use)> = Vec::new();
    for of_kind in by_kind.values_mut() {
        of_kind.sort_by_key(|a_use| a_use.size);
        ranked.extend(of_kind.iter().enumerate().map(|(rank, a_use)| (rank, a_use.size, *a_use)));
    }
    ranked.sort_by_key(|(rank, size, _)| (*rank, *size));
    ranked.into_iter().map(|(_, _, a_use)| a_use.clone()).collect()
}
