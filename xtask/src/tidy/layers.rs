//! Who may use whom, and which outside crate belongs to which room: `docs/layers.toml`
//! against what cargo says. Both ways: what is there must be allowed, and what is allowed
//! must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata};
use serde::Deserialize;

use super::Problem;

const PATH: &str = "docs/layers.toml";

/// `docs/layers.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// The rooms by name.
    room: BTreeMap<String, Room>,
    /// Outside crates that every room may use: the crate, and why it is here.
    everywhere: BTreeMap<String, String>,
    /// Outside crates that belong to rooms.
    only: BTreeMap<String, Only>,
}

/// A room.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Its folder.
    pub folder: String,
    /// What it owns, in one line.
    owns: String,
    /// The rooms it may depend on.
    #[serde(default)]
    may_use: Vec<String>,
    /// Set for what stands outside the house: tests, benchmarks and chores use what they need.
    #[serde(default)]
    pub free: bool,
    /// Lints it denies beyond the shared ones.
    #[serde(default)]
    pub denies: Vec<String>,
    /// Set where `unsafe` is the task.
    #[serde(default)]
    pub unsafe_code: bool,
}

impl Layers {
    /// The rooms, by name.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.room.values()
    }
}

/// An outside crate that belongs to rooms.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Only {
    rooms: Vec<String>,
    why: String,
}

/// A crate of the workspace, as cargo sees it.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, from the root.
    pub folder: String,
    /// What it depends on outside of its tests.
    pub uses: Vec<String>,
}

/// The crates of the workspace.
pub fn packages(metadata: &Metadata, root: &Path) -> Vec<Package> {
    let of = |package: &&cargo_metadata::Package| {
        let folder = package.manifest_path.parent().map(|path| path.as_std_path()).unwrap_or(root);
        let folder = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
        let uses = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        Package {
            name: package.name.to_string(),
            folder,
            uses: uses.map(|dependency| dependency.name.clone()).collect(),
        }
    };
    metadata.workspace_packages().iter().map(of).collect()
}

/// Checks the rooms and what they use.
pub fn check(layers: &Layers, packages: &[Package]) -> Vec<Problem> {
    let mut problems = names_that_lead_nowhere(layers);
    problems.extend(rooms_against_crates(layers, packages));
    let names: BTreeMap<&str, &str> =
        packages.iter().filter_map(|package| Some((package.name.as_str(), room_of(layers, package)?))).collect();
    for package in packages {
        let Some((name, room)) = layers.room.iter().find(|(_, room)| room.folder == package.folder) else {
            continue;
        };
        for used in package.uses.iter().filter(|_| !room.free) {
            let problem = match names.get(used.as_str()) {
                Some(other) => inside_problem(name, room, other),
                None => outside_problem(layers, name, used),
            };
            problems.extend(problem.map(|text| Problem::new(format!("{}/Cargo.toml", package.folder), text)));
        }
    }
    problems.extend(outside_crates_without_a_user(layers, packages));
    problems
}

fn room_of<'a>(layers: &'a Layers, package: &Package) -> Option<&'a str> {
    layers.room.iter().find(|(_, room)| room.folder == package.folder).map(|(name, _)| name.as_str())
}

fn inside_problem(name: &str, room: &Room, other: &str) -> Option<String> {
    let allowed = room.may_use.iter().any(|allowed| allowed == other);
    (!allowed).then(|| format!("`{name}` may not use `{other}`; move the wall by an ADR and {PATH}, or keep it"))
}

fn outside_problem(layers: &Layers, name: &str, used: &str) -> Option<String> {
    match layers.only.get(used) {
        Some(only) if !only.rooms.iter().any(|room| room == name) => {
            Some(format!("`{used}` belongs to {}, not to `{name}`: {}", quoted(&only.rooms), only.why))
        }
        None if !layers.everywhere.contains_key(used) => {
            Some(format!("`{used}` is not in {PATH}: say there what it saves and who may use it"))
        }
        _ => None,
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Names in the file that stand for nothing, and sentences that are missing.
fn names_that_lead_nowhere(layers: &Layers) -> Vec<Problem> {
    let may_use = layers.room.iter().flat_map(|(name, room)| room.may_use.iter().map(move |used| (name, used)));
    let only = layers.only.iter().flat_map(|(name, only)| only.rooms.iter().map(move |room| (name, room)));
    let unknown = may_use.chain(only).filter(|(_, room)| !layers.room.contains_key(*room));
    let unknown = unknown.map(|(name, room)| format!("`{name}` names the room `{room}`, which is not there"));
    let silent = layers.room.iter().filter(|(_, room)| room.owns.trim().is_empty()).map(|(name, _)| name);
    let silent = silent.chain(layers.only.iter().filter(|(_, only)| only.why.trim().is_empty()).map(|(name, _)| name));
    let silent = silent.chain(layers.everywhere.iter().filter(|(_, why)| why.trim().is_empty()).map(|(name, _)| name));
    let silent = silent.map(|name| format!("`{name}` does not say what it is for"));
    let twice = layers.only.keys().filter(|name| layers.everywhere.contains_key(*name));
    let twice = twice.map(|name| format!("`{name}` is both everywhere and in some rooms only"));
    unknown.chain(silent).chain(twice).map(|text| Problem::new(PATH, text)).collect()
}

fn rooms_against_crates(layers: &Layers, packages: &[Package]) -> Vec<Problem> {
    let homeless = packages.iter().filter(|package| room_of(layers, package).is_none());
    let homeless = homeless.map(|package| format!("the crate in `{}` has no room here", package.folder));
    let empty = layers.room.iter().filter(|(_, room)| packages.iter().all(|package| package.folder != room.folder));
    let empty = empty.map(|(name, _)| format!("the room `{name}` has no crate any more"));
    homeless.chain(empty).map(|text| Problem::new(PATH, text)).collect()
}

/// Permissions that nobody needs: they would let the crate back in unseen.
fn outside_crates_without_a_user(layers: &Layers, packages: &[Package]) -> Vec<Problem> {
    let users = |used: &str| -> BTreeSet<&str> {
        let users = packages.iter().filter(|package| package.uses.iter().any(|name| name == used));
        users.filter_map(|package| room_of(layers, package)).collect()
    };
    let unused = layers.everywhere.keys().filter(|name| users(name).is_empty());
    let unused = unused.map(|name| format!("no room uses `{name}` any more"));
    let stale = layers.only.iter().flat_map(|(name, only)| {
        let users = users(name);
        let stale = only.rooms.iter().filter(move |room| !users.contains(room.as_str()));
        stale.map(move |room| format!("`{room}` does not use `{name}` any more"))
    });
    unused.chain(stale).map(|text| Problem::new(PATH, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [room.model]
        folder = "crates/model"
        owns = "the words"
        [room.store]
        folder = "crates/store"
        owns = "the data"
        may_use = ["model"]
        [room.xtask]
        folder = "xtask"
        owns = "chores"
        free = true
        [everywhere]
        serde = "data in and out"
        [only]
        rusqlite = { rooms = ["store"], why = "one room speaks SQL" }
    "#;

    fn package(folder: &str, uses: &str) -> Package {
        let name = folder.rsplit('/').next().unwrap_or_default();
        let uses = uses.split_whitespace().map(str::to_owned).collect();
        Package { name: format!("aegis-{name}"), folder: folder.to_owned(), uses }
    }

    fn good_packages() -> Vec<Package> {
        vec![
            package("crates/model", "serde"),
            package("crates/store", "aegis-model rusqlite"),
            package("xtask", "aegis-store syn"),
        ]
    }

    #[track_caller]
    fn check_layers(text: &str, packages: &[Package], expected: &[&str]) {
        let layers: Layers = toml::from_str(text).expect("layers");
        let problems = check(&layers, packages);
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }

    /// The good house with one package changed.
    #[track_caller]
    fn check_uses(folder: &str, uses: &str, expected: &[&str]) {
        let mut packages = good_packages();
        packages.retain(|package| package.folder != folder);
        packages.push(package(folder, uses));
        check_layers(GOOD, &packages, expected);
    }

    #[test]
    fn the_good_house_stands() {
        check_layers(GOOD, &good_packages(), &[]);
    }

    #[test]
    fn arrows_point_towards_the_words() {
        check_uses("crates/model", "serde aegis-store", &["`model` may not use `store`"]);
        check_uses("crates/store", "aegis-model rusqlite aegis-xtask", &["`store` may not use `xtask`"]);
    }

    #[test]
    fn an_outside_crate_stays_in_its_room() {
        check_uses("crates/model", "serde rusqlite", &["`rusqlite` belongs to `store`, not to `model`"]);
        check_uses("crates/model", "serde left-pad", &["`left-pad` is not in docs/layers.toml"]);
    }

    #[test]
    fn a_permission_that_nobody_needs_goes() {
        check_uses("crates/store", "aegis-model", &["`store` does not use `rusqlite` any more"]);
        check_uses("crates/model", "", &["no room uses `serde` any more"]);
    }

    #[test]
    fn rooms_and_crates_are_the_same() {
        let mut packages = good_packages();
        packages.push(package("crates/ghost", ""));
        check_layers(GOOD, &packages, &["the crate in `crates/ghost` has no room"]);
        let text = format!("{GOOD}\n[room.ghost]\nfolder = \"crates/ghost\"\nowns = \"nothing\"\n");
        check_layers(&text, &good_packages(), &["the room `ghost` has no crate"]);
    }

    #[test]
    fn names_must_lead_somewhere_and_sentences_must_say_something() {
        let text = GOOD.replace("may_use = [\"model\"]", "may_use = [\"model\", \"ghost\"]");
        check_layers(&text, &good_packages(), &["`store` names the room `ghost`"]);
        check_layers(&GOOD.replace("data in and out", " "), &good_packages(), &["`serde` does not say"]);
        check_layers(&GOOD.replace("the words", ""), &good_packages(), &["`model` does not say"]);
    }

    #[test]
    fn a_field_that_is_not_understood_is_refused() {
        assert!(toml::from_str::<Layers>(&GOOD.replace("may_use", "may_uses")).is_err());
    }
}
