//! Optimizer steps: updates of parameters and moments.
//!
//! An update is an elementwise function, which the scheduler fuses with those of all other
//! parameters into one step. The result has the type of the updated tensor; the arithmetic is in
//! f32, so that f16 parameters may have f32 moments.

use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// This moment after a step: `decay self + weight gradient`.
    #[track_caller]
    pub fn moment(self, gradient: Tensor<'g>, decay: f64, weight: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "moment",
            &[self, gradient],
            &[("decay", decay, Must::BeFinite), ("weight", weight, Must::BeFinite)],
        ) {
            return refused;
        }
        updated("moment", &[self, gradient], &[], |x, _| x[0] * decay + x[1] * weight)
    }

    /// This second moment after a step: `decay self + (1 - decay) gradient^2`.
    #[track_caller]
    pub fn second_moment(self, gradient: Tensor<'g>, decay: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "second_moment",
            &[self, gradient],
            &[("decay", decay, Must::BeFraction)],
        ) {
            return refused;
        }
        let average = |x: &[Tensor<'g>]| x[0] * decay + x[1] * x[1] * (1.0 - decay);
        updated("second_moment", &[self, gradient], &[], |x, _| average(x))
    }

    /// This parameter after a step of gradient descent: `self - lr direction`; `lr` is a scalar.
    #[track_caller]
    pub fn sgd(self, direction: Tensor<'g>, lr: Tensor<'g>) -> Tensor<'g> {
        updated("sgd", &[self, direction], &[lr], |x, scalars| x[0] - x[1] * scalars[0])
    }

    /// This parameter after a step of Adam, given the updated moments.
    ///
    /// `self - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)`; `lr` and `t`, counted
    /// from 1, are scalars.
    ///
    /// # Source
    ///
    /// Kingma & Ba 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980.
    #[track_caller]
    pub fn adam(
        self,
        [first, second]: [Tensor<'g>; 2],
        lr: Tensor<'g>,
        t: Tensor<'g>,
        [beta1, beta2]: [f64; 2],
        eps: f64,
    ) -> Tensor<'g> {
        let numbers = [
            ("beta1", beta1, Must::BeBelow1),
            ("beta2", beta2, Must::BeBelow1),
            ("eps", eps, Must::BeAtLeast0),
        ];
        if let Some(refused) = self.graph().refuse_invalid("adam", &[self, first, second], &numbers)
        {
            return refused;
        }
        updated("adam", &[self, first, second], &[lr, t], |x, scalars| {
            let (&[p, m, v], &[lr, t]) = (x, scalars) else { unreachable!("as many as above") };
            // 1 - beta^t; the logarithm is a constant, so that the device does not compute a power.
            let correction = |beta: f64| -> Tensor<'g> { 1.0 - (t * beta.ln()).exp() };
            let step = lr / correction(beta1);
            let scale: Tensor<'g> = correction(beta2).sqrt();
            // sqrt(v / c) = sqrt(v) / sqrt(c), and sqrt(c) is one number for all elements.
            p - step * m / (v.sqrt() / scale + eps)
        })
    }
}

/// Applies `rule` to tensors of one shape, the first of which is updated, and to some scalars.
#[track_caller]
fn updated<'g>(
    name: &'static str,
    tensors: &[Tensor<'g>],
    scalars: &[Tensor<'g>],
    rule: impl FnOnce(&[Tensor<'g>], &[Tensor<'g>]) -> Tensor<'g>,
) -> Tensor<'g> {
    let operands = [tensors, scalars].concat();
    let graph = tensors[0].graph();
    let reason = if operands.iter().any(|operand| operand.failed()) {
        None
    } else if let Some(operand) = operands.iter().find(|operand| !operand.dtype().is_float()) {
        Some(OpError::DType(operand.dtype()))
    } else if scalars.iter().any(|scalar| scalar.rank() > 0) {
        Some(OpError::Argument("the learning rate and the step must be scalars"))
    } else if tensors.iter().any(|tensor| tensor.shape() != tensors[0].shape()) {
        Some(OpError::Target(tensors[0].shape()))
    } else {
        None
    };
    if let Some(reason) = reason {
        return graph.refuse(name, &operands, reason);
    }
    let wide = |x: &[Tensor<'g>]| x.iter().map(|x| x.cast(DType::F32)).collect::<Vec<_>>();
    rule(&wide(tensors), &wide(scalars)).cast(tensors[0].dtype())
}

/// The definition, element by element; scalars repeat.
fn elementwise(
    name: &'static str,
    build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g> + Send + Sync + 'static,
    rule: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
) -> Function {
    Function::new(name, build, move |x: &[&Array64]| {
        let at = |k: usize| -> Vec<f64> { x.iter().map(|x| x.data[k % x.data.len()]).collect() };
        let data = (0..x[0].data.len()).map(|k| rule(&at(k))).collect();
        Array64 { meta: x[0].meta.clone(), data }
    })
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    // Constants of a graph are rounded.
    let f = |x: f64| f64::from(x as f32);
    let moment = |decay: f64, weight: f64| {
        elementwise(
            "moment",
            move |x| x[0].moment(x[1], decay, weight),
            move |x| f(decay) * x[0] + f(weight) * x[1],
        )
    };
    let second_moment = elementwise(
        "second_moment",
        |x| x[0].second_moment(x[1], 0.999),
        move |x| f(0.999) * x[0] + f(1.0 - 0.999) * x[1] * x[1],
    );
    let sgd = elementwise("sgd", |x| x[0].sgd(x[1], x[2]), |x| x[0] - x[2] * x[1]);
    let adam = elementwise(
        "adam",
        |x| x[0].adam([x[1], x[2]], x[3], x[4], [0.9, 0.999], 1e-8),
        move |x| {
            let &[p, m, v, lr, t] = x else { unreachable!("adam has five operands") };
            let correction = |beta: f64| 1.0 - (t * f(beta.ln())).exp();
            p - lr * (m / correction(0.9)) / ((v / correction(0.999)).sqrt() + f(1e-8))
        },
    );
    let tensor = Meta::new([5, 3], DType::F32);
    let scalar = Meta::new([], DType::F32);
    let positive = Domain::Range(0.1, 1.0);
    let few = "a handful of rounded operations on values of order 1";
    let halves = Meta::new([5, 3], DType::F16);
    vec![
        Sample::new(moment(0.9, 0.1), [tensor.clone(), halves.clone()])
            .bound(Bound::Abs(3e-7), few)
            .named("a gradient of halves"),
        Sample::new(sgd.clone(), [halves.clone(), tensor.clone(), scalar.clone()])
            .operand(2, positive.clone())
            .bound(Bound::Abs(3e-7), few)
            .named("parameters of halves"),
        Sample::new(
            adam.clone(),
            [halves, tensor.clone(), tensor.clone(), scalar.clone(), scalar.clone()],
        )
        .operand(2, positive.clone())
        .operand(3, Domain::Range(0.01, 0.02))
        .operand(4, Domain::Range(10.0, 20.0))
        .bound(Bound::Abs(1e-5), "1 - beta2^t loses 6 bits to cancellation at small t")
        .named("parameters of halves"),
        Sample::new(moment(0.9, 0.1), vec![tensor.clone(); 2]).bound(Bound::Abs(3e-7), few),
        Sample::new(moment(0.9, 1.0), vec![tensor.clone(); 2]).bound(Bound::Abs(3e-7), few),
        Sample::new(second_moment, vec![tensor.clone(); 2]).bound(Bound::Abs(3e-7), few),
        Sample::new(sgd.clone(), [tensor.clone(), tensor.clone(), scalar.clone()])
            .operand(2, positive.clone())
            .bound(Bound::Abs(3e-7), few),
        Sample::new(adam.clone(), [tensor.clone(), tensor.clone(), tensor, scalar.clone(), scalar])
            .operand(2, positive)
            .operand(3, Domain::Range(0.01, 0.02))
            .operand(4, Domain::Range(10.0, 20.0))
            .bound(Bound::Abs(1e-5), "1 - beta2^t loses 6 bits to cancellation at small t"),
    ]
}
