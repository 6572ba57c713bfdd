// out[n] = (KL(tuned || base), rank of the token in base, its log-probability under tuned, under base)
// KL = Σ_v p (log p - log q), in nats; rank = 1 + number of base logits above the token's (equal ones: lower ids)
// tuned, base (N,V); tokens (N), 0xffffffff gives zeros; out (N,4). SLICES threads share a row n.
//
// The sum's terms are p (log p - log q) - p + q: Σp = Σq = 1 makes it the same, no term is negative, and an error
// in a log-sum-exp counts only to second order. Both rows go through the same vec2 operations (x tuned, y base),
// so equal rows give exactly 0.

struct Uniforms {
    rows: u32,
    vocab: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> tuned: array<f32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

// The logits of one column; past the end the last ones again.
fn pair(row: u32, v: u32) -> vec2f {
    let at = row + min(v, u.vocab - 1u);
    return vec2f(tuned[at], base[at]);
}

fn mass(row: u32, v: u32, largest: vec2f) -> vec2f {
    if v >= u.vocab { return vec2f(); }
    return exp(pair(row, v) - largest);
}

// A column's part of (KL, rank - 1); own are the token's logits.
fn part(row: u32, v: u32, lse: vec2f, own: vec2f, token: u32) -> vec2f {
    if v >= u.vocab { return vec2f(); }
    let logits = pair(row, v);
    let logp = logits - lse;
    let p = exp(logp);
    let is_above = logits.y > own.y || (logits.y == own.y && v < token);
    return vec2f(p.x * (logp.x - logp.y) - (p.x - p.y), select(0.0, 1.0, is_above));
}

// The sums of all threads that share a row, for both models.
fn row_sums(t: u32, mine: vec2f) -> vec2f {
    return vec2f(row_sum(t, mine.x), row_sum(t, mine.y));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let first = 4u * (t % SLICES); // neighbouring threads read neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let row = n * u.vocab;
    let token = tokens[n];
    let is_counted = token != 0xffffffffu;
    let columns = select(0u, u.vocab, is_counted);
    var largest = vec2f(-1e30);
    // Four columns a round.
    for (var v = first; v < columns; v += 4u * SLICES) {
        let a = max(pair(row, v), pair(row, v + 1u));
        let b = max(pair(row, v + 2u), pair(row, v + 3u));
        largest = max(largest, max(a, b));
    }
    largest = vec2f(row_max(t, largest.x), row_max(t, largest.y));
    var sum = vec2f();
    for (var v = first; v < columns; v += 4u * SLICES) {
        sum += mass(row, v, largest) + mass(row, v + 1u, largest);
        sum += mass(row, v + 2u, largest) + mass(row, v + 3u, largest);
    }
    let lse = largest + log(row_sums(t, sum));
    let place = row + min(token, u.vocab - 1u);
    let own = vec2f(tuned[place], base[place]);
    var parts = vec2f(); // KL, rank - 1: f32 counts to 16 million
    for (var v = first; v < columns; v += 4u * SLICES) {
        parts += part(row, v, lse, own, token) + part(row, v + 1u, lse, own, token);
        parts += part(row, v + 2u, lse, own, token) + part(row, v + 3u, lse, own, token);
    }
    parts = row_sums(t, parts);
    if index >= u.rows || first > 0u { return; }
    let logp = own - lse;
    let counted = vec4f(max(parts.x, 0.0), 1.0 + parts.y, logp.x, logp.y);
    out[n] = select(vec4f(), counted, is_counted);
}
