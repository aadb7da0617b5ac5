//! `wgrad devices`: lists the available devices.

use crate::{
    console::Console,
    failure::Failure,
    words::{count, shown},
};
use serde_json::json;
use std::io::Write;
use wgrad::{
    Device,
    gpu::{self, AdapterSummary, CooperativeMatrix},
};

/// List every device, its capabilities, and the one selected by `--device best`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad devices
  wgrad devices --json | jq 'select(.best) | .name'")]
pub struct Args {
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, out: &mut Console) -> Result<(), Failure> {
    let adapters = pollster::block_on(gpu::adapters());
    let best = Device::best();
    // The first match: an adapter may be exposed through two APIs, the better one first.
    let best = adapters.iter().position(|adapter| {
        adapter.is_usable && adapter.kind == best.kind() && best.name().contains(&adapter.name)
    });
    for (index, adapter) in adapters.iter().enumerate() {
        if args.json {
            out.object(&object(index, adapter, best == Some(index)))?
        } else {
            writeln!(out, "{}", text(index, adapter, best == Some(index)))?
        }
    }
    let Device::Cpu(cpu) = Device::cpu() else { return Ok(()) };
    if args.json {
        let cpu = json!({
            "device": "cpu",
            "device_type": "cpu",
            "name": cpu.name(),
            "threads": cpu.threads(),
            "simd": cpu.simd(),
            "usable": true,
            "best": best.is_none(),
        });
        out.object(&cpu)?;
    } else {
        writeln!(out, "cpu    {}{}", shown(&cpu.name()), mark(best.is_none()))?;
    }
    Ok(())
}

fn mark(best: bool) -> &'static str {
    if best { "  <- best" } else { "" }
}

fn text(index: usize, adapter: &AdapterSummary, best: bool) -> String {
    let AdapterSummary { name, kind, backend, driver, driver_info, .. } = adapter;
    let usable =
        if adapter.is_usable { "" } else { "  (not usable: it lacks what the kernels need)" };
    let features = match adapter.features.as_slice() {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    let matrices = match adapter.matrices.as_slice() {
        [] => String::new(),
        matrices => {
            let matrices: Vec<_> = matrices.iter().map(ToString::to_string).collect();
            format!("\n       cooperative matrices: {}", matrices.join(", "))
        }
    };
    let subgroups = match adapter.subgroup_sizes {
        (least, most) if least == most => format!("subgroups of {most}"),
        (least, most) => format!("subgroups of {least} to {most}"),
    };
    let driver = format!("{driver} {driver_info}");
    format!(
        "gpu:{index}  {}{usable}{}\n       {kind}, {backend}, driver {}\n       \
         buffers up to {} MiB, bindings up to {} MiB, {}\n       \
         workgroups of up to {} and {} KiB, {subgroups}\n       \
         features: {features}{matrices}",
        shown(name),
        mark(best),
        shown(driver.trim()),
        adapter.max_buffer >> 20,
        adapter.max_binding >> 20,
        count(adapter.max_storage_buffers as usize, "storage buffer", "storage buffers"),
        count(adapter.max_invocations as usize, "invocation", "invocations"),
        adapter.max_workgroup_memory >> 10,
    )
}

fn matrix(matrix: &CooperativeMatrix) -> serde_json::Value {
    json!({
        "m": matrix.m,
        "n": matrix.n,
        "k": matrix.k,
        "operands": matrix.operands,
        "result": matrix.result,
    })
}

fn object(index: usize, adapter: &AdapterSummary, best: bool) -> serde_json::Value {
    json!({
        "device": format!("gpu:{index}"),
        "device_type": adapter.kind,
        "name": adapter.name,
        "backend": adapter.backend,
        "driver": adapter.driver,
        "driver_info": adapter.driver_info,
        "limits": {
            "buffer_bytes": adapter.max_buffer,
            "binding_bytes": adapter.max_binding,
            "storage_buffers": adapter.max_storage_buffers,
            "workgroup_invocations": adapter.max_invocations,
            "workgroup_bytes": adapter.max_workgroup_memory,
            "subgroup_sizes": [adapter.subgroup_sizes.0, adapter.subgroup_sizes.1],
        },
        "cooperative_matrices": adapter.matrices.iter().map(matrix).collect::<Vec<_>>(),
        "features": adapter.features,
        "usable": adapter.is_usable,
        "best": best,
    })
}
