//! A long run holds no more at its end than once it had settled. Here every allocation is counted; `scripts/soak` takes 2,000 steps, and
//! watches the page through as many.

#[expect(dead_code, reason = "the sessions of the findings' tests, of which not all is used here")]
mod atlas;

use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use atlas::*;
use driftscope::engine::Backend;
use driftscope::gpu::Gpu;
use driftscope::lab::{Slice, Texts};
use driftscope::record::*;
use pollster::block_on;

/// The system's allocator, and how many bytes are held.
struct Counting;

static HELD: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as i64, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as i64, Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What tables, queues and threads of dependencies may take by and by, in bytes; all of a run's trained tensors are 100 times as many.
const SLACK: i64 = 100_000;

/// Every kind of arm, measured five times. They learn so slowly that they go on to say what the base says: where an answer gets another
/// length another plan is made for it, of which there are a few.
fn settings() -> Settings {
    let steps = std::env::var("SOAK_STEPS").map_or(30, |steps| steps.parse().unwrap());
    let arm = |id: &str, arm: ArmSpec| ArmSpec { id: id.into(), label: id.into(), lr: 1e-7, ..arm };
    let dora = Method::Lora(LoraSpec { dora: true, ..LoraSpec::default() });
    let near = Regularisers { kl_to_base: 0.1, ..Regularisers::default() };
    let arms = vec![
        arm("lora", lora()),
        arm("dora", ArmSpec { method: dora, ..lora() }),
        arm("full", full()),
        arm("near", ArmSpec { regularisers: near, ..full() }),
    ];
    let few = Settings { probes: 2, asked: 2, shift_prompts: 1, answer_len: 4, ..short() };
    Settings { arms, steps, measure_every: steps / 5, batch: 2, max_len: 32, ..few }
}

/// Bytes of the device's memory that are in use, by its allocator.
fn held_by(gpu: &Gpu) -> i64 {
    block_on(gpu.wait()).unwrap(); // what was dropped goes once the work that uses it is done
    gpu.device.generate_allocator_report().unwrap().total_allocated_bytes as i64
}

/// Bytes of the process and of the GPU that are held after each measurement of all arms.
fn soak(backend: Backend, gpu: Option<&Gpu>) -> Vec<(u32, i64, i64)> {
    let mut session = session_on(backend.clone());
    let (title, config, weights) = RandomModel { shape: BenchShape::Atlas, layers: Some(1) }.build().unwrap();
    session.subject.base = backend.load(&config, weights).unwrap();
    session.subject.title = title;
    let heldout = texts().heldout.lines().take(2).map(|line| format!("{line}\n")).collect();
    block_on(session.start(settings(), &Texts { heldout, ..texts() })).unwrap();
    let mut all = Vec::new();
    while let Some(events) = block_on(session.advance(Slice::WHOLE)).unwrap() {
        let measured = events.iter().find_map(|event| match event {
            Event::Measure(measure) if measure.arm == "near" => Some(measure.step),
            _ => None,
        });
        drop(events);
        let Some(step) = measured else { continue };
        let on_gpu = gpu.map_or(0, held_by);
        let held = HELD.load(Relaxed);
        println!("step {step}: {:.2} MB, on the GPU {:.2} MB", held as f64 / 1e6, on_gpu as f64 / 1e6);
        all.push((step, held, on_gpu));
    }
    all
}

/// One after the other: what is held is the process's.
#[test]
fn memory_is_flat() {
    let gpu = Rc::new(block_on(Gpu::new()).unwrap());
    let backends = [(Backend::Cpu, None), (Backend::Gpu(gpu.clone()), Some(&*gpu))];
    for all in backends.map(|(backend, gpu)| soak(backend, gpu)) {
        // The last measurement also holds conversations, for which other plans are made.
        let [.., (_, settled, settled_on_gpu), _, (_, end, end_on_gpu), (step, ..)] = all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(step, settings().steps);
        assert!(end - settled < SLACK, "{all:?}");
        assert!(end_on_gpu - settled_on_gpu < SLACK, "{all:?}");
    }
}
