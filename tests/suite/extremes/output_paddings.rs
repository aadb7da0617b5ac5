//! Transposed convolutions of one axis with every output padding below the stride or the dilation.

use super::{devices, eighths, values};
use wgrad::{Array, DType, Device, Error, Graph, autodiff, ops::Geometry};

/// A stride, a dilation, the padding in front and behind, the window, and the elements that there are.
type Case = [usize; 6];

fn cases() -> Vec<(Case, usize)> {
    let mut all = Vec::new();
    for [stride, dilation] in [[1, 1], [1, 2], [1, 4], [2, 1], [2, 3], [2, 5], [3, 2]] {
        for [low, high] in [[0, 0], [1, 1], [0, 2], [3, 1]] {
            for [window, extent] in [[1, 1], [1, 4], [2, 1], [3, 3]] {
                for more in 0..stride.max(dilation) {
                    all.push(([stride, dilation, low, high, window, extent], more));
                }
            }
        }
    }
    all
}

/// The extent of the result; `None` if nothing is left.
fn size([stride, dilation, low, high, window, extent]: Case, more: usize) -> Option<usize> {
    let whole = (extent - 1) * stride + (window - 1) * dilation + 1 + more;
    whole.checked_sub(low + high).filter(|&size| size > 0)
}

/// The result of x and w; and its derivatives by both, for the cotangent c.
fn expected(case: Case, size: usize, x: &[f64], w: &[f64], c: &[f64]) -> [Vec<f64>; 3] {
    let [stride, dilation, low, _, _, _] = case;
    let mut found = [vec![0.0; size], vec![0.0; x.len()], vec![0.0; w.len()]];
    for (t, x) in x.iter().enumerate() {
        for (k, w) in w.iter().enumerate() {
            let place = (t * stride + k * dilation).wrapping_sub(low);
            if place < size {
                found[0][place] += x * w;
                found[1][t] += w * c[place];
                found[2][k] += x * c[place];
            }
        }
    }
    found
}

/// The cases of one device, whose results are exact: sums of a few products of eighths. How many have an
/// output padding of a stride or more.
fn agree(device: &Device, cases: &[(Case, usize)]) -> Result<usize, Error> {
    let mut longer = 0;
    for &(case, more) in cases {
        let [stride, dilation, low, high, window, extent] = case;
        let Some(size) = size(case, more) else { continue };
        let graph = Graph::new();
        let geometry = Geometry::new(1).stride([stride]).dilation([dilation]);
        let x = graph.input("x", [1, 1, extent], DType::F32);
        let w = graph.input("w", [1, 1, window], DType::F32);
        let y = x.transposed_convolution(w, geometry.padding([(low, high)]), [more]);
        let c = graph.input("c", [1, 1, size], DType::F32);
        let slopes = autodiff::grad((y * c).sum(..), &[x, w]);
        let numbers = [extent, window, size].map(eighths);
        let arrays = [0, 1, 2].map(|k| Array::from_f64([x, w, c][k].meta(), &numbers[k]));
        let [x, w, c] = arrays;
        let inputs = [("x", &x?), ("w", &w?), ("c", &c?)];
        let got = values(device, &graph, &[y, slopes[0], slopes[1]], &inputs)?;
        let [x, w, c] = &numbers;
        let expected = expected(case, size, x, w, c);
        assert_eq!(got, expected, "{case:?}, {more} more, on {}", device.name());
        longer += usize::from(more >= stride);
    }
    Ok(longer)
}

#[test]
fn output_paddings_may_be_below_the_dilation() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        assert_eq!(agree(&device, &cases())?, 116);
    }
    Ok(())
}

#[test]
fn output_paddings_may_be_below_the_dilation_on_the_gpu_too() -> Result<(), Error> {
    let few = [([1, 3, 0, 0, 2, 3], 2), ([2, 5, 1, 1, 3, 3], 4), ([2, 3, 3, 1, 2, 1], 2)];
    for device in devices().into_iter().filter(|device| matches!(device, Device::Gpu(_))) {
        assert_eq!(agree(&device, &few)?, 3);
    }
    Ok(())
}
