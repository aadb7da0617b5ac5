use super::*;
use crate::{Array, Device, Error, Feed, Graph, autodiff, dtype::DType};

/// Applies `f` to 0, 1, 2, .. in this shape.
fn of<'a>(
    dims: &[usize],
    f: impl for<'g> Fn(Tensor<'g>) -> Tensor<'g> + 'a,
) -> Result<(Vec<usize>, Vec<f64>), Error> {
    let graph = Graph::new();
    let meta = Meta::new(dims, DType::F32);
    let counting: Vec<f64> = (0..meta.shape.len()).map(|k| k as f64).collect();
    let x = graph.input("x", dims, DType::F32);
    let value = Array::from_f64(meta, &counting)?;
    let y = f(x).eval(&Device::cpu(), &[("x", &value as &dyn Feed)])?;
    Ok((y.shape().dims().to_vec(), y.to_f64()))
}

#[test]
fn counts_are_those_of_pytorch() {
    let w = Window::new;
    for (window, cells, expected) in [
        (w(2), 7, 3),
        (w(2).ceil_mode(), 7, 4),
        (w(3).stride(2), 6, 2),
        (w(3).stride(2).ceil_mode(), 6, 3),
        // The last window would start in the trailing padding.
        (w(2).padding(1).ceil_mode(), 2, 2),
        (w(2).padding(1).ceil_mode(), 3, 2),
        (w(3).stride(2).ceil_mode(), 2, 1),
        (w(1).stride(3).ceil_mode(), 5, 2),
        (w(3).stride(1).dilation(2), 5, 1),
    ] {
        assert_eq!(window.count(cells), Ok(expected), "{window} over {cells}");
    }
}

#[test]
fn impossible_windows_are_refused() {
    let w = Window::new;
    assert_eq!(w(3).count(2), Err(OpError::Window { span: 3, padded: 2 }));
    assert_eq!(w(3).count(0), Err(OpError::Empty));
    for window in [w(0), w(1).stride(0), w(1).dilation(0)] {
        assert!(matches!(window.count(4), Err(OpError::Number { .. })), "{window}");
    }
    let most = usize::MAX;
    for window in [w(most), w(2).dilation(most), w(1).stride(most), w(1).padding(most / 2)] {
        assert_eq!(window.count(4), Err(OpError::TooLarge), "{window}");
    }
    let graph = Graph::new();
    let x = graph.input("x", [2, 3, 8, 8], DType::F32);
    assert_eq!(x.max_pool(&[w(2)]).rank(), 0);
    let text = graph.check().expect_err("there are two spatial axes").to_string();
    assert!(text.contains("numbers of spatial axes and of windows differ: 2 and 1"), "{text}");
}

/// torch.nn.functional.avg_pool1d(arange(5.), 2, 2, 1, ceil_mode, count_include_pad)
#[test]
fn means_count_padding_where_asked() -> Result<(), Error> {
    let windows = [Window::new(2).padding(1).ceil_mode()];
    assert_eq!(of(&[1, 1, 5], |x| x.avg_pool(&windows, true))?.1, [0.0, 1.5, 3.5]);
    assert_eq!(of(&[1, 1, 4], |x| x.avg_pool(&windows, true))?.1, [0.0, 1.5, 1.5]);
    assert_eq!(of(&[1, 1, 4], |x| x.avg_pool(&windows, false))?.1, [0.0, 1.5, 3.0]);
    Ok(())
}

/// Bins of 5 in 3 are 0..2, 1..4, 3..5; of 6 in 4 they are 0..2, 1..3, 3..5, 4..6.
#[test]
fn adaptive_bins_overlap_as_in_pytorch() -> Result<(), Error> {
    let (dims, mean) = of(&[1, 1, 5], |x| x.adaptive_avg_pool(&[3]))?;
    assert_eq!((dims, mean), (vec![1, 1, 3], vec![0.5, 2.0, 3.5]));
    let (dims, mean) = of(&[1, 1, 6], |x| x.adaptive_avg_pool(&[4]))?;
    assert_eq!((dims, mean), (vec![1, 1, 4], vec![0.5, 1.5, 3.5, 4.5]));
    let (dims, max) = of(&[1, 2, 5, 6], |x| x.adaptive_max_pool(&[3, 4]))?;
    assert_eq!(dims, [1, 2, 3, 4]);
    assert_eq!(max[..12], [7., 8., 10., 11., 19., 20., 22., 23., 25., 26., 28., 29.]);
    // More bins than elements repeat them.
    assert_eq!(of(&[1, 1, 2], |x| x.adaptive_avg_pool(&[3]))?.1, [0.0, 0.5, 1.0]);
    // Equal bins are an ordinary pooling, and a single bin is a mean.
    assert_eq!(of(&[1, 1, 6], |x| x.adaptive_avg_pool(&[2]))?.1, [1.0, 4.0]);
    assert_eq!(of(&[1, 2, 3], |x| x.adaptive_avg_pool(&[1]))?, (vec![1, 2, 1], vec![1.0, 4.0]));
    Ok(())
}

/// The first of equal elements in row-major order takes all, also with one axis after another.
#[test]
fn adaptive_maxima_send_back_to_the_first() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.full([1, 1, 3, 3], DType::F32, 1.0);
    let y = x.adaptive_max_pool(&[2, 2]);
    let dx = autodiff::grad(y.sum(..), &[x])[0].eval(&Device::cpu(), &[])?;
    assert_eq!(dx.to_f64(), [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    Ok(())
}
