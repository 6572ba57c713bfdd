// h[n,c] = gate sigmoid(gate) up,  gate = gate_up[n,c],  up = gate_up[n,F+c];  xa[n,r] = Σ_c h[n,c] * a[r,c]
// gate_up (N,2F); a (R,F); h (N,F); xa (N,R): what LoRA's A makes of h, while h is at hand. A thread owns 4 n's,
// 4 r's and every SLICES-th value V of their sums; the workgroup adds the slices. The first r's threads store h.

struct Uniforms {
    rows: u32,
    width: u32,
    rank: u32,
}

override THREADS: u32 = 128u; // of a workgroup, at most 128
override SLICES: u32 = 32u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> gate_up: array<V>;
@group(0) @binding(2) var<storage, read> a: array<V>;
@group(0) @binding(3) var<storage, read_write> h: array<V>;
@group(0) @binding(4) var<storage, read_write> xa: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // (THREADS / SLICES, SLICES)

// The bound keeps exp finite: WGSL leaves infinities undefined.
fn sigmoid(x: V) -> V {
    return 1.0 / (1.0 + exp(-max(x, V(-80.0))));
}

// h for the gate at index `at` of gate_up, with up `up` places further on: as in swiglu_forward, to the last bit.
fn gated(at: u32, up: u32) -> V {
    let gate = gate_up[at];
    return gate * sigmoid(gate) * gate_up[at + up];
}

// A row's share of four sums.
fn share(value: V, a0: V, a1: V, a2: V, a3: V) -> vec4f {
    return vec4f(total(value * a0), total(value * a1), total(value * a2), total(value * a3));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let n = ((wid.x + wid.z * groups.x) * (THREADS / SLICES) + t / SLICES) * 4u;
    let r = wid.y * 4u;
    let width = u.width / LANES;
    // Past the end the last row and rank again: the rows of one thread, which stores what it stored before.
    let rows = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(u.rows - 1u)) * width;
    let ranks = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u)) * width;
    let is_stored = r == 0u && n < u.rows;

    var sum = mat4x4f(); // column i is row n+i
    for (var c = slice; c < width; c += SLICES) {
        let at = 2u * rows + c;
        let v0 = gated(at.x, width);
        let v1 = gated(at.y, width);
        let v2 = gated(at.z, width);
        let v3 = gated(at.w, width);
        if is_stored {
            h[rows.x + c] = v0;
            h[rows.y + c] = v1;
            h[rows.z + c] = v2;
            h[rows.w + c] = v3;
        }
        let at_a = ranks + c;
        let a0 = a[at_a.x];
        let a1 = a[at_a.y];
        let a2 = a[at_a.z];
        let a3 = a[at_a.w];
        sum += mat4x4f(share(v0, a0, a1, a2, a3), share(v1, a0, a1, a2, a3), share(v2, a0, a1, a2, a3), share(v3, a0, a1, a2, a3));
    }
    if SLICES > 1u {
        partial[t] = sum;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if slice < half { partial[t] += partial[t + half]; }
            workgroupBarrier();
        }
        sum = partial[t];
    }
    if slice == 0u {
        for (var i = 0u; i < min(4u, u.rows - min(n, u.rows)); i++) {
            for (var e = 0u; e < min(4u, u.rank - r); e++) { xa[(n + i) * u.rank + r + e] = sum[i][e]; }
        }
    }
}
