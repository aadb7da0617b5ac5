//! Samples of fragments that no operation gives all the operands they are made for: indices are
//! small where tensors are, and `divide` has to be right up to 2^31.

use super::divisor;
use crate::{
    dtype::DType,
    ops::{
        contract::{Bound, Domain, Sample},
        custom::Custom,
        kernel::Shader,
    },
    shape::Meta,
};

const QUOTIENTS: &str = "
struct Params { len: u32, multiplier: u32, shift: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> n: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let i = id.x + id.y * groups.x * 64u;
    if i < params.len { y[i] = epilogue(divide(n[i], params.multiplier, params.shift), i); }
}";

/// Quotients by divisors that are hard to multiply with, of numbers below 2^31.
pub(crate) fn samples() -> Vec<Sample> {
    /// Multiples of some of the divisors, and their neighbors.
    const DIVIDENDS: Domain = Domain::Values(&[
        0.0,
        1.0,
        2_147_483_647.0,
        2_147_483_646.0,
        1_073_741_823.0,
        1_073_741_824.0,
        65_535.0,
        65_536.0,
        2_147_479_564.0,
        2_147_479_563.0,
        2_147_482_923.0,
        2_147_482_922.0,
        715_827_882.0,
    ]);
    let of = |d: u32, dividends: &Domain| {
        let quotients = Custom::new(
            "index_division",
            |n| Ok(n[0].clone()),
            move |_, y| {
                let (len, (multiplier, shift)) = (y.shape.len(), divisor(d));
                let params = [len as u32, multiplier, shift].map(u32::to_le_bytes).concat();
                Shader::new("index_division", QUOTIENTS, &params, len.div_ceil(64))
                    .importing(&["divide"])
            },
        )
        .with_definition(Bound::Exact, move |n| {
            n[0].data.iter().map(|n| (n / f64::from(d)).floor()).collect()
        })
        .with_operand(0, Domain::Below(1 << 31));
        Sample::new(quotients, [Meta::new([331], DType::U32)])
            .operand(0, dividends.clone())
            .bound(Bound::Exact, "integers")
            .without_gradient()
    };
    let divisors = [1, 3, 7, 641, 65_521, 0x4000_0001, 0x7fff_ffff];
    let of_both = |d| [of(d, &DIVIDENDS).named("ends"), of(d, &Domain::Below(1 << 31))];
    divisors.into_iter().flat_map(of_both).collect()
}
