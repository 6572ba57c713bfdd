// out_i = Σ_{j<=i} p_ij v_j,  p_ij = exp(scale q_i·k_j - lse_i),  lse_i = log Σ_{j<=i} exp(scale q_i·k_j)
// q (N,q_stride), kv (B*kv_time,kv_stride), position (1), out (N,H*D), lse (N,H); query i may see keys up to
// position + i. A workgroup owns 32 queries of a head and keeps their sums in registers while it goes over the keys
// (parts/attention_blocks.wgsl).

override WIDE: bool = false; // heads of more than 64 components

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> q: array<V>;
@group(0) @binding(2) var<storage, read> kv: array<V>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

fn load_q(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(q[i.x], q[i.y], q[i.z], q[i.w]), c);
}

fn load_kv(at: u32, c: u32) -> vec4f {
    let i = (four(c * 4u) + at) / LANES;
    return within(four_of(kv[i.x], kv[i.y], kv[i.z], kv[i.w]), c);
}

// Of one of the values from row `first` on, of which `left` follow, four components.
fn load_value(first: u32, left: u32, head: u32, place: vec2u) -> vec4f {
    return load_kv((first + min(place.x, left)) * u.kv_stride + u.v_offset + head, place.y);
}

fn largest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// Of each of a thread's four own rows, the largest of the row's 64 scores. Threads of a row meet in workgroup memory.
fn row_largest(x: u32, y: u32, mine: vec4f) -> vec4f {
    tile[WEIGHED + y * 16u + x] = mine;
    workgroupBarrier();
    var all = mine;
    for (var i = 0u; i < 16u; i++) { all = max(all, tile[WEIGHED + y * 16u + i]); }
    return all;
}

fn row_total(x: u32, y: u32, mine: vec4f) -> vec4f {
    tile[WEIGHED + y * 16u + x] = mine;
    workgroupBarrier();
    var all = vec4f();
    for (var i = 0u; i < 16u; i++) { all += tile[WEIGHED + y * 16u + i]; }
    return all;
}

fn visible(scores: vec4f, keys: vec4u, last: u32) -> vec4f {
    return select(vec4f(-1e30), scores * u.scale, keys <= vec4u(last));
}

fn store(at: u32, c: u32, v: vec4f) {
    for (var e = 0u; e < min(4u, max(u.head_dim, c) - c); e++) { out[at + c + e] = v[e]; }
}

// Stores a query's components 4x to 4x+3, and those 64 later.
fn finish(x: u32, query: u32, row: u32, near: vec4f, far: vec4f, sum: f32) {
    if query >= u.time { return; }
    store(row * u.head_dim, 4u * x, near);
    if WIDE { store(row * u.head_dim, 64u + 4u * x, far); }
    if x == 0u { lse[row] = sum; }
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

    let q_at = (b * u.time + min(first + t / 4u, u.time - 1u)) * u.q_stride + h * u.head_dim;
    let kv_head = h / (u.heads / u.kv_heads) * u.head_dim;
    let seen = position[0] + min(first + OWN, u.time); // keys of the last own query
    let steps = (u.head_dim + DEEP - 1u) / DEEP;
    var near = mat4x4f(); // sums of the first 64 components
    var far = mat4x4f();
    var highest = vec4f(-1e30);
    var total = vec4f();
    for (var key = 0u; key < seen; key += OTHERS) {
        let row0 = (b * u.kv_time + min(key + other_row(t / 4u), seen - 1u)) * u.kv_stride + kv_head;
        let row1 = (b * u.kv_time + min(key + other_row(t / 4u + 32u), seen - 1u)) * u.kv_stride + kv_head;
        let slot = t / 4u * BY_ROW + t % 4u;
        var next = load_q(q_at, t % 4u);
        var next0 = load_kv(row0 + u.k_offset, t % 4u);
        var next1 = load_kv(row1 + u.k_offset, t % 4u);
        var scores = mat4x4f();
        for (var step = 0u; step < steps; step++) {
            workgroupBarrier();
            tile[slot] = next;
            tile[OWN_QUADS + slot] = next0;
            tile[OWN_QUADS + slot + 32u * BY_ROW] = next1;
            workgroupBarrier();
            // On their way while this step multiplies; zeros past the last.
            let c = (step + 1u) * 4u + t % 4u;
            next = load_q(q_at, c);
            next0 = load_kv(row0 + u.k_offset, c);
            next1 = load_kv(row1 + u.k_offset, c);
            scores += products(0u, OWN_QUADS, x, y);
        }

        let keys = four(key + 4u * x);
        let last = position[0] + first + 4u * y;
        scores = mat4x4f(
            visible(scores[0], keys, last),
            visible(scores[1], keys, last + 1u),
            visible(scores[2], keys, last + 2u),
            visible(scores[3], keys, last + 3u),
        );
        let mine = vec4f(largest(scores[0]), largest(scores[1]), largest(scores[2]), largest(scores[3]));
        let higher = max(highest, row_largest(x, y, mine));
        let keep = exp(highest - higher);
        highest = higher;
        let p = mat4x4f(
            exp(scores[0] - higher.x),
            exp(scores[1] - higher.y),
            exp(scores[2] - higher.z),
            exp(scores[3] - higher.w),
        );
        total = total * keep + vec4f(1.0) * p;
        near = scaled_columns(near, keep);
        far = scaled_columns(far, keep);
        lay_weights(x, y, p);

        let many = (min(seen - key, OTHERS) + DEEP - 1u) / DEEP;
        let all = many * select(1u, 2u, WIDE);
        let values_at = b * u.kv_time + key;
        let left = seen - 1u - key;
        next0 = load_value(values_at, left, kv_head, weighed_place(t, 0u, 0u, many));
        next1 = load_value(values_at, left, kv_head, weighed_place(t, 1u, 0u, many));
        for (var step = 0u; step < all; step++) {
            workgroupBarrier();
            tile[weighed_slot(t, 0u)] = next0;
            tile[weighed_slot(t, 1u)] = next1;
            workgroupBarrier();
            next0 = load_value(values_at, left, kv_head, weighed_place(t, 0u, step + 1u, many));
            next1 = load_value(values_at, left, kv_head, weighed_place(t, 1u, step + 1u, many));
            let more = weighed(x, y, step % many);
            if WIDE && step >= many { far += more; } else { near += more; }
        }
    }
    workgroupBarrier();
    total = row_total(x, y, total);
    let own = first + 4u * y;
    let row = (b * u.time + own) * u.heads + h;
    let sums = highest + log(total);
    finish(x, own, row, near[0] / total.x, far[0] / total.x, sums.x);
    finish(x, own + 1u, row + u.heads, near[1] / total.y, far[1] / total.y, sums.y);
    finish(x, own + 2u, row + 2u * u.heads, near[2] / total.z, far[2] / total.z, sums.z);
    finish(x, own + 3u, row + 3u * u.heads, near[3] / total.w, far[3] / total.w, sums.w);
}
