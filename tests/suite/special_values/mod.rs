//! NaN, infinities, zeros and denormals: every device gives what the definitions give.
//!
//! An element must be of the kind of the reference's: NaN, an infinity of this sign, or finite.

mod derivatives;
mod foldable;
mod integers;
mod results;

use wgrad::{
    Array64, DType, Device, Error, Feed, Graph, Meta, Program, Tensor, Variables,
    testing::{Sample, evaluate},
};

/// Tensors of a graph, and the names of the inputs they are made of.
struct Case<'g> {
    graph: &'g Graph,
    wanted: Vec<Tensor<'g>>,
    names: Vec<String>,
}

impl<'g> Case<'g> {
    /// What the definitions give.
    fn expected(&self, values: &[Array64]) -> Result<Vec<Array64>, Error> {
        let given: Vec<(&str, &Array64)> =
            self.names.iter().map(String::as_str).zip(values).collect();
        evaluate(self.graph, &self.wanted, &given)
    }

    /// What a program of a device gives; it takes only the inputs it needs.
    fn run(&self, program: &Program, values: &[Array64]) -> Result<Vec<Vec<f64>>, Error> {
        let arrays = values.iter().map(Array64::to_array).collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<(&str, &dyn Feed)> = self
            .names
            .iter()
            .zip(&arrays)
            .map(|(name, array)| (name.as_str(), array as &dyn Feed))
            .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name))
            .collect();
        let outputs = program.run(&Variables::new(0), &inputs)?;
        (0..self.wanted.len()).map(|k| Ok(outputs.read_blocking(k)?.to_f64())).collect()
    }
}

/// Whether a device's value is of the kind of the reference's. Where f32 or f16 overflows, any is.
fn is_alike(got: f64, expected: f64, dtype: DType) -> bool {
    let largest = if dtype == DType::F16 { 6e4 } else { 1e38 };
    match () {
        () if expected.is_nan() => got.is_nan(),
        () if expected.is_infinite() => got == expected,
        () if expected.abs() > largest => true,
        () if dtype.is_float() => got.is_finite(),
        () => true,
    }
}

/// Whether a sample is of f16, which the device has not.
fn is_refused(sample: &Sample, device: &Device) -> bool {
    let is_half = |meta: &Meta| meta.dtype == DType::F16;
    let has_halves = sample.operands.iter().any(|(meta, _)| is_half(meta))
        || sample.expected().is_ok_and(|(y, _)| is_half(&y.meta));
    has_halves && matches!(device, Device::Gpu(gpu) if !gpu.has(DType::F16))
}
