// add_products_i8.wgsl — four sums of products of bytes, each of which gets four more terms.
//
// Numerics  32-bit integers, which wrap

/// A word is four signed bytes, the first in the lowest bits.
fn add_products(a: vec4<Acc>, b: vec4<Acc>, sums: vec4<Acc>) -> vec4<Acc> {
    let words = bitcast<vec4<u32>>(a);
    let others = bitcast<vec4<u32>>(b);
    let products = vec4<Acc>(
        dot4I8Packed(words.x, others.x),
        dot4I8Packed(words.y, others.y),
        dot4I8Packed(words.z, others.z),
        dot4I8Packed(words.w, others.w),
    );
    return sums + products;
}
