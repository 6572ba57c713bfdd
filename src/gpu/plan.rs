//! A plan: the dispatches of one forward, training or decoding step, bound once and replayed
//! in one compute pass and one submit.

use super::buffer::{ALIGNMENT, Buffer, Slice};
use super::device::Gpu;
use super::pipelines::Kernel;
use super::product::Product;
use crate::error::Result;

/// What a dispatch computes, for reports; nothing where it is no matrix product.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Operations of matrix products, a multiplication and an addition being two.
    pub flop: f64,
    /// The product, where it is one of the general kernels'.
    pub product: Option<Product>,
}

/// A dispatch is timed in copies, at most ten in one submit, that together take about this long: to wait for a
/// submit takes as long as a small dispatch or longer.
const TIMED_S: f64 = 0.05;

/// How long a dispatch took.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    pub label: &'static str,
    pub work: Work,
    pub seconds: f64,
}

struct Dispatch {
    label: &'static str,
    work: Work,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

/// A recorded sequence of dispatches with everything they are bound to.
pub struct Plan {
    dispatches: Vec<Dispatch>,
    /// The buffers that the dispatches are bound to, kept alive with the plan.
    _buffers: Vec<Buffer>,
}

impl Plan {
    /// Encodes the plan into one compute pass and submits it. Nothing is waited for.
    pub fn submit(&self, gpu: &Gpu) {
        self.submit_times(gpu, 1);
    }

    /// [`Self::submit`] of the plan several times over, in one pass and one submit.
    pub fn submit_times(&self, gpu: &Gpu, times: usize) {
        if self.dispatches.is_empty() || times == 0 {
            return;
        }
        encode(gpu, std::iter::repeat_n(&self.dispatches, times).flatten());
    }

    /// Times each dispatch by itself, small ones as a share of several in one submit. What a dispatch adds to or works
    /// on in place is worthless afterwards.
    pub async fn profile(&self, gpu: &Gpu) -> Result<Vec<Timed>> {
        let mut timed = Vec::with_capacity(self.dispatches.len());
        gpu.wait().await?;
        for d in &self.dispatches {
            let once = time(gpu, d, 1).await?;
            let copies = (TIMED_S / once) as usize;
            let seconds = if copies > 1 { time(gpu, d, copies.min(10)).await? } else { once };
            timed.push(Timed { label: d.label, work: d.work, seconds });
        }
        Ok(timed)
    }

    /// Number of dispatches.
    pub fn len(&self) -> usize {
        self.dispatches.len()
    }

    pub fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }

    /// The kernels in order, for reports and tests.
    pub fn labels(&self) -> impl Iterator<Item = &'static str> {
        self.dispatches.iter().map(|d| d.label)
    }

    /// What each dispatch computes.
    pub fn work(&self) -> impl Iterator<Item = Work> {
        self.dispatches.iter().map(|d| d.work)
    }
}

/// Seconds of a dispatch, from `copies` in one submit.
async fn time(gpu: &Gpu, dispatch: &Dispatch, copies: usize) -> Result<f64> {
    let begun = web_time::Instant::now();
    encode(gpu, std::iter::repeat_n(dispatch, copies));
    gpu.wait().await?;
    Ok(begun.elapsed().as_secs_f64() / copies as f64)
}

/// One compute pass and one submit.
fn encode<'a>(gpu: &Gpu, dispatches: impl IntoIterator<Item = &'a Dispatch>) {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for d in dispatches {
            pass.set_pipeline(&d.pipeline);
            pass.set_bind_group(0, &d.bindings, &[]);
            pass.dispatch_workgroups(d.workgroups[0], d.workgroups[1], d.workgroups[2]);
        }
    }
    gpu.submit(encoder);
}

struct Recorded {
    kernel: &'static Kernel,
    overrides: Vec<(&'static str, f64)>,
    work: Work,
    uniform: std::ops::Range<usize>,
    slices: Vec<Slice>,
    workgroups: [u32; 3],
}

/// Records dispatches; [`PlanBuilder::finish`] uploads their uniforms and binds them.
pub struct PlanBuilder<'a> {
    pub gpu: &'a Gpu,
    recorded: Vec<Recorded>,
    uniforms: Vec<u8>,
}

impl<'a> PlanBuilder<'a> {
    pub fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, recorded: Vec::new(), uniforms: Vec::new() }
    }

    /// Appends one dispatch. `inputs` and `outputs` are bound in this order after the uniform; a
    /// buffer must not be among both (WebGPU forbids it within a dispatch).
    pub fn dispatch<U: bytemuck::Pod>(
        &mut self,
        kernel: &'static Kernel,
        overrides: &[(&'static str, f64)],
        uniform: &U,
        inputs: &[&Slice],
        outputs: &[&Slice],
        workgroups: [u32; 3],
    ) {
        debug_assert_eq!(inputs.len(), kernel.inputs, "{}: inputs", kernel.name);
        debug_assert_eq!(outputs.len(), kernel.outputs, "{}: outputs", kernel.name);
        let start = self.uniforms.len();
        self.uniforms.extend_from_slice(bytemuck::bytes_of(uniform));
        // WebGPU sizes a uniform binding in multiples of 16 bytes and starts it at multiples of 256.
        let end = self.uniforms.len().next_multiple_of(16);
        self.uniforms.resize(end.next_multiple_of(ALIGNMENT as usize), 0);
        self.recorded.push(Recorded {
            kernel,
            overrides: overrides.to_vec(),
            work: Work::default(),
            uniform: start..end,
            slices: inputs.iter().chain(outputs).map(|&s| s.clone()).collect(),
            workgroups,
        });
    }

    /// Notes what the last dispatch computes.
    pub fn count(&mut self, work: Work) {
        if let Some(last) = self.recorded.last_mut() {
            last.work = work;
        }
    }

    /// [`Self::count`] of `flop` operations of a kernel of its own.
    pub fn count_flop(&mut self, flop: f64) {
        self.count(Work { flop, product: None });
    }

    /// [`Self::finish`] that sends off each pipeline by itself. A browser compiles in the process that also draws
    /// its pages: they stand still until the device is done with what it was sent.
    pub async fn finish_with_pauses(self, label: &str) -> Plan {
        for r in &self.recorded {
            let before = self.gpu.compiled();
            self.gpu.pipelines().get(r.kernel, &r.overrides);
            if self.gpu.compiled() > before {
                self.gpu.send_off().await;
            }
        }
        self.finish(label)
    }

    /// Compiles what no plan has used before, uploads all uniforms in one buffer and creates the bind groups.
    pub fn finish(self, label: &str) -> Plan {
        let gpu = self.gpu;
        let uniforms = gpu.uniform(label, &self.uniforms);
        let mut buffers = vec![uniforms.clone()];
        for slice in self.recorded.iter().flat_map(|r| &r.slices) {
            if !buffers.iter().any(|buffer| buffer.is(&slice.buffer)) {
                buffers.push(slice.buffer.clone());
            }
        }
        let bind = |r: Recorded| {
            let uniform = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &uniforms,
                offset: r.uniform.start as u64,
                size: wgpu::BufferSize::new(r.uniform.len() as u64),
            });
            let resources = std::iter::once(uniform).chain(r.slices.iter().map(Slice::binding));
            let entries: Vec<_> = resources
                .enumerate()
                .map(|(i, resource)| wgpu::BindGroupEntry { binding: i as u32, resource })
                .collect();
            let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(r.kernel.name),
                layout: &gpu.pipelines().layout(r.kernel),
                entries: &entries,
            });
            let pipeline = gpu.pipelines().get(r.kernel, &r.overrides);
            let Recorded { kernel, work, workgroups, .. } = r;
            Dispatch { label: kernel.name, work, pipeline, bindings, workgroups }
        };
        let dispatches = self.recorded.into_iter().map(bind).collect();
        Plan { dispatches, _buffers: buffers }
    }
}
