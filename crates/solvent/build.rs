//! Puts the example shop into the binary, so that `solvent demo` works from the binary alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const EXAMPLES: [&str; 2] = ["storefront", "storefront-fixed"];

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../examples");
    let mut code = String::new();
    for example in EXAMPLES {
        let folder = root.join(example);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        collect(&folder, &folder, &mut files);
        files.sort();
        let _ = writeln!(
            code,
            "pub static {}: &[(&str, &[u8])] = &[",
            example.replace('-', "_").to_uppercase()
        );
        for (name, path) in files {
            let _ = writeln!(
                code,
                "    ({name:?}, include_bytes!({:?})),",
                path.display().to_string()
            );
        }
        let _ = writeln!(code, "];");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("examples.rs");
    if let Err(error) = fs::write(&out, code) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if [
            "__pycache__",
            ".pytest_cache",
            ".solvent",
            "instance",
            ".venv",
        ]
        .iter()
        .any(|skip| name == *skip)
        {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(relative) = path.strip_prefix(root)
            && let (Some(text), Ok(full)) = (relative.to_str(), path.canonicalize())
        {
            files.push((text.to_owned(), full));
        }
    }
}
