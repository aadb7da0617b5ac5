//! The `--precision` option.

use wgrad::Precision;

/// How exactly products of matrices and convolutions are calculated.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum PrecisionArg {
    /// In f32, a rounding for every term.
    Full,
    /// Those of f16 tensors on matrix units.
    Units,
    /// Those of f32 tensors too, each operand as two halves.
    Split,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::Full => Precision::Full,
            PrecisionArg::Units => Precision::Units,
            PrecisionArg::Split => Precision::Split,
        }
    }
}
