//! The ceilings of the CPU, on all threads of the device.

use super::{Found, Limit, dots};
use crate::cpu::{CpuDevice, each};
use pulp::{Arch, Simd, WithSimd};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Bytes touched by each pass over memory: eight times the 32 MiB of a large last-level cache.
const ARRAY_BYTES: usize = 256 << 20;

pub(super) fn measure(device: &CpuDevice, seconds: f64) -> Vec<Found> {
    device.install(|| {
        let share = seconds / 6.0;
        let mut found = vec![fma(device, share), dot(device, share)];
        found.extend(memory(device, 3.0 * share));
        found.push(clock(share));
        found
    })
}

/// The best rate of several passes: `pass` runs on every thread at once and returns its work and
/// time.
fn best(seconds: f64, mut pass: impl FnMut(u64) -> (f64, Duration)) -> f64 {
    // Long compared with waking threads, but short enough that some passes are not interrupted.
    let mut rounds = 1 << 10;
    while pass(rounds).1 < Duration::from_millis(2) && rounds < 1 << 40 {
        rounds *= 2;
    }
    let (begin, mut best) = (Instant::now(), 0.0f64);
    while best == 0.0 || begin.elapsed().as_secs_f64() < seconds {
        let (work, time) = pass(rounds);
        best = best.max(work / time.as_secs_f64());
    }
    best
}

/// Runs `work` on every thread simultaneously and returns the total time.
fn on_all<T: Send>(device: &CpuDevice, jobs: &mut [T], work: impl Fn(&mut T) + Sync) -> Duration {
    debug_assert_eq!(jobs.len(), device.threads());
    let begin = Instant::now();
    each(jobs, 1, true, |_, jobs| jobs.iter_mut().for_each(&work));
    begin.elapsed()
}

/// Independent accumulators: enough for two units with a latency of five cycles, few enough for 16
/// registers.
const CHAINS: usize = 12;

/// Increments `x` by fused multiply-adds, so that the result equals their number.
struct Fma {
    rounds: u64,
}

impl WithSimd for Fma {
    /// The value of each lane, and the number of lanes.
    type Output = (f32, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, usize) {
        let one = simd.splat_f32s(black_box(1.0));
        let mut x = [simd.splat_f32s(0.0); CHAINS];
        // Integers are exact in f32 up to 2^24, so the lanes are reset before that.
        let mut left = self.rounds;
        let mut last = 0.0;
        while left > 0 {
            let now = left.min(1 << 20);
            for _ in 0..now {
                for x in &mut x {
                    *x = simd.mul_add_f32s(*x, one, one);
                }
            }
            last = x.iter().map(|&x| simd.reduce_sum_f32s(x)).sum::<f32>();
            last /= (CHAINS * S::F32_LANES) as f32;
            if last != now as f32 {
                return (f32::NAN, S::F32_LANES);
            }
            x = [simd.splat_f32s(black_box(0.0)); CHAINS];
            left -= now;
        }
        (last, S::F32_LANES)
    }
}

fn fma(device: &CpuDevice, seconds: f64) -> Found {
    let mut results = vec![(0.0f32, 0usize); device.threads()];
    let mut is_right = true;
    let rate = best(seconds, |rounds| {
        let time =
            on_all(device, &mut results, |result| *result = Arch::new().dispatch(Fma { rounds }));
        is_right &= results.iter().all(|(result, _)| !result.is_nan());
        let lanes: usize = results.iter().map(|(_, lanes)| lanes).sum();
        ((2 * CHAINS * lanes) as f64 * rounds as f64, time)
    });
    if is_right {
        Found::new(
            Limit::FmaF32,
            rate,
            format!("{CHAINS} chains of {} lanes a thread", results[0].1),
        )
    } else {
        Found::none(Limit::FmaF32, "the loop gave a wrong result")
    }
}

fn dot(device: &CpuDevice, seconds: f64) -> Found {
    let kernel = dots::best();
    let mut results = vec![true; device.threads()];
    let mut is_right = true;
    let rate = best(seconds, |rounds| {
        let time = on_all(device, &mut results, |result| *result = (kernel.run)(rounds));
        is_right &= results.iter().all(|&right| right);
        (kernel.operations as f64 * rounds as f64 * results.len() as f64, time)
    });
    if is_right {
        Found::new(Limit::DotI8, rate, kernel.name)
    } else {
        Found::none(Limit::DotI8, "the loop gave a wrong result")
    }
}

/// Measures reading, writing and copying, with the threads working on separate parts of two arrays.
fn memory(device: &CpuDevice, seconds: f64) -> Vec<Found> {
    let words = ARRAY_BYTES / 8 / device.threads();
    let mut parts: Vec<(Vec<u64>, Vec<u64>)> =
        (0..device.threads()).map(|_| (vec![1; words], vec![2; words])).collect();
    let bytes = (8 * words * parts.len()) as f64;
    let how = format!("{} MiB, {} threads", ARRAY_BYTES >> 20, device.threads());
    let mut timed = |limit, moved: f64, work: fn(&mut (Vec<u64>, Vec<u64>))| {
        let (begin, mut best) = (Instant::now(), f64::INFINITY);
        while best.is_infinite() || begin.elapsed().as_secs_f64() < seconds / 3.0 {
            best = best.min(on_all(device, &mut parts, work).as_secs_f64());
        }
        Found::new(limit, moved / best, how.as_str())
    };
    vec![
        timed(Limit::Read, bytes, |(a, _)| {
            // Several independent sums: a single one would be limited by latency.
            let sum = Arch::new().dispatch(|| a.iter().fold(0u64, |sum, &x| sum.wrapping_add(x)));
            assert_eq!(black_box(sum), a.len() as u64, "the sum of ones");
        }),
        timed(Limit::Write, bytes, |(_, b)| {
            let value = black_box(3);
            Arch::new().dispatch(|| b.fill(value));
        }),
        timed(Limit::Copy, 2.0 * bytes, |(a, b)| {
            b.copy_from_slice(black_box(a));
        }),
    ]
}

/// Cycles per second, from a chain of dependent additions and exclusive ors that take one cycle
/// each.
fn clock(seconds: f64) -> Found {
    const LINKS: u32 = 32;
    let (mut x, begin, mut best) = (black_box(1u64), Instant::now(), 0.0f64);
    while begin.elapsed().as_secs_f64() < seconds {
        let (k, begin) = (black_box(0x9E37_79B9), Instant::now());
        for _ in 0..1 << 16 {
            for _ in 0..LINKS {
                x = (x ^ k).wrapping_add(k);
            }
        }
        x = black_box(x);
        let cycles = f64::from(2 * LINKS) * f64::from(1 << 16);
        best = best.max(cycles / begin.elapsed().as_secs_f64());
    }
    Found::new(Limit::Clock, best, "dependent additions, one a cycle, on one thread")
}
