//! The ceilings of a GPU.

use super::{
    Found, Limit,
    bare::{Bare, Kernel},
    fma::{self, Elem, INVOCATIONS, MOST_GROUPS},
    load::Load,
};
use crate::{error::Error, gpu::GpuDevice};
use half::f16;
use std::time::{Duration, Instant};

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/ceilings/", $name, ".wgsl"))
    };
}

pub(super) fn measure(
    gpu: &GpuDevice,
    mut load: Option<&mut Load>,
    seconds: f64,
) -> Result<Vec<Found>, Error> {
    let bare = Bare::open(gpu)?;
    let is_software = gpu.kind() == "software-gpu";
    let share = seconds / 9.0;
    let mut found = Vec::new();
    let mut note = |limits: &[Limit], measure: &dyn Fn() -> Result<Vec<Found>, Error>| {
        let ready = load.as_mut().map_or(Ok(()), |load| load.raise_clocks());
        match ready.and_then(|()| measure()) {
            Ok(measured) => found.extend(measured),
            // The failure of one shader says nothing about the next.
            Err(error) => found.extend(limits.iter().map(|&l| Found::none(l, one_line(&error)))),
        }
    };
    note(&[Limit::FmaF32], &|| multiply_adds(&bare, Elem::F32, share));
    note(&[Limit::FmaF16], &|| multiply_adds(&bare, Elem::F16, share));
    note(&[Limit::DotI8], &|| dot(&bare, share));
    note(&[Limit::MatrixF16], &|| matrix(&bare, share));
    let moved = || memory(&bare, is_software, 3.0 * share);
    note(&[Limit::Read, Limit::Write, Limit::Copy], &moved);
    note(&[Limit::Launch, Limit::Submit], &|| launch(&bare, share));
    let transferred = || transfer(&bare, is_software, share);
    note(&[Limit::Readback, Limit::Upload, Limit::Download], &transferred);
    Ok(found)
}

fn one_line(error: &Error) -> String {
    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Target duration of a pass: long compared with the overhead of starting it.
fn wanted(seconds: f64) -> Duration {
    Duration::from_secs_f64((seconds / 8.0).min(0.05))
}

/// The shortest of several passes, and its numbers of workgroups and dispatches.
fn shortest(
    bare: &Bare,
    kernel: &Kernel,
    most_groups: u32,
    seconds: f64,
) -> Result<(f64, u32, u32), Error> {
    let begin = Instant::now();
    let (groups, times) = bare.sized(kernel, most_groups, wanted(seconds))?;
    let mut shortest = f64::INFINITY;
    while shortest.is_infinite() || begin.elapsed().as_secs_f64() < seconds {
        shortest = shortest.min(bare.pass(kernel, groups, times)?.as_secs_f64());
    }
    Ok((shortest, groups, times))
}

fn multiply_adds(bare: &Bare, elem: Elem, seconds: f64) -> Result<Vec<Found>, Error> {
    let limit = if elem == Elem::F32 { Limit::FmaF32 } else { Limit::FmaF16 };
    if elem == Elem::F16 && !bare.has_f16 {
        return Ok(vec![Found::none(limit, "no f16 in shaders")]);
    }
    let (kernel, y) = fma::kernel(bare, elem)?;
    let (seconds, groups, times) = shortest(bare, &kernel, MOST_GROUPS, seconds)?;
    // Eight chains of four, which start at 0 or 1 and consecutive offsets.
    let sum =
        |start: u32| (4 * (0..8).map(|chain| start + chain + 4 * fma::ROUNDS).sum::<u32>()) as f32;
    let last = read_last(bare, &y, groups)?;
    let is_right = last.map(f32::from_bits) == [sum(0), sum(1)];
    let operations = 2.0 * 32.0 * 4.0 * f64::from(fma::ROUNDS) * f64::from(INVOCATIONS);
    Ok(vec![rate(limit, is_right, operations, seconds, groups, times)])
}

/// Reads the last two results of `groups` workgroups.
fn read_last(bare: &Bare, y: &wgpu::Buffer, groups: u32) -> Result<[u32; 2], Error> {
    let bytes = bare.read(y, 4 * u64::from(INVOCATIONS * groups))?;
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
    Ok([words[words.len() - 2], words[words.len() - 1]])
}

fn rate(
    limit: Limit,
    is_right: bool,
    operations: f64,
    seconds: f64,
    groups: u32,
    times: u32,
) -> Found {
    if is_right {
        let all = operations * f64::from(groups) * f64::from(times);
        Found::new(limit, all / seconds, format!("{groups} workgroups, {times} times"))
    } else {
        Found::none(limit, "the shader gave a wrong result")
    }
}

fn dot(bare: &Bare, seconds: f64) -> Result<Vec<Found>, Error> {
    const ROUNDS: u32 = 512;
    const FACTORS: u32 = 0x01FF_0203;
    let y = bare.storage(4 * u64::from(INVOCATIONS * MOST_GROUPS))?;
    let params = bare.uniform(&[ROUNDS, FACTORS]);
    let buffers = [&params, &y];
    let kernel = bare.kernel(file!("dot").into(), &[], 0, &buffers)?;
    let (seconds, groups, times) = shortest(bare, &kernel, MOST_GROUPS, seconds)?;
    let dot = |x: u32| {
        let products = x.to_le_bytes().into_iter().zip(FACTORS.to_le_bytes());
        products.map(|(a, b)| i32::from(a as i8) * i32::from(b as i8)).sum::<i32>()
    };
    let chain = |start: u32| (0..4 * ROUNDS).fold(start, |x, _| x.wrapping_add(dot(x) as u32));
    let all = |start: u32| (0..8).fold(0, |bits, k| bits ^ chain(start + 2 * k));
    let is_right = read_last(bare, &y, groups)? == [all(0), all(1)];
    let operations = 8.0 * 8.0 * 4.0 * f64::from(ROUNDS) * f64::from(INVOCATIONS);
    Ok(vec![rate(Limit::DotI8, is_right, operations, seconds, groups, times)])
}

fn matrix(bare: &Bare, seconds: f64) -> Result<Vec<Found>, Error> {
    let limit = Limit::MatrixF16;
    let Some(lanes) = bare.matrix_lanes else {
        return Ok(vec![Found::none(limit, "no units for matrices of 16 x 16 x 16")]);
    };
    const ROUNDS: u32 = 1024;
    let most = 1 << 13;
    let constant = |value: f32| -> Result<wgpu::Buffer, Error> {
        let half = u32::from(f16::from_f32(value).to_bits());
        let buffer = bare.storage(2 * 256)?;
        bare.write(&buffer, &[half | half << 16; 128]);
        Ok(buffer)
    };
    let (a, b) = (constant(1.0 / 16.0)?, constant(1.0)?);
    let c = bare.storage(4 * 1024 * u64::from(most))?;
    let params = bare.uniform(&[ROUNDS]);
    let text = format!("enable f16; enable wgpu_cooperative_matrix; {}", file!("matrix"));
    let buffers = [&params, &a, &b, &c];
    let kernel = bare.kernel(text.into(), &[("LANES", f64::from(lanes))], 0, &buffers)?;
    let (seconds, groups, times) = shortest(bare, &kernel, most, seconds)?;
    // All of them: a driver was seen to give exactly twice the sum, at random.
    let sums = 1024 * groups as usize;
    bare.write(&c, &vec![0; sums]);
    bare.pass(&kernel, groups, 1)?;
    let sums: Vec<f32> = bytemuck::pod_collect_to_vec(&bare.read(&c, 4 * sums as u64)?);
    let is_right = sums.iter().all(|&sum| sum == ROUNDS as f32);
    let operations = 4.0 * 2.0 * 4096.0 * f64::from(ROUNDS);
    Ok(vec![rate(limit, is_right, operations, seconds, groups, times)])
}

fn memory(bare: &Bare, is_software: bool, seconds: f64) -> Result<Vec<Found>, Error> {
    // Ten times the caches of the largest adapters; software adapters need less.
    let wanted = if is_software { 64 << 20 } else { 512 << 20 };
    let limits = &bare.limits;
    let bytes =
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(wanted) / 16 * 16;
    let quads = (bytes / 16) as u32;
    let groups = if is_software { 64 } else { 1 << 13 };
    let (x, y) = (bare.storage(bytes)?, bare.storage(bytes)?);
    let sums = bare.storage(4 * u64::from(INVOCATIONS * groups))?;
    let params = bare.uniform(&[quads, 3]);
    let [write, write_y] =
        [&x, &y].map(|buffer| bare.kernel(file!("write").into(), &[], 0, &[&params, buffer]));
    let (write, write_y) = (write?, write_y?);
    let buffers = [&params, &x, &y];
    let copy = bare.kernel(file!("copy").into(), &[], 0, &buffers)?;
    let buffers = [&params, &x, &sums];
    let read = bare.kernel(file!("read").into(), &[], 0, &buffers)?;

    let timed = |limit, kernel: &Kernel, moved: f64| -> Result<(Limit, f64), Error> {
        let (begin, mut shortest) = (Instant::now(), f64::INFINITY);
        while shortest.is_infinite() || begin.elapsed().as_secs_f64() < seconds / 3.0 {
            shortest = shortest.min(bare.pass(kernel, groups, 1)?.as_secs_f64());
        }
        Ok((limit, moved * bytes as f64 / shortest))
    };
    bare.pass(&write_y, groups, 1)?;
    let rates = [
        timed(Limit::Write, &write, 1.0)?,
        timed(Limit::Read, &read, 1.0)?,
        timed(Limit::Copy, &copy, 2.0)?,
    ];
    // The data written is the data read, and the copy has arrived.
    let totals: Vec<u32> = bytemuck::pod_collect_to_vec(&bare.read(&sums, sums.size())?);
    let total = totals.iter().fold(0u32, |sum, &part| sum.wrapping_add(part));
    bare.write(&params, &[quads, 5]);
    bare.pass(&write, groups, 1)?;
    bare.pass(&copy, groups, 1)?;
    let copied: Vec<u32> = bytemuck::pod_collect_to_vec(&bare.read(&y, bytes)?);
    let is_right = total == quads.wrapping_mul(12) && copied.iter().all(|&word| word == 5);
    let how = format!("{} MiB", bytes >> 20);
    Ok(rates
        .into_iter()
        .map(|(limit, rate)| {
            if is_right {
                Found::new(limit, rate, how.as_str())
            } else {
                Found::none(limit, "a shader gave a wrong result")
            }
        })
        .collect())
}

/// The median of as many measurements as fit into the time.
fn median(seconds: f64, mut once: impl FnMut() -> Result<Duration, Error>) -> Result<f64, Error> {
    let (begin, mut times) = (Instant::now(), crate::bench::Times::default());
    // The first run warms up.
    once()?;
    while times.is_empty() || (begin.elapsed().as_secs_f64() < seconds && times.len() < 200) {
        times.push(once()?);
    }
    Ok(times.median())
}

fn launch(bare: &Bare, seconds: f64) -> Result<Vec<Found>, Error> {
    let y = bare.storage(4)?;
    let kernel = bare.kernel(file!("launch").into(), &[], 1, &[&y])?;
    bare.write(&y, &[0]);
    bare.wall(&kernel, 7)?;
    let counted: Vec<u32> = bytemuck::pod_collect_to_vec(&bare.read(&y, 4)?);
    if counted != [7] {
        let why = "dispatches did not follow one another";
        return Ok(vec![Found::none(Limit::Launch, why), Found::none(Limit::Submit, why)]);
    }
    const DISPATCHES: u32 = 500;
    let one = median(seconds / 2.0, || bare.wall(&kernel, 1))?;
    let many = median(seconds / 2.0, || bare.wall(&kernel, 1 + DISPATCHES))?;
    let launch = if many > one {
        let each = (many - one) / f64::from(DISPATCHES);
        Found::new(Limit::Launch, each, "dependent dispatches in one pass")
    } else {
        Found::none(Limit::Launch, "many dispatches took no longer than one: too much noise")
    };
    Ok(vec![
        launch,
        Found::new(Limit::Submit, one, "one dispatch, recorded, submitted and waited for"),
    ])
}

fn transfer(bare: &Bare, is_software: bool, seconds: f64) -> Result<Vec<Found>, Error> {
    let bytes: u64 = if is_software { 16 << 20 } else { 128 << 20 };
    let bytes = bytes.min(bare.limits.max_buffer_size);
    let words = vec![7u32; (bytes / 4) as usize];
    let buffer = bare.storage(bytes)?;
    let upload = median(seconds / 3.0, || bare.upload(&buffer, &words))?;
    let staging = bare.staging(bytes)?;
    let mut is_right = true;
    let mut fetch = |bytes: u64| {
        let begin = Instant::now();
        let content = bare.fetch(&buffer, &staging, bytes)?;
        let time = begin.elapsed();
        is_right &=
            content.len() as u64 == bytes && content.chunks(4).all(|word| word == [7, 0, 0, 0]);
        Ok(time)
    };
    let readback = median(seconds / 3.0, || fetch(4))?;
    let download = median(seconds / 3.0, || fetch(bytes))?;
    if !is_right {
        let why = "what came back is not what was sent";
        let limits = [Limit::Readback, Limit::Upload, Limit::Download];
        return Ok(limits.map(|limit| Found::none(limit, why)).into());
    }
    let how = format!("{} MiB", bytes >> 20);
    Ok(vec![
        Found::new(Limit::Readback, readback, "copied, mapped and read"),
        Found::new(Limit::Upload, bytes as f64 / upload, how.as_str()),
        Found::new(Limit::Download, bytes as f64 / download, how),
    ])
}
