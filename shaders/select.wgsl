// next = forced[b,p+1], or a chosen token of row b where that is 0xffffffff; p = position[0]
// temperature 0: argmax_v logits[b,v] (the lowest id of equals). Otherwise s_v = (logits[b,v] - max) / temperature and
// argmax_v s_v + gumbel(seed, sequence+b, p+1, v), a draw from softmax(s), over the v with s_v >= threshold: the
// largest one that keeps at least top_p of Σ exp(s).
// logits (B,V); forced, tokens (B,kv_time); position (1); current (B). Writes next to tokens[b,p+1] and
// current[b]; beyond kv_time nothing is forced and only current is written. SLICES threads share a row and take
// every SLICES-th v; with one slice there is no barrier.

struct Uniforms {
    batch: u32,
    kv_time: u32,
    vocab: u32,
}

struct Draw {
    temperature: f32,
    top_p: f32,
    seed: u32,
    sequence: u32,
}

struct Best {
    score: f32,
    token: u32,
}

override THREADS: u32 = 64u; // of a workgroup, at most 256
override SLICES: u32 = 1u; // a power of two

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> forced: array<u32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read> draw: Draw;
@group(0) @binding(5) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(6) var<storage, read_write> current: array<u32>;

var<workgroup> scores: array<f32, 256>; // (SLICES, THREADS / SLICES)
var<workgroup> ids: array<u32, 256>;

// A row as one of its slices sees it: columns v = first, first + SLICES, ... below end.
struct Row {
    start: u32,
    first: u32,
    end: u32,
    largest: f32,
}

fn better(a: Best, b: Best) -> Best {
    if b.score > a.score || (b.score == a.score && b.token < a.token) { return b; }
    return a;
}

// The best of a row's slices, known to each of them.
fn best_of(mine: Best, t: u32) -> Best {
    if SLICES == 1u { return mine; }
    let across = THREADS / SLICES;
    scores[t] = mine.score;
    ids[t] = mine.token;
    workgroupBarrier();
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        if t < half * across {
            let other = t + half * across;
            let best = better(Best(scores[t], ids[t]), Best(scores[other], ids[other]));
            scores[t] = best.score;
            ids[t] = best.token;
        }
        workgroupBarrier();
    }
    let best = Best(scores[t % across], ids[t % across]);
    workgroupBarrier(); // the next reduction writes
    return best;
}

fn sum_of(mine: f32, t: u32) -> f32 {
    if SLICES == 1u { return mine; }
    let across = THREADS / SLICES;
    scores[t] = mine;
    workgroupBarrier();
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        if t < half * across { scores[t] += scores[t + half * across]; }
        workgroupBarrier();
    }
    let sum = scores[t % across];
    workgroupBarrier();
    return sum;
}

fn scaled(row: Row, v: u32) -> f32 {
    return (logits[row.start + v] - row.largest) / draw.temperature;
}

// Σ exp(s) over s >= threshold.
fn mass(row: Row, threshold: f32, t: u32) -> f32 {
    var sum = 0.0;
    for (var v = row.first; v < row.end; v += SLICES) {
        let s = scaled(row, v);
        if s >= threshold { sum += exp(s); }
    }
    return sum_of(sum, t);
}

// Bisection: after 26 halvings of 32 only tokens of equal probability (to 5e-7) are on the same side by chance.
fn nucleus(row: Row, t: u32) -> f32 {
    if draw.top_p >= 1.0 { return -1e30; }
    let wanted = draw.top_p * mass(row, -1e30, t);
    var low = -32.0; // exp(-32) is nothing
    var high = 0.0;
    for (var i = 0u; i < 26u; i++) {
        let middle = 0.5 * (low + high);
        if mass(row, middle, t) >= wanted { low = middle; } else { high = middle; }
    }
    return low;
}

// -log(-log(1 - w)) with w uniform in (0, 1); the series keeps what cancels in 1 - w.
fn gumbel(hash: u32) -> f32 {
    let w = clamp(f32(hash) * 2.3283064e-10, 1.1641532e-10, 0.99999994);
    var exponential = -log(1.0 - w);
    if w < 0.0078125 { exponential = w * (1.0 + w * (0.5 + w * 0.33333334)); }
    return -log(exponential);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) wid: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) t: u32,
) {
    let across = THREADS / SLICES;
    let b = (wid.x + wid.y * groups.x) * across + t % across;
    let inside = b < u.batch;
    let next = position[0] + 1u;
    let at = b * u.kv_time + next;
    var token = 0xffffffffu;
    if inside && next < u.kv_time {
        token = forced[at];
    }
    // A thread without work still meets the others at the barriers.
    let is_free = inside && token == 0xffffffffu;
    var row = Row(b * u.vocab, t / across, select(0u, u.vocab, is_free), 0.0);
    var best = Best(-3e38, 0u);
    for (var v = row.first; v < row.end; v += SLICES) {
        let logit = logits[row.start + v];
        if logit > best.score { best = Best(logit, v); }
    }
    best = best_of(best, t);
    if draw.temperature > 0.0 {
        row.largest = best.score;
        let threshold = nucleus(row, t);
        let key = pcg(next + pcg(draw.sequence + b + pcg(draw.seed)));
        best = Best(-3e38, 0u);
        for (var v = row.first; v < row.end; v += SLICES) {
            let s = scaled(row, v);
            if s >= threshold { best = better(best, Best(s + gumbel(pcg(key + v)), v)); }
        }
        best = best_of(best, t);
    }
    if is_free { token = best.token; }
    if inside && row.first == 0u {
        if next < u.kv_time { tokens[at] = token; }
        current[b] = token;
    }
}
