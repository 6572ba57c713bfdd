// The thread's number, in a grid of workgroups of `threads` threads, which has more rows where one would be too long.
fn index_of(gid: vec3u, groups: vec3u, threads: u32) -> u32 {
    return gid.x + gid.y * groups.x * threads;
}

