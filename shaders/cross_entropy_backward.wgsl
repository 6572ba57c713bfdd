// logits[n,v] = (softmax(logits[n])[v] - [v = target]) / targets that count: the gradient in the place of the logits
// nll[n] as in cross_entropy_forward. Rows with target 0xffffffff become 0.
// targets (N); logits (N,V) in place; nll (N), nats. SLICES threads share a row n; the row's maximum is subtracted.

struct Uniforms {
    rows: u32,
    vocab: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> nll: array<f32>;

// Four columns a round: Mesa's llvmpipe ends all loops of a thread after 65,535 rounds in sum.
// Past the end the last logit again.
fn four(row: u32, v: u32) -> vec4f {
    let at = row + min(vec4u(v, v + 1u, v + 2u, v + 3u), vec4u(u.vocab - 1u));
    return vec4f(logits[at.x], logits[at.y], logits[at.z], logits[at.w]);
}

// Of the thread's share of a row of that many columns.
fn largest_of(row: u32, slice: u32, columns: u32) -> f32 {
    var largest = vec4f(-1e30);
    for (var v = 4u * slice; v < columns; v += 4u * SLICES) {
        largest = max(largest, four(row, v));
    }
    return max(max(largest.x, largest.y), max(largest.z, largest.w));
}

// Σ exp(logit - largest)
fn mass(row: u32, slice: u32, columns: u32, largest: f32) -> f32 {
    var sum = 0.0;
    for (var v = 4u * slice; v < columns; v += 4u * SLICES) {
        let is_there = vec4u(v, v + 1u, v + 2u, v + 3u) < vec4u(u.vocab);
        sum += dot(select(vec4f(), exp(four(row, v) - largest), is_there), vec4f(1.0));
    }
    return sum;
}

fn store(row: u32, v: u32, value: f32) {
    if v < u.vocab { logits[row + v] = value; }
}

fn store_four(row: u32, v: u32, values: vec4f) {
    store(row, v, values.x);
    store(row, v + 1u, values.y);
    store(row, v + 2u, values.z);
    store(row, v + 3u, values.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let row = n * u.vocab;
    let target_id = targets[n];
    let is_counted = target_id != 0xffffffffu;
    let columns = select(0u, u.vocab, is_counted);
    let own = logits[row + min(target_id, u.vocab - 1u)]; // read by all before any thread stores
    let largest = row_max(t, largest_of(row, slice, columns));
    let sum = row_sum(t, mass(row, slice, columns, largest));
    if index >= u.rows { return; }
    if slice == 0u { nll[n] = select(0.0, log(sum) - (own - largest), is_counted); }
    for (var v = 4u * slice; v < u.vocab; v += 4u * SLICES) {
        let p = exp(four(row, v) - largest) / sum;
        let is_target = vec4u(v, v + 1u, v + 2u, v + 3u) == vec4u(target_id);
        let gradient = (p - select(vec4f(), vec4f(1.0), is_target)) * now.inv_targets;
        store_four(row, v, select(vec4f(), gradient, is_counted));
    }
}
