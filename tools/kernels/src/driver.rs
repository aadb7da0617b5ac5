//! The Vulkan driver that is present, as a compiler.

use crate::{Failure, spirv::Spirv};
use ash::{ext, khr, vk};
use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char},
    ptr,
};

/// A device of the first adapter. Nothing runs on it, so that a shim in the place of its kernel will do.
pub struct Driver {
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    // The functions of the device are those of the loaded library.
    _entry: ash::Entry,
}

/// A pipeline as the driver describes it.
pub struct Compiled {
    /// Names and values of its statistics: every driver has its own.
    pub statistics: Vec<(String, f64)>,
    /// Everything that the driver shows of its compilation, the instructions last.
    pub listing: String,
}

/// Whether a device has each of the features that wgpu enables where they are there, and that change
/// what a compute shader becomes.
struct Features {
    int16: bool,
    storage16: bool,
    uniform16: bool,
    float16: bool,
    int8: bool,
    memory_model: bool,
    memory_model_device: bool,
    subgroup_size_control: bool,
    integer_dot_product: bool,
    zero_initialize: bool,
}

impl Driver {
    /// Opens the first adapter that the Vulkan loader finds.
    pub fn open() -> Result<Self, Failure> {
        // SAFETY: the library is that of the system's Vulkan loader, and every structure that is passed
        // to it lives until the call returns.
        unsafe {
            let entry = ash::Entry::load()?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let instance = entry.create_instance(
                &vk::InstanceCreateInfo::default().application_info(&application),
                None,
            )?;
            let adapters = instance.enumerate_physical_devices()?;
            let adapter = *adapters.first().ok_or("no Vulkan driver answers")?;
            let (device, executables) = open_device(&instance, adapter)?;
            Ok(Driver { device, executables, _entry: entry })
        }
    }

    /// Compiles a module.
    pub fn compile(&self, spirv: &Spirv) -> Result<Compiled, Failure> {
        // SAFETY: the module is what naga writes of a valid one, the layout has its bindings, and what
        // is created is destroyed once, after its last use.
        unsafe {
            let device = &self.device;
            let groups = self.group_layouts(spirv)?;
            let layout = device.create_pipeline_layout(
                &vk::PipelineLayoutCreateInfo::default().set_layouts(&groups),
                None,
            )?;
            let module = device.create_shader_module(
                &vk::ShaderModuleCreateInfo::default().code(&spirv.words),
                None,
            )?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let create =
                vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout).flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                );
            let created =
                device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
            let pipeline = created.map_err(|(_, error)| error)?[0];
            let compiled = self.describe(pipeline);
            device.destroy_pipeline(pipeline, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            groups.into_iter().for_each(|group| device.destroy_descriptor_set_layout(group, None));
            compiled
        }
    }

    /// # Safety
    ///
    /// The caller destroys the layouts.
    unsafe fn group_layouts(
        &self,
        spirv: &Spirv,
    ) -> Result<Vec<vk::DescriptorSetLayout>, vk::Result> {
        let mut groups = BTreeMap::<u32, Vec<_>>::new();
        for &(group, binding, is_uniform) in &spirv.bindings {
            let kind = match is_uniform {
                true => vk::DescriptorType::UNIFORM_BUFFER,
                false => vk::DescriptorType::STORAGE_BUFFER,
            };
            let binding = vk::DescriptorSetLayoutBinding::default()
                .binding(binding)
                .descriptor_type(kind)
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE);
            groups.entry(group).or_default().push(binding);
        }
        let count = groups.keys().last().map_or(0, |last| last + 1);
        let layout = |group: u32| {
            let bindings = groups.remove(&group).unwrap_or_default();
            let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            // SAFETY: the bindings live until the call returns.
            unsafe { self.device.create_descriptor_set_layout(&create, None) }
        };
        (0..count).map(layout).collect()
    }

    /// # Safety
    ///
    /// The pipeline is one of this device that captures statistics and representations.
    unsafe fn describe(&self, pipeline: vk::Pipeline) -> Result<Compiled, Failure> {
        // SAFETY: as promised above; a shader of compute is one executable.
        unsafe {
            let of = vk::PipelineInfoKHR::default().pipeline(pipeline);
            if self.executables.get_pipeline_executable_properties(&of)?.is_empty() {
                return Err("the driver shows no executable".into());
            }
            let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
            let statistics = self.executables.get_pipeline_executable_statistics(&info)?;
            let statistics = statistics.iter().map(|statistic| {
                use vk::PipelineExecutableStatisticFormatKHR as Format;
                let value = match statistic.format {
                    Format::UINT64 => statistic.value.u64 as f64,
                    Format::INT64 => statistic.value.i64 as f64,
                    Format::BOOL32 => f64::from(statistic.value.b32),
                    _ => statistic.value.f64,
                };
                Ok((text_of(&statistic.name)?, value))
            });
            Ok(Compiled {
                statistics: statistics.collect::<Result<_, Failure>>()?,
                listing: self.representations(&info)?,
            })
        }
    }

    /// # Safety
    ///
    /// As for [`describe`](Self::describe).
    unsafe fn representations(
        &self,
        info: &vk::PipelineExecutableInfoKHR,
    ) -> Result<String, Failure> {
        let get = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        let device = self.device.handle();
        let mut count = 0;
        // SAFETY: asked for the number, then for the sizes, then for the contents, into memory of that
        // size: ash has no function for this.
        unsafe {
            get(device, info, &mut count, ptr::null_mut()).result()?;
            let empty = vk::PipelineExecutableInternalRepresentationKHR::default();
            let mut found = vec![empty; count as usize];
            get(device, info, &mut count, found.as_mut_ptr()).result()?;
            let mut contents: Vec<_> = found.iter().map(|one| vec![0u8; one.data_size]).collect();
            for (one, content) in found.iter_mut().zip(&mut contents) {
                one.p_data = content.as_mut_ptr().cast();
            }
            get(device, info, &mut count, found.as_mut_ptr()).result()?;
            let sections = found.iter().zip(contents).map(|(one, content)| {
                let content = String::from_utf8_lossy(&content);
                Ok(format!("==== {}\n{}\n", text_of(&one.name)?, content.trim_end_matches('\0')))
            });
            sections.collect()
        }
    }
}

fn text_of(name: &[c_char]) -> Result<String, Failure> {
    let bytes: Vec<u8> = name.iter().map(|&c| c as u8).collect();
    Ok(CStr::from_bytes_until_nul(&bytes)?.to_string_lossy().into_owned())
}

/// # Safety
///
/// The adapter is one of the instance.
unsafe fn open_device(
    instance: &ash::Instance,
    adapter: vk::PhysicalDevice,
) -> Result<(ash::Device, khr::pipeline_executable_properties::Device), Failure> {
    // SAFETY: only extensions and features that the adapter has are enabled.
    unsafe {
        let extensions = instance.enumerate_device_extension_properties(adapter)?;
        let has = |name: &CStr| extensions.iter().any(|e| e.extension_name_as_c_str() == Ok(name));
        if !has(khr::pipeline_executable_properties::NAME) {
            return Err("the driver shows nothing of what it compiles".into());
        }
        let (robust, matrices) = (has(ext::robustness2::NAME), has(khr::cooperative_matrix::NAME));
        let mut enabled = vec![khr::pipeline_executable_properties::NAME.as_ptr()];
        if robust {
            enabled.push(ext::robustness2::NAME.as_ptr());
        }
        if matrices {
            enabled.push(khr::cooperative_matrix::NAME.as_ptr());
        }

        let there = features(instance, adapter);
        let core = vk::PhysicalDeviceFeatures::default()
            .robust_buffer_access(true)
            .shader_int16(there.int16);
        let mut of11 = vk::PhysicalDeviceVulkan11Features::default()
            .storage_buffer16_bit_access(there.storage16)
            .uniform_and_storage_buffer16_bit_access(there.uniform16);
        let mut of12 = vk::PhysicalDeviceVulkan12Features::default()
            .shader_float16(there.float16)
            .shader_int8(there.int8)
            .vulkan_memory_model(there.memory_model)
            .vulkan_memory_model_device_scope(there.memory_model_device);
        let mut of13 = vk::PhysicalDeviceVulkan13Features::default()
            .subgroup_size_control(there.subgroup_size_control)
            .shader_integer_dot_product(there.integer_dot_product)
            .shader_zero_initialize_workgroup_memory(there.zero_initialize);
        let mut robustness =
            vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
        let mut executable = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
            .pipeline_executable_info(true);
        let mut matrix =
            vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
        let queue =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
        let mut create = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queue)
            .enabled_extension_names(&enabled)
            .enabled_features(&core)
            .push_next(&mut of11)
            .push_next(&mut of12)
            .push_next(&mut of13)
            .push_next(&mut executable);
        if robust {
            create = create.push_next(&mut robustness);
        }
        if matrices {
            create = create.push_next(&mut matrix);
        }
        let device = instance.create_device(adapter, &create, None)?;
        let executables = khr::pipeline_executable_properties::Device::new(instance, &device);
        Ok((device, executables))
    }
}

/// # Safety
///
/// The adapter is one of the instance.
unsafe fn features(instance: &ash::Instance, adapter: vk::PhysicalDevice) -> Features {
    let mut of11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut of12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut of13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut all = vk::PhysicalDeviceFeatures2::default()
        .push_next(&mut of11)
        .push_next(&mut of12)
        .push_next(&mut of13);
    // SAFETY: the structures live until the call returns.
    unsafe { instance.get_physical_device_features2(adapter, &mut all) };
    let int16 = all.features.shader_int16 == vk::TRUE;
    Features {
        int16,
        storage16: of11.storage_buffer16_bit_access == vk::TRUE,
        uniform16: of11.uniform_and_storage_buffer16_bit_access == vk::TRUE,
        float16: of12.shader_float16 == vk::TRUE,
        int8: of12.shader_int8 == vk::TRUE,
        memory_model: of12.vulkan_memory_model == vk::TRUE,
        memory_model_device: of12.vulkan_memory_model_device_scope == vk::TRUE,
        subgroup_size_control: of13.subgroup_size_control == vk::TRUE,
        integer_dot_product: of13.shader_integer_dot_product == vk::TRUE,
        zero_initialize: of13.shader_zero_initialize_workgroup_memory == vk::TRUE,
    }
}
