//! Test samples of convolutions on matrix units of either size.

use super::*;

/// A convolution: shapes of its input and weight with channels first, and the geometry.
struct Case {
    label: &'static str,
    x: &'static [usize],
    w: &'static [usize],
    geometry: Geometry,
}

fn cases() -> Vec<Case> {
    let case = |label, x, w, geometry| Case { label, x, w, geometry };
    let flat = || Geometry::new(2);
    vec![
        case("quads of channels", &[2, 8, 9, 10], &[33, 8, 3, 3], flat().same()),
        case(
            "past a tile",
            &[3, 5, 7, 8],
            &[70, 5, 3, 3],
            flat().stride(2).padding([(0, 2), (1, 1)]),
        ),
        case("quads of terms", &[1, 6, 9, 10], &[9, 6, 2, 3], flat().dilation([2, 1])),
        case("two groups", &[2, 8, 5, 6], &[18, 4, 3, 3], flat().same().groups(2)),
        case("one axis", &[2, 12, 41], &[11, 12, 3], Geometry::new(1).stride(2).padding(1)),
        case("three axes", &[1, 4, 3, 4, 5], &[9, 4, 2, 3, 2], Geometry::new(3).padding(1)),
        case("parts of the terms", &[1, 116, 4, 5], &[7, 116, 3, 3], flat().same()),
        case("a window larger than the input", &[2, 4, 2, 3], &[5, 4, 5, 5], flat().padding(2)),
        case("nothing but padding", &[1, 4, 0, 2], &[5, 4, 2, 2], flat().padding([(1, 2), (0, 0)])),
        case("no channels", &[2, 0, 4, 4], &[5, 0, 3, 3], flat()),
    ]
}

/// The shape with channels last, of two halves if it is split.
fn operand(dims: &[usize], is_split: bool) -> Meta {
    let halves: &[usize] = if is_split { &[2] } else { &[] };
    let dims = [halves, &dims[..1], &dims[2..], &dims[1..2]].concat();
    Meta::new(dims, DType::F16)
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (units, is_split) in
        MatrixUnits::ALL.into_iter().flat_map(|units| [(units, false), (units, true)])
    {
        for Case { label, x, w, geometry } in cases() {
            let op = UnitConvolution { geometry, is_split, units };
            let operands = [operand(w, is_split), operand(x, is_split)];
            let extents = op.known(&[&operands[0], &operands[1]]).forward_extents();
            let (bound, reason) = extents.accuracy_on_units(units, is_split);
            let sample = Sample::new(op, operands).bound(bound, reason).without_gradient();
            let domain = Domain::Split(LARGEST);
            let sample = match is_split {
                true => sample.operand(0, domain.clone()).operand(1, domain),
                false => sample,
            };
            samples.push(sample.named(label));
        }
    }
    samples
}
