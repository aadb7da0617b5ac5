//! Derivatives of samples on devices, compared with the reference.

use super::{Agreement, compare, evaluate};
use crate::{
    DType, Device, Error, Feed, Graph, Tensor, Variables,
    array::Array,
    array64::Array64,
    autodiff,
    ops::contract::{Bound, Domain, Gradient, Sample},
};

/// Maximum error of first and second derivatives, relative to the largest element, or to 1 if that
/// is larger. A derivative is a chain of a few operations, each within the bound of its own
/// samples; ten times the usual bound is allowed for cancellation between them.
pub const DERIVATIVE_BOUNDS: [f64; 2] = [5e-6, 5e-5];

impl Sample {
    /// Runs the derivatives of an order, 1 or 2, on a device and compares them with those of the
    /// reference; `None` if the sample has none.
    ///
    /// The first are the cotangents `g` of the operands for a random cotangent `c` of the result.
    /// The second are those of `<e, g>`, for random `e`, with respect to the operands and `c`.
    ///
    /// # Errors
    ///
    /// Any error of building, compiling or running them.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check_derivatives(
        &self,
        device: &Device,
        order: usize,
    ) -> Result<Option<Agreement>, Error> {
        if self.gradient != Gradient::Smooth {
            return Ok(None);
        }
        let graph = Graph::new();
        let (inputs, y) = self.build(&graph);
        let floats: Vec<Tensor> = inputs.iter().copied().filter(|x| x.dtype().is_float()).collect();
        if floats.is_empty() || !y.dtype().is_float() {
            return Ok(None);
        }
        let noise = |t: &Tensor, seed| Domain::Range(-1.0, 1.0).fill(&t.meta(), seed);
        let mut given: Vec<(String, Array64)> = self
            .values()
            .into_iter()
            .enumerate()
            .map(|(k, value)| (k.to_string(), value))
            .collect();
        let weights = |a: Tensor, name: &str, seed, given: &mut Vec<(String, Array64)>| {
            given.push((name.to_owned(), noise(&a, seed)));
            graph.input(name, a.shape(), a.dtype())
        };
        let c = weights(y, "c", 100, &mut given);
        let first = autodiff::grad((y * c).sum(..), &floats);
        let wanted = match order {
            1 => first,
            _ => {
                let mut terms = Vec::new();
                for (k, g) in first.iter().enumerate() {
                    let e = weights(*g, &format!("e{k}"), 200 + k as u64, &mut given);
                    // Sums have a single type; f16 and f32 may both occur in a sample.
                    terms.push((*g * e).sum(..).cast(DType::F32));
                }
                let Some(loss) = terms.into_iter().reduce(|sum, term| sum + term) else {
                    return Ok(None);
                };
                autodiff::grad(loss, &floats.iter().copied().chain([c]).collect::<Vec<_>>())
            }
        };
        graph.check()?;
        let borrowed: Vec<(&str, &Array64)> = given.iter().map(|(n, v)| (n.as_str(), v)).collect();
        let expected = evaluate(&graph, &wanted, &borrowed)?;
        let program = graph.compile_pure(device, &wanted)?;
        let arrays: Vec<(&str, Array)> = given
            .iter()
            .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name))
            .map(|(name, value)| Ok((name.as_str(), value.to_array()?)))
            .collect::<Result<_, Error>>()?;
        let feeds: Vec<(&str, &dyn Feed)> =
            arrays.iter().map(|(name, array)| (*name, array as &dyn Feed)).collect();
        let outputs = program.run(&Variables::new(0), &feeds)?;
        let mut worst: Option<Agreement> = None;
        for (k, expected) in expected.iter().enumerate() {
            let scale = expected.data.iter().fold(1.0, |scale: f64, x| scale.max(x.abs()));
            let rounding = if expected.meta.dtype == DType::F16 { 2048.0 } else { 1.0 };
            let bound = Bound::Abs(DERIVATIVE_BOUNDS[order.clamp(1, 2) - 1] * scale * rounding);
            let agreement = compare(&outputs.read_blocking(k)?, expected, bound, &[]);
            if worst.as_ref().is_none_or(|worst| agreement.share > worst.share) {
                worst = Some(agreement);
            }
        }
        Ok(worst)
    }
}
