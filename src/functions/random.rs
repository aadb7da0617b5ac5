//! Random sampling.

use super::{
    definition::{f32s, u32s},
    sorting::sorted,
};
use crate::{
    array64::Array64,
    dtype::DType,
    graph::{Graph, Tensor},
    ops::contract::{Bound, Domain, Function, Sample},
};

impl<'g> Tensor<'g> {
    /// Bernoulli trials with these probabilities, as booleans, new in each run: always true for
    /// 1, never for 0. A cast converts them to 0 and 1.
    ///
    /// # Numerics
    ///
    /// Probabilities have a resolution of 2^-24; the same outcomes on every device. Never true for
    /// NaN.
    ///
    /// # Gradient
    ///
    /// None.
    ///
    /// # Source
    ///
    /// PyTorch's `bernoulli`.
    #[track_caller]
    pub fn bernoulli(self) -> Tensor<'g> {
        let p = self.of_floats("bernoulli").cast(DType::F32);
        p.graph().uniform(p.shape()).less(p)
    }

    /// This number in the place of every element, whatever they are, with a derivative of 0. They are
    /// read all the same, so that an input whose elements are replaced remains an input.
    #[track_caller]
    pub(crate) fn all_replaced(self, value: f64) -> Tensor<'g> {
        let keep = self.graph().full(self.shape(), DType::Bool, 0.0);
        keep.select(self.detach(), self.full_like(value))
    }
}

/// Whether dropout with this probability drops everything: draws are f32 below 1, and compared with
/// it as an f32.
pub(crate) fn drops_all(p: f64) -> bool {
    p as f32 == 1.0
}

impl Graph {
    /// A random permutation of the numbers from 0 to below `n`, as u32, new in each run.
    ///
    /// # Numerics
    ///
    /// Sorted by random 32-bit keys. If two keys are equal, the smaller number comes first; with
    /// 10,000 numbers this happens to one pair in 86 runs.
    ///
    /// # Source
    ///
    /// PyTorch's `randperm`.
    #[doc(alias("randperm", "shuffle"))]
    #[track_caller]
    pub fn permutation(&self, n: usize) -> Tensor<'_> {
        self.random_bits([n]).argsort(0, false)
    }
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    // Draws differ from run to run, except for probabilities 0 and 1.
    let bernoulli = Function::new(
        "bernoulli",
        |x| x[0].bernoulli().cast(DType::F32),
        |x| x[0].map(DType::F32, |p| p),
    );
    let permutation = Function::new(
        "permutation",
        |x| x[0].index_select(x[0].graph().permutation(9), 0).sort(0, false),
        |x| Array64 { meta: u32s(&[9]), data: sorted(&x[0].data) },
    );
    vec![
        Sample::new(bernoulli, [f32s(&[3, 5])])
            .operand(0, Domain::Values(&[1.0, 0.0, 0.0, 1.0]))
            .bound(Bound::Exact, "what is sure")
            .without_gradient(),
        Sample::new(permutation, [u32s(&[9])]).bound(Bound::Exact, "moves elements"),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Array, DType, Device, Error, Feed, Graph, Meta, Variables};

    #[test]
    fn probabilities_come_true_as_often() -> Result<(), Error> {
        let n = 20_000;
        let graph = Graph::new();
        let p = graph.input("p", [5, n], DType::F32);
        let y = p.bernoulli().cast(DType::F32).mean(1);
        let program = graph.compile(&Device::cpu(), &[y])?;
        let shares = [0.0, 1.0, 0.25, 0.9, f64::NAN];
        let data: Vec<f64> = shares.iter().flat_map(|&p| vec![p; n]).collect();
        let values = Array::from_f64(Meta::new([5, n], DType::F32), &data)?;
        let feeds: [(&str, &dyn Feed); 1] = [("p", &values)];
        let got = program.run(&Variables::new(3), &feeds)?.read_blocking(0)?.to_f64();
        assert_eq!((got[0], got[1], got[4]), (0.0, 1.0, 0.0));
        // Standard errors are 0.003 and 0.002.
        assert!((got[2] - 0.25).abs() < 0.012 && (got[3] - 0.9).abs() < 0.009, "{got:?}");
        Ok(())
    }

    #[test]
    fn a_permutation_has_every_number_once() -> Result<(), Error> {
        let (graph, n) = (Graph::new(), 5000);
        let program = graph.compile(&Device::cpu(), &[graph.permutation(n)])?;
        let variables = Variables::new(3);
        let draw = || Ok::<_, Error>(program.run(&variables, &[])?.read_blocking(0)?.to_f64());
        let (first, second) = (draw()?, draw()?);
        assert_ne!(first, second);
        for mut drawn in [first, second] {
            // Independent of the position: the correlation has a standard error of 0.014.
            let off = (n - 1) as f64 / 2.0;
            let places = drawn.iter().enumerate();
            let sum: f64 = places.map(|(k, x)| (k as f64 - off) * (x - off)).sum();
            assert!((12.0 * sum / (n as f64).powi(3)).abs() < 0.06, "{sum}");
            drawn.sort_by(f64::total_cmp);
            assert!(drawn.into_iter().eq((0..n).map(|k| k as f64)));
        }
        Ok(())
    }

    #[test]
    fn every_order_is_as_likely() -> Result<(), Error> {
        let graph = Graph::new();
        let program = graph.compile(&Device::cpu(), &[graph.permutation(3)])?;
        let variables = Variables::new(5);
        let mut counts = [0; 9];
        for _ in 0..1200 {
            let drawn = program.run(&variables, &[])?.read_blocking(0)?.to_f64();
            counts[(3.0 * drawn[0] + drawn[1]) as usize] += 1;
        }
        // 200 each, with a standard deviation of 13.
        let wrong: Vec<_> =
            counts.iter().filter(|&&n| n != 0 && !(140..260).contains(&n)).collect();
        assert!(wrong.is_empty() && counts.iter().filter(|&&n| n > 0).count() == 6, "{counts:?}");
        Ok(())
    }
}
