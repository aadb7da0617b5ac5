// lstm_cell_grad.wgsl — gradient of an LSTM step w.r.t. its pre-activations or its cell.
//
// Op        ops::LstmCellGrad
// Lib       sigmoid, tanh
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     gates: [rows, 4 cols], in the order i, f, g, o; the others [rows, cols]; y has the
//           shape of gates or of cell
// Dispatch  ceil(rows cols / 256) workgroups, one invocation per element of the cell, folded over
//           (x, y) past 65535
// Memory    the gates are recomputed from their pre-activations: none was kept
// Numerics  as written

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gates: array<Elem>;
@group(0) @binding(2) var<storage, read> cell: array<Elem>;
@group(0) @binding(3) var<storage, read> next: array<Elem>;
@group(0) @binding(4) var<storage, read> hidden_ct: array<Elem>;
@group(0) @binding(5) var<storage, read> cell_ct: array<Elem>;
@group(0) @binding(6) var<storage, read_write> y: array<Out>;

/// The operand differentiated: the gates (0) or the cell (1).
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
    // Position of the gate i of this element; f, g and o follow, each `cols` later.
    let first = index + 3u * row * params.cols;

    let f = sigmoid(Acc(gates[first + params.cols]));
    let o = sigmoid(Acc(gates[first + 3u * params.cols]));
    let t = hyperbolic_tangent(Acc(next[index]));
    let dh = Acc(hidden_ct[index]);
    let d = Acc(cell_ct[index]) + dh * o * (1.0 - t * t);
    if BY == 1u {
        y[index] = epilogue(d * f, index);
        return;
    }
    let i = sigmoid(Acc(gates[first]));
    let g = hyperbolic_tangent(Acc(gates[first + 2u * params.cols]));
    y[first] = epilogue(d * g * (i * (1.0 - i)), first);
    let second = first + params.cols;
    y[second] = epilogue(d * Acc(cell[index]) * (f * (1.0 - f)), second);
    let third = second + params.cols;
    y[third] = epilogue(d * i * (1.0 - g * g), third);
    let fourth = third + params.cols;
    y[fourth] = epilogue(dh * t * (o * (1.0 - o)), fourth);
}
