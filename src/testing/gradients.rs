//! Derivatives compared with finite differences, in f64.

use super::compare::evaluate;
use crate::{
    array64::Array64,
    autodiff,
    dtype::DType,
    error::Error,
    graph::{Graph, Tensor},
    nn::{Mode, Module, Scope},
    ops::contract::{Domain, Gradient, Sample},
    variables::initial,
};

/// A derivative from autodiff and from finite differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradCheck {
    /// From autodiff.
    pub analytic: f64,
    /// From extrapolated central differences.
    pub numeric: f64,
    /// Sum of the magnitudes of the terms.
    pub scale: f64,
}

impl GradCheck {
    /// The difference relative to `scale`; below 1e-3, cancellation in the subtracted values
    /// becomes visible, and the difference is relative to 1e-3.
    pub fn error(&self) -> f64 {
        (self.analytic - self.numeric).abs() / self.scale.max(1e-3)
    }
}

/// Maximum [`GradCheck::error`] of first and second derivatives. Differences with a step of 1e-3 leave
/// about 1e-13 of the value from cancellation and 1e-20 of the seventh derivative from truncation.
pub const GRAD_CHECK_BOUNDS: [f64; 2] = [1e-8, 1e-6];

/// The largest step: a tenth of the distance that samples keep from kinks.
const STEP: f64 = 1e-3;

/// The derivative of `f` at 0 from central differences with three steps, each half of the previous
/// one, extrapolated to step 0: the remaining error is of the order of `STEP^6` (Richardson 1911).
fn derivative(mut f: impl FnMut(f64) -> Result<f64, Error>) -> Result<f64, Error> {
    let mut central = |step: f64| Ok::<f64, Error>((f(step)? - f(-step)?) / (2.0 * step));
    let [wide, half, quarter] = [central(STEP)?, central(STEP / 2.0)?, central(STEP / 4.0)?];
    let fourth = |wide: f64, half: f64| (4.0 * half - wide) / 3.0;
    Ok((16.0 * fourth(half, quarter) - fourth(wide, half)) / 15.0)
}

/// Compares the first and second derivatives of a function with finite differences along random
/// directions, in f64: a test for custom functions and layers. `None` if nothing is a float.
///
/// The first is that of `<c, y(x)>` for a random `c`, the second that of `<e, g(x, c)>`, where `g`
/// are the cotangents of the operands and `e` is random. Both are correct if their [`GradCheck::error`]
/// is within [`GRAD_CHECK_BOUNDS`]. `values` should keep a distance of 0.01 from kinks. Parameters of a
/// layer are operands like any other; for those of a [`Module`] there is [`grad_check_module`].
///
/// # Errors
///
/// Any error of the graph; [`RunError::MissingInput`](crate::RunError::MissingInput) if `build`
/// reads anything other than its operands.
///
/// ```
/// use wgrad::{DType, Meta, testing::{Domain, GRAD_CHECK_BOUNDS, grad_check}};
///
/// // softplus, written by hand
/// let x = Domain::Range(-2.0, 2.0).fill(&Meta::new([3, 4], DType::F32), 1);
/// let [first, second] = grad_check(&[x], |_, x| (x[0].exp() + 1.0).log())?.expect("x is a float");
/// assert!(first.error() < GRAD_CHECK_BOUNDS[0], "{first:?}");
/// assert!(second.error() < GRAD_CHECK_BOUNDS[1], "{second:?}");
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("gradcheck", "gradgradcheck"))]
pub fn grad_check(
    values: &[Array64],
    build: impl for<'g> Fn(&'g Graph, &[Tensor<'g>]) -> Tensor<'g>,
) -> Result<Option<[GradCheck; 2]>, Error> {
    let graph = Graph::new();
    let point = inputs(&graph, values);
    let y = build(&graph, &tensors(&point));
    both(y, &point)
}

/// The operands as inputs named by their positions.
fn inputs<'g>(graph: &'g Graph, values: &[Array64]) -> Vec<Given<'g>> {
    let given = values.iter().enumerate().map(|(k, value)| {
        let name = k.to_string();
        let tensor = graph.input(&name, value.shape(), value.meta.dtype);
        Given { name, tensor, value: value.clone(), is_moved: true }
    });
    given.collect()
}

fn tensors<'g>(given: &[Given<'g>]) -> Vec<Tensor<'g>> {
    given.iter().map(|given| given.tensor).collect()
}

/// Same as [`grad_check`], for a layer in training mode: with respect to its operand and all its
/// parameters.
///
/// Parameters hold random numbers between -1 and 1, other variables their initial values. Random
/// layers draw the same numbers throughout.
///
/// # Errors
///
/// Any error of the layer.
///
/// ```
/// use wgrad::{DType, Meta, nn::Dense, testing::{Domain, GRAD_CHECK_BOUNDS, grad_check_module}};
///
/// let x = Domain::Range(-1.0, 1.0).fill(&Meta::new([3, 4], DType::F32), 1);
/// let [first, second] = grad_check_module(&Dense::new(2), &x)?.expect("x is a float");
/// assert!(first.error() < GRAD_CHECK_BOUNDS[0], "{first:?}");
/// assert!(second.error() < GRAD_CHECK_BOUNDS[1], "{second:?}");
/// # Ok::<(), wgrad::Error>(())
/// ```
pub fn grad_check_module(layer: &dyn Module, x: &Array64) -> Result<Option<[GradCheck; 2]>, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let input = graph.input("x", x.shape(), x.meta.dtype);
    let y = layer.forward(&mut cx, input);
    graph.check()?;
    let mut point =
        vec![Given { name: "x".to_owned(), tensor: input, value: x.clone(), is_moved: true }];
    let params = cx.params();
    let declared = graph.inner.borrow().variables.clone();
    for (seed, (path, (id, declaration))) in declared.into_iter().enumerate() {
        let tensor = Tensor { graph: &graph, id };
        let is_param = params.iter().any(|(known, _)| *known == path);
        let value = if is_param && declaration.meta.dtype.is_float() {
            Domain::Range(-1.0, 1.0).fill(&declaration.meta, 400 + seed as u64)
        } else {
            Array64::from(&initial::values(declaration.init, &declaration.meta, 0, &path)?)
        };
        point.push(Given { name: path, tensor, value, is_moved: is_param });
    }
    both(y, &point)
}

/// An input or variable at the point where derivatives are taken.
struct Given<'g> {
    /// Name of the input, or path of the variable.
    name: String,
    tensor: Tensor<'g>,
    value: Array64,
    /// Whether derivatives with respect to it are taken.
    is_moved: bool,
}

fn both<'g>(y: Tensor<'g>, given: &[Given<'g>]) -> Result<Option<[GradCheck; 2]>, Error> {
    let checked = checked_at(y, given, 2)?;
    Ok(checked.and_then(|(first, second)| Some([first, second?])))
}

/// Checks the first derivative, and the second if the order is 2; a function may have only the first.
fn checked_at<'g>(
    y: Tensor<'g>,
    given: &[Given<'g>],
    order: usize,
) -> Result<Option<(GradCheck, Option<GradCheck>)>, Error> {
    let graph = y.graph();
    graph.check()?;
    let is_moved = |g: &&Given<'g>| g.is_moved && g.tensor.dtype().is_float();
    let (names, floats): (Vec<&str>, Vec<Tensor>) =
        given.iter().filter(is_moved).map(|g| (g.name.as_str(), g.tensor)).unzip();
    // In f16 the constants of derivatives are rounded to 11 bits; the formulas are those of f32.
    let exact = |x: &Tensor| x.dtype() == DType::F32;
    if floats.is_empty() || !exact(&y) || !floats.iter().all(exact) {
        return Ok(None);
    }
    let c = graph.input("cotangent", y.shape(), y.dtype());
    let loss = dot(y, c);
    let first = autodiff::grad(loss, &floats);
    let weight = |k: usize| format!("weight {k}");
    let moved: Vec<Tensor> = floats.iter().copied().chain([c]).collect();
    let names: Vec<&str> = names.into_iter().chain(["cotangent"]).collect();

    let noise = |t: &Tensor, seed| Domain::Range(-1.0, 1.0).fill(&t.meta(), seed);
    let mut point: Vec<(String, Array64)> =
        given.iter().map(|g| (g.name.clone(), g.value.clone())).collect();
    point.push(("cotangent".to_owned(), noise(&c, 100)));
    for (k, x) in floats.iter().enumerate() {
        point.push((weight(k), noise(x, 200 + k as u64)));
    }
    let slope = |loss: Tensor, gradients: &[Tensor], along: &[Tensor]| {
        let directions: Vec<(&str, Array64)> = names
            .iter()
            .zip(along)
            .enumerate()
            .map(|(k, (name, x))| (*name, noise(x, 300 + k as u64)))
            .collect();
        let at = |step: f64| -> Result<f64, Error> {
            let mut moved = point.clone();
            for (name, value) in &mut moved {
                if let Some((_, direction)) = directions.iter().find(|(n, _)| n == name) {
                    for (x, d) in value.data.iter_mut().zip(&direction.data) {
                        *x += step * d;
                    }
                }
            }
            Ok(evaluate(graph, &[loss], &borrowed(&moved))?[0].data[0])
        };
        let gradients = evaluate(graph, gradients, &borrowed(&point))?;
        let mut slope = GradCheck { analytic: 0.0, numeric: derivative(at)?, scale: 0.0 };
        for (gradient, (_, direction)) in gradients.iter().zip(&directions) {
            for (g, d) in gradient.data.iter().zip(&direction.data) {
                slope.analytic += g * d;
                slope.scale += (g * d).abs();
            }
        }
        Ok::<GradCheck, Error>(slope)
    };
    let of_first = slope(loss, &first, &floats)?;
    if order < 2 {
        return Ok(Some((of_first, None)));
    }
    let weights = floats.iter().zip(&first).enumerate();
    let second_loss = weights
        .map(|(k, (x, g))| dot(*g, graph.input(&weight(k), x.shape(), x.dtype())))
        .reduce(|sum, term| sum + term)
        .unwrap_or(loss);
    let second = autodiff::grad(second_loss, &moved);
    Ok(Some((of_first, Some(slope(second_loss, &second, &moved)?))))
}

impl Sample {
    /// Compares first and second derivatives along random directions; `None` if the sample has
    /// nothing to compare.
    ///
    /// The first is that of `<c, y(x)>` for a random `c`. The second is that of `<e, g(x, c)>`,
    /// where `g` are the cotangents of the operands and `e` is random, with respect to the operands
    /// and `c`.
    ///
    /// # Errors
    ///
    /// Any error of the graph.
    pub fn grad_check(&self) -> Result<Option<[GradCheck; 2]>, Error> {
        match self.gradient {
            Gradient::Smooth => {
                grad_check(&self.values(), |graph, inputs| self.apply(graph, inputs))
            }
            _ => Ok(None),
        }
    }

    /// The same for one order, 1 or 2: a derivative that has none itself has only the first.
    ///
    /// # Errors
    ///
    /// Any error of the graph.
    pub(super) fn grad_check_of(&self, order: usize) -> Result<Option<GradCheck>, Error> {
        if self.gradient != Gradient::Smooth {
            return Ok(None);
        }
        let graph = Graph::new();
        let point = inputs(&graph, &self.values());
        let y = self.apply(&graph, &tensors(&point));
        let checked = checked_at(y, &point, order)?;
        Ok(checked.and_then(|(first, second)| if order == 1 { Some(first) } else { second }))
    }

    /// The cotangent of an operand whose value is a convention: from autodiff, and as specified.
    ///
    /// # Errors
    ///
    /// Any error of the graph.
    pub fn at_kink(&self) -> Result<Option<[Vec<f64>; 2]>, Error> {
        let Gradient::Convention { operand, values } = &self.gradient else { return Ok(None) };
        let graph = Graph::new();
        let (inputs, y) = self.build(&graph);
        let gradient = autodiff::grad(y.sum(..), &[inputs[*operand]])[0];
        let point: Vec<(String, Array64)> = self
            .values()
            .into_iter()
            .enumerate()
            .map(|(k, value)| (k.to_string(), value))
            .collect();
        let got = evaluate(&graph, &[gradient], &borrowed(&point))?.remove(0);
        Ok(Some([got.data, values.clone()]))
    }
}

fn dot<'g>(a: Tensor<'g>, b: Tensor<'g>) -> Tensor<'g> {
    (a * b).sum(..)
}

fn borrowed(values: &[(String, Array64)]) -> Vec<(&str, &Array64)> {
    values.iter().map(|(name, value)| (name.as_str(), value)).collect()
}
