//! Requirements of numbers given to constructors of layers, optimizers and functions.

/// A requirement of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// Neither NaN nor infinite.
    BeFinite,
    /// Not NaN.
    BeANumber,
    /// Finite, and not 0.
    BeNonzero,
    /// Finite and above 0; a count of at least 1.
    BePositive,
    /// Finite and at least 0.
    BeAtLeast0,
    /// At least 0, and infinite for no limit.
    BeALimit,
    /// Finite and at least 1.
    BeAtLeast1,
    /// In `[0, 1]`.
    BeFraction,
    /// In `[0, 1)`.
    BeBelow1,
    /// A number of layers: each becomes part of the graph.
    CountLayers,
}

impl Must {
    /// Ends a sentence that begins with the name of the number and "must be".
    pub fn text(self) -> &'static str {
        match self {
            Must::BeFinite => "finite",
            Must::BeANumber => "a number",
            Must::BeNonzero => "finite and nonzero",
            Must::BePositive => "positive",
            Must::BeAtLeast0 | Must::BeALimit => "at least 0",
            Must::BeAtLeast1 => "at least 1",
            Must::BeFraction => "in [0, 1]",
            Must::BeBelow1 => "in [0, 1)",
            Must::CountLayers => "from 1 to 65536",
        }
    }

    /// Whether this number is.
    pub fn allows(self, x: f64) -> bool {
        match self {
            Must::BeFinite => x.is_finite(),
            Must::BeANumber => !x.is_nan(),
            Must::BeNonzero => x != 0.0 && x.is_finite(),
            Must::BePositive => x > 0.0 && x.is_finite(),
            Must::BeAtLeast0 => x >= 0.0 && x.is_finite(),
            Must::BeALimit => x >= 0.0,
            Must::BeAtLeast1 => x >= 1.0 && x.is_finite(),
            Must::BeFraction => (0.0..=1.0).contains(&x),
            Must::BeBelow1 => (0.0..1.0).contains(&x),
            Must::CountLayers => (1.0..=65536.0).contains(&x),
        }
    }
}
