//! The mutation operators: every way in which each expression and statement of a WGSL file is made
//! wrong.

use std::{fmt, ops::Range};
use wgpu::naga::{
    self, BinaryOperator as B, Block, Expression, Function, Handle, Literal, MathFunction, Module,
    Scalar, ScalarKind, Statement, TypeInner,
    front::wgsl,
    valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator},
};

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operator {
    /// An integer literal is larger or smaller by one; one in hexadecimal digits, which is a mask or
    /// the bits of a float, is shifted by one bit.
    OffByOne,
    /// `<` becomes `<=`, `==` becomes `!=`, and so on.
    Comparison,
    /// The last index below a limit is left out: `i < n` becomes `i + 1u < n`.
    MissingTail,
    /// The operands of a difference, quotient, shift, comparison or call change places.
    SwappedOperands,
    /// `+` becomes `-`, `&&` becomes `||`, `min` becomes `max`, and so on.
    WrongOperator,
    /// A factor of an index is larger by one.
    WrongStride,
    /// `round`, `floor`, `ceil` or `trunc` is left out.
    LostRounding,
    /// A barrier is left out.
    DroppedBarrier,
    /// A workgroup has half or twice the invocations along an axis.
    WorkgroupSize,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Operator; 9] = [
        Operator::OffByOne,
        Operator::Comparison,
        Operator::MissingTail,
        Operator::SwappedOperands,
        Operator::WrongOperator,
        Operator::WrongStride,
        Operator::LostRounding,
        Operator::DroppedBarrier,
        Operator::WorkgroupSize,
    ];
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operator::OffByOne => "off by one",
            Operator::Comparison => "comparison",
            Operator::MissingTail => "missing tail",
            Operator::SwappedOperands => "swapped operands",
            Operator::WrongOperator => "wrong operator",
            Operator::WrongStride => "wrong stride",
            Operator::LostRounding => "lost rounding",
            Operator::DroppedBarrier => "dropped barrier",
            Operator::WorkgroupSize => "workgroup size",
        })
    }
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub operator: Operator,
    /// The function in which it is; empty for a constant of the module.
    pub function: String,
    /// Bytes of the file.
    pub range: Range<usize>,
    pub replacement: String,
}

/// Parses a shader; with its types.
pub(super) fn parsed(text: &str) -> Option<(Module, ModuleInfo)> {
    let module = wgsl::parse_str(text).ok()?;
    let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).ok()?;
    Some((module, info))
}

/// Every change of a file, which is the bytes `within` an assembled shader, in their order.
pub(super) fn changes(text: &str, within: Range<usize>) -> Vec<Change> {
    let Some((module, info)) = parsed(text) else { return vec![] };
    let mut found = Found { text, within, function: String::new(), changes: vec![] };
    for (_, constant) in module.constants.iter() {
        let literal = &module.global_expressions[constant.init];
        found.literal(literal, module.global_expressions.get_span(constant.init));
    }
    for (handle, function) in module.functions.iter() {
        found.of_function(&module, &info[handle], function, function.name.as_deref());
    }
    for (index, entry) in module.entry_points.iter().enumerate() {
        found.of_function(&module, info.get_entry_point(index), &entry.function, Some(&entry.name));
        found.workgroup_size();
    }
    let mut changes = found.changes;
    changes.sort_by(|a, b| {
        let key = |change: &Change| (change.range.start, change.range.end);
        key(a).cmp(&key(b)).then_with(|| a.replacement.cmp(&b.replacement))
    });
    changes.dedup_by(|a, b| (&a.range, &a.replacement) == (&b.range, &b.replacement));
    changes
}

/// The changes found so far.
struct Found<'a> {
    text: &'a str,
    within: Range<usize>,
    function: String,
    changes: Vec<Change>,
}

impl Found<'_> {
    /// The bytes of a span, if they lie in the file. The span of a call may be that of its name.
    fn range(&self, span: naga::Span) -> Option<Range<usize>> {
        let mut range = span.to_range()?;
        if self.text[range.end..].starts_with('(') {
            let last = arguments(self.text, range.end + 1).last().map_or(range.end + 1, |a| a.end);
            range.end = last + self.text[last..].find(')')? + 1;
        }
        let is_within = self.within.start <= range.start && range.end <= self.within.end;
        (is_within && !range.is_empty()).then_some(range)
    }

    fn add(&mut self, operator: Operator, range: Range<usize>, replacement: String) {
        let function = self.function.clone();
        let range = range.start - self.within.start..range.end - self.within.start;
        self.changes.push(Change { operator, function, range, replacement });
    }

    fn of_function(
        &mut self,
        module: &Module,
        info: &FunctionInfo,
        function: &Function,
        name: Option<&str>,
    ) {
        self.function = name.unwrap_or_default().to_owned();
        let scalar = |handle: Handle<Expression>| match info[handle].ty.inner_with(&module.types) {
            TypeInner::Scalar(scalar) => Some(*scalar),
            _ => None,
        };
        for (handle, expression) in function.expressions.iter() {
            let span = function.expressions.get_span(handle);
            let Some(range) = self.range(span) else { continue };
            match expression {
                Expression::Literal(_) => self.literal(expression, span),
                Expression::Binary { op, left, .. } => self.binary(*op, range, scalar(*left)),
                Expression::Select { .. } => self.swap(range, "select", &[0]),
                Expression::Math { fun, .. } => self.math(*fun, range),
                _ => {}
            }
        }
        self.block(module, &function.body);
    }

    /// Barriers, and arguments of functions.
    fn block(&mut self, module: &Module, block: &Block) {
        for (statement, span) in block.span_iter() {
            match statement {
                Statement::ControlBarrier(_) => {
                    if let Some(range) = self.range(*span) {
                        self.add(Operator::DroppedBarrier, range, String::new());
                    }
                }
                Statement::Call { function, .. } => {
                    let called = &module.functions[*function];
                    let types = called.arguments.windows(2).enumerate();
                    let alike: Vec<usize> =
                        types.filter(|(_, two)| two[0].ty == two[1].ty).map(|(k, _)| k).collect();
                    if let (Some(range), Some(name)) = (self.range(*span), &called.name) {
                        self.swap(range, name, &alike);
                    }
                }
                Statement::Block(inner) => self.block(module, inner),
                Statement::If { accept, reject, .. } => {
                    self.block(module, accept);
                    self.block(module, reject);
                }
                Statement::Loop { body, continuing, .. } => {
                    self.block(module, body);
                    self.block(module, continuing);
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| self.block(module, &case.body));
                }
                _ => {}
            }
        }
    }

    fn literal(&mut self, expression: &Expression, span: naga::Span) {
        let Some(range) = self.range(span) else { return };
        let is_mask = self.text[range.clone()].starts_with("0x");
        let neighbors = match expression {
            Expression::Literal(Literal::U32(x)) if is_mask => {
                [x << 1, x >> 1].map(|x| Some(format!("0x{x:x}u")))
            }
            Expression::Literal(Literal::U32(x)) => {
                [x.checked_add(1), x.checked_sub(1)].map(|x| x.map(|x| format!("{x}u")))
            }
            Expression::Literal(Literal::I32(x)) => {
                [x.checked_add(1), x.checked_sub(1)].map(|x| x.map(|x| format!("({x}i)")))
            }
            _ => return,
        };
        for neighbor in neighbors.into_iter().flatten() {
            self.add(Operator::OffByOne, range.clone(), neighbor);
        }
    }

    fn binary(&mut self, op: B, range: Range<usize>, scalar: Option<Scalar>) {
        let (sign, other) = match op {
            B::Less => ("<", Some("<=")),
            B::LessEqual => ("<=", Some("<")),
            B::Greater => (">", Some(">=")),
            B::GreaterEqual => (">=", Some(">")),
            B::Equal => ("==", Some("!=")),
            B::NotEqual => ("!=", Some("==")),
            B::Add => ("+", Some("-")),
            B::Subtract => ("-", Some("+")),
            B::Multiply => ("*", None),
            B::Divide => ("/", Some("*")),
            B::Modulo => ("%", Some("/")),
            B::LogicalAnd => ("&&", Some("||")),
            B::LogicalOr => ("||", Some("&&")),
            B::And => ("&", Some("|")),
            B::InclusiveOr => ("|", Some("&")),
            B::ExclusiveOr => ("^", Some("|")),
            B::ShiftLeft => ("<<", Some(">>")),
            B::ShiftRight => (">>", Some("<<")),
        };
        let Some(place) = self.sign(&range, sign) else { return };
        let is_comparison = matches!(
            op,
            B::Less | B::LessEqual | B::Greater | B::GreaterEqual | B::Equal | B::NotEqual
        );
        if let Some(other) = other {
            let operator =
                if is_comparison { Operator::Comparison } else { Operator::WrongOperator };
            self.add(operator, place.clone(), other.to_owned());
        }
        let left = self.text[range.start..place.start].trim();
        let right = self.text[place.end..range.end].trim();
        let one = match scalar {
            Some(Scalar { kind: ScalarKind::Uint, .. }) => Some("1u"),
            Some(Scalar { kind: ScalarKind::Sint, .. }) => Some("1i"),
            _ => None,
        };
        let swapped = format!("(({right}) {sign} ({left}))");
        let tail = one.and_then(|one| match op {
            B::Less | B::LessEqual => Some(format!("((({left}) + {one}) {sign} ({right}))")),
            B::Greater | B::GreaterEqual => Some(format!("(({left}) {sign} (({right}) + {one}))")),
            _ => None,
        });
        let stride = one.filter(|_| op == B::Multiply);
        let stride = stride.map(|one| format!("(({left}) * (({right}) + {one}))"));
        if let Some(tail) = tail {
            self.add(Operator::MissingTail, range.clone(), tail);
        }
        if let Some(stride) = stride {
            self.add(Operator::WrongStride, range.clone(), stride);
        }
        if matches!(
            op,
            B::Less
                | B::LessEqual
                | B::Greater
                | B::GreaterEqual
                | B::Subtract
                | B::Divide
                | B::Modulo
        ) {
            self.add(Operator::SwappedOperands, range, swapped);
        }
    }

    /// Where the operator of a binary expression is: the last one outside of all brackets, with
    /// spaces around it. None in `a += b`.
    fn sign(&self, range: &Range<usize>, sign: &str) -> Option<Range<usize>> {
        let text = &self.text[range.clone()];
        let is_outside = |at: usize| {
            let count = |bracket: char| text[..at].matches(bracket).count();
            count('(') == count(')') && count('[') == count(']')
        };
        let is_apart = |at: usize| {
            let before = text[..at].chars().next_back();
            let after = text[at + sign.len()..].chars().next();
            before.is_some_and(char::is_whitespace) && after.is_some_and(char::is_whitespace)
        };
        let places = text.rmatch_indices(sign).map(|(at, _)| at);
        let at = range.start + places.into_iter().find(|&at| is_apart(at) && is_outside(at))?;
        Some(at..at + sign.len())
    }

    /// Swaps arguments of a call with the next one.
    fn swap(&mut self, range: Range<usize>, name: &str, first: &[usize]) {
        let text = &self.text[range.clone()];
        let Some(at) = text.find(&format!("{name}(")) else { return };
        let arguments = arguments(text, at + name.len() + 1);
        for &k in first {
            let Some([a, b]) = arguments.get(k..k + 2) else { continue };
            if text[a.clone()] != text[b.clone()] {
                let between = &text[a.end..b.start];
                let swapped = [&text[b.clone()], between, &text[a.clone()]].concat();
                let place = range.start + a.start..range.start + b.end;
                self.add(Operator::SwappedOperands, place, swapped);
            }
        }
    }

    fn math(&mut self, function: MathFunction, range: Range<usize>) {
        let call = &self.text[range.clone()];
        let Some((name, _)) = call.split_once('(') else { return };
        let name = name.to_owned();
        let (operator, other) = match (function, name.as_str()) {
            (MathFunction::Min, "min") => (Operator::WrongOperator, "max"),
            (MathFunction::Max, "max") => (Operator::WrongOperator, "min"),
            (MathFunction::Round, "round")
            | (MathFunction::Floor, "floor")
            | (MathFunction::Ceil, "ceil")
            | (MathFunction::Trunc, "trunc") => (Operator::LostRounding, ""),
            // The factors are alike, and so are a value and the limit below it.
            (MathFunction::Fma | MathFunction::Clamp, _) => return self.swap(range, &name, &[1]),
            _ => return self.swap(range, &name, &[0]),
        };
        self.add(operator, range.start..range.start + name.len(), other.to_owned());
    }

    /// The attribute of the entry point.
    fn workgroup_size(&mut self) {
        const ATTRIBUTE: &str = "@workgroup_size(";
        let within = self.within.clone();
        let Some(at) = self.text[within.clone()].find(ATTRIBUTE) else { return };
        let first = within.start + at + ATTRIBUTE.len();
        let Some(len) = self.text[first..within.end].find(')') else { return };
        let mut place = first;
        for extent in self.text[first..first + len].split(',') {
            let own = extent.trim();
            let start = place + extent.find(own).unwrap_or_default();
            let range = start..start + own.len();
            if own != "1" {
                self.add(Operator::WorkgroupSize, range.clone(), format!("{own} / 2"));
            }
            self.add(Operator::WorkgroupSize, range, format!("{own} * 2"));
            place += extent.len() + 1;
        }
    }
}

/// The arguments of a call whose first one begins here.
fn arguments(text: &str, first: usize) -> Vec<Range<usize>> {
    let (mut arguments, mut depth, mut start) = (Vec::new(), 0, first);
    for (at, c) in text[first..].char_indices().map(|(at, c)| (first + at, c)) {
        match c {
            '(' | '[' => depth += 1,
            ')' if depth == 0 => {
                arguments.push(start..at);
                break;
            }
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    let trimmed = |range: Range<usize>| {
        let argument = &text[range.clone()];
        let start = range.start + argument.len() - argument.trim_start().len();
        start..start + argument.trim().len()
    };
    arguments.into_iter().map(trimmed).filter(|range| !range.is_empty()).collect()
}
