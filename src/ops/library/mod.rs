//! The fragments of `shaders/lib`, their dependencies, and the host side of `divide`.

mod samples;

pub(super) use samples::samples;

/// Name (the file's stem), text, and the fragments it calls.
struct Fragment {
    name: &'static str,
    text: &'static str,
    calls: &'static [&'static str],
}

macro_rules! fragments {
    ($($name:literal: $calls:expr,)*) => {
        [$(Fragment {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/lib/", $name, ".wgsl")),
            calls: &$calls,
        }),*]
    };
}

/// Every fragment; each comes after those it calls.
static FRAGMENTS: [Fragment; 64] = fragments! {
    "nan": [],
    "scale": [],
    "divide": [],
    "mask": [],
    "sort_key": [],
    "rows": [],
    "parts": [],
    "weight": [],
    "weight_and_bias": [],
    "bias": [],
    "add_products": [],
    "add_products_i8": [],
    "stages": [],
    "grid": [],
    "inside": [],
    "load_a_scalar": [],
    "load_a_vec4": [],
    "load_b_scalar": [],
    "load_b_vec4": [],
    "store_scalar": [],
    "store_vec4": [],
    "store_grads": ["weight_and_bias"],
    "store_images": [],
    "tile_4x4": ["stages"],
    "tile_4x4_sliced": ["stages"],
    "tile_8x4": ["stages"],
    "sums_8x8": [],
    "tile_8x8": ["stages", "sums_8x8"],
    "line": [],
    "patches": ["sums_8x8"],
    "patch_terms": [],
    "wild": [],
    "units": [],
    "units_8x8": ["units"],
    "units_16x16": ["units"],
    "units_2x1": ["units"],
    "units_4x2": ["units"],
    "unfolded": [],
    "unravel": ["divide"],
    "positions": ["inside", "unfolded", "unravel"],
    "first_tap": [],
    "channels_last": ["divide", "inside", "unfolded", "unravel"],
    "window": ["divide"],
    "wide": [],
    "quantize": ["wide"],
    "philox": ["wide"],
    "exp": ["nan", "scale"],
    "exp2": ["nan", "scale"],
    "log": ["nan"],
    "log_bases": ["log"],
    "log1p": ["log", "scale"],
    "sine": ["nan"],
    "tanh": ["exp"],
    "sigmoid": ["exp"],
    "erf": ["exp"],
    "power": ["nan", "scale", "log"],
    "remainder": ["nan"],
    "arctangent": ["nan"],
    "shift": [],
    "integer_divide": [],
    "cast": ["nan"],
    "half": ["nan"],
    "random": ["philox", "log", "sine"],
    "attention": ["mask", "random"],
};

/// Whether there is a fragment of this name.
pub(crate) fn exists(name: &str) -> bool {
    FRAGMENTS.iter().any(|fragment| fragment.name == name)
}

/// The name and the text of every fragment.
#[cfg(feature = "cli")]
pub(crate) fn fragments() -> impl Iterator<Item = (&'static str, &'static str)> {
    FRAGMENTS.iter().map(|fragment| (fragment.name, fragment.text))
}

/// The texts of these fragments and their dependencies, each once, in the order of the table.
/// Unknown names are ignored; a test makes sure that there are none.
pub(crate) fn closure(names: &[&str]) -> Vec<&'static str> {
    let mut wanted: Vec<bool> =
        FRAGMENTS.iter().map(|fragment| names.contains(&fragment.name)).collect();
    for index in (0..FRAGMENTS.len()).rev() {
        if wanted[index] {
            for (callee, wanted) in FRAGMENTS.iter().zip(&mut wanted) {
                *wanted |= FRAGMENTS[index].calls.contains(&callee.name);
            }
        }
    }
    let texts = FRAGMENTS.iter().zip(wanted).filter(|(_, wanted)| *wanted);
    texts.map(|(fragment, _)| fragment.text).collect()
}

/// Multiplier and shift with which `divide` of `shaders/lib/divide.wgsl` divides by `d`, exactly
/// for every dividend below 2^31. A divisor of 0 counts as 1.
pub(crate) fn divisor(d: u32) -> (u32, u32) {
    let d = u64::from(d.max(1));
    let shift = d.next_power_of_two().trailing_zeros();
    ((1u64 << (31 + shift)).div_ceil(d) as u32, shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The division as the shader computes it.
    fn divide(n: u32, (multiplier, shift): (u32, u32)) -> u32 {
        (((u64::from(n << 1) * u64::from(multiplier)) >> 32) as u32) >> shift
    }

    #[test]
    fn division_by_multiplication_is_exact() {
        let around = |x: u64| [x.saturating_sub(1), x, x + 1];
        let powers = (0..31).map(|k| 1u64 << k);
        let hard = [3, 5, 7, 10, 641, 1_000, 65_521, 0x7fff_ffff, 0x5555_5555, 0x4000_0001];
        for d in powers.flat_map(around).chain(hard).filter(|&d| d > 0) {
            let parts = divisor(d as u32);
            // The quotient steps at multiples of the divisor; the last step is the hardest.
            let last = ((1u64 << 31) - 1) / d;
            let steps = (0..40).map(|k| last * k / 39).chain([1, 2, 3]).flat_map(|q| around(q * d));
            for n in steps.chain([(1 << 31) - 1]).filter(|&n| n < 1 << 31) {
                assert_eq!(divide(n as u32, parts), (n / d) as u32, "{n} / {d}");
            }
        }
        assert_eq!(divide(5, divisor(0)), 5);
    }

    #[test]
    fn fragments_come_after_what_they_call() {
        for (index, fragment) in FRAGMENTS.iter().enumerate() {
            for name in fragment.calls {
                assert!(FRAGMENTS[..index].iter().any(|callee| callee.name == *name), "{name}");
            }
        }
        let texts = closure(&["log1p"]);
        for (text, name) in texts.iter().zip(["nan", "scale", "log", "log1p"]) {
            assert!(text.starts_with(&format!("// {name}.wgsl")), "{text}");
        }
        assert_eq!(texts.len(), 4);
    }
}
