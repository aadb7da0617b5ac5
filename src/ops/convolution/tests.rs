use super::*;
use crate::{
    Array, DType, Device, Error, error::GraphError, graph::Graph, ops::contract::Domain,
    testing::evaluate,
};

/// The padded input has rows 0 0 0 0, 1 2 3 0 and 4 5 6 0; the window is 1 2 over 3 4.
#[test]
fn by_hand() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [1, 1, 2, 3], DType::F32);
    let w = graph.input("w", [1, 1, 2, 2], DType::F32);
    let y = x.convolution(w, Geometry::new(2).padding([(1, 0), (0, 1)]));
    let gradients = crate::autodiff::grad(y.sum(..), &[x, w]);
    let program = graph.compile(&Device::cpu(), &[y, gradients[0], gradients[1]])?;
    let x = Array::new([1, 1, 2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let w = Array::new([1, 1, 2, 2], &[1.0f32, 2.0, 3.0, 4.0])?;
    let outputs = program.run(&crate::Variables::new(0), &[("x", &x), ("w", &w)])?;
    assert_eq!(outputs.read_blocking(0)?.to_f64(), [11.0, 18.0, 9.0, 37.0, 47.0, 21.0]);
    assert_eq!(outputs.read_blocking(1)?.to_f64(), [4.0, 10.0, 10.0, 3.0, 7.0, 7.0]);
    assert_eq!(outputs.read_blocking(2)?.to_f64(), [6.0, 5.0, 21.0, 16.0]);
    Ok(())
}

/// `<conv(x), u> = <x, transposed(u)>`, for every extent that the stride allows.
#[test]
fn transposed_is_the_adjoint() -> Result<(), Error> {
    let geometry = || Geometry::new(2).stride([3, 2]).dilation([1, 2]).padding([(1, 2), (0, 3)]);
    for (more, geometry) in [([0, 0], geometry()), ([2, 1], geometry()), ([1, 1], geometry())]
        .into_iter()
        .chain([([2, 1], geometry().same()), ([0, 0], geometry().same().groups(2))])
    {
        let graph = Graph::new();
        let inputs = if geometry.group_count() == 2 { 2 } else { 4 };
        let u = graph.input("u", [2, 6, 4, 3], DType::F32);
        let w = graph.input("w", [6, inputs, 3, 2], DType::F32);
        let spread = u.transposed_convolution(w, geometry.clone(), more);
        let x = graph.input("x", spread.shape(), DType::F32);
        let both =
            [x.convolution(w, geometry.clone()) * u, spread * x].map(|product| product.sum(..));
        let values = [u, w, x].map(|t| Domain::Range(-1.0, 1.0).fill(&t.meta(), 7));
        let named: Vec<_> = ["u", "w", "x"].into_iter().zip(&values).collect();
        let sums = evaluate(&graph, &both, &named)?;
        let (left, right) = (sums[0].data[0], sums[1].data[0]);
        assert!((left - right).abs() < 1e-12 * left.abs().max(1.0), "{geometry}: {left} {right}");
    }
    Ok(())
}

#[test]
fn extents_follow_the_geometry() {
    let graph = Graph::new();
    let x = graph.input("x", [2, 8, 7, 10], DType::F32);
    let w = graph.input("w", [6, 8, 3, 4], DType::F32);
    let of = |geometry| x.convolution(w, geometry).shape().dims().to_vec();
    let flat = || Geometry::new(2);
    assert_eq!(of(flat()), [2, 6, 5, 7]);
    assert_eq!(of(flat().same()), [2, 6, 7, 10]);
    assert_eq!(of(flat().stride([2, 3]).same()), [2, 6, 4, 4]);
    assert_eq!(of(flat().stride([2, 3]).padding([(1, 0), (0, 2)])), [2, 6, 3, 3]);
    assert_eq!(of(flat().dilation([3, 2])), [2, 6, 1, 4]);
    let y = graph.input("y", [2, 6, 4, 4], DType::F32);
    let back = |geometry, more| y.transposed_convolution(w, geometry, more).shape();
    assert_eq!(back(flat().stride([2, 3]), [0, 0]).dims(), [2, 8, 9, 13]);
    assert_eq!(back(flat().stride([2, 3]), [1, 2]).dims(), [2, 8, 10, 15]);
    assert_eq!(back(flat().stride([2, 3]).same(), [1, 2]).dims(), [2, 8, 8, 12]);
    assert_eq!(graph.check(), Ok(()));
}

#[test]
fn mistakes_are_named() {
    let reason = |x: &[usize], w: &[usize], geometry: Geometry, transposed: bool| {
        let graph = Graph::new();
        let [x, w] = [("x", x), ("w", w)].map(|(name, dims)| graph.input(name, dims, DType::F32));
        if transposed {
            x.transposed_convolution(w, geometry, [2])
        } else {
            x.convolution(w, geometry)
        };
        match graph.check() {
            Err(GraphError::Op { reason, .. }) => reason.to_string(),
            other => format!("{other:?}"),
        }
    };
    let line = || Geometry::new(1);
    let huge = usize::MAX;
    for (x, w, geometry, expected) in [
        (&[2, 4, 9][..], &[6, 4, 3][..], line().stride([0]), "stride must be at least 1, not 0"),
        (&[2, 4, 9], &[6, 4, 3], line().dilation([0]), "dilation must be at least 1, not 0"),
        (&[2, 4, 9], &[6, 4, 3], line().groups(0), "groups must be at least 1, not 0"),
        (&[2, 4, 9], &[6, 4, 0], line(), "window must be at least 1, not 0"),
        (&[2, 5, 9], &[6, 2, 3], line().groups(2), "5 channels are not divisible by 2"),
        (&[2, 4, 9], &[7, 2, 3], line().groups(2), "7 channels are not divisible by 2"),
        (&[2, 4, 9], &[6, 3, 3], line(), "channels of a group and of the weight differ: 4 and 3"),
        (
            &[2, 4, 2],
            &[6, 4, 3],
            line().dilation([2]).padding([(1, 1)]),
            "a window spanning 5 elements does not fit in 4, padding included",
        ),
        (&[2, 4, 9], &[6, 4, 3], line().padding([(huge, 1)]), "more than 2147483647 elements"),
        (&[2, 4, 9], &[6, 4, 3], line().dilation([huge]), "more than 2147483647 elements"),
        (
            &[2, 4, 9],
            &[6, 4, 3],
            Geometry::new(2),
            "number of axes of the input and of the geometry differ: 3 and 4",
        ),
        (&[2, 4], &[6, 4], Geometry::new(0), "spatial axes must be 1, 2 or 3, not 0"),
        (
            &[2, 4, 9],
            &[6, 4, 3],
            line().stride([1, 1]),
            "number of axes of the input and of the geometry differ: 3 and 4",
        ),
        (
            &[2, 4, 9],
            &[6, 4, 3],
            line().padding([(1, 1), (0, 0)]),
            "number of strides and of paddings differ: 1 and 2",
        ),
    ] {
        assert_eq!(reason(x, w, geometry.clone(), false), expected, "{geometry}");
    }
    let expected = "output padding must be below the stride or the dilation, not 2";
    assert_eq!(reason(&[2, 6, 9], &[6, 4, 3], line().stride([2]), true), expected);
    assert_eq!(reason(&[2], &[6, 4, 3], line(), true), "needs at least 3 axes");
}
