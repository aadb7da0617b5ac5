//! A step of Adam.
//!
//! Run with `cargo bench --bench optimizers`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn optimizers(criterion: &mut Criterion) {
    family::measure(criterion, &["optimizer"]);
}

criterion_group!(benches, optimizers);
criterion_main!(benches);
