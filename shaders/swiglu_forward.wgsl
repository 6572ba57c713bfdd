// h[n,c] = gate sigmoid(gate) up,  gate = gate_up[n,c],  up = gate_up[n,F+c]
// gate_up (N,2F); h (N,F). One thread per value V of h.

struct Uniforms {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> gate_up: array<V>;
@group(0) @binding(2) var<storage, read_write> h: array<V>;

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
    h[i] = gate * sigmoid(gate) * gate_up[at + width];
}
