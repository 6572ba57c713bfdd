// ids[n] = the K largest logits of row n, largest first, equal ones by id; logprobs[n] = their logits - log Σ_v exp(logits[n,v])
// logits (N,V); ids, logprobs (N,K), K <= 16 and <= V. SLICES threads share a row n: each keeps a sorted list of its own
// columns, and of the lists' heads the best is taken K times.

struct Uniforms {
    rows: u32,
    vocab: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> logprobs: array<f32>;

var<workgroup> owners: array<u32, 128>;

// The lowest id among the threads that share a row; each gets it.
fn row_first(t: u32, mine: u32) -> u32 {
    var all = mine;
    if SLICES > 1u {
        owners[t] = mine;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if t % SLICES < half { owners[t] = min(owners[t], owners[t + half]); }
            workgroupBarrier();
        }
        all = owners[t - t % SLICES];
        workgroupBarrier();
    }
    return all;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
    let slice = t % SLICES;
    let index = row_of(wid, groups, t);
    let n = min(index, u.rows - 1u); // past the end the last row again, not stored
    let row = n * u.vocab;
    var best_id: array<u32, 16>;
    var best: array<f32, 16>;
    for (var k = 0u; k < u.k; k++) {
        best[k] = -1e30;
        best_id[k] = 0xffffffffu;
    }
    for (var v = slice; v < u.vocab; v += SLICES) {
        let logit = logits[row + v];
        if logit > best[u.k - 1u] {
            var at = u.k - 1u;
            while at > 0u {
                if logit <= best[at - 1u] { break; }
                best[at] = best[at - 1u];
                best_id[at] = best_id[at - 1u];
                at--;
            }
            best[at] = logit;
            best_id[at] = v;
        }
    }
    let largest = row_max(t, best[0]);
    var sum = 0.0;
    for (var v = slice; v < u.vocab; v += SLICES) {
        sum += exp(logits[row + v] - largest);
    }
    let lse = largest + log(row_sum(t, sum));
    var taken = 0u; // of this thread's list
    for (var k = 0u; k < u.k; k++) {
        let mine = select(-1e30, best[min(taken, 15u)], taken < u.k);
        let highest = row_max(t, mine);
        let is_mine = mine == highest && taken < u.k;
        let id = row_first(t, select(0xffffffffu, best_id[min(taken, 15u)], is_mine));
        if is_mine && best_id[min(taken, 15u)] == id { taken++; }
        if index < u.rows && slice == 0u {
            ids[n * u.k + k] = id;
            logprobs[n * u.k + k] = highest - lse;
        }
    }
}
