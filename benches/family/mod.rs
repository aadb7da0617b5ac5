//! Workloads of selected families on the CPU device and on the best GPU, a software one only if
//! there is no other: `wgrad::bench` defines them, and `wgrad bench` checks them.

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use std::{hint::black_box, time::Duration};
use wgrad::{
    Device, Error, Selection,
    bench::{Workload, workloads},
};

/// Extents of square products, within and beyond the caches.
const SIZES: [usize; 3] = [256, 1024, 4096];

/// Measures all workloads of these families.
pub fn measure(criterion: &mut Criterion, families: &[&str]) {
    let gpu = Device::select_blocking(&Selection::Gpu).ok();
    for device in [Some(Device::cpu()), gpu].into_iter().flatten() {
        let mut group = criterion.benchmark_group(device.name());
        group.sample_size(10).measurement_time(Duration::from_secs(4));
        let all = workloads(&SIZES);
        for workload in all.iter().filter(|workload| families.contains(&workload.family)) {
            let Some(workload) = suited(workload, &device) else { continue };
            if let Err(error) = bench(&mut group, workload, &device) {
                eprintln!("{} was not measured on {}: {error}", workload.name, device.name());
            }
        }
        group.finish();
    }
}

/// Selects the smaller version of a workload unless the device is a hardware GPU.
fn suited<'a>(workload: &'a Workload, device: &Device) -> Option<&'a Workload> {
    match device.kind() {
        "software-gpu" => match &workload.smaller {
            Some(smaller) => Some(smaller),
            None => workload.name.ends_with("_256").then_some(workload),
        },
        "cpu" => (!workload.is_large).then_some(workload),
        _ => Some(workload),
    }
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    workload: &Workload,
    device: &Device,
) -> Result<(), Error> {
    let prepared = workload.prepare(device)?;
    let (operations, bytes) = workload.takes(&prepared);
    group.throughput(if operations > 4.0 * bytes {
        Throughput::Elements(operations as u64)
    } else {
        Throughput::Bytes(bytes as u64)
    });
    group.bench_function(&workload.name, |bencher| {
        bencher.iter(|| black_box(prepared.run().expect("what ran before runs again")));
    });
    Ok(())
}
