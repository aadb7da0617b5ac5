//! Whole steps of training, and one inference: the models that other engines are measured by.
//!
//! Run with `cargo bench --bench training`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn training(criterion: &mut Criterion) {
    family::measure(criterion, &["model"]);
}

criterion_group!(benches, training);
criterion_main!(benches);
