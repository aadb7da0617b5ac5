// gru_cell_grad.wgsl — gradient of a GRU step w.r.t. its pre-activations or its state.
//
// Op        ops::GruCellGrad
// Lib       sigmoid, tanh
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     input, sums: [rows, 3 cols], in the order r, z, n; the others [rows, cols]; y has the
//           shape of the operand differentiated
// Dispatch  ceil(rows cols / 256) workgroups, one invocation per element of the state, folded over
//           (x, y) past 65535
// Memory    the gates are recomputed from their pre-activations: none was kept
// Numerics  as written

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Elem>;
@group(0) @binding(2) var<storage, read> sums: array<Elem>;
@group(0) @binding(3) var<storage, read> hidden: array<Elem>;
@group(0) @binding(4) var<storage, read> ct: array<Elem>;
@group(0) @binding(5) var<storage, read_write> y: array<Out>;

/// The operand differentiated: pre-activations of the input (0) or state (1), or the state (2).
override BY: u32 = 0u;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 256u + lid.x;
    if index >= params.rows * params.cols { return; }
    let row = index / params.cols;
    // Position of the gate r of this element; z and n follow, each `cols` later.
    let first = index + 2u * row * params.cols;
    let second = first + params.cols;
    let third = second + params.cols;

    let z = sigmoid(Acc(input[second]) + Acc(sums[second]));
    let dh = Acc(ct[index]);
    if BY == 2u {
        y[index] = epilogue(dh * z, index);
        return;
    }
    let r = sigmoid(Acc(input[first]) + Acc(sums[first]));
    let inner = Acc(sums[third]);
    let n = hyperbolic_tangent(Acc(input[third]) + r * inner);
    let d = dh * (1.0 - z) * (1.0 - n * n);
    y[first] = epilogue(d * inner * (r * (1.0 - r)), first);
    y[second] = epilogue(dh * (Acc(hidden[index]) - n) * (z * (1.0 - z)), second);
    y[third] = epilogue(select(d, d * r, BY == 1u), third);
}
