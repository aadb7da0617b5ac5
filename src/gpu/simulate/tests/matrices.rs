//! Products of matrices of a unit, and the hazards around them.

use super::run;
use crate::{dtype::DType, gpu::simulate::Hazard};

/// Two subgroups, each with a product of 8 x 8 matrices: `body` puts the left one into `tile` and the
/// result into `sums`.
fn text(body: &str) -> String {
    format!(
        "enable f16; enable wgpu_cooperative_matrix;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> tile: array<vec4<f16>, 32>;
var<workgroup> sums: array<f32, 128>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {{
let subgroup = i / 32u;
{body}
y[i] = sums[i]; y[i + 64u] = sums[i + 64u];
}}"
    )
}

/// Element (r, c) of the left matrix of subgroup s is 16 s + r + c / 8; the right one is its
/// transpose.
fn body(barriers: [&str; 2], load: &str, stride: u32) -> String {
    format!(
        "let row = f16(16u * (i / 16u % 2u) + i % 16u / 2u);
let col = f16(i % 2u) * 0.5h; // two vec4s a row, 16 a matrix
if i < 32u {{ tile[i] = row + col + vec4<f16>(0.0h, 0.125h, 0.25h, 0.375h); }}
{}
let a = {load}<coop_mat8x8<f16, A>>(&tile[16u * subgroup], 2u);
let b = coopLoad<coop_mat8x8<f16, B>>(&tile[16u * subgroup], 2u);
var c = coopMultiplyAdd(a, b, coop_mat8x8<f32, C>());
c = c + c;
let place = &sums[64u * subgroup];
coopStoreT(c, place, {stride}u);
{}",
        barriers[0], barriers[1]
    )
}

const BARRIER: &str = "workgroupBarrier();";

#[test]
fn products_are_those_of_the_formula() -> Result<(), crate::SimulationError> {
    let words = |load| run(&text(&body([BARRIER; 2], load, 8)), [1; 3], 128, DType::F32);
    let element = |s: usize, r: usize, c: usize| (16 * s + r) as f32 + c as f32 / 8.0;
    for (load, is_transposed) in [("coopLoadT", false), ("coopLoad", true)] {
        let (report, words) = words(load)?;
        assert_eq!(report.hazards, []);
        for (index, word) in words.into_iter().enumerate() {
            let (s, r, c) = (index / 64, index / 8 % 8, index % 8);
            let left = |k| if is_transposed { element(s, k, r) } else { element(s, r, k) };
            let sum: f32 = (0..8).map(|k| left(k) * element(s, c, k)).sum();
            assert_eq!(f32::from_bits(word), 2.0 * sum, "{load}: {s}, {r}, {c}");
        }
    }
    Ok(())
}

#[test]
fn matrices_need_barriers_and_stay_within_their_arrays() -> Result<(), crate::SimulationError> {
    let hazards = |barriers, stride| {
        let (report, _) =
            run(&text(&body(barriers, "coopLoadT", stride)), [1; 3], 128, DType::F32)?;
        Ok::<_, crate::SimulationError>(report.hazards)
    };
    assert!(matches!(hazards([BARRIER, ""], 8)?[..], [Hazard::Race { .. }]));
    assert!(matches!(hazards(["", BARRIER], 8)?[..], [Hazard::Race { .. }, ..]));
    let past = hazards([BARRIER; 2], 9)?;
    let is_past = |hazard: &Hazard| matches!(hazard, Hazard::OutOfBounds { array, index: 128.., len: 128, .. } if array == "sums");
    assert!(past.iter().any(is_past), "{past:?}");
    Ok(())
}
