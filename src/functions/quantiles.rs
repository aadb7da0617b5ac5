//! Medians and quantiles.

use super::{definition::by_rows, definition::f32s, precision::in_f32, sorting::sorted};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::{Meta, resolve_axis},
};

/// How a quantile that lies between two elements is interpolated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuantileMethod {
    /// Between them, in proportion.
    #[default]
    Linear,
    /// The smaller one.
    Lower,
    /// The larger one.
    Higher,
    /// Halfway between them.
    Midpoint,
    /// The nearer one; halfway, that of an even place.
    Nearest,
}

impl QuantileMethod {
    /// The two places in sorted order, and the share of the second, for a quantile of `count`
    /// elements.
    fn places(self, q: f64, count: usize) -> (usize, usize, f64) {
        let last = count - 1;
        let place = q * last as f64;
        let (low, high) = (place.floor() as usize, (place.ceil() as usize).min(last));
        match self {
            _ if low == high => (low, low, 0.0),
            QuantileMethod::Linear => (low, high, place - place.floor()),
            QuantileMethod::Midpoint => (low, high, 0.5),
            QuantileMethod::Lower => (low, low, 0.0),
            QuantileMethod::Higher => (high, high, 0.0),
            QuantileMethod::Nearest => {
                let near = place.round_ties_even() as usize;
                (near, near, 0.0)
            }
        }
    }
}

impl<'g> Tensor<'g> {
    /// The median along `axis`, which is dropped, and its index, as u32: of an even number of
    /// elements the lower one of the two in the middle, as in PyTorch. NaN if any is, with the index
    /// of the first. NumPy's median is the mean of both:
    /// [`quantile(0.5, ..)`](Self::quantile) gives it.
    ///
    /// # Gradient
    ///
    /// To the element that it is; indices have none.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `median`.
    #[track_caller]
    pub fn median(self, axis: i32) -> (Tensor<'g>, Tensor<'g>) {
        if self.failed() {
            return (self, self);
        }
        let extent = match resolve_axis(axis, self.rank()) {
            Ok(axis) if self.dtype() != DType::Bool => match self.shape().dims()[axis] {
                0 => Err(OpError::Empty),
                extent => Ok(extent),
            },
            Ok(_) => Err(OpError::DType(DType::Bool)),
            Err(reason) => Err(reason.into()),
        };
        let extent = match extent {
            Ok(extent) => extent,
            Err(reason) => {
                let failed = self.graph().refuse("median", &[self], reason);
                return (failed, failed);
            }
        };
        let middle = (extent - 1) / 2;
        let mut index = self.argsort(axis, false).slice(axis, middle..middle + 1);
        if self.dtype().is_float() {
            // NaN counts as the largest.
            let largest = self.argmax(axis).unsqueeze(axis);
            let is_nan = self.detach().take_along_axis(largest, axis).is_nan();
            index = is_nan.select(largest, index);
        }
        (self.take_along_axis(index, axis).squeeze(axis), index.squeeze(axis))
    }

    /// The element below which the fraction `q` of those along `axis` lies; the axis is dropped. NaN
    /// if any is.
    ///
    /// # Numerics
    ///
    /// Places are counted in f64, so they are exact for any number of elements.
    ///
    /// # Gradient
    ///
    /// To the one or two elements that it lies between.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements; [`OpError::Number`] unless `q` is in
    /// `[0, 1]`; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's and NumPy's `quantile`.
    #[doc(alias = "percentile")]
    #[track_caller]
    pub fn quantile(self, q: f64, axis: i32, method: QuantileMethod) -> Tensor<'g> {
        self.quantiles(&[q], axis, method).squeeze(0)
    }

    /// Several [quantiles](Self::quantile), along a new axis in front. The elements are sorted once.
    ///
    /// # Errors
    ///
    /// As for [`quantile`](Self::quantile); [`OpError::Argument`] if there are none.
    #[track_caller]
    pub fn quantiles(self, qs: &[f64], axis: i32, method: QuantileMethod) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        let fractions: Vec<_> = qs.iter().map(|&q| ("q", q, Must::BeFraction)).collect();
        if let Some(refused) = self.graph().refuse_invalid("quantile", &[self], &fractions) {
            return refused;
        }
        let count = match resolve_axis(axis, self.rank()) {
            Err(reason) => Err(reason.into()),
            Ok(_) if qs.is_empty() => Err(OpError::Argument("of no fractions")),
            Ok(_) if !self.dtype().is_float() => Err(OpError::DType(self.dtype())),
            Ok(axis) => match self.shape().dims()[axis] {
                0 => Err(OpError::Empty),
                count => Ok(count),
            },
        };
        let count = match count {
            Ok(count) => count,
            Err(reason) => return self.graph().refuse("quantile", &[self], reason),
        };
        in_f32("quantile", [self], |[x]| {
            let sorted = x.sort(axis, false);
            let at = |place: usize| sorted.slice(axis, place..place + 1).squeeze(axis);
            let last = at(count - 1);
            let of = |&q: &f64| {
                let (low, high, share) = method.places(q, count);
                let y = if low == high { at(low) } else { between(at(low), at(high), share) };
                last.is_nan().select(last, y)
            };
            x.graph().stack(&qs.iter().map(of).collect::<Vec<_>>(), 0)
        })
    }
}

/// `a + share (b - a)`, exact where both are equal.
#[track_caller]
fn between<'g>(a: Tensor<'g>, b: Tensor<'g>, share: f64) -> Tensor<'g> {
    // Equal infinities have no difference.
    let is_infinite = a.is_inf().and(a.equal(b));
    let [low, high] = [a, b].map(|x| is_infinite.select(0.0, x));
    let step = high - low;
    let part = |share: f64| step * constant(step, share);
    let y = if share < 0.5 { low + part(share) } else { high - part(1.0 - share) };
    is_infinite.select(a, y)
}

/// Samples of each method and of several fractions, with NaN and infinities.
pub(super) fn samples() -> Vec<Sample> {
    const INF: f64 = f64::INFINITY;
    let median = |indices: bool| {
        Function::new(
            "median",
            move |x| {
                let (value, index) = x[0].median(1);
                if indices { index } else { value }
            },
            move |x| {
                let of = |row: &[f64]| {
                    let mut order: Vec<usize> = (0..row.len()).collect();
                    order.sort_by(|&a, &b| row[a].total_cmp(&row[b]));
                    let index = row.iter().position(|x| x.is_nan());
                    let index = index.unwrap_or(order[(row.len() - 1) / 2]);
                    vec![if indices { index as f64 } else { row[index] }]
                };
                let dtype = if indices { DType::U32 } else { x[0].meta.dtype };
                let rows = by_rows(x[0], 1, of);
                Array64 { meta: Meta::new([x[0].shape().dims()[0]], dtype), ..rows }
            },
        )
    };
    const QS: [f64; 5] = [0.0, 0.125, 0.5, 0.7, 1.0];
    let quantiles = |method: QuantileMethod| {
        let function = Function::new(
            "quantiles",
            move |x| x[0].quantiles(&QS, 1, method),
            move |x| {
                let of = |row: &[f64], q: f64| {
                    let (row, place) = (sorted(row), q * (row.len() - 1) as f64);
                    let (low, high) = (row[place.floor() as usize], row[place.ceil() as usize]);
                    let share = place.fract();
                    match method {
                        _ if share == 0.0 => low,
                        QuantileMethod::Linear => low * (1.0 - share) + high * share,
                        QuantileMethod::Midpoint => (low + high) / 2.0,
                        QuantileMethod::Lower => low,
                        QuantileMethod::Higher => high,
                        QuantileMethod::Nearest => row[place.round_ties_even() as usize],
                    }
                };
                let [rows, columns] = [x[0].shape().dims()[0], x[0].shape().dims()[1]];
                Array64::from_fn(Meta::new([QS.len(), rows], x[0].meta.dtype), |c| {
                    let row = &x[0].data[c[1] * columns..(c[1] + 1) * columns];
                    if row.iter().any(|x| x.is_nan()) { f64::NAN } else { of(row, QS[c[0]]) }
                })
            },
        );
        function.with(format!("[{method:?}]"))
    };
    let one = Function::new(
        "quantile",
        |x| x[0].quantile(0.3, 1, QuantileMethod::Linear),
        |x| {
            let rows = by_rows(x[0], 1, |row| {
                let (row, place) = (sorted(row), 0.3 * (row.len() - 1) as f64);
                let (low, high) = (row[place.floor() as usize], row[place.ceil() as usize]);
                vec![low + (high - low) * place.fract()]
            });
            Array64 { meta: Meta::new([x[0].shape().dims()[0]], x[0].meta.dtype), ..rows }
        },
    );
    let weighed = (Bound::Abs(5e-7), "a sum and a product of numbers up to 2");
    let exact = (Bound::Exact, "moves elements");
    let rows = |function: Function, dims: &[usize], bound: (Bound, &'static str)| {
        let sample = Sample::new(function, [f32s(dims)]);
        sample.operand(0, Domain::Distinct).bound(bound.0, bound.1)
    };
    let few = Domain::Values(&[1.0, INF, -INF, 2.0, 2.0, 0.5, f64::NAN, 3.0, INF, INF, INF]);
    let mut samples = vec![
        rows(median(false), &[3, 7], exact),
        rows(median(false), &[3, 6], exact),
        rows(median(false), &[4, 5], exact)
            .operand(0, few.clone())
            .without_gradient()
            .named("NaN and infinite"),
        rows(median(true), &[4, 5], exact).operand(0, few).without_gradient().named("indices"),
        Sample::new(median(false), [Meta::new([3, 6], DType::I32)]).bound(exact.0, exact.1),
        rows(one, &[3, 7], weighed),
        rows(quantiles(QuantileMethod::Linear), &[4, 3], weighed)
            .operand(0, Domain::Values(&[INF, INF, INF, 1.0, f64::NAN, 2.0, 1.0, 2.0, INF, -INF]))
            .without_gradient()
            .named("NaN and infinite"),
    ];
    for method in [
        QuantileMethod::Linear,
        QuantileMethod::Lower,
        QuantileMethod::Higher,
        QuantileMethod::Midpoint,
        QuantileMethod::Nearest,
    ] {
        samples.push(rows(quantiles(method), &[3, 6], weighed));
    }
    samples
}
