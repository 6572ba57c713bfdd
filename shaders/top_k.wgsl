// ids[n] = the K largest logits of row n, largest first, equal ones by id; logprobs[n] = their logits - log Σ_v exp(logits[n,v])
// logits (N,V); ids, logprobs (N,K), K <= 16 and <= V. One thread per row n inserts into a sorted list.

struct Uniforms {
    rows: u32,
    vocab: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> logprobs: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let n = index_of(gid, groups, 64u);
    if n >= u.rows { return; }
    let row = n * u.vocab;
    var best_id: array<u32, 16>;
    var best: array<f32, 16>;
    for (var k = 0u; k < u.k; k++) {
        best[k] = -1e30;
    }
    for (var v = 0u; v < u.vocab; v++) {
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
    var sum = 0.0;
    for (var v = 0u; v < u.vocab; v++) {
        sum += exp(logits[row + v] - best[0]);
    }
    let lse = best[0] + log(sum);
    for (var k = 0u; k < u.k; k++) {
        ids[n * u.k + k] = best_id[k];
        logprobs[n * u.k + k] = best[k] - lse;
    }
}
