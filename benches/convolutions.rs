//! Convolution, its gradients, its int8 version, and pooling.
//!
//! Run with `cargo bench --bench convolutions`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn convolutions(criterion: &mut Criterion) {
    family::measure(criterion, &["convolution", "int8 convolution", "pooling"]);
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
