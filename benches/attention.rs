//! Causal attention and its derivatives.
//!
//! Run with `cargo bench --bench attention`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn attention(criterion: &mut Criterion) {
    family::measure(criterion, &["attention"]);
}

criterion_group!(benches, attention);
criterion_main!(benches);
