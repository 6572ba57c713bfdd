// The thread's number, in a grid of workgroups of so many threads that has a second row where one is too long.
fn index_of(gid: vec3u, groups: vec3u, threads: u32) -> u32 {
    return gid.x + gid.y * groups.x * threads;
}

