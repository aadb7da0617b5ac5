//! All checks of an operation of another crate.

use super::{
    Check, Checked, OpReport,
    extents::dims,
    gpus::{guarded, unproved},
    hostile::variants,
};
use crate::{
    device::Device,
    ops::{Custom, Operation, contract::Sample},
    shape::Meta,
};
use std::collections::BTreeSet;

/// Checks an operation of your crate: its result on devices, its derivatives, races in its shader,
/// and the proof of it. [`verify_op!`](crate::verify_op) makes a test of each.
///
/// You give operands that are typical. Each list of them is checked as it is, and on extents that
/// kernels get wrong, as far as the shape rule takes them: 0, 1, a prime, one past a tile, and more
/// rows than a grid has workgroups along an axis. Values and bound are those of the operation:
/// [`Custom::with_operand`] and [`Custom::with_definition`].
///
/// Nothing panics: a check returns an [`OpReport`], and a panic of a closure is a failure in it.
///
/// ```
/// use wgrad::{DType, Device, Meta, ops::{Custom, Shader}, testing::{Bound, OpCheck}};
///
/// let halved = Custom::new(
///     "halved",
///     |x| Ok(x[0].clone()),
///     |_, y| {
///         const HALVED: &str = "
/// struct Params { len: u32 }
/// @group(0) @binding(0) var<uniform> params: Params;
/// @group(0) @binding(1) var<storage, read> x: array<Elem>;
/// @group(0) @binding(2) var<storage, read_write> y: array<Out>;
/// @compute @workgroup_size(64)
/// fn main(
///     @builtin(global_invocation_id) id: vec3<u32>,
///     @builtin(num_workgroups) groups: vec3<u32>,
/// ) {
///     let i = id.x + id.y * groups.x * 64u;
///     if i < params.len { y[i] = epilogue(x[i] * 0.5, i); }
/// }";
///         let len = y.shape.len();
///         Shader::new("halved", HALVED, &(len as u32).to_le_bytes(), len.div_ceil(64))
///     },
/// )
/// .with_definition(Bound::Exact, |x| x[0].data.iter().map(|x| x / 2.0).collect())
/// .with_vjp(|_, _, ct| vec![Some(ct * 0.5)]);
///
/// let check = OpCheck::new(halved).operands([Meta::new([3, 4], DType::F32)]);
/// let report = check.conformance(&[Device::cpu()]);
/// assert!(report.passes(), "{report}");
/// let report = check.derivative(1, &[Device::cpu()]);
/// assert!(report.passes(), "{report}");
/// ```
#[derive(Clone, Debug)]
pub struct OpCheck {
    op: Custom,
    given: Vec<Sample>,
    finite_only: bool,
}

/// Maximum number of elements of an operand for the checks of derivatives, which evaluate the
/// definition many times.
const ELEMENTS: usize = 4096;

impl OpCheck {
    /// The checks of an operation, on no operands yet.
    pub fn new(op: Custom) -> Self {
        OpCheck { op, given: vec![], finite_only: false }
    }

    /// Adds a list of operands.
    pub fn operands(mut self, operands: impl IntoIterator<Item = Meta>) -> Self {
        let mut sample = Sample::new(self.op.clone(), operands);
        if let Some(bound) = self.op.bound() {
            sample = sample.bound(bound, "");
        }
        for (index, domain) in self.op.domains() {
            if let Some((_, values)) = sample.operands.get_mut(*index) {
                *values = domain.clone();
            }
        }
        self.given.push(sample);
        self
    }

    /// Adds a sample with values or a bound of its own.
    pub fn sample(mut self, sample: Sample) -> Self {
        self.given.push(sample);
        self
    }

    /// Lets the shader be wrong on NaN, infinities and other special values: [`proof`](Self::proof)
    /// passes if it is right on all others.
    pub fn finite_only(self) -> Self {
        OpCheck { finite_only: true, ..self }
    }

    /// Whether the operation has a derivative.
    pub fn is_differentiable(&self) -> bool {
        self.op.is_differentiable()
    }

    /// What is checked: the samples that were given, then those on other extents.
    pub fn samples(&self) -> Vec<Sample> {
        let mut seen: BTreeSet<_> = self.given.iter().map(dims).collect();
        let others = self.given.iter().flat_map(variants);
        let others = others.filter(|sample| seen.insert(dims(sample))).collect();
        [self.given.clone(), others].concat()
    }

    /// Whether devices compute what the definition says; a GPU also for a consumer and between guard
    /// bands, where a wrong index given to `epilogue`, reads of uninitialized memory and writes outside
    /// of the result are seen, and on a grid that is folded and has workgroups to spare.
    ///
    /// The CPU runs the definition itself, unless the operation has a loop for it. The reference
    /// tells whether there is a definition, and whether it returns as many elements as it must.
    pub fn conformance(&self, devices: &[Device]) -> OpReport {
        let check = |device: Device| Check::Values { device: unproved(&device), order: 0 };
        let samples = self.samples();
        let mut report = self.report(devices.iter().cloned().map(check).collect(), &samples);
        // A device that is wrong would only be wrong again.
        let right = devices.iter().zip(&report.parts).filter(|(_, part)| part.passes());
        let bands: Vec<Device> = right.filter_map(|(device, _)| guarded(device)).collect();
        report.parts.extend(bands.into_iter().map(|device| Checked::new(check(device), &samples)));
        report
    }

    /// Whether the derivative of order 1 or 2 is that of central differences in f64, and devices
    /// compute what the reference does. Only samples of up to 4,096 elements are checked.
    pub fn derivative(&self, order: usize, devices: &[Device]) -> OpReport {
        if !self.op.is_differentiable() {
            let lack = "it has no derivative: add one by Custom::with_vjp, or say that there is \
                        none (`derivative: none` in verify_op!)";
            return OpReport { op: self.op.name(), parts: vec![], lack: Some(lack) };
        }
        let is_small =
            |sample: &Sample| sample.operands.iter().all(|(meta, _)| meta.shape.len() <= ELEMENTS);
        let samples: Vec<Sample> = self.samples().into_iter().filter(is_small).collect();
        let devices = devices.iter().map(unproved);
        let on_devices = devices.map(|device| Check::Values { device, order });
        let checks = [Check::Slopes { order }].into_iter().chain(on_devices);
        self.report(checks.collect(), &samples)
    }

    /// Whether the host, which follows the shader on every sample, finds no race and no index past
    /// an end in it: a driver may hide both. No GPU is needed.
    pub fn races(&self) -> OpReport {
        self.report(vec![Check::Races], &self.samples())
    }

    /// Whether GPUs prove the shader, as they do before a program may use it, on every sample; again
    /// in this process, whatever earlier ones found.
    pub fn proof(&self, gpus: &[Device]) -> OpReport {
        let finite_only = self.finite_only;
        let proof = |device: &Device| Check::Proof { device: device.clone(), finite_only };
        self.report(gpus.iter().map(proof).collect(), &self.samples())
    }

    fn report(&self, checks: Vec<Check>, samples: &[Sample]) -> OpReport {
        let lack = if self.given.is_empty() {
            Some("there are no operands to check it on: see OpCheck::operands")
        } else if !self.op.is_defined() {
            Some("it has no definition in f64 to check it by: add one by Custom::with_definition")
        } else {
            None
        };
        let checks = if lack.is_some() { vec![] } else { checks };
        let parts = checks.into_iter().map(|check| Checked::new(check, samples)).collect();
        OpReport { op: self.op.name(), parts, lack }
    }
}
