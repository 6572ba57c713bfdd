//! The adapter, its device, buffers and read-back.

use std::cell::{Cell, Ref, RefCell};
use std::sync::{Arc, Mutex};

use wgpu::util::DeviceExt;

use super::buffer::{Buffer, Slice};
use super::choices::{Choices, Share};
use super::memory::allocation;
use super::pipelines::{Kernel, Pipelines};
use crate::error::{Error, Result};

/// Read-back buffers of at most this many bytes are kept for later reads.
const STAGING: u64 = 1 << 20;

/// Bytes written at a time: a browser makes one or two more copies of each part on its way to the device.
const PART: usize = 1 << 20;

/// What went to and from the device so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub submits: u64,
    /// Bytes written by the queue into buffers that exist already.
    pub written: u64,
    /// Bytes read back.
    pub read: u64,
}

/// A device with its queue and the pipelines compiled so far.
pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    choices: RefCell<Choices>,
    pipelines: Pipelines,
    /// Bytes of all storage buffers made so far, those dropped since included.
    allocated: Cell<u64>,
    traffic: Cell<Traffic>,
    /// Read-back buffers that no read uses now.
    staging: RefCell<Vec<Buffer>>,
    /// Number of read-back buffers made so far.
    staged: Cell<u64>,
    /// First uncaptured error or loss; the next wait reports it.
    failure: Arc<Mutex<Option<Error>>>,
}

impl Gpu {
    /// The default adapter with its own limits for buffer sizes and the default ones for all else.
    ///
    /// # Errors
    /// [`Error::Gpu`] when there is no WebGPU, no adapter, or the device is refused.
    pub async fn new() -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..Default::default()
            })
            .await
            .map_err(no_adapter)?;
        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("driftscope"),
                required_limits: limits.clone(),
                ..Default::default()
            })
            .await
            .map_err(|e| Error::Gpu(format!("no device: {e}")))?;
        let failure = Arc::new(Mutex::new(None));
        watch(&device, &failure);
        let pipelines = Pipelines::new(&device);
        let gpu = Self {
            device,
            queue,
            info: adapter.get_info(),
            limits,
            choices: RefCell::default(),
            pipelines,
            allocated: Cell::new(0),
            traffic: Cell::default(),
            staging: RefCell::default(),
            staged: Cell::default(),
            failure,
        };
        match gpu.is_software() {
            true => gpu.choose(|choices| choices.share = Share::Tiles),
            false => super::exit::before_the_driver(),
        }
        Ok(gpu)
    }

    /// Whether the adapter is a program on the CPU (SwiftShader, lavapipe): barriers are slow there.
    pub fn is_software(&self) -> bool {
        let name = self.info.name.to_lowercase();
        self.info.device_type == wgpu::DeviceType::Cpu
            || ["swiftshader", "llvmpipe", "lavapipe"].iter().any(|s| name.contains(s))
    }

    /// How the kernels run on this adapter.
    pub fn choices(&self) -> Ref<'_, Choices> {
        self.choices.borrow()
    }

    /// Changes it for the plans made from now on.
    pub fn choose(&self, change: impl FnOnce(&mut Choices)) {
        change(&mut self.choices.borrow_mut());
    }

    /// The adapter's name, or what the browser says instead.
    pub fn name(&self) -> String {
        let i = &self.info;
        let known = [&i.name, &i.driver, &i.driver_info].into_iter().find(|s| !s.is_empty());
        known.map_or_else(|| "an adapter without a name".into(), String::clone)
    }

    /// The first error since the last call that no one could return where it happened.
    pub fn check(&self) -> Result<()> {
        let failure = self.failure.lock().ok().and_then(|mut f| f.take());
        failure.map_or(Ok(()), Err)
    }

    /// A zeroed storage buffer of `words` 4-byte words, rounded up to [`ALIGNMENT`](super::buffer::ALIGNMENT).
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when the adapter's limits do not allow a buffer of that size.
    pub fn buffer(&self, label: &str, words: usize) -> Result<Slice> {
        let (size, limit) = (words as u64 * 4, self.limits.max_buffer_size);
        if allocation(words) > limit {
            return Err(Error::OutOfMemory {
                buffer: label.into(),
                needed: size,
                limit,
                remedy: "Choose a smaller model, batch or length".into(),
            });
        }
        self.allocated.set(self.allocated.get() + allocation(words));
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: allocation(words),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Slice { buffer: buffer.into(), offset: 0, size: size.max(4) })
    }

    /// Bytes of all storage buffers made so far, those dropped since included.
    pub fn allocated(&self) -> u64 {
        self.allocated.get()
    }

    /// A storage buffer that holds `data` (f32 or u32 words).
    pub fn upload<T: bytemuck::Pod>(&self, label: &str, data: &[T]) -> Result<Slice> {
        let slice = self.buffer(label, data.len())?;
        self.write(&slice, data);
        Ok(slice)
    }

    /// Queues `data` to lie at the start of `slice` before the next submit.
    pub fn write<T: bytemuck::Pod>(&self, slice: &Slice, data: &[T]) {
        for (part, at) in bytemuck::cast_slice::<T, u8>(data).chunks(PART).zip((slice.offset..).step_by(PART))
        {
            self.queue.write_buffer(&slice.buffer, at, part);
        }
        self.note(Traffic { written: size_of_val(data) as u64, ..Traffic::default() });
    }

    /// Sends off what was written, so that the copies of it that wait for a submit can go.
    pub fn flush(&self) {
        self.queue.submit([]);
        #[cfg(not(target_arch = "wasm32"))]
        let _ = self.device.poll(wgpu::PollType::Poll);
    }

    /// What went to and from the device so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    fn note(&self, more: Traffic) {
        let now = self.traffic.get();
        self.traffic.set(Traffic {
            submits: now.submits + more.submits,
            written: now.written + more.written,
            read: now.read + more.read,
        });
    }

    /// In a browser, sends off the commands issued so far, which it otherwise gathers until the worker is idle.
    pub(crate) async fn send_off(&self) {
        #[cfg(target_arch = "wasm32")]
        {
            // A submit, even an empty one, has the browser flush in a microtask: ahead of the one waited for here.
            self.queue.submit([]);
            let nothing = js_sys::Promise::resolve(&wasm_bindgen::JsValue::UNDEFINED);
            let _ = wasm_bindgen_futures::JsFuture::from(nothing).await;
        }
    }

    pub(crate) fn submit(&self, encoder: wgpu::CommandEncoder) {
        self.queue.submit([encoder.finish()]);
        self.note(Traffic { submits: 1, ..Traffic::default() });
    }

    /// Waits for all submitted work.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] or [`Error::Gpu`] for whatever went wrong since the last wait.
    pub async fn wait(&self) -> Result<()> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            let _ = sender.send(());
        });
        #[cfg(not(target_arch = "wasm32"))]
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| Error::Gpu(e.to_string()))?;
        let done = receiver.await;
        self.check()?;
        done.map_err(|_| Error::DeviceLost("the wait was dropped".into()))
    }

    /// Queues a copy into a slice of the same size in another buffer.
    pub fn copy_into(&self, from: &Slice, to: &Slice) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&from.buffer, from.offset, &to.buffer, to.offset, from.size);
        self.submit(encoder);
    }

    pub(crate) fn uniform(&self, label: &str, bytes: &[u8]) -> Buffer {
        let usage = wgpu::BufferUsages::UNIFORM;
        let descriptor = wgpu::util::BufferInitDescriptor { label: Some(label), contents: bytes, usage };
        self.device.create_buffer_init(&descriptor).into()
    }

    /// Waits for all submitted work and copies the slices out, each as words of type `T`.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] or [`Error::Gpu`] for whatever went wrong since the last wait.
    pub async fn read_many<T: bytemuck::Pod>(&self, slices: &[&Slice]) -> Result<Vec<Vec<T>>> {
        let total = slices.iter().map(|s| s.size.next_multiple_of(4)).sum();
        let staging = self.staging(total);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut at = 0;
        for s in slices {
            encoder.copy_buffer_to_buffer(&s.buffer, s.offset, &staging, at, s.size);
            at += s.size;
        }
        self.submit(encoder);
        self.note(Traffic { read: total, ..Traffic::default() });
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.slice(..total).map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result);
        });
        // On the web the browser polls; natively somebody has to.
        #[cfg(not(target_arch = "wasm32"))]
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| Error::Gpu(e.to_string()))?;
        let mapped = receiver.await;
        self.check()?;
        match mapped {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(Error::DeviceLost(e.to_string())),
            Err(_) => return Err(Error::DeviceLost("the read-back was dropped".into())),
        }
        let view = staging.slice(..total).get_mapped_range().map_err(|e| Error::Gpu(e.to_string()))?;
        let mut at = 0;
        let out = slices.iter().map(|s| {
            let bytes = &view[at..at + s.size as usize];
            at += s.size as usize;
            bytemuck::pod_collect_to_vec(bytes)
        });
        let out = out.collect();
        drop(view);
        staging.unmap();
        if staging.size() <= STAGING {
            self.staging.borrow_mut().push(staging);
        }
        Ok(out)
    }

    /// A read-back buffer of at least `size` bytes, which belongs to one read until it puts it back. A read
    /// that fails or is dropped does not.
    fn staging(&self, size: u64) -> Buffer {
        let mut free = self.staging.borrow_mut();
        let smallest = free.iter().map(|b| b.size()).filter(|&has| has >= size).min();
        if let Some(at) = free.iter().position(|b| Some(b.size()) == smallest) {
            return free.swap_remove(at);
        }
        self.staged.set(self.staged.get() + 1);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            // Few sizes, so that a later read finds one that fits.
            size: if size <= STAGING { size.next_power_of_two().max(1 << 12) } else { size },
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        buffer.into()
    }

    pub(crate) fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }

    /// Number of pipelines compiled so far.
    pub fn compiled(&self) -> usize {
        self.pipelines.count()
    }

    /// From now on compiles `source` where `kernel` is asked for. The tests' negative controls break
    /// kernels with it and see that the comparison with the CPU twin notices.
    pub fn replace_source(&self, kernel: &Kernel, source: String) {
        self.pipelines.replace_source(kernel, source);
    }

    /// Number of read-back buffers made so far.
    pub fn staged(&self) -> u64 {
        self.staged.get()
    }

    /// [`Self::read_many`] of one slice.
    pub async fn read<T: bytemuck::Pod>(&self, slice: &Slice) -> Result<Vec<T>> {
        Ok(self.read_many(&[slice]).await?.swap_remove(0))
    }
}

/// Natively the error says what was tried; in a browser that would list only back ends this build is not for.
fn no_adapter(error: wgpu::RequestAdapterError) -> Error {
    let is_browser = cfg!(target_arch = "wasm32");
    Error::Gpu(if is_browser {
        "this browser offers no adapter".into()
    } else {
        format!("no adapter: {error}")
    })
}

/// Keeps the first error that the device reports outside a call.
fn watch(device: &wgpu::Device, failure: &Arc<Mutex<Option<Error>>>) {
    let keep = |failure: &Mutex<Option<Error>>, error: Error| {
        if let Ok(mut first) = failure.lock() {
            first.get_or_insert(error);
        }
    };
    let slot = failure.clone();
    device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
        keep(
            &slot,
            match e {
                wgpu::Error::OutOfMemory { .. } => Error::DeviceFull(e.to_string()),
                _ => Error::Gpu(e.to_string()),
            },
        );
    }));
    let slot = failure.clone();
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            keep(&slot, Error::DeviceLost(message));
        }
    });
}
