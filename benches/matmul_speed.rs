//! GFLOP/s of every matmul variant at the shapes of training a small model, and of a 512 cube:
//! `cargo bench --bench matmul_speed [rows]`. Where other programs are running, it shows their load.

use driftscope::gpu::{Gpu, PlanBuilder, Slice};
use driftscope::kernels::{Layout, LoraGroups, Matmul, Share, Variant};
use web_time::Instant;

/// Shortest of three runs of a plan of equal dispatches, in seconds per dispatch.
fn seconds(gpu: &Gpu, probe: &Slice, record: impl Fn(&mut PlanBuilder)) -> f64 {
    let repeats = if gpu.is_software() { 1 } else { 50 };
    let mut plan = PlanBuilder::new(gpu);
    (0..repeats).for_each(|_| record(&mut plan));
    let plan = plan.finish("speed");
    let run = || {
        let start = Instant::now();
        plan.submit(gpu);
        pollster::block_on(gpu.read::<f32>(&probe.sub(0, 1))).expect("the plan runs");
        start.elapsed().as_secs_f64() / f64::from(repeats)
    };
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let gpu = pollster::block_on(Gpu::new()).expect("an adapter");
    let rows: u32 = std::env::args().nth(1).map_or(512, |m| m.parse().expect("a number of rows"));
    println!("{} ({:?}), M = {rows}", gpu.info.name, gpu.info.device_type);
    let buffers: Vec<_> =
        (0..5).map(|_| gpu.upload("speed", &vec![0.5f32; 2 << 20]).expect("memory")).collect();
    let [a, b, p, q, out] = buffers.as_slice() else { unreachable!() };

    println!("{:28}{:>10}{:>10}{:>10}{:>10}  GFLOP/s", "", "register", "tiled", "sliced", "scalar");
    let weights = [(384, 192, 3), (192, 192, 1), (1280, 192, 2), (192, 640, 1), (2048, 192, 1)];
    let lora = |n: u32, groups: u32| {
        let first = if groups == 1 { n } else { n / 2 };
        LoraGroups { rank: 8, groups, bounds: [first, (first + n) / 2, n], scale: 2.0 }
    };
    let mut table: Vec<(String, Matmul, Option<LoraGroups>)> = Vec::new();
    for (n, k, groups) in weights {
        let adapter = lora(n, groups);
        table.push((format!("forward ({n},{k})"), Matmul::new(Layout::Nt, rows, n, k), None));
        table.push(("  with LoRA".into(), Matmul::new(Layout::Nt, rows, n, k), Some(adapter)));
        table.push((format!("dx ({n},{k})"), Matmul::new(Layout::Nn, rows, k, n), None));
        table.push(("  with LoRA".into(), Matmul::new(Layout::Nn, rows, k, n), Some(adapter)));
        table.push((format!("dw ({n},{k})"), Matmul::new(Layout::Tn, n, k, rows), None));
        let width = groups * adapter.rank;
        table.push(("  LoRA down".into(), Matmul::new(Layout::Nt, rows, width, k), None));
        table.push(("  LoRA da".into(), Matmul::new(Layout::Tn, width, k, rows), None));
    }
    for layout in [Layout::Nn, Layout::Nt, Layout::Tn] {
        table.push((format!("{layout:?} 512 cubed"), Matmul::new(layout, 512, 512, 512), None));
    }
    for m in [1, 8, 64] {
        table.push((format!("decode {m} (2048,192)"), Matmul::new(Layout::Nt, m, 2048, 192), None));
    }
    for (name, op, lora) in table {
        let rank = lora.map_or(0, |l| l.rank * if op.layout == Layout::Nn { l.groups } else { 1 });
        let flops = 2.0 * f64::from(op.m) * f64::from(op.n) * f64::from(op.k + rank);
        print!("{name:28}");
        for variant in Variant::ALL {
            let launch = op.force(variant).launch(&gpu, lora);
            let time = seconds(&gpu, out, |plan| launch.record(plan, [a, b, p, q], out));
            print!("{:>10.2}", flops / time / 1e9);
        }
        println!();
    }

    println!("{:28}{:>10}{:>10}  GFLOP/s", "", "threads", "tiles");
    for (n, _, groups) in weights {
        let op = lora(n, groups);
        let flops = 4.0 * f64::from(rows) * f64::from(n) * f64::from(op.rank);
        print!("{:28}", format!("LoRA backward_output {n}"));
        for share in Share::ALL {
            gpu.choose(|choices| choices.share = share);
            let record = |plan: &mut PlanBuilder| op.backward_output(plan, rows, n, a, b, p, q, out);
            print!("{:>10.2}", flops / seconds(&gpu, out, record) / 1e9);
        }
        println!();
    }
}
