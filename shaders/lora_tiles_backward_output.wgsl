// lora_backward_output.wgsl in tiles for software adapters, which pay for every word that a thread loads: a thread owns
// 16 m's (dxa) or 16 n's (db), 8 r's of one group and all terms of their sums. No barrier.

struct Uniforms {
    m: u32,
    n: u32,
    rank: u32,
    groups: u32,
    scale: f32,
    end_0: u32, // where each group of columns ends; the last ends with them
    end_1: u32,
    down: u32, // workgroups that compute dxa; the others compute db
}

const THREADS = 8u;

@group(0) @binding(0) var<uniform> u: Uniforms;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> xa: array<f32>;
@group(0) @binding(4) var<storage, read_write> dxa: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

fn four_of_dy(at: vec4u) -> vec4f { return vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]); }
fn four_of_b(at: vec4u) -> vec4f { return vec4f(b[at.x], b[at.y], b[at.z], b[at.w]); }
fn four_of_xa(at: vec4u) -> vec4f { return vec4f(xa[at.x], xa[at.y], xa[at.z], xa[at.w]); }

// Sums of four rows, a column each, by the first four ranks and the other four.
struct Sums {
    near: mat4x4f,
    far: mat4x4f,
}

fn outer(rows: vec4f, ranks: vec4f) -> mat4x4f {
    return mat4x4f(ranks * rows.x, ranks * rows.y, ranks * rows.z, ranks * rows.w);
}

fn add(s: Sums, rows: vec4f, near: vec4f, far: vec4f) -> Sums {
    return Sums(s.near + outer(rows, near), s.far + outer(rows, far));
}

fn store_row(is_down: bool, at: u32, r: u32, values: vec4f) {
    for (var e = 0u; e < min(4u, max(u.rank, r) - r); e++) {
        if is_down { dxa[at + r + e] = u.scale * values[e]; } else { db[at + r + e] = u.scale * values[e]; }
    }
}

fn store(is_down: bool, row: u32, end: u32, g: u32, r: u32, s: Sums) {
    for (var i = 0u; i < min(4u, max(end, row) - row); i++) {
        let at = select(row + i, (row + i) * u.groups + g, is_down) * u.rank;
        store_row(is_down, at, r, s.near[i]);
        store_row(is_down, at, r + 4u, s.far[i]);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) t: u32) {
    let r = wid.y * 8u;
    let g = wid.z;
    let bounds = vec4u(0u, u.end_0, u.end_1, u.n);
    let first = bounds[g];
    let end = min(bounds[g + 1u], u.n);
    let is_down = wid.x < u.down;

    // A row is an m or an n, a term of its sum the other.
    let row = select(first + ((wid.x - u.down) * THREADS + t) * 16u, (wid.x * THREADS + t) * 16u, is_down);
    let rows_end = select(end, u.m, is_down);
    if row >= rows_end { return; }
    let terms = select(vec2u(0u, u.m), vec2u(first, end), is_down);
    let next_row = select(1u, u.n, is_down); // in dy
    let next_term = select(u.n, 1u, is_down);
    let four = vec4u(0u, 1u, 2u, 3u);
    let last_row = vec4u(rows_end - 1u);
    let rows0 = min(row + four, last_row) * next_row;
    let rows1 = min(row + 4u + four, last_row) * next_row;
    let rows2 = min(row + 8u + four, last_row) * next_row;
    let rows3 = min(row + 12u + four, last_row) * next_row;
    let ranks_near = min(r + four, vec4u(u.rank - 1u));
    let ranks_far = min(r + 4u + four, vec4u(u.rank - 1u));

    var s0 = Sums();
    var s1 = Sums();
    var s2 = Sums();
    var s3 = Sums();
    for (var term = terms.x; term < terms.y; term++) {
        var near: vec4f;
        var far: vec4f;
        if is_down {
            near = four_of_b(ranks_near + term * u.rank);
            far = four_of_b(ranks_far + term * u.rank);
        } else {
            near = four_of_xa(ranks_near + (term * u.groups + g) * u.rank);
            far = four_of_xa(ranks_far + (term * u.groups + g) * u.rank);
        }
        let at = term * next_term;
        s0 = add(s0, four_of_dy(rows0 + at), near, far);
        s1 = add(s1, four_of_dy(rows1 + at), near, far);
        s2 = add(s2, four_of_dy(rows2 + at), near, far);
        s3 = add(s3, four_of_dy(rows3 + at), near, far);
    }
    store(is_down, row, rows_end, g, r, s0);
    store(is_down, row + 4u, rows_end, g, r, s1);
    store(is_down, row + 8u, rows_end, g, r, s2);
    store(is_down, row + 12u, rows_end, g, r, s3);
}
