// out[n] = (KL(tuned || base), rank of the token in base, its log-probability under tuned, under base)
// KL = Σ_v p (log p - log q), in nats; rank = 1 + number of base logits above the token's (equal ones: lower ids)
// tuned, base (N,V); tokens (N), 0xffffffff gives zeros; out (N,4). One thread per row n.
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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = gid.x + gid.y * groups.x * 64u;
    if n >= u.rows { return; }
    let token = tokens[n];
    if token == 0xffffffffu {
        out[n] = vec4f();
        return;
    }
    let row = n * u.vocab;
    var largest = vec2f(-1e30);
    for (var v = 0u; v < u.vocab; v++) {
        largest = max(largest, vec2f(tuned[row + v], base[row + v]));
    }
    var sum = vec2f();
    for (var v = 0u; v < u.vocab; v++) {
        sum += exp(vec2f(tuned[row + v], base[row + v]) - largest);
    }
    let lse = largest + log(sum);
    let own = vec2f(tuned[row + token], base[row + token]);
    var kl = 0.0;
    var rank = 1u;
    for (var v = 0u; v < u.vocab; v++) {
        let logits = vec2f(tuned[row + v], base[row + v]);
        let logp = logits - lse;
        let p = exp(logp);
        kl += p.x * (logp.x - logp.y) - (p.x - p.y);
        rank += u32(logits.y > own.y || (logits.y == own.y && v < token));
    }
    let logp = own - lse;
    out[n] = vec4f(max(kl, 0.0), f32(rank), logp.x, logp.y);
}
