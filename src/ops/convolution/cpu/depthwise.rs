//! Depthwise convolution on the CPU: tap by tap, along runs of neighboring elements.

use super::{Gap, Run, Unfolded};

impl Unfolded {
    /// All runs; there is a single strip if nothing is unfolded.
    fn runs(&self) -> &[Run] {
        self.strips.first().map_or(&[], |strip| &strip.runs)
    }

    /// The padding that is read, likewise, if some of these are not finite: with all others its
    /// products are 0, and are left out.
    #[inline(always)]
    fn gaps(&self, factors: &[f32]) -> impl Iterator<Item = &Gap> {
        let gaps = self.strips.first().map_or(&[][..], |strip| &strip.gaps);
        let are_needed = !gaps.is_empty() && !are_finite(factors);
        gaps.iter().filter(move |_| are_needed)
    }

    pub(super) fn depthwise_forward(&self, x: &[f32], w: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        let positions = self.problem.positions();
        pulp::Arch::new().dispatch(|| {
            for run in self.runs() {
                let (w, x) = (w[run.tap], &x[run.source..]);
                let out = &mut out[run.panel - run.tap * positions..][..run.len];
                if self.step == 1 {
                    add_scaled(out, w, &x[..run.len]);
                } else {
                    out.iter_mut().zip(x.iter().step_by(self.step)).for_each(|(y, x)| *y += w * x);
                }
            }
        });
        for gap in self.gaps(&w[..self.problem.taps()]) {
            out[gap.positions.clone()].iter_mut().for_each(|y| *y += 0.0 * w[gap.tap]);
        }
    }

    pub(super) fn depthwise_input_grad(&self, w: &[f32], ct: &[f32], x: &mut [f32]) {
        let positions = self.problem.positions();
        pulp::Arch::new().dispatch(|| {
            for run in self.runs() {
                let (w, x) = (w[run.tap], &mut x[run.source..]);
                let ct = &ct[run.panel - run.tap * positions..][..run.len];
                if self.step == 1 {
                    add_scaled(&mut x[..run.len], w, ct);
                } else {
                    x.iter_mut().step_by(self.step).zip(ct).for_each(|(x, ct)| *x += w * ct);
                }
            }
        });
    }

    /// Accumulates rows of the weight of one input, over all images.
    pub(super) fn depthwise_weight_grad<'a>(
        &self,
        images: impl Iterator<Item = (&'a [f32], &'a [f32])>,
        out: &mut [f32],
    ) {
        let (positions, taps) = (self.problem.positions(), self.problem.taps());
        pulp::Arch::new().dispatch(|| {
            for (x, ct) in images {
                for (w, ct) in out.chunks_exact_mut(taps).zip(ct.chunks_exact(positions)) {
                    for run in self.runs() {
                        let x = &x[run.source..];
                        let ct = &ct[run.panel - run.tap * positions..][..run.len];
                        w[run.tap] += match self.step {
                            1 => dot(&x[..run.len], ct),
                            step => x.iter().step_by(step).zip(ct).map(|(x, ct)| x * ct).sum(),
                        };
                    }
                    for gap in self.gaps(ct) {
                        let ct = &ct[gap.positions.clone()];
                        w[gap.tap] += ct.iter().map(|ct| 0.0 * ct).sum::<f32>();
                    }
                }
            }
        });
    }
}

/// Whether none is NaN or infinite.
#[inline(always)]
fn are_finite(x: &[f32]) -> bool {
    let most = x.iter().fold(0, |most: u32, x| most.max(x.to_bits() & 0x7FFF_FFFF));
    most < f32::INFINITY.to_bits()
}

/// Terms that are added up before they are added to others.
const PIECE: usize = 1024;

/// The dot product, in pieces.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.chunks(PIECE).zip(b.chunks(PIECE)).map(|(a, b)| dot_of_piece(a, b)).sum()
}

/// The dot product, with eight partial sums.
#[inline(always)]
fn dot_of_piece(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|lane| lanes[lane] += a[lane] * b[lane]);
    }
    let rest = a_rest.iter().zip(b_rest);
    lanes.iter_mut().zip(rest).for_each(|(lane, (a, b))| *lane += a * b);
    lanes.iter().sum()
}

/// `y += a x`, in blocks: a run is shorter than the unrolled body of an auto-vectorized loop.
#[inline(always)]
fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    let ((y, y_rest), (x, x_rest)) = (y.as_chunks_mut::<8>(), x.as_chunks::<8>());
    for (y, x) in y.iter_mut().zip(x) {
        (0..8).for_each(|lane| y[lane] += a * x[lane]);
    }
    y_rest.iter_mut().zip(x_rest).for_each(|(y, x)| *y += a * x);
}
