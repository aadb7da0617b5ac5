//! Elementwise functions, reductions, and row-wise functions.
//!
//! Run with `cargo bench --bench rows`; add `-- --quick` for a shorter run, `-- TEXT` to filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn rows(criterion: &mut Criterion) {
    family::measure(criterion, &["activation", "softmax", "normalization", "reduction"]);
}

criterion_group!(benches, rows);
criterion_main!(benches);
