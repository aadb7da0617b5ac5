//! Complete training steps, and one inference: the models used to compare with other engines.
//!
//! Run with `cargo bench --bench training`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn training(criterion: &mut Criterion) {
    family::measure(criterion, &["model"]);
}

criterion_group!(benches, training);
criterion_main!(benches);
