// dv_j = Σ_{i>=j} p_ij dout_i,  dk_j = scale Σ_{i>=j} p_ij (dout_i·v_j - delta_i) q_i,  p_ij = exp(scale q_i·k_j - lse_i)
// qkv (N,q_stride); dout (N,H*D); lse, delta (N,H). A workgroup owns 32 keys, for one query head, and keeps their
// gradients in registers while it goes over the queries (parts/attention_blocks.wgsl). Where query heads share keys, each
// writes what it adds to them into by_head (N,2*H*D), first dk, then dv, for attention_add_heads to add up; where they
// don't, by_head is dqkv (N,q_stride) and gets its k and v columns. Each element has one writer, no atomics.

override WIDE: bool = false; // heads of more than 64 components

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<V>;
@group(0) @binding(2) var<storage, read> dout: array<V>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> by_head: array<f32>;

fn load_qkv(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(qkv[i.x], qkv[i.y], qkv[i.z], qkv[i.w]), c);
}

fn load_dout(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(dout[i.x], dout[i.y], dout[i.z], dout[i.w]), c);
}

// Four components of q, or of dout, of one of the 64 queries from `first` on.
fn load_other(b: u32, h: u32, first: u32, place: vec2u, is_q: bool) -> vec4f {
    let n = b * u.time + min(first + place.x, u.time - 1u);
    if is_q { return load_qkv(n * u.q_stride + h * u.head_dim, place.y); }
    return load_dout((n * u.heads + h) * u.head_dim, place.y);
}

// Of a key and four queries.
fn probabilities(score: vec4f, lse: vec4f, queries: vec4u, key: u32) -> vec4f {
    return select(vec4f(), exp(score * u.scale - lse), (queries >= vec4u(key)) & (queries < vec4u(u.time)));
}

fn store(at: u32, c: u32, v: vec4f) {
    for (var e = 0u; e < min(4u, max(u.head_dim, c) - c); e++) { by_head[at + c + e] = v[e]; }
}

// Stores a key's components 4x to 4x+3, and those 64 later.
fn finish(x: u32, key: u32, at: u32, near: vec4f, far: vec4f) {
    if key >= u.time { return; }
    store(at, 4u * x, near);
    if WIDE { store(at, 64u + 4u * x, far); }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let index = wid.x + wid.y * groups.x;
    let pairs = u.batch * u.heads;
    let tiles = (u.time + OWN - 1u) / OWN;
    if index >= pairs * tiles { return; }
    let first = index / pairs * OWN; // the first keys have the most queries: they begin first
    let h = index % pairs % u.heads;
    let b = index % pairs / u.heads;
    let x = t % 16u;
    let y = t / 16u;
    let last = u.time - 1u;
    let kv_head = h / (u.heads / u.kv_heads) * u.head_dim;
    let head = h * u.head_dim;
    let steps = (u.head_dim + DEEP - 1u) / DEEP;
    let own = first + 4u * y;
    let key_at = (b * u.time + min(first + t / 4u, last)) * u.kv_stride + kv_head;
    let slot = t / 4u * BY_ROW + t % 4u;

    var dk_near = mat4x4f(); // gradients of the first 64 components
    var dk_far = mat4x4f();
    var dv_near = mat4x4f();
    var dv_far = mat4x4f();
    for (var query = first / OTHERS * OTHERS; query < u.time; query += OTHERS) {
        let row0 = b * u.time + min(query + other_row(t / 4u), last);
        let row1 = b * u.time + min(query + other_row(t / 4u + 32u), last);
        let q0 = row0 * u.q_stride + head;
        let q1 = row1 * u.q_stride + head;
        let d0 = row0 * u.heads * u.head_dim + head;
        let d1 = row1 * u.heads * u.head_dim + head;
        var next_k = load_qkv(key_at + u.k_offset, t % 4u);
        var next_q0 = load_qkv(q0, t % 4u);
        var next_q1 = load_qkv(q1, t % 4u);
        var next_v = load_qkv(key_at + u.v_offset, t % 4u);
        var next_d0 = load_dout(d0, t % 4u);
        var next_d1 = load_dout(d1, t % 4u);
        var scores = mat4x4f();
        var dp = mat4x4f();
        for (var step = 0u; step < steps; step++) {
            workgroupBarrier();
            tile[slot] = next_k;
            tile[OWN_QUADS + slot] = next_q0;
            tile[OWN_QUADS + slot + 32u * BY_ROW] = next_q1;
            tile[SECOND + slot] = next_v;
            tile[SECOND + OWN_QUADS + slot] = next_d0;
            tile[SECOND + OWN_QUADS + slot + 32u * BY_ROW] = next_d1;
            workgroupBarrier();
            // On their way while this step multiplies; zeros past the last.
            let c = (step + 1u) * 4u + t % 4u;
            next_k = load_qkv(key_at + u.k_offset, c);
            next_q0 = load_qkv(q0, c);
            next_q1 = load_qkv(q1, c);
            next_v = load_qkv(key_at + u.v_offset, c);
            next_d0 = load_dout(d0, c);
            next_d1 = load_dout(d1, c);
            scores += products(0u, OWN_QUADS, x, y);
            dp += products(SECOND, SECOND + OWN_QUADS, x, y);
        }
        workgroupBarrier();

        let queries = four(query + 4u * x);
        let at = (b * u.time + min(queries, vec4u(last))) * u.heads + h;
        let sums = vec4f(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
        let deltas = vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]);
        let p = mat4x4f(
            probabilities(scores[0], sums, queries, own),
            probabilities(scores[1], sums, queries, own + 1u),
            probabilities(scores[2], sums, queries, own + 2u),
            probabilities(scores[3], sums, queries, own + 3u),
        );
        let ds = mat4x4f(
            p[0] * (dp[0] - deltas) * u.scale,
            p[1] * (dp[1] - deltas) * u.scale,
            p[2] * (dp[2] - deltas) * u.scale,
            p[3] * (dp[3] - deltas) * u.scale,
        );
        // First dout is weighed by p, for dv, then q by ds, for dk.
        lay_weights(x, y, p);
        let many = (min(u.time - query, OTHERS) + DEEP - 1u) / DEEP;
        let each = many * select(1u, 2u, WIDE);
        var next0 = load_other(b, h, query, weighed_place(t, 0u, 0u, many), false);
        var next1 = load_other(b, h, query, weighed_place(t, 1u, 0u, many), false);
        for (var step = 0u; step < 2u * each; step++) {
            let is_dk = step >= each;
            workgroupBarrier();
            if step == each { lay_weights(x, y, ds); }
            tile[weighed_slot(t, 0u)] = next0;
            tile[weighed_slot(t, 1u)] = next1;
            workgroupBarrier();
            next0 = load_other(b, h, query, weighed_place(t, 0u, (step + 1u) % each, many), step + 1u >= each);
            next1 = load_other(b, h, query, weighed_place(t, 1u, (step + 1u) % each, many), step + 1u >= each);
            let more = weighed(x, y, step % each % many);
            let is_far = WIDE && step % each >= many;
            if is_dk {
                if is_far { dk_far += more; } else { dk_near += more; }
            } else {
                if is_far { dv_far += more; } else { dv_near += more; }
            }
        }
    }
    let is_alone = u.heads == u.kv_heads;
    let width = u.heads * u.head_dim;
    let stride = select(2u * width, u.kv_stride, is_alone);
    let to_k = select(0u, u.k_offset, is_alone) + head;
    let to_v = select(width, u.v_offset, is_alone) + head;
    let at = (b * u.time + own) * stride;
    finish(x, own, at + to_k, dk_near[0], dk_far[0]);
    finish(x, own + 1u, at + stride + to_k, dk_near[1], dk_far[1]);
    finish(x, own + 2u, at + 2u * stride + to_k, dk_near[2], dk_far[2]);
    finish(x, own + 3u, at + 3u * stride + to_k, dk_near[3], dk_far[3]);
    finish(x, own, at + to_v, dv_near[0], dv_far[0]);
    finish(x, own + 1u, at + stride + to_v, dv_near[1], dv_far[1]);
    finish(x, own + 2u, at + 2u * stride + to_v, dv_near[2], dv_far[2]);
    finish(x, own + 3u, at + 3u * stride + to_v, dv_near[3], dv_far[3]);
}
