//! Compute shaders and the pipelines compiled from them.

use std::cell::RefCell;
use std::collections::HashMap;

/// A compute shader and how many buffers it binds: the uniform at 0, then the read-only inputs, then
/// the read-write outputs. Its entry point is `main`.
#[derive(Debug)]
pub struct Kernel {
    /// The file's stem in `shaders/`.
    pub name: &'static str,
    /// Stems in `shaders/parts/` of what goes before it.
    pub parts: &'static [&'static str],
    pub source: &'static str,
    pub inputs: usize,
    pub outputs: usize,
}

/// A kernel and the bits of its override constants.
type PipelineKey = (KernelKey, Vec<(&'static str, u64)>);

/// A kernel's name and parts.
type KernelKey = (&'static str, &'static [&'static str]);

/// What was compiled on a device so far.
pub(crate) struct Pipelines {
    device: wgpu::Device,
    compiled: RefCell<HashMap<PipelineKey, wgpu::ComputePipeline>>,
    /// Sources compiled in the place of a kernel's own.
    replaced: RefCell<HashMap<KernelKey, String>>,
    layouts: RefCell<HashMap<(usize, usize), wgpu::BindGroupLayout>>,
}

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        Self {
            device: device.clone(),
            compiled: RefCell::default(),
            replaced: RefCell::default(),
            layouts: RefCell::default(),
        }
    }

    /// Binding 0 the uniform, then `inputs` read-only and `outputs` read-write storage buffers.
    pub(crate) fn layout(&self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let key = (kernel.inputs, kernel.outputs);
        let mut layouts = self.layouts.borrow_mut();
        let layout = layouts.entry(key).or_insert_with(|| {
            let entry = |binding: usize| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match binding {
                        0 => wgpu::BufferBindingType::Uniform,
                        b => wgpu::BufferBindingType::Storage { read_only: b <= kernel.inputs },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            };
            let entries: Vec<_> = (0..=kernel.inputs + kernel.outputs).map(entry).collect();
            self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("kernel"),
                entries: &entries,
            })
        });
        layout.clone()
    }

    pub(super) fn replace_source(&self, kernel: &Kernel, source: String) {
        let replaced = (kernel.name, kernel.parts);
        self.compiled.borrow_mut().retain(|key, _| key.0 != replaced);
        self.replaced.borrow_mut().insert(replaced, source);
    }

    pub(crate) fn count(&self) -> usize {
        self.compiled.borrow().len()
    }

    /// The pipeline of a kernel with these override constants, compiled at its first use.
    pub(crate) fn get(&self, kernel: &Kernel, overrides: &[(&'static str, f64)]) -> wgpu::ComputePipeline {
        let bits = overrides.iter().map(|(n, v)| (*n, v.to_bits())).collect();
        let key = ((kernel.name, kernel.parts), bits);
        if let Some(pipeline) = self.compiled.borrow().get(&key) {
            return pipeline.clone();
        }
        let replaced = self.replaced.borrow();
        let source = replaced.get(&key.0).map_or(kernel.source, String::as_str);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&self.layout(kernel))],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: overrides,
                // Every kernel writes its shared memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.compiled.borrow_mut().insert(key, pipeline.clone());
        pipeline
    }
}
