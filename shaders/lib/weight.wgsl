// weight.wgsl — the gradient of a weight, as the only result of a kernel.
//
// Numerics  those of the epilogue

@group(0) @binding(3) var<storage, read_write> w: array<Out>;

fn write_weight(acc: Acc, index: u32) { w[index] = epilogue(acc, index); }

/// There is no second result.
fn write_bias(acc: Acc, index: u32) {}
