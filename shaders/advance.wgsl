// position[0] += by
// position (1). One thread in all.

struct Uniforms {
    by: u32,
}

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read_write> position: array<u32>;

@compute @workgroup_size(1)
fn main() {
    position[0] += u.by;
}
