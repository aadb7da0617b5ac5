//! WGSL as the SPIR-V that wgpu gives to a Vulkan driver.

use crate::Failure;
use naga::{
    AddressSpace, ShaderStage,
    back::{pipeline_constants::process_overrides, spv},
    front::wgsl,
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator},
};

/// A module, and what a pipeline layout must know of it.
pub struct Spirv {
    pub words: Vec<u32>,
    /// Group and number of every binding, and whether it is a uniform buffer.
    pub bindings: Vec<(u32, u32, bool)>,
}

/// The form in which wgpu passes a module to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// That of `create_shader_module_trusted` as wgrad calls it: divisors are compared with 0, and nothing
    /// else is checked. Workgroup memory is not zeroed.
    Trusted,
    /// That of `create_shader_module`: indices are clamped, loops counted, divisors compared with 0.
    Checked,
}

/// Writes a module with the options of wgpu-hal 30 for a device of Vulkan 1.3 that has
/// `robustBufferAccess2`.
pub fn write(text: &str, overrides: &[(String, f64)], form: Form) -> Result<Spirv, Failure> {
    let capabilities = Capabilities::all();
    let mut options = wgsl::Options::new();
    options.capabilities = capabilities;
    let mut frontend = wgsl::Frontend::new_with_options(options);
    let module = frontend.parse(text).map_err(|error| error.emit_to_string(text))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .map_err(|error| error.emit_to_string(text))?;
    let entry = Some((ShaderStage::Compute, "main"));
    let values = overrides.iter().cloned().collect();
    let (module, info) = process_overrides(&module, &info, entry, &values)?;

    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        capabilities: None,
        bounds_check_policies: BoundsCheckPolicies {
            index: match form {
                Form::Checked => BoundsCheckPolicy::Restrict,
                Form::Trusted => BoundsCheckPolicy::Unchecked,
            },
            // The device checks these: wgpu enables `robustBufferAccess2` wherever there is one.
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: match form {
            Form::Checked => spv::ZeroInitializeWorkgroupMemoryMode::Native,
            Form::Trusted => spv::ZeroInitializeWorkgroupMemoryMode::None,
        },
        force_loop_bounding: form == Form::Checked,
        emit_int_div_checks: true,
        use_storage_input_output_16: false,
        ..Default::default()
    };
    let pipeline =
        spv::PipelineOptions { entry_point: "main".into(), shader_stage: ShaderStage::Compute };
    let words = spv::write_vec(&module, &info, &options, Some(&pipeline))?;

    let bindings = module.global_variables.iter().filter_map(|(_, variable)| {
        let binding = variable.binding?;
        Some((binding.group, binding.binding, variable.space == AddressSpace::Uniform))
    });
    Ok(Spirv { words, bindings: bindings.collect() })
}
