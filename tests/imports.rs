//! What may import what: the table in ARCHITECTURE.md, held against every source file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Rows "| `bench` | `engine`, `model` |" under the table's heading.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let part = text.split("### What may import what: `src`").nth(1).unwrap().split("\n#").next().unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (names(cells[1]).remove(0), names(cells[2]).into_iter().collect())
    })
    .collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push(path),
        }
    }
}

/// Rooms that a file's code names by `crate::room`; its comments and its tests aside.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("mod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>());
    let name =
        |path: String| path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap().to_owned();
    paths.map(name).collect()
}

#[test]
fn rooms_import_what_the_table_allows() {
    let table = table();
    let mut files = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut files);
    let mut rooms = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(Path::new(ROOT).join("src")).unwrap();
        // lib.rs, error.rs, the programs, and what is compiled for tests alone.
        let is_outside = name.components().count() < 2 || name.starts_with("bin");
        if is_outside || ["tests.rs", "check.rs"].iter().any(|test| name.ends_with(test)) {
            continue;
        }
        let room = name.iter().next().unwrap().to_str().unwrap();
        rooms.insert(room.to_owned());
        let allowed = table.get(room).unwrap_or_else(|| panic!("{room} is not in the table"));
        for other in used(&fs::read_to_string(&file).unwrap()) {
            let is_room = Path::new(ROOT).join("src").join(&other).is_dir();
            let is_allowed = other == room || allowed.contains(&other) || !is_room;
            assert!(is_allowed, "{} may not import {other}", name.display());
        }
    }
    assert_eq!(rooms, table.into_keys().collect());
}

#[test]
fn no_room_imports_itself_however_long_the_way() {
    let mut left = table();
    while !left.is_empty() {
        let free = left.iter().find(|(_, uses)| uses.iter().all(|room| !left.contains_key(room)));
        let Some(room) = free.map(|(room, _)| room.clone()) else {
            panic!("a circle among {:?}", left.keys())
        };
        left.remove(&room);
    }
}

#[test]
fn a_use_is_seen_and_a_comment_is_not() {
    let text = "use crate::gpu::Gpu;\n/// [`crate::lab`]\nfn f() -> crate::model::X {}\n#[cfg(test)]\nmod tests {\n use crate::web;";
    assert_eq!(used(text), ["gpu", "model"].map(String::from).into());
}
