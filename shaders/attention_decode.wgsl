// Attention of one query a sequence over a cache, for hardware: see attention_forward.wgsl. A workgroup owns a query of a
// head. Its threads take a key each for the scores; then each takes four components and some of the keys.

const KEYS = 128u; // threads, and keys at a time

override head_dim: u32; // D <= 128
override quads: u32 = (head_dim + 3u) / 4u;
override slices: u32 = KEYS / quads; // threads that share a quad of components

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> q: array<V>;
@group(0) @binding(2) var<storage, read> kv: array<V>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

var<workgroup> weights: array<f32, KEYS>;
var<workgroup> sums: array<vec4f, KEYS>; // (slices, quads)

fn within(v: vec4f, c: u32) -> vec4f {
    let i = c * 4u;
    return select(vec4f(), v, vec4u(i, i + 1u, i + 2u, i + 3u) < vec4u(head_dim));
}

fn load_q(at: u32, c: u32) -> vec4f {
    let i = (vec4u(0u, 1u, 2u, 3u) + at + c * 4u) / LANES;
    return within(four_of(q[i.x], q[i.y], q[i.z], q[i.w]), c);
}

fn load_kv(at: u32, c: u32) -> vec4f {
    let i = (vec4u(0u, 1u, 2u, 3u) + at + c * 4u) / LANES;
    return within(four_of(kv[i.x], kv[i.y], kv[i.z], kv[i.w]), c);
}

@compute @workgroup_size(KEYS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let index = wid.x + wid.y * groups.x;
    if index >= u.batch * u.heads { return; }
    let h = index % u.heads;
    let b = index / u.heads;
    let first = b * u.kv_time * u.kv_stride + h / (u.heads / u.kv_heads) * head_dim;
    let q_at = b * u.q_stride + h * head_dim;
    let seen = position[0] + 1u;
    let c = t % quads;
    let slice = t / quads;

    var highest = -1e30;
    var total = 0.0;
    var sum = vec4f();
    for (var key = 0u; key < seen; key += KEYS) {
        let mine = key + t;
        var score = -1e30;
        if mine < seen {
            let row = first + mine * u.kv_stride + u.k_offset;
            var dots = vec4f();
            for (var d = 0u; d < quads; d++) { dots += load_q(q_at, d) * load_kv(row, d); }
            score = u.scale * dot(dots, vec4f(1.0));
        }
        let higher = max(highest, row_max(t, score));
        let p = exp(score - higher);
        weights[t] = p;
        workgroupBarrier();
        let keep = exp(highest - higher);
        highest = higher;
        total = total * keep + p;
        sum *= keep;
        if slice < slices {
            for (var j = slice; j < min(KEYS, seen - key); j += slices) {
                sum += weights[j] * load_kv(first + (key + j) * u.kv_stride + u.v_offset, c);
            }
        }
        workgroupBarrier();
    }
    total = row_sum(t, total);
    sums[t] = sum;
    workgroupBarrier();
    if t < quads {
        sum = vec4f();
        for (var i = 0u; i < slices; i++) { sum += sums[i * quads + t]; }
        let at = index * head_dim + 4u * t;
        for (var e = 0u; e < min(4u, head_dim - 4u * t); e++) { out[at + e] = sum[e] / total; }
    }
    if t == 0u { lse[index] = highest + log(total); }
}
