//! Products of square matrices in f32, f16 and int8.
//!
//! Run with `cargo bench --bench products`; add `-- --quick` for a shorter run, `-- TEXT` to
//! filter.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn products(criterion: &mut Criterion) {
    family::measure(criterion, &["product", "int8 product"]);
}

criterion_group!(benches, products);
criterion_main!(benches);
