//! Products of square matrices of f32, of f16, and of bytes.
//!
//! Run with `cargo bench --bench products`; `-- --quick` takes less time, `-- TEXT` some of them.

mod family;

use criterion::{Criterion, criterion_group, criterion_main};

fn products(criterion: &mut Criterion) {
    family::measure(criterion, &["product", "int8 product"]);
}

criterion_group!(benches, products);
criterion_main!(benches);
