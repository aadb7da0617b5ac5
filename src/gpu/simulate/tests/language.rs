//! Statements and expressions, compared with Rust.

use super::run;
use crate::dtype::DType;

/// What 64 invocations store, where `x` is the number of each as a u32.
fn stored(declarations: &str, body: &str) -> Vec<u32> {
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n{declarations}\n\
         @compute @workgroup_size(8, 4, 2)\n\
         fn main(@builtin(local_invocation_index) x: u32, @builtin(local_invocation_id) at: vec3u) \
         {{\n{body}\n}}"
    );
    let (report, words) = run(&text, [1, 1, 1], 64, DType::U32).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.hazards, [], "{text}");
    words
}

fn expected(of: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..64).map(of).collect()
}

#[test]
fn invocations_take_their_own_ways() {
    let body = "var sum = 0u;
        for (var k = 0u; k < 100u; k += 1u) {
            if k % 3u == x % 3u { continue; }
            if k > x { break; }
            sum += k;
        }
        y[x] = sum;";
    let of = |x: u32| (0..=x).filter(|k| k % 3 != x % 3).sum();
    assert_eq!(stored("", body), expected(of));
}

#[test]
fn switches_loops_and_returns_nest() {
    let declarations = "fn first(x: u32, limit: u32) -> u32 {
        for (var k = 2u; ; k += 1u) {
            switch k {
                case 3u: { if x % 2u == 0u { continue; } }
                case 5u, 6u: { if x == 60u { break; } if x % 5u == 0u { return 100u + k; } }
                default: { if k >= limit { return k; } }
            }
            if k * k > x { return 1000u + k; }
        }
        return 0u;
    }";
    let first = |x: u32, limit: u32| {
        let mut k = 2;
        loop {
            let goes_on = match k {
                3 => x.is_multiple_of(2),
                5 | 6 if x != 60 && x.is_multiple_of(5) => return 100 + k,
                5 | 6 => false,
                _ if k >= limit => return k,
                _ => false,
            };
            if !goes_on && k * k > x {
                return 1000 + k;
            }
            k += 1;
        }
    };
    let words = stored(declarations, "y[x] = first(x, 7u);");
    assert_eq!(words, expected(|x| first(x, 7)));
}

#[test]
fn pointers_reach_into_variables_of_callers() {
    let declarations = "struct Pair { low: u32, parts: array<vec2u, 3>, is_set: bool }
        fn put(p: ptr<function, Pair>, at: u32) {
            (*p).parts[at % 3u].y = at; (*p).low += 5u; (*p).is_set = at > 31u;
        }
        fn taken(pair: Pair) -> u32 {
            return pair.low + select(0u, 1000u, pair.is_set);
        }";
    let body = "var pairs = array<Pair, 2>();
        put(&pairs[x % 2u], x);
        put(&pairs[x % 2u], x);
        let pair = pairs[x % 2u];
        y[x] = taken(pair) + pair.parts[x % 3u].y * 10u + pairs[1u - x % 2u].low + at.x + at.y + at.z;";
    let of = |x: u32| 10 + if x > 31 { 1000 } else { 0 } + 10 * x + x % 8 + x / 8 % 4 + x / 32;
    assert_eq!(stored(declarations, body), expected(of));
}

/// A function of the number of an invocation.
type Function = fn(u32) -> u32;

/// Where Rust would panic, and where WGSL says more than Rust.
#[test]
fn integers_wrap_and_divide_as_wgsl_says() {
    let zero = "let zero = x - x; let i = i32(x) - 32; let least = i32(0x80000000u + zero);";
    let cases: [(&str, Function); 16] = [
        ("x / zero", |x| x),
        ("x % zero", |_| 0),
        ("u32(i / i32(zero))", |x| (x as i32 - 32) as u32),
        ("u32(least / (i32(zero) - 1))", |_| 1 << 31),
        ("u32(least % (i32(zero) - 1))", |_| 0),
        ("u32(i % 5)", |x| ((x as i32 - 32) % 5) as u32),
        ("u32(i >> 2u)", |x| ((x as i32 - 32) >> 2) as u32),
        ("u32(i) >> 28u", |x| (x as i32 - 32) as u32 >> 28),
        ("x - 40u", |x| x.wrapping_sub(40)),
        ("(x * 0x9e3779b9u) ^ (x << 7u) | ~x & 0xf0u", |x| {
            (x.wrapping_mul(0x9e37_79b9) ^ (x << 7)) | (!x & 0xf0)
        }),
        ("u32(abs(i)) + u32(min(i, 3)) + u32(clamp(i, -4, 4))", |x| {
            let i = x as i32 - 32;
            (i.abs() + i.min(3) + i.clamp(-4, 4)) as u32
        }),
        ("countOneBits(x) + 100u * countLeadingZeros(x) + firstTrailingBit(x | 64u)", |x| {
            x.count_ones() + 100 * x.leading_zeros() + (x | 64).trailing_zeros()
        }),
        ("u32(dot4I8Packed(0xfd0b807fu, x * 0x01010101u))", |x| {
            (x as i32 * (0x7f - 0x80 + 0x0b - 3)) as u32
        }),
        ("u32(all(vec3(x) > vec3(3u, 5u, zero))) + 2u * u32(any(vec2(i) == vec2(1, -2)))", |x| {
            u32::from(x > 5) + 2 * u32::from(x == 33 || x == 30)
        }),
        ("u32(i > -3 && i <= 4 || i == -9) + u32(x > 8u)", |x| {
            let i = x as i32 - 32;
            u32::from((i > -3 && i <= 4) || i == -9) + u32::from(x > 8)
        }),
        ("dot(vec4(x, 1u, 2u, 3u).wzyx, vec4(10u))", |x| 10 * (x + 6)),
    ];
    for (expression, of) in cases {
        assert_eq!(
            stored("", &format!("{zero} y[x] = {expression};")),
            expected(of),
            "{expression}"
        );
    }
}

#[test]
fn floats_round_once_and_convert_within_range() {
    let f = "let f = f32(x) * 0.37 - 5.0; let big = f * 1e9; let nan = sqrt(f32(x) - 100.0);";
    let float = |x: u32| x as f32 * 0.37 - 5.0;
    let bits = |of: &dyn Fn(f32) -> f32| expected(|x| of(float(x)).to_bits());
    let cases: [(&str, Vec<u32>); 13] = [
        ("bitcast<u32>(f)", bits(&|f| f)),
        ("bitcast<u32>(fma(f, f, -f))", bits(&|f| f.mul_add(f, -f))),
        ("bitcast<u32>(f / 3.0 % 0.7)", bits(&|f| f / 3.0 % 0.7)),
        ("bitcast<u32>(exp(f) + log(abs(f)))", bits(&|f| f.exp() + f.abs().ln())),
        (
            "bitcast<u32>(round(f * 0.5) + floor(f) - trunc(f) + sign(f) + fract(f))",
            bits(&|f| {
                (f * 0.5).round_ties_even() + f.floor() - f.trunc() + f.signum() + (f - f.floor())
            }),
        ),
        ("bitcast<u32>(select(f, -f, f < 0.0) + max(f, 1.0))", bits(&|f| f.abs() + f.max(1.0))),
        ("bitcast<u32>(dot(vec3(f), vec3(1.0, 2.0, 4.0)))", bits(&|f| f + f * 2.0 + f * 4.0)),
        ("bitcast<u32>(clamp(f, -1.0, 2.0) * tanh(f))", bits(&|f| f.clamp(-1.0, 2.0) * f.tanh())),
        ("u32(i32(big))", expected(|x| (float(x) * 1e9) as i32 as u32)),
        ("u32(big)", expected(|x| (float(x) * 1e9) as u32)),
        ("u32(nan != nan) + u32(nan < 1.0)", expected(|_| 1)),
        ("u32(bool(f)) + u32(bool(x))", expected(|x| 1 + u32::from(x != 0))),
        ("unpack2x16unorm_(x)", expected(|x| x + 1)),
    ];
    let helper = "fn unpack2x16unorm_(x: u32) -> u32 { return x + 1u; }";
    for (expression, of) in cases {
        assert_eq!(stored(helper, &format!("{f} y[x] = {expression};")), of, "{expression}");
    }
}

#[test]
fn halves_are_rounded_after_each_operation() {
    let text = "enable f16;
        @group(0) @binding(0) var<storage, read_write> y: array<f16>;
        override N: u32 = 16u * 2u;
        var<workgroup> tile: array<f16, N>;
        @compute @workgroup_size(N)
        fn main(@builtin(global_invocation_id) at: vec3u) {
            tile[at.x] = f16(at.x) * 0.1h;
            y[at.x] = tile[at.x] * 3.0h + f16(f32(at.x) / 7.0);
        }";
    let (report, words) = run(text, [1, 1, 1], 33, DType::F16).expect("it is valid");
    assert_eq!(report.hazards, []);
    let half = |x: f32| half::f16::from_f32(x).to_f32();
    let of = |x: u32| {
        let x = x as f32;
        half(half(half(x * half(0.1)) * 3.0) + half(x / 7.0)).to_bits()
    };
    assert_eq!(words[..32], (0..32).map(of).collect::<Vec<_>>());
    assert_eq!(words[32], 0, "past the end of a workgroup of 32");
}

/// Whatever a workgroup leaves in its variables, the next one begins as it did.
#[test]
fn every_workgroup_has_variables_of_its_own() {
    let text = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        var<private> sum: u32;
        var<private> base: u32 = 7u;
        @compute @workgroup_size(4)
        fn main(@builtin(local_invocation_index) x: u32, @builtin(workgroup_id) group: vec3u) {
            sum += x + 1u;
            base += 10u * x;
            y[4u * group.x + x] = 100u * sum + base;
        }";
    let (report, words) = run(text, [3, 1, 1], 12, DType::U32).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.hazards, []);
    let of_one = [107, 217, 327, 437];
    assert_eq!(words, [of_one; 3].concat());
}
