// dq_i = scale Σ_{j<=i} p_ij (dout_i·v_j - delta_i) k_j,  p_ij = exp(scale q_i·k_j - lse_i),  delta_i = dout_i·out_i
// qkv (N,q_stride); out, dout (N,H*D); lse (N,H) from the forward pass; writes the q columns of dqkv
// (N,q_stride) and delta (N,H), which attention_backward_kv reads. A workgroup owns 32 queries of a head and keeps
// their gradients in registers while it goes over the keys (parts/attention_blocks.wgsl).

override WIDE: bool = false; // heads of more than 64 components

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> qkv: array<V>;
@group(0) @binding(2) var<storage, read> out: array<V>;
@group(0) @binding(3) var<storage, read> dout: array<V>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;

var<workgroup> quarter: array<f32, THREADS>; // of dout·out, four for each own row

fn load_qkv(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(qkv[i.x], qkv[i.y], qkv[i.z], qkv[i.w]), c);
}

fn load_dout(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(dout[i.x], dout[i.y], dout[i.z], dout[i.w]), c);
}

fn load_out(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(out[i.x], out[i.y], out[i.z], out[i.w]), c);
}

// Of one of the keys from row `first` on, of which `left` follow, four components.
fn load_key(first: u32, left: u32, head: u32, place: vec2u) -> vec4f {
    return load_qkv((first + min(place.x, left)) * u.kv_stride + u.k_offset + head, place.y);
}

fn total_of(row: u32) -> f32 {
    return quarter[4u * row] + quarter[4u * row + 1u] + quarter[4u * row + 2u] + quarter[4u * row + 3u];
}

// The gradients of a query's scores against four keys.
fn gradients(score: vec4f, dp: vec4f, keys: vec4u, query: u32, lse: f32, delta: f32) -> vec4f {
    return select(vec4f(), exp(score * u.scale - lse) * (dp - delta) * u.scale, keys <= vec4u(query));
}

fn store(at: u32, c: u32, v: vec4f) {
    for (var e = 0u; e < min(4u, max(u.head_dim, c) - c); e++) { dqkv[at + c + e] = v[e]; }
}

// Stores a query's components 4x to 4x+3, and those 64 later.
fn finish(x: u32, b: u32, h: u32, query: u32, near: vec4f, far: vec4f, total: f32) {
    if query >= u.time { return; }
    let n = b * u.time + query;
    store(n * u.q_stride + h * u.head_dim, 4u * x, near);
    if WIDE { store(n * u.q_stride + h * u.head_dim, 64u + 4u * x, far); }
    if x == 0u { delta[n * u.heads + h] = total; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let index = wid.x + wid.y * groups.x;
    let pairs = u.batch * u.heads;
    let tiles = (u.time + OWN - 1u) / OWN;
    if index >= pairs * tiles { return; }
    let first = (tiles - 1u - index / pairs) * OWN; // the last queries have the most keys: they begin first
    let h = index % pairs % u.heads;
    let b = index % pairs / u.heads;
    let x = t % 16u;
    let y = t / 16u;
    let last = u.time - 1u;
    let kv_head = h / (u.heads / u.kv_heads) * u.head_dim;
    let steps = (u.head_dim + DEEP - 1u) / DEEP;

    let mine = b * u.time + min(first + t / 4u, last); // the row that this thread fetches
    let q_at = mine * u.q_stride + h * u.head_dim;
    let dout_at = (mine * u.heads + h) * u.head_dim;
    var part = 0.0;
    for (var step = 0u; step < steps; step++) {
        let c = step * 4u + t % 4u;
        part += dot(load_dout(dout_at, c), load_out(dout_at, c));
    }
    quarter[t] = part;
    workgroupBarrier();
    let own = first + 4u * y;
    let deltas = vec4f(total_of(4u * y), total_of(4u * y + 1u), total_of(4u * y + 2u), total_of(4u * y + 3u));
    let rows = (b * u.time + min(four(own), vec4u(last))) * u.heads + h;
    let sums = vec4f(lse[rows.x], lse[rows.y], lse[rows.z], lse[rows.w]);

    let seen = min(first + OWN, u.time); // keys of the last own query
    var near = mat4x4f(); // gradients of the first 64 components
    var far = mat4x4f();
    for (var key = 0u; key < seen; key += OTHERS) {
        let row0 = (b * u.time + min(key + other_row(t / 4u), seen - 1u)) * u.kv_stride + kv_head;
        let row1 = (b * u.time + min(key + other_row(t / 4u + 32u), seen - 1u)) * u.kv_stride + kv_head;
        let slot = t / 4u * BY_ROW + t % 4u;
        var next_q = load_qkv(q_at, t % 4u);
        var next_k0 = load_qkv(row0 + u.k_offset, t % 4u);
        var next_k1 = load_qkv(row1 + u.k_offset, t % 4u);
        var next_dout = load_dout(dout_at, t % 4u);
        var next_v0 = load_qkv(row0 + u.v_offset, t % 4u);
        var next_v1 = load_qkv(row1 + u.v_offset, t % 4u);
        var scores = mat4x4f();
        var dp = mat4x4f();
        for (var step = 0u; step < steps; step++) {
            workgroupBarrier();
            tile[slot] = next_q;
            tile[OWN_QUADS + slot] = next_k0;
            tile[OWN_QUADS + slot + 32u * BY_ROW] = next_k1;
            tile[SECOND + slot] = next_dout;
            tile[SECOND + OWN_QUADS + slot] = next_v0;
            tile[SECOND + OWN_QUADS + slot + 32u * BY_ROW] = next_v1;
            workgroupBarrier();
            // On their way while this step multiplies; zeros past the last.
            let c = (step + 1u) * 4u + t % 4u;
            next_q = load_qkv(q_at, c);
            next_k0 = load_qkv(row0 + u.k_offset, c);
            next_k1 = load_qkv(row1 + u.k_offset, c);
            next_dout = load_dout(dout_at, c);
            next_v0 = load_qkv(row0 + u.v_offset, c);
            next_v1 = load_qkv(row1 + u.v_offset, c);
            scores += products(0u, OWN_QUADS, x, y);
            dp += products(SECOND, SECOND + OWN_QUADS, x, y);
        }
        workgroupBarrier();

        let keys = four(key + 4u * x);
        lay_weights(x, y, mat4x4f(
            gradients(scores[0], dp[0], keys, own, sums.x, deltas.x),
            gradients(scores[1], dp[1], keys, own + 1u, sums.y, deltas.y),
            gradients(scores[2], dp[2], keys, own + 2u, sums.z, deltas.z),
            gradients(scores[3], dp[3], keys, own + 3u, sums.w, deltas.w),
        ));
        let many = (min(seen - key, OTHERS) + DEEP - 1u) / DEEP;
        let all = many * select(1u, 2u, WIDE);
        let keys_at = b * u.time + key;
        let left = last - key;
        var next0 = load_key(keys_at, left, kv_head, weighed_place(t, 0u, 0u, many));
        var next1 = load_key(keys_at, left, kv_head, weighed_place(t, 1u, 0u, many));
        for (var step = 0u; step < all; step++) {
            workgroupBarrier();
            tile[weighed_slot(t, 0u)] = next0;
            tile[weighed_slot(t, 1u)] = next1;
            workgroupBarrier();
            next0 = load_key(keys_at, left, kv_head, weighed_place(t, 0u, step + 1u, many));
            next1 = load_key(keys_at, left, kv_head, weighed_place(t, 1u, step + 1u, many));
            let more = weighed(x, y, step % many);
            if WIDE && step >= many { far += more; } else { near += more; }
        }
    }
    finish(x, b, h, own, near[0], far[0], deltas.x);
    finish(x, b, h, own + 1u, near[1], far[1], deltas.y);
    finish(x, b, h, own + 2u, near[2], far[2], deltas.z);
    finish(x, b, h, own + 3u, near[3], far[3], deltas.w);
}
