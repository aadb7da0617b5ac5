//! Convolution, its gradients, its like in bytes, and pooling.
//!
//! Run with `cargo bench --bench convolutions`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn convolutions(criterion: &mut Criterion) {
    family::measure(criterion, &["convolution", "int8 convolution", "pooling"]);
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
