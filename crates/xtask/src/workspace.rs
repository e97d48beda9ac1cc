//! The workspace as its manifests describe it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One member crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Folder below `crates/`, which is what people call it: `graph`.
    pub name: String,
    /// `solvent-graph`.
    pub package: String,
    pub description: String,
    pub layer: Option<u32>,
    pub pure: Option<bool>,
    /// Packages that the crate itself needs (not its tests).
    pub dependencies: Vec<String>,
}

/// Built for development only, beside the layers.
pub const DEVELOPMENT: [&str; 2] = ["testkit", "xtask"];

/// The repository's root folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The checkout may have been moved since this program was built: then Cargo says where it is.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map_or(manifest.to_owned(), PathBuf::from);
    folder.ancestors().nth(2).unwrap_or(&folder).to_owned()
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "build-dependencies")]
    build_dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    target: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    metadata: BTreeMap<String, toml::Value>,
}

/// Every crate below `crates/`, by name.
pub fn rooms(root: &Path) -> Result<Vec<Room>, String> {
    let mut rooms = Vec::new();
    for folder in folders(&root.join("crates"))? {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read `{}`: {error}", shown(root, &path)))?;
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        rooms.push(
            room(&name, &text)
                .map_err(|error| format!("`{}` is not a manifest: {error}", shown(root, &path)))?,
        );
    }
    Ok(rooms)
}

/// Reads one manifest.
pub fn room(name: &str, manifest: &str) -> Result<Room, String> {
    let manifest: Manifest = toml::from_str(manifest).map_err(|error| error.to_string())?;
    let solvent = manifest.package.metadata.get("solvent");
    let mut dependencies: Vec<String> = manifest
        .dependencies
        .into_keys()
        .chain(manifest.build_dependencies.into_keys())
        .collect();
    for table in manifest.target.values() {
        for key in ["dependencies", "build-dependencies"] {
            let inner = table.get(key).and_then(toml::Value::as_table);
            dependencies.extend(inner.into_iter().flat_map(|t| t.keys().cloned()));
        }
    }
    dependencies.sort();
    dependencies.dedup();
    Ok(Room {
        name: name.to_owned(),
        package: manifest.package.name,
        description: manifest.package.description,
        layer: solvent
            .and_then(|s| s.get("layer"))
            .and_then(toml::Value::as_integer)
            .and_then(|layer| u32::try_from(layer).ok()),
        pure: solvent
            .and_then(|s| s.get("pure"))
            .and_then(toml::Value::as_bool),
        dependencies,
    })
}

/// Folders directly below `folder`, by name.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot list crates: {error}"))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    Ok(folders)
}

/// Files below `folder` with one of the extensions, by path; generated and hidden folders left out.
pub fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !name.starts_with('.') && !name.starts_with("target") && name != "snapshots" {
                    open.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| extensions.iter().any(|x| e == *x))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path as people write it: below the root, forward slashes.
pub fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}
