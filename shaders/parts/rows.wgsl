// The threads that share a row, in the order of its columns: t of a workgroup is the (t % SLICES)-th of its row.

override THREADS: u32 = 128u; // of a workgroup, at most 128
override SLICES: u32 = 32u; // threads that share a row: a power of two

var<workgroup> partial: array<f32, 128>;

// The sum of all threads that share a row; each gets it.
fn row_sum(t: u32, mine: f32) -> f32 {
    var all = mine;
    if SLICES > 1u {
        partial[t] = mine;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if t % SLICES < half { partial[t] += partial[t + half]; }
            workgroupBarrier();
        }
        all = partial[t - t % SLICES];
        workgroupBarrier();
    }
    return all;
}

// The largest of all threads that share a row; each gets it.
fn row_max(t: u32, mine: f32) -> f32 {
    var all = mine;
    if SLICES > 1u {
        partial[t] = mine;
        workgroupBarrier();
        for (var half = SLICES / 2u; half > 0u; half /= 2u) {
            if t % SLICES < half { partial[t] = max(partial[t], partial[t + half]); }
            workgroupBarrier();
        }
        all = partial[t - t % SLICES];
        workgroupBarrier();
    }
    return all;
}

// The row of a thread's sum; past the last one too, in the last workgroup.
fn row_of(wid: vec3u, groups: vec3u, t: u32) -> u32 {
    return (wid.x + wid.y * groups.x) * (THREADS / SLICES) + t / SLICES;
}

