//! Every kernel on every target.

use crate::{
    Failure,
    measure::{self, Measure},
    spirv::Form,
    texts::Kernel,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// The targets of the page, as `on` knows them.
pub const TARGETS: [&str; 3] = ["hopper", "navi33", "m1"];

/// A kernel spends its time on multiply-adds if they are this share of its hottest loop, on any target.
const PRODUCT: f64 = 0.2;

/// A line of the page: a product, or all kernels of a file that are none.
pub struct Row {
    /// The name of the kernel, or of the file.
    pub name: String,
    /// How many kernels it stands for; the worst counts in every figure.
    pub kernels: usize,
    /// Whether it spends its time on multiply-adds.
    pub is_product: bool,
    /// For each of the targets.
    pub trusted: [Measure; TARGETS.len()],
    /// The same in the checked form; of products.
    pub checked: Option<[Measure; TARGETS.len()]>,
}

/// A product on matrix units, on the target that has them.
pub struct UnitRow {
    pub name: String,
    pub target: &'static str,
    pub measure: Measure,
}

/// The products on matrix units, ordered by name.
pub fn units(kernels: &[Kernel], folder: &Path) -> Result<Vec<UnitRow>, Failure> {
    let on_units = kernels.iter().filter_map(|kernel| Some((kernel, kernel.units().flatten()?)));
    on_units
        .map(|(kernel, target)| {
            let measure = measure::measure(target, folder, kernel, Form::Trusted)?;
            Ok(UnitRow { name: kernel.name(), target, measure })
        })
        .collect()
}

/// The rows of all other kernels, ordered by name; products in their checked form too if `both` is set.
pub fn survey(kernels: &[Kernel], folder: &Path, both: bool) -> Result<Vec<Row>, Failure> {
    let kernels: Vec<_> = kernels.iter().filter(|kernel| kernel.units().is_none()).collect();
    let trusted = measures(&kernels, folder, Form::Trusted)?;
    let is_product = |on: &[Measure; TARGETS.len()]| {
        on.iter().any(|measure| measure.share.is_some_and(|share| share >= PRODUCT))
    };
    let (products, others): (Vec<_>, Vec<_>) =
        kernels.into_iter().zip(trusted).partition(|(_, on)| is_product(on));

    let checked = match both {
        true => {
            let kernels: Vec<_> = products.iter().map(|(kernel, _)| *kernel).collect();
            measures(&kernels, folder, Form::Checked)?.into_iter().map(Some).collect()
        }
        false => vec![None; products.len()],
    };
    let mut rows: Vec<_> = products
        .into_iter()
        .zip(checked)
        .map(|((kernel, trusted), checked)| {
            let name = kernel.name();
            Row { name, kernels: 1, is_product: true, trusted, checked }
        })
        .collect();

    let mut files = BTreeMap::<&str, Row>::new();
    for (kernel, trusted) in others {
        let name = kernel.file.to_owned();
        files
            .entry(kernel.file)
            .and_modify(|row| {
                row.kernels += 1;
                row.trusted = std::array::from_fn(|n| row.trusted[n].worse(trusted[n]));
            })
            .or_insert(Row { name, kernels: 1, is_product: false, trusted, checked: None });
    }
    rows.extend(files.into_values());
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

/// Compiles on all cores: each text on each target is a process.
fn measures(
    kernels: &[&Kernel],
    folder: &Path,
    form: Form,
) -> Result<Vec<[Measure; TARGETS.len()]>, Failure> {
    let (next, threads) = (AtomicUsize::new(0), thread::available_parallelism()?.get());
    let work = || {
        let mut done = Vec::new();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let (number, target) = (job / TARGETS.len(), job % TARGETS.len());
            let Some(kernel) = kernels.get(number) else { return Ok(done) };
            let measure = measure::measure(TARGETS[target], folder, kernel, form);
            done.push((job, measure.map_err(|error| error.to_string())?));
        }
    };
    let done = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.collect::<Result<Vec<_>, String>>()
    })?;
    let done: BTreeMap<usize, Measure> = done.into_iter().flatten().collect();
    let of = |number: usize| std::array::from_fn(|target| done[&(number * TARGETS.len() + target)]);
    Ok((0..kernels.len()).map(of).collect())
}
