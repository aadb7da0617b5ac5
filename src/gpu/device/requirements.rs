//! Minimum requirements of every kernel: compute shaders, five storage buffers plus two uniform
//! buffers in two groups, and workgroups of 256 invocations with 16 KiB of memory, 65,535 along an axis.

use crate::ops::kernel::MAX_GROUPS;
use std::fmt;

/// A requirement that is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    ComputeShaders,
    Limit { limit: &'static str, offered: u64, needed: u64 },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::ComputeShaders => write!(f, "has no compute shaders"),
            Lack::Limit { limit, offered, needed } => {
                write!(f, "has {offered} {limit}, of {needed} that are needed")
            }
        }
    }
}

/// The first requirement that an adapter, or a device opened on one, does not meet.
pub(super) fn lack(flags: wgpu::DownlevelFlags, limits: &wgpu::Limits) -> Option<Lack> {
    if !flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
        return Some(Lack::ComputeShaders);
    }
    let needed = [
        ("storage buffers in a shader", limits.max_storage_buffers_per_shader_stage, 5),
        ("uniform buffers in a shader", limits.max_uniform_buffers_per_shader_stage, 2),
        ("bind groups", limits.max_bind_groups, 2),
        ("invocations in a workgroup", limits.max_compute_invocations_per_workgroup, 256),
        ("invocations along x in a workgroup", limits.max_compute_workgroup_size_x, 256),
        ("workgroups along an axis", limits.max_compute_workgroups_per_dimension, MAX_GROUPS),
        ("bytes of memory in a workgroup", limits.max_compute_workgroup_storage_size, 16 << 10),
    ];
    let (limit, offered, needed) =
        needed.into_iter().find(|(_, offered, needed)| offered < needed)?;
    Some(Lack::Limit { limit, offered: offered.into(), needed: needed.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::{DownlevelFlags, Limits};

    #[test]
    fn the_first_requirement_that_is_not_met_is_named() {
        let all = DownlevelFlags::all();
        assert_eq!(lack(all, &Limits::default()), None);
        assert_eq!(lack(DownlevelFlags::empty(), &Limits::default()), Some(Lack::ComputeShaders));
        let said = |limits: Limits| lack(all, &limits).map(|lack| lack.to_string());
        let four = Limits::downlevel_defaults();
        let text = "has 4 storage buffers in a shader, of 5 that are needed";
        assert_eq!(said(four).as_deref(), Some(text));
        let small = Limits { max_compute_workgroup_storage_size: 16_352, ..Limits::default() };
        let text = "has 16352 bytes of memory in a workgroup, of 16384 that are needed";
        assert_eq!(said(small).as_deref(), Some(text));
        let narrow = Limits { max_compute_workgroup_size_x: 128, ..Limits::default() };
        let text = "has 128 invocations along x in a workgroup, of 256 that are needed";
        assert_eq!(said(narrow).as_deref(), Some(text));
    }
}
