//! Weight reparametrizations.

use super::{Mode, Scope};
use crate::{DType, graph::Tensor, init::Init};

/// Parametrization of a layer's weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Weight {
    /// The weight itself, `weight`.
    #[default]
    Plain,
    /// A direction `weight_v` and a length `weight_g` per index of the first axis: `w = g v / |v|`.
    /// The lengths are initialized with those of the directions.
    Normal,
    /// `weight_orig`, divided by its largest singular value, as a matrix with one row per output.
    /// The value is estimated by power iteration on `weight_u` and `weight_v`, one step per
    /// training run.
    Spectral,
}

/// Lower bound for lengths used as divisors, as in PyTorch.
const EPS: f64 = 1e-12;

impl Weight {
    /// The weight of a layer, which has its outputs along axis `outputs`.
    #[track_caller]
    pub fn of<'g>(
        self,
        cx: &mut Scope<'g>,
        dims: &[usize],
        outputs: usize,
        init: Init,
    ) -> Tensor<'g> {
        let [first, rest @ ..] = dims else { return cx.param("weight", dims, init) };
        match self {
            Weight::Plain => cx.param("weight", dims, init),
            Weight::Normal => {
                let lengths = [&[*first], &vec![1; rest.len()][..]].concat();
                let begin = Init::RowLengths("weight_v");
                let g = cx.param("weight_g", lengths.as_slice(), begin);
                let v = cx.param("weight_v", dims, init);
                let axes: Vec<i32> = (1..dims.len() as i32).collect();
                v * (g / v.norm(axes.as_slice()).reshape(lengths))
            }
            Weight::Spectral => {
                let weight = cx.param("weight_orig", dims, init);
                let (len, rows) = (dims.iter().product::<usize>(), dims[outputs]);
                let width = len.checked_div(rows).unwrap_or(0);
                let normal = Init::Normal { mean: 0.0, std: 1.0 };
                let mut vector = |name, len: usize| cx.variable(name, [len], DType::F32, normal);
                let (u_before, v_before) = (vector("weight_u", rows), vector("weight_v", width));
                let by_output = weight.swap_axes(0, outputs as i32);
                let matrix = by_output.reshape([rows, width]);
                let (mut u, mut v) = (u_before, v_before);
                if cx.mode() == Mode::Train {
                    let fixed = matrix.detach();
                    v = unit(u.matmul(fixed));
                    u = unit(fixed.matmul(v));
                    // A network may be applied twice in a graph: to real images and to generated
                    // ones.
                    if !cx.graph().assigns(u_before) {
                        cx.graph().assign(u_before, u);
                        cx.graph().assign(v_before, v);
                    }
                }
                weight / (u * matrix.matmul(v)).sum(..)
            }
        }
    }
}

/// The vector scaled to length 1.
fn unit(x: Tensor<'_>) -> Tensor<'_> {
    x / x.norm(0).maximum(EPS)
}
