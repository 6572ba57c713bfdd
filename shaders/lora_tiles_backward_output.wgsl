// lora_backward_output.wgsl in tiles for software adapters, which pay for every load: a thread owns 16 m's (dxa) or
// 16 n's (db), 8 r's of one group and all terms of their sums, four at a time. No barrier. dy is read in quads: N and
// the groups' ends are multiples of 4. b and xa are read in values V of LANES ranks.

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
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read> xa: array<V>;
@group(0) @binding(4) var<storage, read_write> dxa: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

// The terms of a sum: m's for db, n's for dxa. A row is the other.
struct Terms {
    is_down: bool,
    rows_end: u32,
    g: u32,
}

// dy of four rows from `row` on, a column each, and four terms from `term` on. Past the last m or the group's last n
// what is there before.
fn block(t: Terms, row: u32, term: u32) -> mat4x4f {
    let quads = u.n / 4u;
    let m = select(term, row, t.is_down);
    let n = select(min(row, t.rows_end - 4u), term, t.is_down) / 4u;
    let at = min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(u.m - 1u)) * quads + n;
    let v = mat4x4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
    if t.is_down { return v; }
    return transpose(v);
}

// What a term's dy is multiplied with, for four ranks; 0 past the last m.
fn ranks(t: Terms, term: u32, r: u32) -> vec4f {
    let four = min(vec4u(r, r + 1u, r + 2u, r + 3u), vec4u(u.rank - 1u));
    if t.is_down {
        let at = (four + term * u.rank) / LANES;
        return four_of(b[at.x], b[at.y], b[at.z], b[at.w]);
    }
    let at = (four + (min(term, u.m - 1u) * u.groups + t.g) * u.rank) / LANES;
    return select(vec4f(), four_of(xa[at.x], xa[at.y], xa[at.z], xa[at.w]), term < u.m);
}

fn four_terms(t: Terms, term: u32, r: u32) -> mat4x4f {
    return mat4x4f(ranks(t, term, r), ranks(t, term + 1u, r), ranks(t, term + 2u, r), ranks(t, term + 3u, r));
}

fn store_row(t: Terms, at: u32, r: u32, values: vec4f) {
    for (var e = 0u; e < min(4u, max(u.rank, r) - r); e++) {
        if t.is_down { dxa[at + r + e] = u.scale * values[e]; } else { db[at + r + e] = u.scale * values[e]; }
    }
}

// Sums of four rows, a column each, for four ranks and the next four.
fn store(t: Terms, row: u32, r: u32, near: mat4x4f, far: mat4x4f) {
    for (var i = 0u; i < min(4u, max(t.rows_end, row) - row); i++) {
        let at = select(row + i, (row + i) * u.groups + t.g, t.is_down) * u.rank;
        store_row(t, at, r, near[i]);
        store_row(t, at, r + 4u, far[i]);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) thread: u32) {
    let r = wid.y * 8u;
    let g = wid.z;
    let bounds = vec4u(0u, u.end_0, u.end_1, u.n);
    let first = bounds[g];
    let end = min(bounds[g + 1u], u.n);
    let is_down = wid.x < u.down;
    let row = select(first + ((wid.x - u.down) * THREADS + thread) * 16u, (wid.x * THREADS + thread) * 16u, is_down);
    let t = Terms(is_down, select(end, u.m, is_down), g);
    if row >= t.rows_end { return; }
    let terms = select(vec2u(0u, u.m), vec2u(first, end), is_down);

    // By four rows and four ranks.
    var near0 = mat4x4f();
    var near1 = mat4x4f();
    var near2 = mat4x4f();
    var near3 = mat4x4f();
    var far0 = mat4x4f();
    var far1 = mat4x4f();
    var far2 = mat4x4f();
    var far3 = mat4x4f();
    for (var term = terms.x; term < terms.y; term += 4u) {
        let near = four_terms(t, term, r);
        let far = four_terms(t, term, r + 4u);
        let y0 = block(t, row, term);
        near0 += near * y0;
        far0 += far * y0;
        let y1 = block(t, row + 4u, term);
        near1 += near * y1;
        far1 += far * y1;
        let y2 = block(t, row + 8u, term);
        near2 += near * y2;
        far2 += far * y2;
        let y3 = block(t, row + 12u, term);
        near3 += near * y3;
        far3 += far * y3;
    }
    store(t, row, r, near0, far0);
    store(t, row + 4u, r, near1, far1);
    store(t, row + 8u, r, near2, far2);
    store(t, row + 12u, r, near3, far3);
}
