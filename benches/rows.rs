//! Functions of elements, reductions, and functions of whole rows.
//!
//! Run with `cargo bench --bench rows`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn rows(criterion: &mut Criterion) {
    family::measure(criterion, &["activation", "softmax", "normalization", "reduction"]);
}

criterion_group!(benches, rows);
criterion_main!(benches);
