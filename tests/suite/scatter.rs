//! Elements replaced and combined by index: many updates, the same bits in every run, and what is
//! refused.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, GraphError, OpError, QuantileMethod, RunError,
    ScatterReduction, Tensor, Variables,
};

/// Updates, more than one block of a sorted sum has, and places, some of which have many and some none.
const COUNT: usize = 3000;
const PLACES: usize = 97;

fn updates() -> Vec<f32> {
    (0..COUNT).map(|k| ((k * 7919) % 1013) as f32 / 512.0 - 1.0).collect()
}

fn places() -> Vec<u32> {
    // Two of three go to the first ten; none to the last.
    let place =
        |k: usize| if k.is_multiple_of(3) { (k * 31) % (PLACES - 1) } else { (k * 17) % 10 };
    (0..COUNT).map(|k| place(k) as u32).collect()
}

#[test]
fn many_updates_on_cpu_and_gpu() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [PLACES], DType::F32);
    let at = graph.input("at", [COUNT], DType::U32);
    let u = graph.input("u", [COUNT], DType::F32);
    let reduced = |reduction| x.scatter_reduce(at, 0, u, reduction, true);
    let [sum, max] = [ScatterReduction::Sum, ScatterReduction::Max].map(reduced);
    let outputs = [x.scatter_elements(at, 0, u), sum, max];
    let own: Vec<f32> = (0..PLACES).map(|k| k as f32).collect();
    let values = (Array::new([PLACES], &own)?, Array::new([COUNT], &places())?);
    let given = Array::new([COUNT], &updates())?;
    let inputs: [(&str, &dyn Feed); 3] = [("x", &values.0), ("at", &values.1), ("u", &given)];
    let mut expected = [own.clone(), own.clone(), own.clone()];
    for (place, update) in places().into_iter().zip(updates()) {
        let place = place as usize;
        expected[0][place] = update;
        expected[1][place] += update;
        expected[2][place] = expected[2][place].max(update);
    }
    for device in [Some(Device::cpu()), device::gpu()].into_iter().flatten() {
        let program = graph.compile(&device, &outputs)?;
        let run = || -> Result<Vec<Array>, Error> {
            let results = program.run(&Variables::new(0), &inputs)?;
            (0..3).map(|k| results.read_blocking(k)).collect()
        };
        let (first, second) = (run()?, run()?);
        assert_eq!(first, second, "{}", device.name());
        assert_eq!(first[0].to_vec::<f32>()?, expected[0], "{}", device.name());
        assert_eq!(first[2].to_vec::<f32>()?, expected[2], "{}", device.name());
        let sums = first[1].to_vec::<f32>()?;
        let near = sums.iter().zip(&expected[1]).all(|(got, sum)| (got - sum).abs() < 1e-3);
        assert!(near, "{sums:?} on {}", device.name());
    }
    Ok(())
}

#[test]
fn an_index_of_an_input_is_looked_at() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.full([2, 3], DType::F32, 1.0);
    let at = graph.input("at", [2, 2], DType::U32);
    let y = x.scatter_elements(at, 1, 0.5);
    let program = graph.compile(&Device::cpu(), &[y])?;
    let run = |last: u32| -> Result<Vec<f32>, Error> {
        let at = Array::new([2, 2], &[0, 2, 1, last])?;
        program.run(&Variables::new(0), &[("at", &at)])?.read_blocking(0)?.to_vec()
    };
    assert_eq!(run(0)?, [0.5, 1.0, 0.5, 0.5, 0.5, 1.0]);
    let error = run(3).expect_err("3 is out of range");
    assert!(matches!(error, Error::Run(RunError::IndexOutOfRange { index: 3, extent: 3, .. })));
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |build: fn(&Graph)| {
        let graph = Graph::new();
        build(&graph);
        match graph.check() {
            Err(GraphError::Op { reason, .. }) => reason,
            other => unreachable!("{other:?} is not that"),
        }
    };
    fn f<const N: usize>(graph: &Graph, dims: [usize; N]) -> Tensor<'_> {
        graph.full(dims, DType::F32, 0.5)
    }
    fn u<const N: usize>(graph: &Graph, dims: [usize; N]) -> Tensor<'_> {
        graph.full(dims, DType::U32, 1.0)
    }
    let target = |dims: &[usize]| OpError::Target(dims.into());
    assert_eq!(
        refused(|g| _ = f(g, [2, 3]).scatter_elements(u(g, [3, 3]), 1, 0.5)),
        target(&[3, 3])
    );
    assert_eq!(refused(|g| _ = f(g, [2]).scatter_elements(u(g, [3]), 0, f(g, [2]))), target(&[3]));
    assert_eq!(refused(|g| _ = f(g, [2]).scatter_elements(u(g, [1, 1]), 0, 0.5)), target(&[1, 1]));
    assert_eq!(
        refused(|g| _ = f(g, [2]).scatter_elements(f(g, [1]), 0, 0.5)),
        OpError::DType(DType::F32)
    );
    assert_eq!(
        refused(|g| _ = f(g, [2]).scatter_elements(u(g, [1]), 0, u(g, [1]))),
        OpError::DTypes
    );
    assert!(matches!(
        refused(|g| _ = f(g, [2]).scatter_elements(u(g, [1]), 1, 0.5)),
        OpError::Axis(_)
    ));
    assert_eq!(
        refused(|g| {
            let truths = f(g, [2]).greater(0.0);
            truths.scatter_reduce(u(g, [1]), 0, 1, ScatterReduction::Sum, true);
        }),
        OpError::DType(DType::Bool)
    );
    assert_eq!(
        refused(|g| _ = f(g, [2, 3]).index_copy(u(g, [2]), 0, f(g, [2, 2]))),
        target(&[2, 3])
    );
    assert!(matches!(
        refused(|g| _ = f(g, [2]).index_copy(u(g, [1, 1]), 0, f(g, [1]))),
        OpError::Rank { .. }
    ));
    assert_eq!(
        refused(|g| _ = f(g, [2, 3]).index_put(u(g, [4, 1]), f(g, [4, 2]))),
        target(&[4, 3])
    );
    for empty in [
        refused(|g| _ = f(g, [0]).median(0)),
        refused(|g| _ = f(g, [2, 0]).quantile(0.5, 1, QuantileMethod::Linear)),
    ] {
        assert_eq!(empty, OpError::Empty);
    }
}
