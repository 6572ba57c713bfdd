// dgate = dh up s (1 + gate (1 - s)),  dup = dh gate s,  s = sigmoid(gate)
// gate_up, dgate_up (N,2F) with the gate first; dh (N,F). One thread per value V of dh.

struct Uniforms {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> gate_up: array<V>;
@group(0) @binding(2) var<storage, read> dh: array<V>;
@group(0) @binding(3) var<storage, read_write> dgate_up: array<V>;

// The bound keeps exp finite: WGSL leaves infinities undefined.
fn sigmoid(x: V) -> V {
    return 1.0 / (1.0 + exp(-max(x, V(-80.0))));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    let width = u.width / LANES;
    if i >= u.rows * width { return; }
    let at = i + i / width * width;
    let gate = gate_up[at];
    let s = sigmoid(gate);
    dgate_up[at] = dh[i] * gate_up[at + width] * s * (1.0 + gate * (1.0 - s));
    dgate_up[at + width] = dh[i] * gate * s;
}
