// next = forced[b,p+1], or argmax_v logits[b,v] (the lowest id of equals) where that is 0xffffffff; p = position[0]
// logits (B,V); forced, tokens (B,kv_time); position (1); current (B). Writes next to tokens[b,p+1] and
// current[b]; beyond kv_time nothing is forced and only current is written. One thread per b.

struct Uniforms {
    batch: u32,
    kv_time: u32,
    vocab: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> forced: array<u32>;
@group(0) @binding(3) var<storage, read> position: array<u32>;
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(5) var<storage, read_write> current: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let b = gid.x + gid.y * groups.x * 64u;
    if b >= u.batch { return; }
    let next = position[0] + 1u;
    let at = b * u.kv_time + next;
    var token = 0xffffffffu;
    if next < u.kv_time {
        token = forced[at];
    }
    if token == 0xffffffffu {
        token = 0u;
        var largest = logits[b * u.vocab];
        for (var v = 1u; v < u.vocab; v++) {
            let logit = logits[b * u.vocab + v];
            if logit > largest {
                largest = logit;
                token = v;
            }
        }
    }
    if next < u.kv_time {
        tokens[at] = token;
    }
    current[b] = token;
}
