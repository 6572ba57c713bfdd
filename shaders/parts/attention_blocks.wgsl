// Attention through workgroup memory, for hardware: 32 rows of a head, the workgroup's own (queries, or keys where keys
// get their gradients), against 64 others at a time. Thread t = 16y + x holds 4x4 blocks: own rows 4y to 4y+3, and
// others, or components of the head, 4x to 4x+3. Blocks are single variables: compilers keep them in registers.

const THREADS = 128u;
const OWN = 32u;
const OTHERS = 64u;
const DEEP = 16u; // components, or others, of a step through workgroup memory

// What lies in workgroup memory, in quads. First rows of 16 components to be multiplied, then weights and what they weigh.
const BY_ROW = 5u; // from row to row: 4 quads, and one that puts the rows that neighbours read into different banks
const OWN_QUADS = 160u; // OWN * BY_ROW
const SECOND = 480u; // where a second pair of them begins: (OWN + OTHERS) * BY_ROW
const BY_BLOCK = 17u; // from row to row of weights and of what is weighed: 16 quads and one
const WEIGHED = 544u; // OWN * BY_BLOCK: after the weights
var<workgroup> tile: array<vec4f, 960>; // 2 * SECOND, 15 KiB of the 16 that every adapter has

// Where the n-th of the other rows lies: those that neighbours read lie side by side.
fn other_row(n: u32) -> u32 { return n % 16u * 4u + n / 16u; }

// Components of own rows 4y to 4y+3, a column each.
fn own_block(at: u32, y: u32, step: u32) -> mat4x4f {
    let i = at + y * 4u * BY_ROW + step;
    return mat4x4f(tile[i], tile[i + BY_ROW], tile[i + 2u * BY_ROW], tile[i + 3u * BY_ROW]);
}

// Components of others 4x to 4x+3, a row each.
fn other_block(at: u32, x: u32, step: u32) -> mat4x4f {
    let i = at + x * BY_ROW + step;
    let next = 16u * BY_ROW;
    return transpose(mat4x4f(tile[i], tile[i + next], tile[i + 2u * next], tile[i + 3u * next]));
}

// own · other over 16 components, of the rows at these places; column i is own row 4y+i.
fn products(own: u32, other: u32, x: u32, y: u32) -> mat4x4f {
    var sum = other_block(other, x, 0u) * own_block(own, y, 0u);
    sum += other_block(other, x, 1u) * own_block(own, y, 1u);
    sum += other_block(other, x, 2u) * own_block(own, y, 2u);
    sum += other_block(other, x, 3u) * own_block(own, y, 3u);
    return sum;
}

// Lays down what weighs the others: column i is own row 4y+i.
fn lay_weights(x: u32, y: u32, weights: mat4x4f) {
    let i = y * 4u * BY_BLOCK + x;
    tile[i] = weights[0];
    tile[i + BY_BLOCK] = weights[1];
    tile[i + 2u * BY_BLOCK] = weights[2];
    tile[i + 3u * BY_BLOCK] = weights[3];
}

// Components 4x to 4x+3 of four of the 16 others that lie there to be weighed, by their weights.
fn weighed_four(x: u32, y: u32, step: u32, four: u32) -> mat4x4f {
    let w = y * 4u * BY_BLOCK + step * 4u + four;
    let i = WEIGHED + four * 4u * BY_BLOCK + x;
    return mat4x4f(tile[i], tile[i + BY_BLOCK], tile[i + 2u * BY_BLOCK], tile[i + 3u * BY_BLOCK])
        * mat4x4f(tile[w], tile[w + BY_BLOCK], tile[w + 2u * BY_BLOCK], tile[w + 3u * BY_BLOCK]);
}

// Σ weight * component over others 16 * step to 16 * step + 15; column i is own row 4y+i.
fn weighed(x: u32, y: u32, step: u32) -> mat4x4f {
    var sum = weighed_four(x, y, step, 0u);
    sum += weighed_four(x, y, step, 1u);
    sum += weighed_four(x, y, step, 2u);
    sum += weighed_four(x, y, step, 3u);
    return sum;
}

// Where a thread's n-th quad of what is weighed comes from: which of 64 others, and which quad of the head. Steps go
// over the 16s of others, of which there are `many`, for the first 64 components and then for the next.
fn weighed_place(t: u32, n: u32, step: u32, many: u32) -> vec2u {
    let i = t + n * THREADS;
    return vec2u(step % many * DEEP + i / 16u, step / many * 16u + i % 16u);
}

fn weighed_slot(t: u32, n: u32) -> u32 {
    let i = t + n * THREADS;
    return WEIGHED + i / 16u * BY_BLOCK + i % 16u;
}

// A head's four components from the 4c-th on: 0 past the last.
fn within(v: vec4f, c: u32) -> vec4f {
    let i = c * 4u;
    return select(vec4f(), v, vec4u(i, i + 1u, i + 2u, i + 3u) < vec4u(u.head_dim));
}

fn four(first: u32) -> vec4u { return vec4u(first, first + 1u, first + 2u, first + 3u); }

fn scaled_columns(v: mat4x4f, by: vec4f) -> mat4x4f {
    return mat4x4f(v[0] * by.x, v[1] * by.y, v[2] * by.z, v[3] * by.w);
}
