//! Losses and metrics over batches.

use super::{Confusion, metric::Kind};
use crate::brief::Brief;
use std::fmt;

/// The mean loss and the metrics over a set, or over the batches of an epoch.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Measures {
    /// The mean loss, weighted as the steps say; NaN over nothing.
    pub loss: f64,
    metrics: Vec<(String, f64)>,
    gradient_norms: Vec<(String, f64)>,
    confusion: Option<Confusion>,
}

impl Measures {
    /// The metric of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The metric of this name, or the loss.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.get(name).or_else(|| (name == "loss").then_some(self.loss))
    }

    /// Names and values of the metrics, in the order of the step.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.metrics.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Norms of the gradients of each layer, means over the steps, where a training
    /// [measures](super::Trainer::gradient_norms) them.
    pub fn gradient_norms(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.gradient_norms.iter().map(|(layer, norm)| (layer.as_str(), *norm))
    }

    /// Predictions by true and predicted class, of the first metric that counts them. In a
    /// [`Report`](super::Report) only those of the last epoch are kept.
    pub fn confusion(&self) -> Option<&Confusion> {
        self.confusion.as_ref()
    }

    /// Forgets what may take much memory.
    pub(super) fn forget_confusion(&mut self) {
        self.confusion = None;
    }
}

impl fmt::Debug for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics = self.metrics.iter().map(|(name, value)| (name.clone(), value));
        let mut text = f.debug_struct("Measures");
        text.field("loss", &self.loss).field("metrics", &Brief::named(metrics)).finish()
    }
}

impl fmt::Display for Measures {
    /// `loss 0.1234  accuracy 0.9712`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        self.metrics.iter().try_for_each(|(name, value)| write!(f, "  {name} {value:.4}"))
    }
}

/// A metric without its tensors.
#[derive(Clone)]
pub(super) struct Described {
    pub name: String,
    /// The layer whose gradients it is the norm of.
    pub norm_of: Option<String>,
    pub kind: Kind,
    /// Number of tensors.
    pub parts: usize,
}

/// Sums over the batches so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub loss: f64,
    pub weight: f64,
    /// By name, in the order of the step.
    pub metrics: Vec<(String, Tally)>,
}

/// A metric over the batches so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tally {
    Sums(Vec<f64>),
    Counts(Confusion),
    Rows(Vec<Vec<f64>>),
}

impl Sums {
    /// Adds the loss of a batch.
    pub fn add(&mut self, loss: f64, weight: f64) {
        self.loss += weight * loss;
        self.weight += weight;
    }

    /// Adds the parts of a metric of a batch.
    pub fn add_metric(&mut self, name: &str, kind: &Kind, parts: Vec<Vec<f64>>) {
        let index = self.metrics.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.metrics.push((name.to_owned(), Tally::new(kind)));
            self.metrics.len() - 1
        });
        self.metrics[index].1.add(kind, parts);
    }

    /// The means, by what the step said of its metrics.
    pub fn measures(&self, metrics: &[Described]) -> Measures {
        let classes = metrics.iter().find_map(|metric| match metric.kind {
            Kind::Counts { classes, .. } => Some(classes),
            _ => None,
        });
        let confusion = self.metrics.iter().find_map(|(_, tally)| match tally {
            Tally::Counts(confusion) if Some(confusion.classes()) == classes => {
                Some(confusion.clone())
            }
            _ => None,
        });
        let mut measures = Measures {
            loss: self.loss / self.weight,
            metrics: vec![],
            gradient_norms: vec![],
            confusion,
        };
        for (name, tally) in &self.metrics {
            let metric = metrics.iter().find(|metric| metric.name == *name);
            let value = metric.map_or(f64::NAN, |metric| tally.value(metric));
            match metric.and_then(|metric| metric.norm_of.clone()) {
                Some(layer) => measures.gradient_norms.push((layer, value)),
                None => measures.metrics.push((name.clone(), value)),
            }
        }
        measures
    }
}

impl Tally {
    fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Sums { .. } => Tally::Sums(vec![]),
            Kind::Counts { classes, .. } => Tally::Counts(Confusion::new(*classes)),
            Kind::Rows { .. } => Tally::Rows(vec![]),
        }
    }

    fn add(&mut self, kind: &Kind, parts: Vec<Vec<f64>>) {
        match (self, kind) {
            (Tally::Sums(sums), Kind::Sums { known, .. }) => {
                let parts = parts.into_iter().flatten().chain(known.iter().copied());
                let values: Vec<f64> = parts.collect();
                sums.resize(values.len(), 0.0);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            (Tally::Counts(confusion), Kind::Counts { .. }) => {
                if let [labels, predictions] = &parts[..] {
                    for (&label, &prediction) in labels.iter().zip(predictions) {
                        confusion.add(label as usize, prediction as usize);
                    }
                }
            }
            (Tally::Rows(rows), Kind::Rows { known, .. }) => {
                let known = known.iter().map(|&number| vec![number]);
                let values: Vec<Vec<f64>> = parts.into_iter().chain(known).collect();
                rows.resize(values.len(), vec![]);
                rows.iter_mut().zip(values).for_each(|(row, more)| row.extend(more));
            }
            // A name that has several kinds has no value.
            _ => {}
        }
    }

    /// NaN if this is no tally of the metric: it may be from a file.
    fn value(&self, Described { kind, parts, .. }: &Described) -> f64 {
        match (self, kind) {
            (Tally::Sums(sums), Kind::Sums { known, combine })
                if sums.len() == parts + known.len() =>
            {
                combine(sums)
            }
            (Tally::Counts(confusion), Kind::Counts { classes, combine })
                if confusion.classes() == *classes =>
            {
                combine(confusion)
            }
            (Tally::Rows(rows), Kind::Rows { known, combine })
                if rows.len() == parts + known.len() =>
            {
                combine(rows)
            }
            _ => f64::NAN,
        }
    }
}
