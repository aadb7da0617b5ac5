//! Checkpoints: all that a training needs to go on as if it had not been interrupted.

use super::{
    Callback, Confusion,
    measures::{Sums, Tally},
    position::Position,
};
use crate::{
    array::Array,
    error::{Error, TrainError},
    io::safetensors,
    variables::Variables,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Version of what a checkpoint holds.
const VERSION: u64 = 2;

/// Names of settings that a trainer may be asked to choose.
pub(super) const CHOSEN: [&str; 2] = ["batch size", "number of parts"];

/// Where and when a training writes checkpoints.
///
/// A checkpoint is a safetensors file of all variables of the store: parameters, moments, settings,
/// counters of random numbers. Its header says how far the training has come, under which settings,
/// and on what device. One is written after every epoch, when a training is stopped, and as often as
/// this says; the file is replaced as a whole, so a process that is killed at any moment leaves the
/// last one or the one before.
///
/// ```
/// use wgrad::{data::digits, prelude::*, train::{Checkpoint, Resume}};
///
/// let (train, _) = digits::load()?.split(0.9)?;
/// let file = std::env::temp_dir().join(format!("checkpoint-{}.safetensors", std::process::id()));
/// let net = Dense::new(10);
/// let trainer = || Trainer::classifier(&net, Adam::new(1e-3)).checkpoint(Checkpoint::new(&file));
/// trainer().epochs(1).fit(&Device::cpu(), &Variables::new(0), &train)?;
///
/// // Another process goes on, and ends with the bits of a training that did not stop.
/// let [resumed, whole] = [Variables::new(0), Variables::new(0)];
/// trainer().epochs(3).resume(Resume::Exact).fit(&Device::cpu(), &resumed, &train)?;
/// Trainer::classifier(&net, Adam::new(1e-3)).epochs(3).fit(&Device::cpu(), &whole, &train)?;
/// assert_eq!(resumed.to_arrays()?, whole.to_arrays()?);
/// # std::fs::remove_file(&file).expect("it is there");
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "ModelCheckpoint")]
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    steps: Option<usize>,
    time: Option<Duration>,
    settings: Map<String, Value>,
}

/// From which checkpoints a training goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// From none: it starts anew.
    #[default]
    Never,
    /// From one of the same computation, settings, and kind of device, so that it ends with the bits
    /// of a training that was not interrupted. Functions of the caller, in a schedule or a callback, cannot
    /// be compared.
    Exact,
    /// From one of another device or another computation too, another learning rate for instance: then
    /// the rates and schedules of the code count, and plateaus of another schedule start anew. Data and
    /// settings must be the same.
    Anyway,
}

/// How far the training of a checkpoint has come: see [`Checkpoint::summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointSummary {
    /// Number of complete epochs.
    pub epochs: usize,
    /// Number of steps in the epoch after them.
    pub step: usize,
    /// Number of steps in all.
    pub total: usize,
    /// The arithmetic that its results come from: see [`Device::numerics`].
    ///
    /// [`Device::numerics`]: crate::Device::numerics
    pub device: String,
}

impl Checkpoint {
    /// Writes to this file, after every epoch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Checkpoint { path: path.into(), steps: None, time: None, settings: Map::new() }
    }

    /// Writes one whenever so many steps are done, too.
    pub fn every_steps(self, steps: usize) -> Self {
        Checkpoint { steps: Some(steps.max(1)), ..self }
    }

    /// Writes one when so much time has passed since the last, too.
    pub fn every(self, time: Duration) -> Self {
        Checkpoint { time: Some(time), ..self }
    }

    /// Names something that a training that resumes has to share: what the data are, for instance.
    pub fn setting(mut self, name: &str, value: impl Display) -> Self {
        self.settings.insert(name.to_owned(), value.to_string().into());
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The batch and the number of its parts in the checkpoint that is there.
    pub(super) fn batch_and_parts(&self) -> Result<[usize; 2], Error> {
        let (_, saved) = Saved::read(&self.path)?;
        let count = |name| usize::try_from(saved.settings.get(name)?.as_u64()?).ok();
        match CHOSEN.map(count) {
            [Some(batch), Some(parts)] => Ok([batch, parts]),
            _ => Err(TrainError::NotACheckpoint { path: self.path.clone() }.into()),
        }
    }

    /// How far the training has come whose checkpoint this file is.
    ///
    /// # Errors
    ///
    /// Those of [`io::safetensors::read`](safetensors::read); [`TrainError::NotACheckpoint`],
    /// [`TrainError::Version`].
    pub fn summary(path: &Path) -> Result<CheckpointSummary, Error> {
        let (_, saved) = Saved::read(path)?;
        let Position { epoch, step, total, .. } = saved.position;
        Ok(CheckpointSummary { epochs: epoch - 1, step, total, device: saved.device })
    }

    /// Whether one is due after so many steps, the last having been written at this time.
    pub(super) fn is_due(&self, total: usize, last: Instant) -> bool {
        self.steps.is_some_and(|steps| total.is_multiple_of(steps))
            || self.time.is_some_and(|time| last.elapsed() >= time)
    }
}

/// Device, programs and settings: a training resumes from a checkpoint that agrees in them.
pub(super) struct Identity {
    pub device: String,
    /// SHA-256 of the step of each objective as text.
    programs: Vec<String>,
    /// Batch size, seed, data, and what the caller named.
    settings: Map<String, Value>,
    /// The schedule of each objective, as text; empty without one.
    schedules: Vec<String>,
}

impl Identity {
    pub fn new(
        checkpoint: &Checkpoint,
        device: String,
        programs: impl IntoIterator<Item = String>,
        settings: impl IntoIterator<Item = (&'static str, Value)>,
        schedules: Vec<String>,
    ) -> Self {
        let programs = programs.into_iter().map(|text| {
            let hash = Sha256::digest(text);
            hash.iter().map(|byte| format!("{byte:02x}")).collect()
        });
        let own = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        let settings = own.chain(checkpoint.settings.clone()).collect();
        Identity { device, programs: programs.collect(), settings, schedules }
    }

    /// Writes a checkpoint.
    pub fn save(
        &self,
        path: &Path,
        variables: &Variables,
        position: &Position,
        callbacks: &[Box<dyn Callback + '_>],
    ) -> Result<(), Error> {
        let states = callbacks.iter().filter_map(|callback| {
            Some((callback.key()?.to_owned(), Value::from(callback.save())))
        });
        let note = json!({
            "wgrad checkpoint": VERSION,
            "device": self.device,
            "programs": self.programs,
            "settings": self.settings,
            "schedules": self.schedules.iter().zip(&position.schedules).map(|(text, state)| {
                json!({ "is": text, "state": state })
            }).collect::<Vec<_>>(),
            "skipped": position.skipped,
            "epoch": position.epoch,
            "step": position.step,
            "total": position.total,
            "steps": position.steps,
            "sums": position.sums.iter().map(sums_to_json).collect::<Vec<_>>(),
            "callbacks": states.collect::<Map<_, _>>(),
        });
        safetensors::save_with_note(path, variables, "", &note.to_string())
    }

    /// Reads a checkpoint of this training, which begins like this.
    pub fn read(&self, path: &Path, resume: Resume, start: &Position) -> Result<Read, Error> {
        let (arrays, mut saved) = Saved::read(path)?;
        let objectives = start.sums.len();
        let other = |name: &str, is: &dyn Display, expected: &dyn Display| {
            let (path, name) = (path.to_owned(), name.to_owned());
            let (is, expected) = (is.to_string(), expected.to_string());
            Err(TrainError::OtherSetting { path, name, is, expected }.into())
        };
        for (name, expected) in &self.settings {
            match saved.settings.get(name) {
                Some(is) if is == expected => {}
                Some(is) => return other(name, &plain(is), &plain(expected)),
                None => return other(name, &"not said", &plain(expected)),
            }
        }
        if saved.position.sums.len() != objectives {
            return other("number of objectives", &saved.position.sums.len(), &objectives);
        }
        saved.position.steps = start.steps.or(saved.position.steps);
        if start.steps.is_some_and(|steps| saved.position.step > steps) {
            return Err(TrainError::NotACheckpoint { path: path.to_owned() }.into());
        }
        for (index, (is, expected)) in saved.schedules.iter().zip(&self.schedules).enumerate() {
            match resume {
                _ if is == expected => {}
                Resume::Exact => return other("schedule", &named(is), &named(expected)),
                // The state of another schedule says nothing.
                _ => saved.position.schedules[index].clear(),
            }
        }
        if resume == Resume::Exact {
            let path = || path.to_owned();
            if saved.device != self.device {
                let (is, expected) = (saved.device, self.device.clone());
                return Err(TrainError::OtherDevice { path: path(), is, expected }.into());
            }
            if saved.programs != self.programs {
                return Err(TrainError::OtherComputation { path: path() }.into());
            }
        }
        Ok(Read { arrays, position: saved.position, callbacks: saved.callbacks })
    }
}

/// The contents of a checkpoint that fits.
pub(super) struct Read {
    pub arrays: Vec<(String, Array)>,
    pub position: Position,
    /// States by key.
    pub callbacks: Vec<(String, String)>,
}

/// The header of a checkpoint.
struct Saved {
    device: String,
    programs: Vec<String>,
    settings: Map<String, Value>,
    schedules: Vec<String>,
    position: Position,
    callbacks: Vec<(String, String)>,
}

impl Saved {
    fn read(path: &Path) -> Result<(Vec<(String, Array)>, Self), Error> {
        let (arrays, note) = safetensors::read_with_note(path)?;
        let note = note.as_deref().and_then(|note| serde_json::from_str::<Value>(note).ok());
        let note = note.unwrap_or_default();
        let path = || path.to_owned();
        match note["wgrad checkpoint"].as_u64() {
            Some(VERSION) => {}
            Some(is) => return Err(TrainError::Version { path: path(), is, known: VERSION }.into()),
            None => return Err(TrainError::NotACheckpoint { path: path() }.into()),
        }
        let saved =
            Saved::parse(&note).ok_or_else(|| TrainError::NotACheckpoint { path: path() })?;
        Ok((arrays, saved))
    }

    fn parse(note: &Value) -> Option<Self> {
        /// No training has so many steps, and one more is still a number.
        const MOST: usize = isize::MAX as usize;
        let count =
            |name: &str| usize::try_from(note[name].as_u64()?).ok().filter(|count| *count < MOST);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let sums: Vec<Sums> =
            note["sums"].as_array()?.iter().map(sums_of).collect::<Option<_>>()?;
        let skipped = note["skipped"].as_array()?.iter();
        let skipped = skipped.map(|count| usize::try_from(count.as_u64()?).ok());
        let skipped: Vec<usize> = skipped.collect::<Option<_>>()?;
        let schedules = note["schedules"].as_array()?.iter();
        let schedules = schedules.map(|one| Some((text(&one["is"])?, text(&one["state"])?)));
        let (schedules, states): (Vec<_>, Vec<_>) =
            schedules.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        if [skipped.len(), schedules.len()] != [sums.len(); 2] {
            return None;
        }
        let position = Position {
            epoch: count("epoch").filter(|epoch| *epoch > 0)?,
            step: count("step")?,
            total: count("total")?,
            steps: count("steps"),
            sums,
            skipped,
            schedules: states,
        };
        let callbacks = note["callbacks"].as_object()?.iter();
        let callbacks = callbacks.map(|(key, state)| Some((key.clone(), text(state)?)));
        Some(Saved {
            device: text(&note["device"])?,
            programs: note["programs"].as_array()?.iter().map(text).collect::<Option<_>>()?,
            settings: note["settings"].as_object()?.clone(),
            schedules,
            position,
            callbacks: callbacks.collect::<Option<_>>()?,
        })
    }
}

/// A schedule as it is shown.
fn named(schedule: &str) -> &str {
    if schedule.is_empty() { "none" } else { schedule }
}

/// A setting as it is shown.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A float as text, which has all its digits, and NaN and infinities too.
fn float(x: f64) -> Value {
    format!("{x:?}").into()
}

fn float_of(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

fn floats_of(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(float_of).collect()
}

fn floats(values: &[f64]) -> Vec<Value> {
    values.iter().copied().map(float).collect()
}

fn sums_to_json(sums: &Sums) -> Value {
    let metrics = sums.metrics.iter().map(|(name, tally)| match tally {
        Tally::Sums(sums) => json!({ "name": name, "sums": floats(sums) }),
        Tally::Rows(rows) => {
            json!({ "name": name, "rows": rows.iter().map(|row| floats(row)).collect::<Vec<_>>() })
        }
        Tally::Counts(confusion) => json!({
            "name": name,
            "classes": confusion.classes(),
            "counts": confusion.counts().map(|(a, b, count)| json!([a, b, count])).collect::<Vec<_>>(),
        }),
    });
    json!({
        "loss": float(sums.loss),
        "weight": float(sums.weight),
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

fn sums_of(value: &Value) -> Option<Sums> {
    let metric = |metric: &Value| {
        let name = metric["name"].as_str()?.to_owned();
        let tally = if let Some(rows) = metric["rows"].as_array() {
            Tally::Rows(rows.iter().map(floats_of).collect::<Option<_>>()?)
        } else if let Some(counts) = metric["counts"].as_array() {
            let mut confusion = Confusion::new(usize::try_from(metric["classes"].as_u64()?).ok()?);
            for count in counts {
                let number = |index: usize| usize::try_from(count[index].as_u64()?).ok();
                confusion.add_many(number(0)?, number(1)?, number(2)?);
            }
            Tally::Counts(confusion)
        } else {
            Tally::Sums(floats_of(&metric["sums"])?)
        };
        Some((name, tally))
    };
    Some(Sums {
        loss: float_of(&value["loss"])?,
        weight: float_of(&value["weight"])?,
        metrics: value["metrics"].as_array()?.iter().map(metric).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_kept() {
        let mut confusion = Confusion::new(3);
        confusion.add_many(2, 1, 5);
        let metrics = vec![
            ("a".to_owned(), Tally::Sums(vec![0.1 + 0.2, f64::MIN_POSITIVE / 8.0, -0.0])),
            ("b".to_owned(), Tally::Rows(vec![vec![1.0 / 3.0], vec![]])),
            ("c".to_owned(), Tally::Counts(confusion)),
        ];
        let sums = Sums { loss: f64::INFINITY, weight: 1e300, metrics };
        let text = sums_to_json(&sums).to_string();
        let read = sums_of(&serde_json::from_str(&text).expect("it was written"));
        assert_eq!(read, Some(sums));
        assert_eq!(sums_of(&json!({ "loss": "1", "weight": 1, "metrics": [] })), None);
        assert_eq!(sums_of(&json!({ "loss": "1", "weight": "1", "metrics": [{}] })), None);
    }
}
