// weight_and_bias.wgsl — the gradients of a weight and a bias, both results of a kernel.
//
// Numerics  those of the epilogues

fn write_weight(acc: Acc, index: u32) { store_weight(acc, index); }

fn write_bias(acc: Acc, index: u32) { store_bias(acc, index); }
