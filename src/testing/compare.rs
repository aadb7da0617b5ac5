//! Comparison of a device with the reference.

use crate::{
    array::Array,
    array64::Array64,
    device::Device,
    dtype::DType,
    error::{Error, RunError},
    graph::{Declaration, Graph, Tensor},
    interpret,
    ops::{
        Op, Operation,
        contract::{Agreement, Bound, Domain, Sample, Subject, unit_in_last_place},
    },
    shape::Meta,
    value::Feed,
    variables::{Variables, initial},
};

/// Compares the elements of a device with those of the reference. `magnitudes` are the sums that
/// [`Bound::Terms`] refers to.
pub fn compare(got: &Array, expected: &Array64, bound: Bound, magnitudes: &[f64]) -> Agreement {
    let dtype = expected.meta.dtype;
    let mut agreement = Agreement::default();
    for (index, (got, &expected)) in got.to_f64().into_iter().zip(&expected.data).enumerate() {
        let calculated = match bound {
            Bound::Exact => 0.0,
            Bound::Ulp(n) => f64::from(n) * unit_in_last_place(expected, DType::F32),
            Bound::Terms(c) => c * f64::from(f32::EPSILON) / 2.0 * magnitudes[index],
            Bound::Abs(e) => e,
        };
        let stored = if bound == Bound::Exact { 0.0 } else { rounding(expected, dtype) };
        agreement.note(index, got, expected, calculated + stored, dtype);
    }
    agreement
}

/// The maximum change of a number computed in f32 when it is stored as this type: half a unit in
/// the last place, or what may be flushed to 0.
fn rounding(x: f64, dtype: DType) -> f64 {
    let unit = unit_in_last_place(x, dtype);
    match dtype {
        DType::F16 if x.abs() < unit => unit,
        DType::F16 => unit / 2.0,
        _ => 0.0,
    }
}

impl Sample {
    /// Applies the operation to inputs named by their position.
    pub fn build<'g>(&self, graph: &'g Graph) -> (Vec<Tensor<'g>>, Tensor<'g>) {
        let operands = self.operands.iter().enumerate();
        let inputs: Vec<_> = operands
            .map(|(k, (meta, _))| graph.input(&k.to_string(), &meta.shape, meta.dtype))
            .collect();
        let y = self.apply(graph, &inputs);
        (inputs, y)
    }

    /// Applies the operation to these inputs.
    pub fn apply<'g>(&self, graph: &'g Graph, inputs: &[Tensor<'g>]) -> Tensor<'g> {
        self.subject.apply(graph, inputs)
    }

    /// The definition of the result, and the sums of magnitudes if the bound needs them.
    ///
    /// # Errors
    ///
    /// If the graph rejects the sample, or an operation of another crate lacks its definition or
    /// gets too few elements from it.
    pub fn expected(&self) -> Result<(Array64, Vec<f64>), Error> {
        let graph = Graph::new();
        let (inputs, _) = self.build(&graph);
        graph.check()?;
        let values = self.values();
        if let Subject::Op(Op::Custom(custom)) = &self.subject
            && let Err(reason) = custom.check_definition(&values.iter().collect::<Vec<_>>())
        {
            graph.refuse(custom.name(), &inputs, reason);
            graph.check()?;
        }
        let expected = self.subject.eval(&values.iter().collect::<Vec<_>>());
        let magnitudes = match self.bound {
            Bound::Terms(_) => {
                let values: Vec<_> = values.iter().map(|v| v.map(v.meta.dtype, f64::abs)).collect();
                self.subject.eval(&values.iter().collect::<Vec<_>>()).data
            }
            _ => vec![],
        };
        Ok((expected, magnitudes))
    }

    /// Runs the sample on a device and compares it with its definition.
    ///
    /// # Errors
    ///
    /// Any error of building, compiling or running it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check(&self, device: &Device) -> Result<Agreement, Error> {
        self.check_against(device, false, &self.expected()?)
    }

    /// The same where a consumer keeps some elements of the result and replaces the others by 0: a
    /// kernel that fuses it has to say which element it stores.
    ///
    /// # Errors
    ///
    /// Any error of building, compiling or running it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check_with_consumer(&self, device: &Device) -> Result<Agreement, Error> {
        self.check_against(device, true, &self.expected()?)
    }

    /// Either check, where the definition is known.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn check_against(
        &self,
        device: &Device,
        has_consumer: bool,
        (expected, magnitudes): &(Array64, Vec<f64>),
    ) -> Result<Agreement, Error> {
        if !has_consumer {
            return Ok(compare(&self.run(device)?, expected, self.bound, magnitudes));
        }
        let graph = Graph::new();
        let y = self.build_with_consumer(&graph);
        let kept = kept(expected);
        let keep = |(x, kept): (&f64, &f64)| if *kept == 0.0 { 0.0 } else { *x };
        let data = expected.data.iter().zip(&kept.data).map(keep).collect();
        let expected = Array64 { meta: expected.meta.clone(), data };
        let got = self.run_output(device, y, Some((KEPT, kept)))?;
        Ok(compare(&got, &expected, self.bound, magnitudes))
    }

    /// Applies the operation, and a consumer to its result.
    pub(super) fn build_with_consumer<'g>(&self, graph: &'g Graph) -> Tensor<'g> {
        let (_, y) = self.build(graph);
        let kept = graph.input(KEPT, y.shape(), DType::Bool);
        kept.select(y, graph.full(y.shape(), y.dtype(), 0.0))
    }

    /// Runs the sample on a device.
    ///
    /// # Errors
    ///
    /// Any error of building, compiling or running it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(&self, device: &Device) -> Result<Array, Error> {
        let graph = Graph::new();
        let (_, y) = self.build(&graph);
        self.run_output(device, y, None)
    }

    /// Runs a program of what was made of the sample's inputs and another one.
    #[cfg(not(target_arch = "wasm32"))]
    fn run_output(
        &self,
        device: &Device,
        y: Tensor<'_>,
        other: Option<(&str, Array64)>,
    ) -> Result<Array, Error> {
        let program = y.graph.compile_pure(device, &[y])?;
        let own = self.values().into_iter().enumerate().map(|(k, value)| (k.to_string(), value));
        let arrays: Vec<(String, Array)> = own
            .chain(other.map(|(name, value)| (name.to_owned(), value)))
            // A program does not take inputs that the result does not depend on.
            .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name))
            .map(|(name, value)| Ok((name, value.to_array()?)))
            .collect::<Result<_, Error>>()?;
        let inputs: Vec<(&str, &dyn Feed)> =
            arrays.iter().map(|(name, array)| (name.as_str(), array as &dyn Feed)).collect();
        program.run(&Variables::new(0), &inputs)?.read_blocking(0)
    }
}

/// The input that says which elements a consumer keeps.
const KEPT: &str = "kept";

/// Which elements of a result a consumer keeps.
#[cfg(not(target_arch = "wasm32"))]
fn kept(result: &Array64) -> Array64 {
    Domain::Below(2).fill(&Meta::new(result.meta.shape.clone(), DType::Bool), 300)
}

/// Evaluates nodes of a graph in f64, halves unrounded as well, given its inputs by name and its variables by path. Variables
/// that are not given have their initial values in a store with seed 0.
///
/// # Errors
///
/// [`RunError::MissingInput`](crate::RunError::MissingInput).
pub fn evaluate(
    graph: &Graph,
    wanted: &[Tensor<'_>],
    inputs: &[(&str, &Array64)],
) -> Result<Vec<Array64>, Error> {
    graph.check()?;
    let ids: Vec<_> = wanted.iter().map(|t| t.id).collect();
    let values = interpret::evaluate(graph, &ids, |op| {
        let (name, meta) = match op {
            Op::Input(input) => (input.name.as_str(), &input.meta),
            Op::Variable(variable) => (variable.path.as_str(), &variable.meta),
            _ => unreachable!("only sources are asked for"),
        };
        let given = inputs.iter().find(|(known, _)| *known == name);
        let begins = graph.inner.borrow().variables.get(name).map(|(_, begins)| begins.clone());
        match (given, begins) {
            (Some((_, value)), _) => Ok((*value).clone()),
            (None, Some(Declaration { meta, init, .. })) => {
                let data = initial::values(init, &meta, 0, name)?.to_f64();
                Ok(Array64 { meta, data })
            }
            (None, None) => {
                let (name, expected) = (name.to_owned(), meta.clone());
                Err(RunError::MissingInput { name, expected }.into())
            }
        }
    })?;
    Ok(values.iter().map(|value| value.as_ref().clone()).collect())
}
