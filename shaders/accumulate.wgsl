// total[i] = x[i] in the first micro-batch of a step, total[i] += x[i] in the others
// x, total (len). One thread per element.

struct Uniforms {
    len: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> now: Step;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.len { return; }
    if now.micro == 0u {
        total[i] = x[i];
    } else {
        total[i] += x[i];
    }
}
