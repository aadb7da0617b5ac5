//! Rows of a table by index, and sums of rows by index.
//!
//! Run with `cargo bench --bench selections`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn selections(criterion: &mut Criterion) {
    family::measure(criterion, &["selection"]);
}

criterion_group!(benches, selections);
criterion_main!(benches);
