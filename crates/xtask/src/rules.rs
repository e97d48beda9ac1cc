//! What keeps the rooms apart, as functions from texts to complaints, so that each rule has a test
//! that breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

use crate::codegen;
use crate::source::{code_only, without_tests};
use crate::workspace::{DEVELOPMENT, Room, files, rooms, shown};

/// `rules.toml`: text to reason.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    max_lines: usize,
    pure_allowed: BTreeMap<String, String>,
    pure_forbidden: BTreeMap<String, String>,
    forbidden: BTreeMap<String, String>,
    unsafe_allowed: BTreeMap<String, String>,
}

#[expect(clippy::print_stdout, reason = "a task's answer is its output")]
pub fn run(root: &Path) -> ExitCode {
    let complaints = check(root).unwrap_or_else(|error| vec![error]);
    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: rooms, purity, files and documents are as they should be");
        ExitCode::SUCCESS
    } else {
        println!("tidy: {} complaints", complaints.len());
        ExitCode::FAILURE
    }
}

/// Every complaint about the checkout below `root`.
pub fn check(root: &Path) -> Result<Vec<String>, String> {
    let rules: Rules = toml::from_str(include_str!("../rules.toml"))
        .map_err(|error| format!("`crates/xtask/rules.toml`: {error}"))?;
    let rooms = rooms(root)?;
    let mut complaints = layers(&rooms);
    complaints.extend(purity(&rooms, &rules));
    for room in &rooms {
        let folder = root.join("crates").join(&room.name);
        for path in files(&folder, &["rs"]) {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read `{}`: {error}", shown(root, &path)))?;
            let name = shown(root, &path);
            complaints.extend(file(room, &name, &text, &rules));
        }
    }
    for folder in [
        "crates",
        "models",
        "weaknesses",
        "docs",
        "fixtures",
        "examples",
        "loops",
        "decisions",
    ] {
        let all = ["rs", "toml", "md", "py", "html", "txt"];
        for path in files(&root.join(folder), &all) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            complaints.extend(machine_paths(&shown(root, &path), &text));
        }
    }
    complaints.extend(codegen::complaints(root, &rooms)?);
    Ok(complaints)
}

/// A crate uses lower layers only; development crates are used by tests only.
fn layers(rooms: &[Room]) -> Vec<String> {
    let by_package: BTreeMap<&str, &Room> = rooms.iter().map(|r| (&*r.package, r)).collect();
    let mut complaints = Vec::new();
    for room in rooms {
        let name = &room.name;
        let (Some(layer), Some(_)) = (room.layer, room.pure) else {
            complaints.push(format!(
                "`crates/{name}/Cargo.toml` has no `layer` and `pure` in [package.metadata.solvent]"
            ));
            continue;
        };
        if room.description.is_empty() || !room.description.ends_with('.') {
            complaints.push(format!(
                "`crates/{name}/Cargo.toml` has no one-sentence `description`"
            ));
        }
        for used in room
            .dependencies
            .iter()
            .filter_map(|package| by_package.get(&**package))
        {
            let development = |name: &str| DEVELOPMENT.contains(&name);
            if development(&used.name) && !development(name) {
                complaints.push(format!(
                    "`{name}` uses `{}`, which is for tests: make it a dev-dependency",
                    used.name
                ));
            } else if !development(name) && used.layer.is_none_or(|lower| lower >= layer) {
                complaints.push(format!(
                    "`{name}` (layer {layer}) uses `{}` (layer {}): a crate uses lower layers only",
                    used.name,
                    used.layer.unwrap_or_default()
                ));
            }
        }
    }
    complaints
}

/// A pure crate uses pure crates, and outside crates from the list.
fn purity(rooms: &[Room], rules: &Rules) -> Vec<String> {
    let by_package: BTreeMap<&str, &Room> = rooms.iter().map(|r| (&*r.package, r)).collect();
    let mut complaints = Vec::new();
    for room in rooms.iter().filter(|room| room.pure == Some(true)) {
        for package in &room.dependencies {
            match by_package.get(&**package) {
                Some(used) if used.pure != Some(true) => complaints.push(format!(
                    "`{}` is pure but uses `{}`, which is not",
                    room.name, used.name
                )),
                Some(_) => {}
                None if rules.pure_allowed.contains_key(package) => {}
                None => complaints.push(format!(
                    "`{}` is pure but uses `{package}`, which `crates/xtask/rules.toml` does not list",
                    room.name
                )),
            }
        }
    }
    complaints
}

/// Rules about one source file.
fn file(room: &Room, name: &str, text: &str, rules: &Rules) -> Vec<String> {
    let mut complaints = Vec::new();
    let code = code_only(text);
    let product = without_tests(&code);
    let lines = product.lines().count();
    if lines > rules.max_lines {
        complaints.push(format!(
            "`{name}` has {lines} lines before its tests: split it by noun"
        ));
    }
    if name.ends_with("/src/lib.rs") && !text.contains("It does not know") {
        complaints.push(format!(
            "`{name}` does not say what the crate does not know about"
        ));
    }
    let is_test = name.contains("/tests/") || name.contains("/benches/");
    let own_rules = room.name == "xtask";
    if !is_test && !own_rules {
        for (word, reason) in &rules.forbidden {
            complaints.extend(places(name, product, word, reason));
        }
    }
    if room.pure == Some(true) && name.contains("/src/") {
        for (word, reason) in &rules.pure_forbidden {
            complaints.extend(places(name, product, word, reason));
        }
    }
    if !rules.unsafe_allowed.contains_key(&room.name) {
        let reason = "unsafe code belongs to the crates that `crates/xtask/rules.toml` lists";
        complaints.extend(places(name, &code, "unsafe", reason));
    }
    complaints
}

/// One complaint per line that has `word` as a whole word.
fn places(name: &str, code: &str, word: &str, reason: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back().is_some_and(is_word);
            let after = line[at + word.len()..].chars().next().is_some_and(is_word);
            let (first, last) = (word.chars().next(), word.chars().next_back());
            !(before && first.is_some_and(is_word) || after && last.is_some_and(is_word))
        })
    };
    let lines = code.lines().enumerate().filter(|(_, line)| whole(line));
    lines
        .map(|(at, _)| format!("{name}:{}: `{word}`: {reason}", at + 1))
        .collect()
}

/// Paths of one machine, which mean nothing on another.
fn machine_paths(name: &str, text: &str) -> Vec<String> {
    // Written in two parts so that this file does not complain about itself.
    let roots = [
        concat!("/wo", "rk/main"),
        concat!("/wo", "rk/shared"),
        concat!("/wo", "rk/corpora"),
        concat!("/ro", "ot/.cargo"),
        concat!("/tmp/", "bash_jobs"),
    ];
    let mut complaints = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for root in roots {
            if line.contains(root) {
                complaints.push(format!(
                    "{name}:{}: `{root}` is a path of one machine",
                    at + 1
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{room, root};

    fn rules() -> Rules {
        toml::from_str(include_str!("../rules.toml")).expect("the rules are TOML")
    }

    fn made(name: &str, layer: u32, pure: bool, dependencies: &[&str]) -> Room {
        let mut manifest = format!(
            "[package]\nname = \"solvent-{name}\"\ndescription = \"One sentence.\"\n\
             [package.metadata.solvent]\nlayer = {layer}\npure = {pure}\n[dependencies]\n"
        );
        for package in dependencies {
            manifest.push_str(&format!("{package} = \"1\"\n"));
        }
        room(name, &manifest).expect("a manifest")
    }

    #[test]
    fn this_workspace_keeps_its_rules() {
        let complaints = check(&root()).expect("a readable workspace");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn a_crate_that_uses_its_own_layer_or_a_higher_one_is_named() {
        let rooms = [
            made("a", 1, true, &[]),
            made("b", 1, true, &["solvent-a"]),
            made("c", 0, true, &["solvent-b"]),
            made("d", 2, true, &["solvent-a", "solvent-b"]),
        ];
        let complaints = layers(&rooms);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].starts_with("`b` (layer 1) uses `a` (layer 1)"));
        assert!(complaints[1].starts_with("`c` (layer 0) uses `b` (layer 1)"));
    }

    #[test]
    fn test_crates_are_for_tests() {
        let rooms = [
            made("testkit", 0, false, &[]),
            made("a", 3, false, &["solvent-testkit"]),
        ];
        assert_eq!(layers(&rooms).len(), 1);
    }

    #[test]
    fn a_pure_crate_that_uses_the_world_is_named() {
        let rooms = [
            made("host", 0, false, &["getrandom"]),
            made("a", 1, true, &["solvent-host", "tokio", "sha2"]),
        ];
        let complaints = purity(&rooms, &rules());
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        let (pure, impure) = (made("a", 1, true, &[]), made("b", 1, false, &[]));
        let text = "use std::fs;\nfn f() { println!(\"{:?}\", SystemTime::now()); }\n#[cfg(test)]\nmod tests { use std::fs; }";
        assert_eq!(file(&pure, "crates/a/src/x.rs", text, &rules()).len(), 3);
        assert_eq!(
            file(&impure, "crates/b/src/x.rs", text, &rules()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn unsafe_code_stubs_and_long_files_are_named() {
        let room = made("a", 1, false, &[]);
        let found = |text: &str| file(&room, "crates/a/src/x.rs", text, &rules()).len();
        assert_eq!(found("fn f() { unsafe { g() } }"), 1);
        assert_eq!(found("#![deny(unsafe_code)]\nfn f() { todo!() }"), 1);
        assert_eq!(found("// unsafe, todo!\n"), 0);
        assert_eq!(found(&"\n".repeat(2000)), 1);
        assert_eq!(
            file(&room, "crates/a/src/lib.rs", "//! Things.", &rules()).len(),
            1
        );
    }

    #[test]
    fn a_path_of_one_machine_is_named() {
        let text = format!("see {}{}/x", "/wo", "rk/main");
        assert_eq!(machine_paths("docs/x.md", &text).len(), 1);
        assert_eq!(machine_paths("docs/x.md", "see /workspace").len(), 0);
    }
}
