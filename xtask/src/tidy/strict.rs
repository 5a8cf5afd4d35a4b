//! Lints that single rooms keep beyond the shared ones: which of them deny more, as
//! `docs/layers.toml` lists it, and that none of them lets `unsafe` in unless it is listed.

use super::Problem;
use super::layers::{Layers, Room};
use super::tree::{TextFile, Tree};

/// Checks the sources of every room that stands in the house.
pub fn check(layers: &Layers, tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for room in layers.rooms().filter(|room| !room.free) {
        problems.extend(missing_denials(room, tree));
        let inside = format!("{}/", room.folder);
        let files = tree.files().iter().filter(|file| file.extension() == "rs" && file.path.starts_with(&inside));
        problems.extend(files.filter(|_| !room.unsafe_code).flat_map(unsafe_lines));
    }
    problems
}

fn missing_denials(room: &Room, tree: &Tree) -> Vec<Problem> {
    let path = format!("{}/src/lib.rs", room.folder);
    let text = tree.file(&path).map_or("", |file| file.text.as_str());
    let inner: Vec<&str> = text.lines().filter(|line| line.starts_with("#![")).collect();
    let denied = |lint: &str| inner.iter().any(|line| line.contains(&format!("deny({lint})")));
    let missing = room.denies.iter().filter(|lint| !denied(lint));
    missing.map(|lint| Problem::new(&path, format!("this room keeps `#![deny({lint})]`"))).collect()
}

/// Lines that silence the lint against `unsafe`; the lint itself finds the code.
fn unsafe_lines(file: &TextFile) -> Vec<Problem> {
    let lines = file.text.lines().enumerate().filter(|(_, line)| line.contains("unsafe_code"));
    lines.map(|(index, _)| Problem::at_line(file, index + 1, "this room may hold no `unsafe`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_room(settings: &str, text: &str, expected: &[&str]) {
        let layers =
            format!("[room.door]\nfolder = \"crates/door\"\nowns = \"streams\"\n{settings}\n[everywhere]\n[only]\n");
        let layers: Layers = toml::from_str(&layers).expect("layers");
        let problems = check(&layers, &Tree::of(&[("crates/door/src/lib.rs", text)]));
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_room_denies_what_it_promised_to_deny() {
        let settings = "denies = [\"clippy::indexing_slicing\"]";
        check_room(settings, "//! Streams.\n#![deny(clippy::indexing_slicing)]\n", &[]);
        check_room(settings, "//! Streams.\n#![cfg_attr(not(test), deny(clippy::indexing_slicing))]\n", &[]);
        check_room(settings, "//! Streams.\n", &["keeps `#![deny(clippy::indexing_slicing)]`"]);
        check_room(settings, "//! We deny(clippy::indexing_slicing).\n", &["keeps"]);
    }

    #[test]
    fn unsafe_code_stays_in_the_rooms_that_are_listed() {
        let text = "//! Streams.\n#[expect(unsafe_code, reason = \"a socket option\")]\nfn f() {}\n";
        check_room("", text, &["crates/door/src/lib.rs:2: this room may hold no `unsafe`"]);
        check_room("unsafe_code = true", text, &[]);
        check_room("free = true", text, &[]);
    }
}
