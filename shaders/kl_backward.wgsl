// Cross-entropy and strength·KL(base ‖ tuned) of rows whose log-sum-exps are known, for some columns of a row:
// logits[n,v] = (p - [v = target] + strength·(p - q)) / targets that count, p = softmax(logits[n])[v], q the base's
// nll[n] += strength·Σ q·(log q - log p). Rows with target 0xffffffff become 0, their nll stays.
// logits (S,W) in place, base_logits (S,W): the columns v = start .. start+W of (S,V); targets (S); nll (S), nats
// state, base_state (S): largest logit and Σ exp(logit - largest), from all chunks of cross_entropy_chunk_forward
// SLICES threads share a row n.

struct Uniforms {
    rows: u32,
    width: u32,
    start: u32,
    strength: f32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read> base_state: array<vec4f>;
@group(0) @binding(5) var<storage, read> base_logits: array<f32>;
@group(0) @binding(6) var<storage, read_write> logits: array<f32>;
@group(0) @binding(7) var<storage, read_write> nll: array<f32>;

fn store(row: u32, v: u32, value: f32) {
    if v < u.width { logits[row + v] = value; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES; // neighbouring threads take neighbouring columns
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u);
    let row = n * u.width;
    let columns = select(0u, u.width, index < u.rows);
    let target_id = targets[n];
    let is_counted = target_id != 0xffffffffu;
    let tuned = state[n].xy;
    let base = base_state[n].xy;
    let log_sums = log(vec2f(tuned.y, base.y));
    var kl = 0.0;
    for (var v = 4u * slice; v < columns; v += 4u * SLICES) {
        let four = vec4u(v, v + 1u, v + 2u, v + 3u);
        let at = row + min(four, vec4u(u.width - 1u));
        let x = vec4f(logits[at.x], logits[at.y], logits[at.z], logits[at.w]) - tuned.x;
        let y = vec4f(base_logits[at.x], base_logits[at.y], base_logits[at.z], base_logits[at.w]) - base.x;
        let p = exp(x) / tuned.y;
        let q = exp(y) / base.y;
        let terms = q * ((y - log_sums.y) - (x - log_sums.x));
        kl += dot(select(vec4f(), terms, four < vec4u(u.width)), vec4f(1.0));
        let onehot = select(vec4f(), vec4f(1.0), u.start + four == vec4u(target_id));
        let both = (p - onehot + u.strength * (p - q)) * now.inv_targets;
        let gradient = select(vec4f(), both, is_counted);
        store(row, v, gradient.x);
        store(row, v + 1u, gradient.y);
        store(row, v + 2u, gradient.z);
        store(row, v + 3u, gradient.w);
    }
    let sum = row_sum(t, kl);
    if is_counted && index < u.rows && slice == 0u { nll[n] += u.strength * sum; }
}
