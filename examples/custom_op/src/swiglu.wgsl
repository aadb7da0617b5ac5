// swiglu.wgsl — y[r, c] = a sigmoid(a) b for a = x[r, c] and b = x[r, cols + c].
//
// Operands  x [rows, 2 cols]
// Result    y [rows, cols]
// Grid      an invocation an element, in workgroups of 64

struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    // More than 65,535 workgroups continue along y.
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.rows * params.cols { return; }
    let row = i / params.cols;
    let gate = row * 2u * params.cols + i % params.cols;
    let a = Acc(x[gate]);
    let b = Acc(x[gate + params.cols]);
    y[i] = epilogue(a * sigmoid(a) * b, i);
}
