// x[n,c] = table[tokens[n],c], 0 where tokens[n] >= V
// tokens (N); table (V,C); x (N,C). One thread per element of x.

struct Uniforms {
    rows: u32,
    width: u32,
    vocab: u32,
}

override PACKED: bool = false; // table holds f16, two a word, otherwise f32

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;

// Value i of table.
fn value_table(i: u32) -> f32 {
    if PACKED {
        let two = unpack2x16float(table[i / 2u]);
        return select(two.x, two.y, i % 2u == 1u);
    }
    return bitcast<f32>(table[i]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = index_of(gid, groups, 64u);
    if i >= u.rows * u.width { return; }
    let token = tokens[i / u.width];
    if token < u.vocab {
        x[i] = value_table(token * u.width + i % u.width);
    } else {
        x[i] = 0.0;
    }
}
