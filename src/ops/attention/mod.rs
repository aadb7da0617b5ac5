//! Attention: what is looked for chooses among what there is. A step of its own never stores the
//! matrix of all scores.

mod cpu;
mod grad;
mod samples;

pub use grad::AttentionGrad;

use super::*;
use crate::{
    dtype::DType,
    functions::constant,
    ops::lowering::{CpuKernel, Kernel, Shader, fold},
};
use std::sync::Arc;

/// `softmax(q k^T / sqrt d) v` of `(q, k, v)`, for each head.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Whether a query sees the keys up to its own position only.
    pub(crate) causal: bool,
}

/// `ln sum exp(q k^T / sqrt d)` of `(q, k)`, for each query: what the derivatives of [`Attention`]
/// need in order to have its weights without their matrix. They are f32, whatever the operands are.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionLogs(pub(crate) Attention);

/// The widest vectors that the kernels hold in registers.
const WIDEST: usize = 128;

/// Queries a workgroup, as in the shaders.
const ROWS: usize = 32;

/// Mirrors `struct Params` of `shaders/attention.wgsl` and `shaders/attention_grad.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    heads: u32,
    t: u32,
    s: u32,
    d: u32,
    e: u32,
    causal: u32,
    scale: f32,
}

/// Heads, queries, keys, and elements of keys and of values.
#[derive(Clone, Copy, Debug)]
struct Extents {
    heads: usize,
    t: usize,
    s: usize,
    d: usize,
    e: usize,
    causal: bool,
}

/// The last two extents of a matrix, or of a stack of them.
fn matrix(x: &Meta) -> Option<[usize; 2]> {
    x.shape.dims().last_chunk().copied()
}

/// The extents in front of the last two.
fn outer(x: &Meta) -> &[usize] {
    &x.shape.dims()[..x.shape.rank().saturating_sub(2)]
}

impl Attention {
    /// Of queries, keys and values that fit, with the same extents in front.
    fn extents(&self, q: &Meta, k: &Meta, v: &Meta) -> Result<Extents, OpError> {
        let (Some([t, d]), Some([s, width]), Some([values, e])) = (matrix(q), matrix(k), matrix(v))
        else {
            return Err(OpError::Rank { least: 2 });
        };
        if [k, v].iter().any(|x| x.dtype != q.dtype) {
            return Err(OpError::DTypes);
        }
        if !q.dtype.is_float() {
            return Err(OpError::DType(q.dtype));
        }
        if width != d {
            return Err(OpError::Extents {
                what: "elements of queries and keys",
                lhs: d,
                rhs: width,
            });
        }
        if values != s {
            return Err(OpError::Extents {
                what: "numbers of keys and values",
                lhs: s,
                rhs: values,
            });
        }
        if [k, v].iter().any(|x| outer(x) != outer(q)) {
            return Err(OpError::Broadcast);
        }
        let heads = outer(q).iter().product();
        Ok(Extents { heads, t, s, d, e, causal: self.causal })
    }

    /// Whether these are queries, keys and values with the same extents in front: what broadcasts, or
    /// is wrong, the operations that it is written in see to.
    pub(crate) fn fits(&self, operands: [Tensor<'_>; 3]) -> bool {
        if operands.iter().any(|operand| operand.failed()) {
            return false;
        }
        let [q, k, v] = operands.map(|operand| operand.meta());
        self.extents(&q, &k, &v).is_ok()
    }

    /// The scores of all keys for all queries; those that are hidden are negative infinity.
    #[track_caller]
    pub(crate) fn scores<'g>(&self, q: Tensor<'g>, k: Tensor<'g>) -> Tensor<'g> {
        let width = q.dim(-1).max(1) as f64;
        let scores = (q * constant(q, width.sqrt().recip())).matmul(k.swap_axes(-1, -2));
        if !self.causal {
            return scores;
        }
        let row = q.graph.iota(scores.shape(), -2, DType::U32);
        let column = q.graph.iota(scores.shape(), -1, DType::U32);
        column.less_equal(row).select(scores, scores.full_like(f64::NEG_INFINITY))
    }
}

impl Extents {
    fn params(self) -> Params {
        Params {
            heads: self.heads as u32,
            t: self.t as u32,
            s: self.s as u32,
            d: self.d as u32,
            e: self.e as u32,
            causal: u32::from(self.causal),
            scale: self.scale(),
        }
    }

    fn scale(self) -> f32 {
        (self.d.max(1) as f64).sqrt().recip() as f32
    }

    /// Whether the kernels serve: there is something to look for and to see, of a width they hold.
    fn is_served(self, dtype: DType) -> bool {
        let some = [self.heads, self.t, self.s, self.d, self.e].iter().all(|&extent| extent > 0);
        some && self.d.max(self.e) <= WIDEST && dtype.is_float()
    }

    /// A shader with one workgroup for so many rows of each head.
    fn shader(self, (name, source): (&'static str, &'static str), rows: usize) -> Shader {
        Shader {
            name,
            source,
            overrides: vec![("WIDTH", self.d.max(self.e) as f64)],
            params: bytemuck::bytes_of(&self.params()).to_vec(),
            workgroups: fold(self.heads * rows.div_ceil(ROWS)),
        }
    }

    /// Multiplications and additions of a product with all scores.
    fn product(self, width: usize) -> f64 {
        2.0 * (self.heads * self.t * self.s * width) as f64
    }
}

impl std::fmt::Display for Attention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.causal { "attention[causal]" } else { "attention" })
    }
}

impl std::fmt::Display for AttentionLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.causal { "attention_logs[causal]" } else { "attention_logs" })
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [q, k, v] = operands else { unreachable!("attention has three operands") };
        let extents = self.extents(q, k, v)?;
        Ok(Meta::new([outer(q), &[extents.t, extents.e]].concat(), q.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        crate::reference::expanded(&self.clone().into(), operands)
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let &[q, k, v] = operands else { unreachable!("attention has three operands") };
        let logs = ct.graph.push(AttentionLogs(self.clone()), &[q, k]);
        let along = (ct.cast(DType::F32) * y.cast(DType::F32)).sum(-1);
        grad::By::ALL
            .map(|by| {
                let grad = AttentionGrad { of: self.clone(), by };
                Some(ct.graph.push(grad, &[q, k, v, logs, ct, along]))
            })
            .into()
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [q, k, v] = [0, 1, 2].map(|index| operands[index].cast(DType::F32));
        Some(self.scores(q, k).softmax(-1).matmul(v).cast(operands[0].dtype()))
    }

    fn lower(&self, operands: &[&Meta], result: &Meta) -> Lowering {
        let Ok(extents) = self.extents(operands[0], operands[1], operands[2]) else {
            return Lowering::Expand;
        };
        if !extents.is_served(result.dtype) {
            return Lowering::Expand;
        }
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            cpu::attention(extents, operands, start, bytemuck::cast_slice_mut(out));
        };
        let cpu = CpuKernel {
            granule: extents.t * extents.e,
            work: 4 * extents.s + extents.s * softmax::EXP_WORK / extents.e,
            compute: Arc::new(compute),
        };
        let source = include_str!("../../../shaders/attention.wgsl");
        let shader = extents.shader(("attention", source), extents.t);
        let heads = result.shape.rank() - 2;
        let probe = Probe::new(self.clone(), operands, samples::accuracy(extents.s).0);
        let probe = probe.along_all(0..heads);
        // A causal query knows by its position what it sees.
        let probe = if self.causal { probe } else { probe.along(heads, [Some(heads), None, None]) };
        Lowering::Kernel(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        match self.extents(operands[0], operands[1], operands[2]) {
            Ok(extents) => Cost {
                flops: extents.product(extents.d) + extents.product(extents.e) + extents.product(3),
                ..moved
            },
            Err(_) => moved,
        }
    }

    fn samples() -> Vec<Sample> {
        samples::attention()
    }
}

impl Operation for AttentionLogs {
    fn name(&self) -> &'static str {
        "attention_logs"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [q, k] = operands else { unreachable!("two operands") };
        let extents = self.0.extents(q, k, k)?;
        Ok(Meta::new([outer(q), &[extents.t]].concat(), DType::F32))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        crate::reference::expanded(&self.clone().into(), operands)
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        crate::autodiff::through_expansion(&self.clone().into(), operands, ct)
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [q, k] = [0, 1].map(|index| operands[index].cast(DType::F32));
        Some(self.0.scores(q, k).log_sum_exp(-1))
    }

    fn lower(&self, operands: &[&Meta], result: &Meta) -> Lowering {
        let Ok(extents) = self.0.extents(operands[0], operands[1], operands[1]) else {
            return Lowering::Expand;
        };
        if !extents.is_served(result.dtype) {
            return Lowering::Expand;
        }
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            cpu::logs(extents, operands, start, bytemuck::cast_slice_mut(out));
        };
        let cpu = CpuKernel {
            granule: extents.t,
            work: extents.s * (2 * extents.d + softmax::EXP_WORK),
            compute: Arc::new(compute),
        };
        let source = include_str!("../../../shaders/attention_logs.wgsl");
        let shader = extents.shader(("attention_logs", source), extents.t);
        let heads = operands[0].shape.rank() - 2;
        let probe = Probe::new(self.clone(), operands, samples::accuracy(extents.s).0);
        let probe = probe.along_all(0..heads);
        let probe = if self.0.causal { probe } else { probe.along(heads, [Some(heads), None]) };
        Lowering::Kernel(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        match self.0.extents(operands[0], operands[1], operands[1]) {
            Ok(extents) => Cost { flops: extents.product(extents.d + 2), ..moved },
            Err(_) => moved,
        }
    }

    fn samples() -> Vec<Sample> {
        samples::logs()
    }
}
