//! What a compiler for hardware makes of the kernels. Mesa's driver for AMD compiles for a card that is not there: no
//! machine needs a GPU to see that a kernel's variables fit its registers. One that spills pays for memory at every use.

use std::collections::BTreeMap;
use std::process::Command;

use ash::vk;
use driftscope::gpu::Kernel;
use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Mesa's name of the card: a Radeon RX 6800, with 256 registers a thread at most, as many as an NVIDIA card has.
const CARD: &str = "navi21";
const DRIVER: &str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json";
/// What every adapter has.
const WORKGROUP_BYTES: u64 = 16_384;

/// Kernels of software adapters alone.
const SOFTWARE: [&str; 6] = [
    "attention_row",
    "attention_tiles_backward_kv",
    "attention_tiles_backward_q",
    "attention_tiles_forward",
    "lora_tiles_backward_output",
    "matmul_register",
];

/// Override constants that take the most registers. Others that have no default are 1.
const OVERRIDES: [(&str, f64); 3] = [("head_dim", 128.0), ("WIDE", 1.0), ("LAYOUT", 1.0)];

/// As wgpu compiles it, checks of bounds and loops included.
fn spirv(kernel: &Kernel) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(kernel.source).unwrap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).unwrap();
    let value = |o: &naga::Override| {
        let name = o.name.clone()?;
        let known = OVERRIDES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        Some((name, known.or(o.init.is_none().then_some(1.0))?))
    };
    let constants = module.overrides.iter().filter_map(|(_, o)| value(o)).collect();
    let entry = Some((naga::ShaderStage::Compute, "main"));
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, entry, &constants).unwrap();
    let checked = naga::proc::BoundsCheckPolicy::Restrict;
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: naga::proc::BoundsCheckPolicies { index: checked, ..Default::default() },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    let main = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: "main".into() };
    spv::write_vec(&module, &info, &options, Some(&main)).unwrap()
}

/// The driver's figures by their names.
type Figures = BTreeMap<String, u64>;

/// # Safety
/// The driver is Mesa's, for a card that is not there: nothing runs.
unsafe fn compiled(kernels: &[&'static Kernel]) -> Vec<Figures> {
    // SAFETY: as the functions that are called ask for; what is created goes with the process.
    unsafe {
        let entry = ash::Entry::load().unwrap();
        let version = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_2);
        let info = vk::InstanceCreateInfo::default().application_info(&version);
        let instance = entry.create_instance(&info, None).unwrap();
        let adapter = instance.enumerate_physical_devices().unwrap()[0];
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
        let names = [ash::khr::pipeline_executable_properties::NAME.as_ptr()];
        let mut wanted = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
            .pipeline_executable_info(true);
        let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues).push_next(&mut wanted);
        let device = instance.create_device(adapter, &info.enabled_extension_names(&names), None).unwrap();
        let asked = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
        let figures = |kernel: &&'static Kernel| {
            let words = spirv(kernel);
            let info = vk::ShaderModuleCreateInfo::default().code(&words);
            let module = device.create_shader_module(&info, None).unwrap();
            let binding = |b: u32| {
                let ty = match b {
                    0 => vk::DescriptorType::UNIFORM_BUFFER,
                    _ => vk::DescriptorType::STORAGE_BUFFER,
                };
                let stage = vk::ShaderStageFlags::COMPUTE;
                vk::DescriptorSetLayoutBinding::default()
                    .binding(b)
                    .descriptor_count(1)
                    .descriptor_type(ty)
                    .stage_flags(stage)
            };
            let bindings: Vec<_> = (0..=(kernel.inputs + kernel.outputs) as u32).map(binding).collect();
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [device.create_descriptor_set_layout(&info, None).unwrap()];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&info, None).unwrap();
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
            let info = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout).flags(flags)];
            let made = device.create_compute_pipelines(vk::PipelineCache::null(), &info, None).unwrap();
            let of = vk::PipelineExecutableInfoKHR::default().pipeline(made[0]);
            let figures = asked.get_pipeline_executable_statistics(&of).unwrap();
            let named = |s: &vk::PipelineExecutableStatisticKHR| {
                (s.name_as_c_str().unwrap().to_str().unwrap().to_owned(), s.value.u64)
            };
            figures.iter().map(named).collect()
        };
        kernels.iter().map(figures).collect()
    }
}

fn report() {
    let kernels = each!(cases).map(|case| case.kernel).filter(|k| !SOFTWARE.contains(&k.name));
    let kernels: Vec<&'static Kernel> = kernels.collect();
    // SAFETY: the environment names Mesa's driver and a card.
    let figures = unsafe { compiled(&kernels) };
    println!("| Kernel | Registers | Workgroup memory, bytes | Instructions |\n|---|---|---|---|");
    for (kernel, figures) in kernels.iter().zip(&figures) {
        let of = |name: &str| figures.get(name).copied().unwrap_or_else(|| panic!("no {name}: {figures:?}"));
        let lanes = if kernel.parts.contains(&"quads") { ", quads" } else { "" };
        let (registers, memory) = (of("VGPRs"), of("LDS size"));
        println!("| {}{lanes} | {registers} | {memory} | {} |", kernel.name, of("Instructions"));
        assert_eq!((of("Spilled VGPRs"), of("Scratch size")), (0, 0), "{}{lanes} spills", kernel.name);
        assert!(memory <= WORKGROUP_BYTES, "{}{lanes}: {memory} bytes", kernel.name);
    }
}

/// Another process, for a process loads its drivers once. The table is in docs/gpu.md.
#[test]
fn no_kernel_spills() {
    if std::env::var_os("RADV_FORCE_FAMILY").is_some() {
        return report();
    }
    if !std::path::Path::new(DRIVER).exists() {
        println!("Mesa's driver for AMD is not here: nothing was compiled");
        return;
    }
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["registers::no_kernel_spills", "--exact", "--nocapture"]);
    process.env("VK_DRIVER_FILES", DRIVER).env("RADV_FORCE_FAMILY", CARD);
    let output = process.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
