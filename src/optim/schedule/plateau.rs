//! Plateaus: the rate falls when a metric no longer gets better.

use super::span::Part;
use crate::numbers::Must;

/// Multiplies the rate by 0.1 when a metric has not got better for more than 10 epochs. A
/// [`Schedule`](super::Schedule) is made from it.
///
/// ```
/// use wgrad::optim::{Clock, Plateau, Schedule};
///
/// let schedule = Schedule::from(Plateau::minimize("loss").factor(0.5).patience(1));
/// let mut scheduler = schedule.start(Clock::default())?;
/// for (epoch, loss) in [0.9, 0.7, 0.7, 0.8].into_iter().enumerate() {
///     assert_eq!(scheduler.factor(100 * epoch)?, 1.0);
///     scheduler.observe(100 * (epoch + 1), |name| (name == "loss").then_some(loss))?;
/// }
/// assert_eq!(scheduler.factor(400)?, 0.5);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Source
///
/// PyTorch's `ReduceLROnPlateau`, with two differences. A relative threshold is that share of the
/// magnitude of the best value, so that it asks for an improvement of negative values too. There is
/// no `eps`: the smallest change of the rate is made as well.
#[doc(alias("ReduceLROnPlateau", "reduce_lr_on_plateau"))]
#[derive(Clone, Debug, PartialEq)]
pub struct Plateau {
    pub(super) metric: String,
    pub(super) goal: Goal,
    pub(super) factor: f64,
    pub(super) patience: usize,
    pub(super) threshold: Threshold,
    pub(super) cooldown: usize,
    pub(super) min_factor: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Minimize,
    Maximize,
}

/// By how much a value must be better than the best one to count as better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Threshold {
    Relative(f64),
    Absolute(f64),
}

impl Plateau {
    /// Watches a metric that gets better when it falls, such as a loss.
    pub fn minimize(metric: &str) -> Self {
        Plateau::new(metric, Goal::Minimize)
    }

    /// Watches a metric that gets better when it rises, such as an accuracy.
    pub fn maximize(metric: &str) -> Self {
        Plateau::new(metric, Goal::Maximize)
    }

    fn new(metric: &str, goal: Goal) -> Self {
        Plateau {
            metric: metric.to_owned(),
            goal,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min_factor: 0.0,
        }
    }

    /// Sets by what the rate is multiplied.
    pub fn factor(self, factor: f64) -> Self {
        Plateau { factor, ..self }
    }

    /// Sets how many epochs in a row may pass without a better value. The one after them reduces
    /// the rate.
    pub fn patience(self, epochs: usize) -> Self {
        Plateau { patience: epochs, ..self }
    }

    /// Sets the share of the best value by which a better one must differ from it: 0.0001, unless
    /// this says otherwise.
    #[doc(alias = "threshold_mode")]
    pub fn relative_threshold(self, share: f64) -> Self {
        Plateau { threshold: Threshold::Relative(share), ..self }
    }

    /// Sets by how much a better value must differ from the best one.
    #[doc(alias("threshold_mode", "min_delta"))]
    pub fn absolute_threshold(self, difference: f64) -> Self {
        Plateau { threshold: Threshold::Absolute(difference), ..self }
    }

    /// Sets for how many epochs after the rate was reduced none counts against the patience.
    pub fn cooldown(self, epochs: usize) -> Self {
        Plateau { cooldown: epochs, ..self }
    }

    /// Sets the smallest factor of the rate.
    #[doc(alias = "min_lr")]
    pub fn min_factor(self, min_factor: f64) -> Self {
        Plateau { min_factor, ..self }
    }

    pub(super) fn numbers(&self) -> Vec<(&'static str, f64, Must)> {
        let (threshold, must) = match self.threshold {
            Threshold::Relative(share) => (share, Must::BeBelow1),
            Threshold::Absolute(difference) => (difference, Must::BeAtLeast0),
        };
        vec![
            ("factor", self.factor, Must::BeBelow1),
            ("threshold", threshold, must),
            ("min_factor", self.min_factor, Must::BeFraction),
        ]
    }

    /// Whether a value is better than the best one so far. NaN never is.
    fn is_better(&self, value: f64, best: f64) -> bool {
        let beyond = |side: f64| match self.threshold {
            Threshold::Relative(share) => best * (1.0 + side * share.copysign(best)),
            Threshold::Absolute(difference) => best + side * difference,
        };
        match self.goal {
            Goal::Minimize => value < beyond(-1.0),
            Goal::Maximize => value > beyond(1.0),
        }
    }
}

/// A plateau in the course of a training.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    plateau: Plateau,
    /// Epochs that end in it count.
    part: Part,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    factor: f64,
    best: Option<f64>,
    /// Epochs in a row without a better value.
    bad_epochs: usize,
    /// Epochs until they count again.
    cooldown: usize,
}

impl Watch {
    pub fn new(plateau: Plateau, part: Part) -> Self {
        let state = State { factor: 1.0, best: None, bad_epochs: 0, cooldown: 0 };
        Watch { plateau, part, state }
    }

    /// Name of the metric that it watches.
    pub fn metric(&self) -> &str {
        &self.plateau.metric
    }

    pub fn factor(&self) -> f64 {
        self.state.factor
    }

    /// Takes the value after an epoch that ends when so many steps are done.
    pub fn observe(&mut self, steps: usize, value: f64) {
        let Watch { plateau, part, state } = self;
        if steps <= part.start || part.end.is_some_and(|end| steps > end) {
            return;
        }
        let is_better = match state.best {
            Some(best) => plateau.is_better(value, best),
            None => !value.is_nan(),
        };
        if is_better {
            state.best = Some(value);
        }
        let is_cooling = state.cooldown > 0;
        state.cooldown = state.cooldown.saturating_sub(1);
        let counts = !is_better && !is_cooling;
        state.bad_epochs = if counts { state.bad_epochs.saturating_add(1) } else { 0 };
        if state.bad_epochs > plateau.patience {
            state.factor = (state.factor * plateau.factor).max(plateau.min_factor);
            state.cooldown = plateau.cooldown;
            state.bad_epochs = 0;
        }
    }

    /// The state as a line of text. Numbers are those that are read again.
    pub fn save(&self) -> String {
        let State { factor, best, bad_epochs, cooldown } = self.state;
        let best = best.map_or("none".to_owned(), |best| best.to_string());
        format!("factor {factor} best {best} bad_epochs {bad_epochs} cooldown {cooldown}")
    }

    /// The same with the state of such a line, if it is one.
    pub fn loaded(&self, line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(' ').collect();
        let ["factor", factor, "best", best, "bad_epochs", bad_epochs, "cooldown", cooldown] =
            fields[..]
        else {
            return None;
        };
        let number = |text: &str| text.parse().ok().filter(|x: &f64| !x.is_nan());
        let state = State {
            factor: number(factor).filter(|&factor| Must::BeFraction.allows(factor))?,
            best: if best == "none" { None } else { Some(number(best)?) },
            bad_epochs: bad_epochs.parse().ok()?,
            cooldown: cooldown.parse().ok()?,
        };
        Some(Watch { state, ..self.clone() })
    }
}
