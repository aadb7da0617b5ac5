// units_16x16.wgsl — matrix units for matrices of 16 × 16 halves.
//
// Numerics  f32 sums of products

const EDGE = 16u;
alias LeftMatrix = coop_mat16x16<f16, A>;
alias RightMatrix = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
