// Log-sum-exp of rows whose columns come chunk by chunk: after the last of them nll[n] as in cross_entropy_forward.
// logits (S,W): the columns v = start .. start+W of (S,V); targets (S), 0xffffffff gives nll 0
// state (S): largest logit so far, Σ exp(logit - largest) so far, the target's logit once seen, 0; nll (S), nats
// start = 0 begins anew. SLICES threads share a row n.

struct Uniforms {
    rows: u32,
    width: u32,
    start: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> nll: array<f32>;

// Four columns a round: Mesa's llvmpipe ends all loops of a thread after 65,535 rounds in sum.
// Past the end the last logit again.
fn four(row: u32, v: u32) -> vec4f {
    let at = row + min(vec4u(v, v + 1u, v + 2u, v + 3u), vec4u(u.width - 1u));
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
        let is_there = vec4u(v, v + 1u, v + 2u, v + 3u) < vec4u(u.width);
        sum += dot(select(vec4f(), exp(four(row, v) - largest), is_there), vec4f(1.0));
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let row = n * u.width;
    let target_id = targets[n];
    let is_counted = target_id != 0xffffffffu;
    let columns = select(0u, u.width, is_counted);
    var before = vec4f(-1e30, 0.0, 0.0, 0.0);
    if u.start > 0u { before = state[n]; } // read by all before one thread stores
    let largest = max(before.x, row_max(t, largest_of(row, slice, columns)));
    let sum = before.y * exp(before.x - largest) + row_sum(t, mass(row, slice, columns, largest));
    if index >= u.rows || slice > 0u { return; }
    if !is_counted {
        state[n] = vec4f(0.0, 1.0, 0.0, 0.0);
        nll[n] = 0.0;
        return;
    }
    var own = before.z;
    if target_id >= u.start && target_id - u.start < u.width {
        own = logits[row + target_id - u.start];
    }
    state[n] = vec4f(largest, sum, own, 0.0);
    nll[n] = log(sum) - (own - largest);
}
