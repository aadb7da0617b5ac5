// add_products.wgsl — four sums of products, each of which gets one more term.
//
// Numerics  f32, one fma

fn add_products(a: vec4<Acc>, b: vec4<Acc>, sums: vec4<Acc>) -> vec4<Acc> {
    return fma(a, b, sums);
}
