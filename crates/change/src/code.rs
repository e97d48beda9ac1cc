//! Which files are code.

/// Extensions of files that people and tools write programs in. Data, documents and generated lists
/// (lock files) would drown them in every figure.
const EXTENSIONS: &[&str] = &[
    "py", "pyx", "pyi", "js", "mjs", "cjs", "jsx", "ts", "tsx", "vue", "svelte", "java", "kt",
    "kts", "scala", "groovy", "go", "rb", "erb", "php", "cs", "rs", "c", "h", "cc", "cpp", "cxx",
    "hpp", "m", "mm", "swift", "pl", "pm", "sh", "bash", "ps1", "ex", "exs", "erl", "clj", "lua",
    "dart", "r", "sql", "html", "htm", "jsp", "tf",
];

/// Bytes of a file that counts as code: larger ones are data or generated.
pub const MAX_BYTES: u64 = 4 << 20;

/// Whether a path names code. `foo.min.js` is generated.
pub fn is_code(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let known = EXTENSIONS.contains(&extension) || EXTENSIONS.contains(&&*extension.to_lowercase());
    known && !stem.is_empty() && !stem.ends_with(".min")
}

/// The same as git's patterns, so that other files are not even read.
pub(crate) fn pathspecs() -> impl Iterator<Item = String> {
    EXTENSIONS
        .iter()
        .map(|extension| format!(":(glob,icase)**/*.{extension}"))
        .chain(std::iter::once(
            ":(exclude,glob,icase)**/*.min.*".to_owned(),
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_code_and_lists_are_not() {
        for path in ["a.py", "x/y.TS", "templates/index.html", "a.b.c.go"] {
            assert!(is_code(path), "{path}");
        }
        for path in [
            "Makefile",
            "poetry.lock",
            "a.json",
            "x.min.js",
            ".py",
            "a.py/README",
        ] {
            assert!(!is_code(path), "{path}");
        }
    }
}
