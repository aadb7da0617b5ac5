// units_8x8.wgsl — matrix units for matrices of 8 × 8 halves.
//
// Numerics  f32 sums of products

const EDGE = 8u;
alias LeftMatrix = coop_mat8x8<f16, A>;
alias RightMatrix = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
