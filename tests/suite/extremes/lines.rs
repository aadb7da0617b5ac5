//! Indices of fewer lines than there are, and of lines that repeat.

use super::{devices, eighths, values};
use wgrad::{Array, DType, Device, Error, Graph, GraphError, Meta, OpError, autodiff};

/// Axis, shape of what is indexed, shape of the indices.
type Case = (usize, [usize; 3], [usize; 3]);

fn cases() -> Vec<Case> {
    let shape = [3, 2, 4];
    let mut all = Vec::new();
    for axis in 0..3 {
        for others in [[1, 1], [1, 2], [2, 1], [2, 2], [0, 1], [3, 4]] {
            for along in [0, 1, 2, 5] {
                let mut indices = shape;
                indices[axis] = along;
                for (k, most) in (0..3).filter(|&k| k != axis).zip(others) {
                    indices[k] = most.min(shape[k]);
                }
                all.push((axis, shape, indices));
            }
        }
    }
    all
}

/// All coordinates of a shape.
fn coordinates(dims: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let [a, b, c] = dims;
    (0..a * b * c).map(move |k| [k / (b * c), k / c % b, k % c])
}

fn place(dims: [usize; 3], at: [usize; 3]) -> usize {
    (at[0] * dims[1] + at[1]) * dims[2] + at[2]
}

/// An index for each element, with some twice and some not at all.
fn chosen(dims: [usize; 3], below: usize) -> Vec<u32> {
    (0..dims.iter().product()).map(|k| ((k * k + 2 * k) % below) as u32).collect()
}

/// Multiples of 1/8 for the elements of a shape.
fn noise(dims: [usize; 3]) -> Result<(Vec<f64>, Array), Error> {
    let data = eighths(dims.iter().product());
    let array = Array::from_f64(Meta::new(dims, DType::F32), &data)?;
    Ok((data, array))
}

/// Elements by index, the derivative by them, and that of its squares by the cotangent.
fn gather(device: &Device, (axis, shape, dims): Case) -> Result<(), Error> {
    let chosen = chosen(dims, shape[axis]);
    let ((xs, x), (cs, c), at) = (noise(shape)?, noise(dims)?, Array::new(dims, &chosen)?);
    let mut expected = [vec![], vec![0.0; xs.len()], vec![]];
    let to = |mut from: [usize; 3], k: usize| {
        from[axis] = chosen[k] as usize;
        place(shape, from)
    };
    for (k, from) in coordinates(dims).enumerate() {
        expected[0].push(xs[to(from, k)]);
        expected[1][to(from, k)] += cs[k];
    }
    for (k, from) in coordinates(dims).enumerate() {
        expected[2].push(2.0 * expected[1][to(from, k)]);
    }
    let graph = Graph::new();
    let [of_x, of_c] =
        [("x", shape), ("c", dims)].map(|(name, dims)| graph.input(name, dims, DType::F32));
    let y = of_x.gather_elements(graph.input("at", dims, DType::U32), axis as i32);
    let first = autodiff::grad((y * of_c).sum(..), &[of_x])[0];
    let second = autodiff::grad((first * first).sum(..), &[of_c])[0];
    let inputs = [("x", &x), ("c", &c), ("at", &at)];
    let got = values(device, &graph, &[y, first, second], &inputs)?;
    assert_eq!(got, expected, "{dims:?} of {shape:?} along {axis} on {}", device.name());
    Ok(())
}

/// Sums by index of those elements that have one, and the derivative by all elements.
fn scatter(device: &Device, (axis, shape, dims): Case) -> Result<(), Error> {
    let mut sums = shape;
    sums[axis] += 1;
    let chosen = chosen(dims, sums[axis]);
    let ((xs, x), (cs, c), at) = (noise(shape)?, noise(sums)?, Array::new(dims, &chosen)?);
    let mut expected = [vec![0.0; cs.len()], vec![0.0; xs.len()]];
    for (k, from) in coordinates(dims).enumerate() {
        let mut to = from;
        to[axis] = chosen[k] as usize;
        expected[0][place(sums, to)] += xs[place(shape, from)];
        expected[1][place(shape, from)] = cs[place(sums, to)];
    }
    let graph = Graph::new();
    let [of_x, of_c] =
        [("x", shape), ("c", sums)].map(|(name, dims)| graph.input(name, dims, DType::F32));
    let at_x = graph.input("at", dims, DType::U32);
    let y = of_x.scatter_add_along_axis(at_x, axis as i32, sums[axis]);
    let first = autodiff::grad((y * of_c).sum(..), &[of_x])[0];
    let inputs = [("x", &x), ("c", &c), ("at", &at)];
    let got = values(device, &graph, &[y, first], &inputs)?;
    assert_eq!(got, expected, "{dims:?} of {shape:?} along {axis} on {}", device.name());
    Ok(())
}

#[test]
fn elements_are_gathered_by_fewer_indices() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        cases().into_iter().try_for_each(|case| gather(&device, case))?;
    }
    Ok(())
}

/// There an index is of an element: none may be left over.
#[test]
fn elements_with_an_index_are_added() -> Result<(), Error> {
    let fits = |&(axis, shape, dims): &Case| dims[axis] <= shape[axis];
    for device in [Device::Reference, Device::cpu()] {
        cases().into_iter().filter(fits).try_for_each(|case| scatter(&device, case))?;
    }
    Ok(())
}

#[test]
fn indices_of_fewer_lines_on_the_gpu_too() -> Result<(), Error> {
    for device in devices().into_iter().filter(|device| matches!(device, Device::Gpu(_))) {
        gather(&device, (1, [3, 5, 4], [2, 7, 3]))?;
        scatter(&device, (1, [3, 5, 4], [2, 4, 3]))?;
    }
    Ok(())
}

/// As in NumPy; by lines that are left out it is another function.
#[test]
fn lines_of_one_repeat() -> Result<(), Error> {
    for (shape, dims) in [([3, 2, 1], [3, 4, 2]), ([1, 3, 2], [2, 2, 2]), ([3, 2, 4], [1, 3, 1])] {
        let chosen = chosen(dims, shape[1]);
        let ((xs, x), at) = (noise(shape)?, Array::new(dims, &chosen)?);
        let both = [0, 2].map(|axis| shape[axis].max(dims[axis]));
        let whole = [both[0], dims[1], both[1]];
        let nearest = |dims: [usize; 3], at: [usize; 3]| {
            place(dims, std::array::from_fn(|k| at[k].min(dims[k] - 1)))
        };
        let element = |at: [usize; 3]| {
            let along = chosen[nearest(dims, at)] as usize;
            xs[nearest(shape, [at[0], along, at[2]])]
        };
        let expected: Vec<f64> = coordinates(whole).map(element).collect();
        let graph = Graph::new();
        let [of_x, at_x] = [("x", shape, DType::F32), ("at", dims, DType::U32)]
            .map(|(name, dims, dtype)| graph.input(name, dims, dtype));
        let y = of_x.take_along_axis(at_x, 1);
        let counts = autodiff::grad(y.sum(..), &[of_x])[0].sum(..);
        for device in [Device::Reference, Device::cpu()] {
            let got = values(&device, &graph, &[y, counts], &[("x", &x), ("at", &at)])?;
            assert_eq!(got, [expected.clone(), vec![expected.len() as f64]], "{shape:?} {dims:?}");
        }
    }
    let graph = Graph::new();
    let x = graph.input("x", [3, 2], DType::F32);
    x.take_along_axis(graph.input("at", [2, 2], DType::U32), 1);
    let Err(GraphError::Op { reason, .. }) = graph.check() else { unreachable!("2 of 3 lines") };
    assert_eq!(reason, OpError::Broadcast);
    Ok(())
}
