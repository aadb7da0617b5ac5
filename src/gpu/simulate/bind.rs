//! Memory of a dispatch, and the workgroups that are followed.

use super::{
    layout::{Kind, Packing, Types},
    machine::{Machine, Value},
    memory::{Memory, Space, Variable},
    module::{Constants, Parsed, unsupported},
    report::Report,
    shadow::Shadow,
    value::{Mask, Words},
};
use crate::{
    dtype::DType,
    error::SimulationError,
    gpu::codegen::{Assembly, BindingKind},
    proof::Case,
    schedule::plan::Region,
};
use half::f16;
use naga::{AddressSpace, BuiltIn, EntryPoint, GlobalVariable, StorageAccess, Type, TypeInner};
use std::{collections::BTreeSet, rc::Rc};

/// Work of all workgroups, in evaluations of expressions by an invocation, after which no other is
/// begun: some ten milliseconds where the crate is optimized a little.
const WORK: u64 = 1 << 22;
/// Work of a single workgroup after which it is given up.
pub(super) const WORK_OF_ONE: u64 = 1 << 27;

/// The largest workgroup of any adapter, and more.
const MAX_LANES: u32 = 4096;

/// Which workgroups are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The first two, one in the middle and the last, as long as they take little work.
    Some,
    /// All.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare whole results"))]
    All,
}

/// The words of regions, an element each.
#[derive(Default)]
pub(crate) struct Buffers {
    regions: Vec<(Region, Vec<u32>)>,
}

impl Buffers {
    /// The operands of a case, and zeros in its results.
    pub fn new(case: &Case) -> Buffers {
        let regions = case.regions.iter().zip(&case.words);
        Buffers {
            regions: regions
                .map(|(region, words)| {
                    let mut words = words.clone();
                    words.resize(region.len, 0);
                    (*region, words)
                })
                .collect(),
        }
    }

    /// The words of a region.
    pub fn words(&mut self, region: Region) -> &mut Vec<u32> {
        let known = self.regions.iter().position(|(known, _)| known.aliases(&region));
        let number = known.unwrap_or_else(|| {
            self.regions.push((region, vec![0; region.len]));
            self.regions.len() - 1
        });
        &mut self.regions[number].1
    }
}

/// Executes some workgroups of a dispatch, which change the buffers.
///
/// # Errors
///
/// [`SimulationError`].
pub(crate) fn simulate(
    assembly: &Assembly,
    buffers: &mut Buffers,
    extent: Extent,
) -> Result<Report, SimulationError> {
    let parsed = Parsed::new(&assembly.text)?;
    let constants = Constants::new(&parsed, &assembly.overrides)?;
    let (number, entry) = parsed.main()?;
    let size = size_of(entry, &constants);
    let lanes = size.iter().fold(1, |lanes: u32, &extent| lanes.saturating_mul(extent));
    if !(1..=MAX_LANES).contains(&lanes) {
        let message = format!("a workgroup has {lanes} invocations");
        return Err(SimulationError::Invalid { message });
    }
    let lanes = lanes as usize;
    let mut memory = Memory::new(&constants.types, lanes, assembly.workgroups);
    for (handle, variable) in parsed.module.global_variables.iter() {
        let bound = bind(variable, assembly, buffers, &constants, lanes);
        let line = parsed.line(parsed.module.global_variables.get_span(handle));
        memory.globals.push(bound.map_err(|error| error.unwrap_or(unsupported(variable, line)))?);
    }
    let mut machine = Machine {
        parsed: &parsed,
        constants: &constants,
        memory,
        work: 0,
        end: 0,
        limit: WORK_OF_ONE,
        loop_line: 0,
    };
    let all = assembly.workgroups.iter().fold(1, |all: u32, &extent| all.saturating_mul(extent));
    let groups: BTreeSet<u32> = match extent {
        Extent::Some => [0, 1, all / 2, all.saturating_sub(1)].into_iter().collect(),
        Extent::All => (0..all).collect(),
    };
    let groups = groups.into_iter().filter(|&group| group < all).collect::<Vec<_>>();
    machine.memory.report.wanted = groups.len() as u64;
    let info = parsed.info.get_entry_point(number);
    for group in groups {
        if machine.work > WORK && extent == Extent::Some {
            break;
        }
        machine.end = machine.work + machine.limit;
        machine.memory.enter(group);
        let arguments = arguments(entry, &machine.memory, size, assembly.workgroups);
        let arguments = arguments.ok_or_else(|| unsupported(&entry.function.arguments, 0))?;
        match machine.call(&entry.function, info, arguments, &Mask::all(lanes)) {
            Err(SimulationError::Endless { line, .. }) => {
                machine.memory.report.unfinished = Some(line);
                break;
            }
            called => called.map(drop)?,
        }
        machine.memory.report.workgroups += 1;
    }
    // What was written.
    for ((_, variable), bound) in parsed.module.global_variables.iter().zip(machine.memory.globals)
    {
        if let (Some(region), Some(bound)) = (region_of(variable, assembly), bound)
            && bound.space == Space::Storage
        {
            *buffers.words(region) = bound.cells;
        }
    }
    Ok(machine.memory.report)
}

/// The workgroup size.
fn size_of(entry: &EntryPoint, constants: &Constants<'_>) -> [u32; 3] {
    let mut size = entry.workgroup_size;
    if let Some(overrides) = entry.workgroup_size_overrides {
        for (extent, expression) in size.iter_mut().zip(overrides) {
            let value = expression.and_then(|expression| constants.value(expression));
            *extent = value.map_or(*extent, |value| value.get(0, 0));
        }
    }
    size
}

/// The memory of a variable.
fn region_of(variable: &GlobalVariable, assembly: &Assembly) -> Option<Region> {
    let at = variable.binding?;
    let mut bindings = assembly.bindings.iter();
    bindings.find(|b| (b.group, b.binding) == (at.group, at.binding)).and_then(|b| b.region)
}

/// A global variable with its content; `Err(None)` if it is not supported.
fn bind<'a>(
    variable: &'a GlobalVariable,
    assembly: &Assembly,
    buffers: &mut Buffers,
    constants: &Constants<'a>,
    lanes: usize,
) -> Result<Option<Variable<'a>>, Option<SimulationError>> {
    let types = &constants.types;
    let inner = types.inner(variable.ty);
    let name = variable.name.as_deref().unwrap_or_default();
    let unbound = || Some(SimulationError::Unbound { variable: name.to_owned() });
    let host = types.host_packing(inner);
    let (space, packing, cells) = match variable.space {
        AddressSpace::WorkGroup => {
            let width = types.width(inner).ok_or(None)?;
            (Space::Workgroup, Packing::Packed, vec![0; width])
        }
        AddressSpace::Private => {
            let width = types.width(inner).ok_or(None)?;
            let zeros = Words::zeros(width, lanes);
            let init = variable.init.and_then(|init| constants.value(init));
            let cells = init
                .map_or(zeros.data, |init| Words::joined(&[&init, &Words::zeros(0, lanes)]).data);
            (Space::Private, Packing::Packed, cells)
        }
        AddressSpace::Uniform => {
            let at = variable.binding.ok_or_else(unbound)?;
            let kind = |b: &&crate::gpu::codegen::Binding| {
                (b.group, b.binding, b.kind) == (at.group, at.binding, BindingKind::Uniform)
            };
            assembly.bindings.iter().find(kind).ok_or_else(unbound)?;
            if host != Packing::Bytes(4) {
                return Err(None);
            }
            let bytes = if at.group == 0 { assembly.params.bytes() } else { &assembly.slot_params };
            let mut cells: Vec<u32> = bytes
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            // The host binds whole units of 16 bytes.
            cells.resize(cells.len().next_multiple_of(4), 0);
            (Space::Constant, host, cells)
        }
        AddressSpace::Storage { access } => {
            let Some(region) = region_of(variable, assembly) else { return Ok(None) };
            let is_half = region.dtype == DType::F16;
            // What is bound in place of an operand that is not there is of any type.
            if is_half != (host == Packing::Bytes(2)) {
                return Ok(None);
            }
            if is_half && !is_of_halves(types, inner) {
                return Err(None);
            }
            let words = buffers.words(region);
            if is_half {
                let rounded = |word: u32| f16::from_f32(f32::from_bits(word)).to_f32().to_bits();
                words.iter_mut().for_each(|word| *word = rounded(*word));
            }
            let is_written = access.contains(StorageAccess::STORE);
            let space = if is_written { Space::Storage } else { Space::Constant };
            let mut cells = words.clone();
            if !is_written && cells.is_empty() {
                // The host binds four bytes at least. They may be read; nothing may be written.
                cells.resize(if is_half { 2 } else { 1 }, 0);
            }
            (space, host, cells)
        }
        _ => return Err(None),
    };
    let mut fixed = Vec::new();
    if types.cells(inner, packing, 0, &mut fixed).is_some()
        && space != Space::Private
        && fixed.last().is_some_and(|&last| last as usize >= cells.len())
    {
        return Err(unbound());
    }
    let is_seen = matches!(space, Space::Storage | Space::Workgroup);
    let shadow = if is_seen { Shadow::new(cells.len()) } else { Shadow::default() };
    let is_fresh = matches!(space, Space::Private | Space::Workgroup);
    let initial = is_fresh.then(|| cells.clone());
    Ok(Some(Variable {
        name: name.into(),
        ty: variable.ty,
        space,
        packing,
        cells,
        initial,
        shadow,
    }))
}

/// Whether a type is an array of f16 or of vectors of them.
fn is_of_halves(types: &Types<'_>, inner: &TypeInner) -> bool {
    match inner {
        TypeInner::Array { base, .. } => is_of_halves(types, types.inner(*base)),
        _ => Kind::of(inner) == Some(Kind::Half),
    }
}

/// The arguments of the entry point; `None` if one is not supported.
fn arguments(
    entry: &EntryPoint,
    memory: &Memory<'_>,
    size: [u32; 3],
    workgroups: [u32; 3],
) -> Option<Vec<Value>> {
    let group = memory.workgroup();
    let lanes = memory.lanes as u32;
    let [x, y, _] = size.map(|extent| extent.max(1));
    let places = |axis: usize| (0..lanes).map(move |i| [i % x, i / x % y, i / x / y][axis]);
    let vector = |of: &dyn Fn(usize, u32) -> u32| {
        let axes = [0, 1, 2]
            .map(|axis| Words::scalars(places(axis).map(|place| of(axis, place)).collect()));
        Words::joined(&[&axes[0], &axes[1], &axes[2]])
    };
    let built_in = |binding: &Option<naga::Binding>| match binding {
        Some(naga::Binding::BuiltIn(built_in)) => Some(match built_in {
            BuiltIn::WorkGroupId => Words::uniform(group.to_vec()),
            BuiltIn::NumWorkGroups => Words::uniform(workgroups.to_vec()),
            BuiltIn::WorkGroupSize => Words::uniform(size.to_vec()),
            BuiltIn::LocalInvocationIndex => Words::scalars((0..lanes).collect()),
            BuiltIn::LocalInvocationId => vector(&|_, place| place),
            BuiltIn::GlobalInvocationId => vector(&|axis, place| group[axis] * size[axis] + place),
            _ => return None,
        }),
        _ => None,
    };
    let argument = |argument: &naga::FunctionArgument| {
        let words = match (built_in(&argument.binding), &types_of(memory, argument.ty).inner) {
            (Some(words), _) => words,
            (None, TypeInner::Struct { members, .. }) => {
                let parts: Option<Vec<Words>> =
                    members.iter().map(|member| built_in(&member.binding)).collect();
                Words::joined(&parts?.iter().collect::<Vec<_>>())
            }
            (None, _) => return None,
        };
        Some(Value::Words(Rc::new(words)))
    };
    entry.function.arguments.iter().map(argument).collect()
}

fn types_of<'a>(memory: &Memory<'a>, ty: naga::Handle<Type>) -> &'a Type {
    &memory.types.module.types[ty]
}
