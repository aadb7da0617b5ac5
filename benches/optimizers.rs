//! A step of Adam.
//!
//! Run with `cargo bench --bench optimizers`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn optimizers(criterion: &mut Criterion) {
    family::measure(criterion, &["optimizer"]);
}

criterion_group!(benches, optimizers);
criterion_main!(benches);
