// dtable[ids[k],c] += Σ_i dx[order[i],c] over starts[k] <= i < starts[k+1]
// order (N) lists the positions sorted by token, ids (U) the different tokens (0xffffffff: none),
// starts (U+1); dx (N,C); dtable (V,C). One thread per (k,c): each element of dtable has one writer.

struct Uniforms {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> dtable: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let t = index_of(gid, groups, 64u);
    if t >= u.rows * u.width { return; }
    let k = t / u.width;
    let c = t % u.width;
    let id = ids[k];
    if id == 0xffffffffu { return; }
    var sum = 0.0;
    for (var i = starts[k]; i < starts[k + 1u]; i++) {
        sum += dx[order[i] * u.width + c];
    }
    dtable[id * u.width + c] += sum;
}
