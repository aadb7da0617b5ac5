// sums_8x8.wgsl — the sums of an invocation: eight rows of eight columns, in named vec4s.
//
// Numerics  one sum per element, of its terms in order
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles)

/// The first four columns of each row, and the second four.
struct Sums {
    row0_0: vec4<Acc>,
    row0_1: vec4<Acc>,
    row1_0: vec4<Acc>,
    row1_1: vec4<Acc>,
    row2_0: vec4<Acc>,
    row2_1: vec4<Acc>,
    row3_0: vec4<Acc>,
    row3_1: vec4<Acc>,
    row4_0: vec4<Acc>,
    row4_1: vec4<Acc>,
    row5_0: vec4<Acc>,
    row5_1: vec4<Acc>,
    row6_0: vec4<Acc>,
    row6_1: vec4<Acc>,
    row7_0: vec4<Acc>,
    row7_1: vec4<Acc>,
}

/// Adds the products of a term: of both fours of rows `a` and both fours of columns `b`.
fn add_term(
    before: Sums,
    a0: vec4<Acc>,
    a1: vec4<Acc>,
    b0: vec4<Acc>,
    b1: vec4<Acc>,
) -> Sums {
    var sums = before;
    sums.row0_0 = add_products(vec4<Acc>(a0.x), b0, sums.row0_0);
    sums.row0_1 = add_products(vec4<Acc>(a0.x), b1, sums.row0_1);
    sums.row1_0 = add_products(vec4<Acc>(a0.y), b0, sums.row1_0);
    sums.row1_1 = add_products(vec4<Acc>(a0.y), b1, sums.row1_1);
    sums.row2_0 = add_products(vec4<Acc>(a0.z), b0, sums.row2_0);
    sums.row2_1 = add_products(vec4<Acc>(a0.z), b1, sums.row2_1);
    sums.row3_0 = add_products(vec4<Acc>(a0.w), b0, sums.row3_0);
    sums.row3_1 = add_products(vec4<Acc>(a0.w), b1, sums.row3_1);
    sums.row4_0 = add_products(vec4<Acc>(a1.x), b0, sums.row4_0);
    sums.row4_1 = add_products(vec4<Acc>(a1.x), b1, sums.row4_1);
    sums.row5_0 = add_products(vec4<Acc>(a1.y), b0, sums.row5_0);
    sums.row5_1 = add_products(vec4<Acc>(a1.y), b1, sums.row5_1);
    sums.row6_0 = add_products(vec4<Acc>(a1.z), b0, sums.row6_0);
    sums.row6_1 = add_products(vec4<Acc>(a1.z), b1, sums.row6_1);
    sums.row7_0 = add_products(vec4<Acc>(a1.w), b0, sums.row7_0);
    sums.row7_1 = add_products(vec4<Acc>(a1.w), b1, sums.row7_1);
    return sums;
}
