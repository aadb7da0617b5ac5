//! Gather and scatter-add of table rows by index.
//!
//! Run with `cargo bench --bench selections`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn selections(criterion: &mut Criterion) {
    family::measure(criterion, &["selection"]);
}

criterion_group!(benches, selections);
criterion_main!(benches);
