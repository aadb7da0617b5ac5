//! Schedules as text: all that they do, with all their numbers.

use super::{
    compose::{Kind, Schedule},
    curve::Curve,
    one_cycle::Cycle,
    plateau::{Goal, Plateau, Threshold},
    ramp::{Ramp, Shape},
    span::Span,
};
use std::fmt::{self, Debug, Display, Formatter};

impl Display for Schedule {
    /// `warm-up of 500 steps, then cosine to 0 over the rest`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Curve(curve) => write!(f, "{curve}"),
            Kind::Plateau(plateau) => write!(f, "{plateau}"),
            Kind::WarmUp(over, next) => write!(f, "warm-up of {over}, then {next}"),
            Kind::Lasting(schedule, span) => write!(f, "{} for {span}", Operand(schedule)),
            Kind::Then(parts) => joined(f, parts.iter(), ", then "),
            Kind::Times(factors) => joined(f, factors.iter().map(Operand), " times "),
        }
    }
}

impl Debug for Schedule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

/// A schedule within a longer text, in brackets unless it is one curve.
struct Operand<'a>(&'a Schedule);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.0 {
            Kind::Curve(curve) => write!(f, "{curve}"),
            _ => write!(f, "({})", self.0),
        }
    }
}

impl Display for Curve<Span> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Curve::Constant(factor) => write!(f, "constant {factor}"),
            Curve::Ramp { ramp, over } => write!(f, "{ramp} over {over}"),
            Curve::Steps { every, gamma } => write!(f, "steps by {gamma} every {every}"),
            Curve::Milestones { at, gamma } => {
                write!(f, "steps by {gamma} at ")?;
                joined(f, at.iter(), " and ")
            }
            Curve::Exponential { every, gamma } => write!(f, "exponential by {gamma} in {every}"),
            Curve::Restarts { ramp, first, growth } => {
                write!(f, "{ramp} over {first} with restarts growing by {growth}")
            }
            Curve::OneCycle { cycle, over } => {
                let Cycle { shape, warm_up, div_factor, final_div_factor } = cycle;
                write!(
                    f,
                    "one {shape} cycle over {over} (warm-up {warm_up}, div_factor {div_factor}, \
                     final_div_factor {final_div_factor})"
                )
            }
            Curve::Function(_) => f.write_str("a function"),
        }
    }
}

impl Display for Ramp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Ramp { shape, from, to } = self;
        match from {
            1.0 => write!(f, "{shape} to {to}"),
            _ => write!(f, "{shape} from {from} to {to}"),
        }
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Linear => f.write_str("linear"),
            Shape::Cosine => f.write_str("cosine"),
            Shape::Polynomial(power) => write!(f, "polynomial of power {power}"),
        }
    }
}

impl Display for Plateau {
    /// `steps by 0.1 when loss has not fallen by 0.0001 of itself for more than 10 epochs`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plateau { metric, goal, factor, patience, threshold, cooldown, min_factor } = self;
        let moved = match goal {
            Goal::Minimize => "fallen",
            Goal::Maximize => "risen",
        };
        write!(f, "steps by {factor} when {metric} has not {moved} by ")?;
        match threshold {
            Threshold::Relative(share) => write!(f, "{share} of itself")?,
            Threshold::Absolute(difference) => write!(f, "{difference}")?,
        }
        write!(f, " for more than {}", epochs(*patience))?;
        if *cooldown > 0 {
            write!(f, ", with a cooldown of {}", epochs(*cooldown))?;
        }
        if *min_factor > 0.0 {
            write!(f, ", down to {min_factor}")?;
        }
        Ok(())
    }
}

fn epochs(number: usize) -> Span {
    Span::epochs(number as f64)
}

fn joined<T: Display>(
    f: &mut Formatter<'_>,
    items: impl Iterator<Item = T>,
    between: &str,
) -> fmt::Result {
    f.write_str(&items.map(|item| item.to_string()).collect::<Vec<_>>().join(between))
}
