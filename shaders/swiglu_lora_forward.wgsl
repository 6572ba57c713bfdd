// h[n,c] = gate sigmoid(gate) up,  gate = gate_up[n,c],  up = gate_up[n,F+c];  xa[n,r] = Σ_c h[n,c] * a[r,c]
// gate_up (N,2F); a (R,F); h (N,F); xa (N,R): what LoRA's A makes of h, while h is at hand. A thread owns 4 n's,
// 4 r's and every SLICES-th c of their sums; the workgroup adds the slices. The first r's threads store h.

struct Uniforms {
    rows: u32,
    width: u32,
    rank: u32,
}

override THREADS: u32 = 128u; // of a workgroup, at most 128
override SLICES: u32 = 32u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> gate_up: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read_write> h: array<f32>;
@group(0) @binding(4) var<storage, read_write> xa: array<f32>;

var<workgroup> partial: array<mat4x4f, 128>; // (THREADS / SLICES, SLICES)

fn four(at: vec4u) -> vec4f { return vec4f(gate_up[at.x], gate_up[at.y], gate_up[at.z], gate_up[at.w]); }

// The bound keeps exp finite: WGSL leaves infinities undefined.
fn sigmoid(x: vec4f) -> vec4f {
    return 1.0 / (1.0 + exp(-max(x, vec4f(-80.0))));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads read neighbouring columns
    let n = ((wid.x + wid.z * groups.x) * (THREADS / SLICES) + t / SLICES) * 4u;
    let r = wid.y * 4u;
    let rows = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(u.rows - 1u));
    let ranks = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u)) * u.width;
    let stored = select(0u, min(4u, u.rows - min(n, u.rows)), r == 0u);

    var sum = mat4x4f(); // column i is row n+i
    for (var c = slice; c < u.width; c += SLICES) {
        let at = rows * 2u * u.width + c;
        let gate = four(at);
        let value = gate * sigmoid(gate) * four(at + u.width);
        for (var i = 0u; i < stored; i++) { h[(n + i) * u.width + c] = value[i]; }
        let at_a = ranks + c;
        let column = vec4f(a[at_a.x], a[at_a.y], a[at_a.z], a[at_a.w]);
        sum += mat4x4f(column * value.x, column * value.y, column * value.z, column * value.w);
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
