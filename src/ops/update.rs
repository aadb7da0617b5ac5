//! Steps of optimizers: what becomes of a parameter and its moments.
//!
//! Each is written in other operations and needs no kernel: an update is a map over elements,
//! which the scheduler fuses with those of all other parameters into one step. The result has the type
//! of what is updated; the arithmetic is in f32, so that parameters of f16 may have moments of f32.

use super::*;
use crate::dtype::DType;

/// One value of an optimizer's step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// `m' = decay m + weight g` of `(m, g)`: momentum, or an exponential average.
    Moment {
        /// Share of the old value that stays.
        decay: f64,
        /// Factor of the gradient.
        weight: f64,
    },
    /// `v' = decay v + (1 - decay) g^2` of `(v, g)`: an exponential average of squares.
    SecondMoment {
        /// Share of the old value that stays.
        decay: f64,
    },
    /// `p' = p - lr d` of `(p, d, lr)`.
    Sgd,
    /// `p' = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)` of `(p, m, v, lr,
    /// t)`, with the moments after their own step, and `t` counted from 1 (Kingma & Ba 2015).
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Keeps the quotient finite.
        eps: f64,
    },
}
use Update::*;

impl<'g> Tensor<'g> {
    /// This moment after a step: `decay self + weight gradient`.
    #[track_caller]
    pub fn moment(self, gradient: Tensor<'g>, decay: f64, weight: f64) -> Tensor<'g> {
        self.graph.push(Moment { decay, weight }, &[self, gradient])
    }

    /// This second moment after a step: `decay self + (1 - decay) gradient^2`.
    #[track_caller]
    pub fn second_moment(self, gradient: Tensor<'g>, decay: f64) -> Tensor<'g> {
        self.graph.push(SecondMoment { decay }, &[self, gradient])
    }

    /// This parameter after a step of gradient descent: `self - lr direction`; `lr` is a scalar.
    #[track_caller]
    pub fn sgd(self, direction: Tensor<'g>, lr: Tensor<'g>) -> Tensor<'g> {
        self.graph.push(Sgd, &[self, direction, lr])
    }

    /// This parameter after a step of Adam, from its moments after theirs.
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
        self.graph.push(Adam { beta1, beta2, eps }, &[self, first, second, lr, t])
    }
}

impl std::fmt::Display for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Moment { decay, weight } => write!(f, "moment[{decay}, {weight}]"),
            SecondMoment { decay } => write!(f, "second_moment[{decay}]"),
            Sgd => f.write_str("sgd"),
            Adam { beta1, beta2, eps } => write!(f, "adam[{beta1}, {beta2}, {eps}]"),
        }
    }
}

impl composite::Composite for Update {
    fn name(&self) -> &'static str {
        match self {
            Moment { .. } => "moment",
            SecondMoment { .. } => "second_moment",
            Sgd => "sgd",
            Adam { .. } => "adam",
        }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let scalars = match self {
            Moment { .. } | SecondMoment { .. } => 0,
            Sgd => 1,
            Adam { .. } => 2,
        };
        if let Some(operand) = operands.iter().find(|operand| !operand.dtype.is_float()) {
            return Err(OpError::DType(operand.dtype));
        }
        let (tensors, scalars) = operands.split_at(operands.len() - scalars);
        if scalars.iter().any(|scalar| scalar.shape.rank() > 0) {
            return Err(OpError::Argument("the learning rate and the step must be scalars"));
        }
        let same = tensors.iter().all(|tensor| tensor.shape == tensors[0].shape);
        if same { Ok(tensors[0].clone()) } else { Err(OpError::Target(tensors[0].shape.clone())) }
    }

    fn vjp<'g>(
        &self,
        _: &[Tensor<'g>],
        _: Tensor<'g>,
        _: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        None
    }

    /// In f32, whatever the operands are.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let dtype = operands[0].dtype();
        let operands: Vec<Tensor> = operands.iter().map(|x| x.cast(DType::F32)).collect();
        let updated = match (*self, operands.as_slice()) {
            (Moment { decay, weight }, &[m, g]) => m * decay + g * weight,
            (SecondMoment { decay }, &[v, g]) => v * decay + g * g * (1.0 - decay),
            (Sgd, &[p, direction, lr]) => p - direction * lr,
            (Adam { beta1, beta2, eps }, &[p, m, v, lr, t]) => {
                // 1 - beta^t; the logarithm is a number, so that no power is taken on the device.
                let correction = |beta: f64| -> Tensor<'g> { 1.0 - (t * beta.ln()).exp() };
                let step = lr / correction(beta1);
                let scale: Tensor<'g> = correction(beta2).sqrt();
                // sqrt(v / c) = sqrt(v) / sqrt(c), and sqrt(c) is one number for all elements.
                p - step * m / (v.sqrt() / scale + eps)
            }
            _ => unreachable!("updates are built with their operands"),
        };
        updated.cast(dtype)
    }

    fn has_kernel(&self, _: &[&Meta], _: &Meta) -> bool {
        false
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = match self {
            Moment { .. } => 3.0,
            SecondMoment { .. } => 4.0,
            Sgd => 2.0,
            Adam { .. } => 6.0,
        };
        Cost::elementwise(flops, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let tensor = Meta::new([5, 3], DType::F32);
        let scalar = Meta::new([], DType::F32);
        let positive = Domain::Range(0.1, 1.0);
        let few = "a handful of rounded operations on values of order 1";
        let halves = Meta::new([5, 3], DType::F16);
        vec![
            Sample::new(Moment { decay: 0.9, weight: 0.1 }, [tensor.clone(), halves.clone()])
                .bound(Bound::Abs(3e-7), few)
                .named("a gradient of halves"),
            Sample::new(Sgd, [halves.clone(), tensor.clone(), scalar.clone()])
                .operand(2, positive.clone())
                .bound(Bound::Abs(3e-7), few)
                .named("parameters of halves"),
            Sample::new(
                Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
                [halves, tensor.clone(), tensor.clone(), scalar.clone(), scalar.clone()],
            )
            .operand(2, positive.clone())
            .operand(3, Domain::Range(0.01, 0.02))
            .operand(4, Domain::Range(10.0, 20.0))
            .bound(Bound::Abs(1e-5), "1 - beta2^t loses 6 bits to cancellation at small t")
            .named("parameters of halves"),
            Sample::new(Moment { decay: 0.9, weight: 0.1 }, vec![tensor.clone(); 2])
                .bound(Bound::Abs(3e-7), few),
            Sample::new(Moment { decay: 0.9, weight: 1.0 }, vec![tensor.clone(); 2])
                .bound(Bound::Abs(3e-7), few),
            Sample::new(SecondMoment { decay: 0.999 }, vec![tensor.clone(); 2])
                .bound(Bound::Abs(3e-7), few),
            Sample::new(Sgd, [tensor.clone(), tensor.clone(), scalar.clone()])
                .operand(2, positive.clone())
                .bound(Bound::Abs(3e-7), few),
            Sample::new(
                Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
                [tensor.clone(), tensor.clone(), tensor, scalar.clone(), scalar],
            )
            .operand(2, positive)
            .operand(3, Domain::Range(0.01, 0.02))
            .operand(4, Domain::Range(10.0, 20.0))
            .bound(Bound::Abs(1e-5), "1 - beta2^t loses 6 bits to cancellation at small t"),
        ]
    }
}
