//! Emits expressions as WGSL: one statement per term, in single-assignment form.
//!
//! The text depends on the structure of an expression, not on its extents: those are passed in
//! [`SlotParams`], so that different shapes share a pipeline.

use super::{
    folding::{Hidden, Products},
    operands::Operands,
    slot_params::SlotParams,
};
use crate::{
    dtype::DType,
    ops::library::divisor,
    schedule::expr::{Affine, Body, Guard, Term, TermId},
};
use std::collections::{BTreeSet, HashMap};

/// Context for emitting the text of a slot.
pub(crate) struct Emitter<'a> {
    /// Parts of the iteration space: an index variable (`u32`) and its extents, outermost first.
    pub spaces: &'a [(&'a str, &'a [usize])],
    /// Text of the loads.
    pub operands: &'a Operands,
    /// Receives shape values.
    pub slot: &'a mut SlotParams,
    /// Prefix of the names of shape values: two slots share one structure.
    pub prefix: &'a str,
    /// The expression of [`Term::Acc`].
    pub acc: &'a str,
    /// Fragments of `shaders/lib` that are called.
    pub lib: &'a mut BTreeSet<&'static str>,
    /// Where products outside of the terms are hidden from sums.
    pub products: Products,
}

/// Statements, and the names of the values they define.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    /// One per line, indented.
    pub statements: String,
    /// One per root.
    pub values: Vec<String>,
}

impl Emitter<'_> {
    /// Emits everything the roots need.
    pub fn emit(self, body: &Body, roots: &[TermId]) -> Emitted {
        let live = body.live(roots);
        let hidden = Hidden::of(body, &live, roots, self.products);
        let mut writer = Writer {
            emitter: self,
            hidden,
            zeros: [None, None],
            text: String::new(),
            coordinates: HashMap::new(),
            indices: HashMap::new(),
            conditions: HashMap::new(),
        };
        writer.coordinates(body, &live);
        let mut values = vec![String::new(); body.terms.len()];
        for (id, (term, dtype)) in body.terms.iter().enumerate() {
            if live[id] {
                values[id] = writer.term(id, term, *dtype, body, &values);
            }
        }
        Emitted {
            statements: writer.text,
            values: roots.iter().map(|&root| values[root].clone()).collect(),
        }
    }
}

struct Writer<'a> {
    emitter: Emitter<'a>,
    hidden: Hidden,
    /// Expressions of two numbers that are 0, which no compiler knows.
    zeros: [Option<String>; 2],
    text: String,
    /// Name of each dimension's coordinate, an i32.
    coordinates: HashMap<usize, String>,
    indices: HashMap<Affine, Index>,
    conditions: HashMap<Guard, String>,
}

/// An index as an expression.
#[derive(Clone)]
enum Index {
    Unsigned(String),
    Signed(String),
}

impl Index {
    fn unsigned(&self) -> String {
        match self {
            Index::Unsigned(text) => text.clone(),
            Index::Signed(text) => format!("u32({text})"),
        }
    }

    fn signed(&self) -> String {
        match self {
            Index::Unsigned(text) => format!("i32({text})"),
            Index::Signed(text) => text.clone(),
        }
    }
}

/// The factor that turns an index into a part of the space into the terms of an affine function
/// over that part; `None` if separate coordinates are needed.
fn multiple(coefs: &[i64], dims: &[usize]) -> Option<i64> {
    let mut stride = 1;
    let mut factor = None;
    for (&coef, &extent) in coefs.iter().zip(dims).rev() {
        if extent != 1 {
            let own = *factor.get_or_insert(coef);
            if coef != own * stride {
                return None;
            }
            stride *= extent as i64;
        }
    }
    Some(factor.unwrap_or(0))
}

impl Writer<'_> {
    fn line(&mut self, statement: &str) {
        self.text += &format!("    {statement}\n");
    }

    /// Each part of the space, with its first dimension.
    fn parts(&self) -> Vec<(usize, String, Vec<usize>)> {
        let mut first = 0;
        let mut parts = Vec::new();
        for (variable, dims) in self.emitter.spaces {
            parts.push((first, (*variable).to_owned(), dims.to_vec()));
            first += dims.len();
        }
        parts
    }

    /// Computes the coordinates that any affine function needs.
    fn coordinates(&mut self, body: &Body, live: &[bool]) {
        for (first, variable, dims) in self.parts() {
            let mut needed = BTreeSet::new();
            for ((term, _), _) in body.terms.iter().zip(live).filter(|(_, live)| **live) {
                for affine in term.affines() {
                    let coefs = &affine.coefs[first..first + dims.len()];
                    if multiple(coefs, &dims).is_none() {
                        let used = |&dim: &usize| coefs[dim] != 0 && dims[dim] != 1;
                        needed.extend((0..dims.len()).filter(used));
                    }
                }
            }
            self.divide(first, &variable, &dims, &needed);
        }
    }

    /// Extracts the needed coordinates from an index, innermost first. Adjacent dimensions that are
    /// not needed are handled together.
    fn divide(&mut self, first: usize, variable: &str, dims: &[usize], needed: &BTreeSet<usize>) {
        let mut rest = variable.to_owned();
        let mut end = dims.len();
        while let Some(&lowest) = needed.first()
            && end > lowest
        {
            let last = end - 1;
            let (start, is_needed) = if needed.contains(&last) {
                (last, true)
            } else {
                (needed.range(..last).next_back().map_or(0, |&dim| dim + 1), false)
            };
            let name = first + start;
            let outer: usize = dims[..start].iter().product();
            if is_needed && outer == 1 {
                self.line(&format!("let c{name} = i32({rest});"));
                self.coordinates.insert(name, format!("c{name}"));
                return;
            }
            let extent = dims[start..end].iter().product::<usize>().max(1) as u32;
            let (multiplier, shift) = divisor(extent);
            let prefix = self.emitter.prefix;
            let slot = &mut *self.emitter.slot;
            let multiplier = slot.u32(format!("{prefix}multiplier{name}"), multiplier);
            let shift = slot.u32(format!("{prefix}shift{name}"), shift);
            self.emitter.lib.insert("divide");
            self.line(&format!("let q{name} = divide({rest}, {multiplier}, {shift});"));
            if is_needed {
                let extent = self.emitter.slot.u32(format!("{prefix}extent{name}"), extent);
                self.line(&format!("let c{name} = i32({rest} - q{name} * {extent});"));
                self.coordinates.insert(name, format!("c{name}"));
            }
            rest = format!("q{name}");
            end = start;
        }
    }

    /// The value of an affine function.
    fn index(&mut self, affine: &Affine) -> Index {
        if let Some(index) = self.indices.get(affine) {
            return index.clone();
        }
        let name = format!("at{}", self.indices.len());
        let prefix = self.emitter.prefix;
        let mut terms = Vec::new();
        let mut linear = None;
        for (first, variable, dims) in self.parts() {
            let coefs = &affine.coefs[first..first + dims.len()];
            let mut add = |value: String, factor: i64, suffix: String| match factor {
                0 => {}
                1 => terms.push(value),
                _ => {
                    let field = format!("{prefix}{name}_{suffix}");
                    let factor = self.emitter.slot.i32(field, factor);
                    terms.push(format!("{value} * {factor}"));
                }
            };
            match multiple(coefs, &dims) {
                Some(factor) => {
                    add(format!("i32({variable})"), factor, format!("by_{variable}"));
                    if factor == 1 {
                        linear = Some(variable);
                    }
                }
                None => {
                    for (dim, (&coef, &extent)) in coefs.iter().zip(&dims).enumerate() {
                        if extent != 1
                            && let Some(value) = self.coordinates.get(&(first + dim))
                        {
                            add(value.clone(), coef, format!("by_c{}", first + dim));
                        }
                    }
                }
            }
        }
        let index = match (terms.len(), linear, affine.offset) {
            (1, Some(variable), 0) => Index::Unsigned(variable),
            (0, _, 0) => Index::Unsigned("0u".to_owned()),
            (count, _, offset) => {
                if offset != 0 {
                    terms.push(self.emitter.slot.i32(format!("{prefix}{name}_offset"), offset));
                }
                if count == 0 {
                    Index::Signed(terms.concat())
                } else {
                    self.line(&format!("let {name} = {};", terms.join(" + ")));
                    Index::Signed(name)
                }
            }
        };
        self.indices.insert(affine.clone(), index.clone());
        index
    }

    /// Whether a guard holds, as the name of a boolean.
    fn condition(&mut self, guard: &Guard) -> String {
        if let Some(name) = self.conditions.get(guard) {
            return name.clone();
        }
        let index = self.index(&guard.coordinate).unsigned();
        let name = format!("inside{}", self.conditions.len());
        let prefix = self.emitter.prefix;
        let extent = guard.extent.clamp(0, i64::from(i32::MAX)) as u32;
        let extent = self.emitter.slot.u32(format!("{prefix}{name}"), extent);
        // A negative coordinate is a large unsigned number.
        self.line(&format!("let {name} = {index} < {extent};"));
        self.conditions.insert(guard.clone(), name.clone());
        name
    }

    fn all(&mut self, guards: &[Guard]) -> String {
        let names: Vec<_> = guards.iter().map(|guard| self.condition(guard)).collect();
        if names.is_empty() { "true".to_owned() } else { names.join(" && ") }
    }

    /// A float in a way that a compiler cannot see through. Equal floats that are hidden by different
    /// zeros do not look equal either.
    fn hide(&mut self, value: &str, zero: usize) -> String {
        let Emitter { slot, prefix, .. } = &mut self.emitter;
        let name = ["zero", "other_zero"][zero];
        let zero = self.zeros[zero].get_or_insert_with(|| slot.u32(format!("{prefix}{name}"), 0));
        format!("bitcast<f32>(bitcast<u32>({value}) ^ {zero})")
    }

    /// Emits a term; returns its name.
    fn term(
        &mut self,
        id: TermId,
        term: &Term,
        dtype: DType,
        body: &Body,
        values: &[String],
    ) -> String {
        let name = format!("v{id}");
        let value = match term {
            Term::Load { operand, index, guards } if guards.is_empty() => {
                let index = self.index(index).unsigned();
                self.emitter.operands.load(*operand, &index, dtype)
            }
            Term::Load { operand, index, guards } => {
                let guards = self.all(guards);
                let index = self.index(index).unsigned();
                let element = self.emitter.operands.load(*operand, &index, dtype);
                self.line(&format!("var {name} = {};", zero(dtype)));
                self.line(&format!("if {guards} {{ {name} = {element}; }}"));
                return name;
            }
            Term::Acc => return self.emitter.acc.to_owned(),
            Term::Const(word) => {
                let field = format!("{}{name}", self.emitter.prefix);
                if self.hidden.term(id) {
                    from_field(*word, field, self.emitter.slot)
                } else {
                    constant(*word, dtype, field, self.emitter.slot)
                }
            }
            Term::Coord(affine) => {
                let index = self.index(affine);
                match dtype {
                    DType::U32 => index.unsigned(),
                    DType::I32 => index.signed(),
                    DType::F32 | DType::F16 => format!("f32({})", index.signed()),
                    DType::Bool => format!("({} != 0)", index.signed()),
                }
            }
            Term::Inside(guards) => self.all(guards),
            Term::Apply(function, operands) => {
                let names = operands.iter().enumerate().map(|(position, &operand)| {
                    let name = &values[operand];
                    match self.hidden.operand(id, position) {
                        true => self.hide(name, position),
                        false => name.clone(),
                    }
                });
                let names: Vec<String> = names.collect();
                let of = operands.last().map_or(dtype, |&id| body.dtype(id));
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let wgsl = function.scalar().wgsl(&names, of, dtype);
                self.emitter.lib.extend(wgsl.lib);
                if self.hidden.term(id) { self.hide(&wgsl.text, 0) } else { wgsl.text }
            }
        };
        self.line(&format!("let {name} = {value};"));
        name
    }
}

fn zero(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F16 => "0.0f",
        DType::I32 => "0i",
        DType::U32 => "0u",
        DType::Bool => "false",
    }
}

/// A float as an expression that tells a compiler nothing of its value.
fn from_field(word: u32, field: String, slot: &mut SlotParams) -> String {
    format!("bitcast<f32>({})", slot.u32(field, word))
}

/// A word as an expression of exactly that value.
///
/// WGSL has no literals for infinities and NaN, and compilers disagree about denormals: their bits
/// are passed in a field, invisible to the compiler.
pub(crate) fn constant(word: u32, dtype: DType, field: String, slot: &mut SlotParams) -> String {
    match dtype {
        DType::Bool => (word != 0).to_string(),
        DType::U32 => format!("{word}u"),
        // The literal of the smallest integer would overflow before its sign is applied.
        DType::I32 if word == 1 << 31 => "i32(-2147483648)".to_owned(),
        DType::I32 => format!("{}i", word as i32),
        DType::F32 | DType::F16 => {
            let x = f32::from_bits(word);
            if x != 0.0 && !x.is_normal() {
                return from_field(word, field, slot);
            }
            let decimal = format!("{x:?}");
            let is_exact = decimal.parse() == Ok(f64::from(x));
            if is_exact && decimal.len() < 12 && !decimal.contains('e') {
                return format!("{decimal}f");
            }
            let sign = if x.is_sign_negative() { "-" } else { "" };
            let exponent = ((word >> 23) & 0xff) as i32 - 127;
            format!("{sign}0x1.{:06x}p{exponent:+}f", (word & 0x7f_ffff) << 1)
        }
    }
}
