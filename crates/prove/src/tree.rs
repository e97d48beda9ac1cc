//! Copies of source trees, and cache entries that appear whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use solvent_base::Digest;

use crate::prepare::{PrepareError, files};

/// Bytes of one copied file, and of all of them: a tree with more is no source tree.
const MAX_FILE: u64 = 256 << 20;
const MAX_TOTAL: u64 = 2 << 30;
const MAX_FILES: usize = 200_000;

/// Files of a tree, relative, with what was left out.
pub(crate) struct Listing {
    pub files: BTreeMap<PathBuf, Entry>,
    pub digest: Digest,
    pub left_out: Vec<String>,
}

#[derive(Clone)]
pub(crate) enum Entry {
    File { executable: bool },
    Link(PathBuf),
    Folder,
}

/// Lists `root` without version control, caches and environments, and without `cache` if it lies inside.
pub(crate) fn list(root: &Path, cache: &Path) -> io::Result<Listing> {
    let root = fs::canonicalize(root)?;
    let mut found = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut total = 0_u64;
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(&root).unwrap_or(&path).to_owned();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let skip = matches!(
                    name.as_str(),
                    ".git"
                        | ".hg"
                        | ".svn"
                        | "__pycache__"
                        | ".venv"
                        | "node_modules"
                        | ".solvent"
                        | ".tox"
                ) || path.join("pyvenv.cfg").is_file()
                    || path == cache;
                if !skip {
                    found.insert(relative, Entry::Folder);
                    folders.push(path);
                }
            } else if kind.is_symlink() {
                let target = fs::read_link(&path)?;
                // A link out of the tree would show the host's files, or nothing.
                let inside = fs::canonicalize(&path).is_ok_and(|real| real.starts_with(&root));
                if inside && target.is_relative() {
                    found.insert(relative, Entry::Link(target));
                } else {
                    left_out.push(format!(
                        "link `{}` leads out of the tree and is left out",
                        relative.display()
                    ));
                }
            } else if kind.is_file() {
                let meta = entry.metadata()?;
                if meta.len() > MAX_FILE
                    || total + meta.len() > MAX_TOTAL
                    || found.len() >= MAX_FILES
                {
                    left_out.push(format!(
                        "file `{}` is over the size limit and is left out",
                        relative.display()
                    ));
                    continue;
                }
                total += meta.len();
                let executable = meta.permissions().mode() & 0o111 != 0;
                found.insert(relative, Entry::File { executable });
            }
        }
    }
    for (relative, entry) in &found {
        match entry {
            Entry::File { .. } => {
                parts.push(relative.to_string_lossy().into_owned().into_bytes());
                parts.push(
                    Digest::of(&fs::read(root.join(relative))?)
                        .as_bytes()
                        .to_vec(),
                );
            }
            Entry::Link(target) => {
                parts.push(relative.to_string_lossy().into_owned().into_bytes());
                parts.push(target.to_string_lossy().into_owned().into_bytes());
            }
            Entry::Folder => {}
        }
    }
    left_out.truncate(20);
    Ok(Listing {
        files: found,
        digest: Digest::of_parts(parts.iter().map(Vec::as_slice)),
        left_out,
    })
}

/// Copies the listed files to the empty folder `to`, open to every user below that private folder.
pub(crate) fn copy(root: &Path, listing: &Listing, to: &Path) -> io::Result<()> {
    for (relative, entry) in &listing.files {
        let target = to.join(relative);
        match entry {
            Entry::Folder => fs::create_dir_all(&target)?,
            Entry::File { executable } => {
                fs::copy(root.join(relative), &target)?;
                let mode = if *executable { 0o777 } else { 0o666 };
                fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
            }
            Entry::Link(link) => std::os::unix::fs::symlink(link, &target)?,
        }
    }
    open_up(to);
    Ok(())
}

/// Lets every user read and write below `root`, since the sandbox's user owns nothing here. The cache
/// folder above is private, so no other user of the host gets in.
pub(crate) fn open_up(root: &Path) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        // Entries that the sandbox's user made may belong to another user; then they are open already.
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o777));
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(meta) = entry.metadata()
            {
                let mode = if meta.permissions().mode() & 0o111 != 0 {
                    0o777
                } else {
                    0o666
                };
                let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode));
            }
        }
    }
}

/// A folder under construction: renamed into place when whole, removed otherwise, also after a crash.
pub(crate) struct Staging {
    path: PathBuf,
    kept: bool,
}

impl Staging {
    pub fn new(cache: &Path, what: &str) -> Result<Self, PrepareError> {
        for number in 0..1000_u32 {
            let path = cache.join(format!("{what}.partial-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(files("write the cache", &error)),
            }
        }
        Err(PrepareError::Files {
            what: "write the cache".into(),
            message: "too many partial entries".into(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to `place`. Another process may have been quicker; then that one's result is as good.
    pub fn keep(mut self, place: &Path) -> Result<(), PrepareError> {
        match fs::rename(&self.path, place) {
            Ok(()) => {
                self.kept = true;
                Ok(())
            }
            Err(_) if place.is_dir() => Ok(()),
            Err(error) => Err(files("write the cache", &error)),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes what a killed process left under construction.
pub(crate) fn sweep(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .split_once(".partial-")
            .and_then(|(_, rest)| rest.split('-').next())
            .and_then(|pid| pid.parse::<u32>().ok());
        if let Some(pid) = owner
            && pid != std::process::id()
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_tree_are_left_out_and_said() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("a.py"), "x").expect("written");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("out")).expect("linked");
        std::os::unix::fs::symlink("a.py", dir.path().join("in")).expect("linked");
        std::os::unix::fs::symlink(".", dir.path().join("loop")).expect("linked");
        let listing = list(dir.path(), Path::new("/nowhere")).expect("lists");
        assert_eq!(listing.left_out.len(), 1);
        assert!(listing.files.contains_key(Path::new("in")));
        let to = tempfile::tempdir().expect("a temporary folder");
        copy(dir.path(), &listing, to.path()).expect("copies");
        assert_eq!(fs::read(to.path().join("in")).expect("reads"), b"x");
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_the_living_one_is_not() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let dead = dir.path().join("venv.partial-4194305-0");
        fs::create_dir(&dead).expect("made");
        let living = Staging::new(dir.path(), "venv").expect("made");
        sweep(dir.path());
        assert!(!dead.exists() && living.path().exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
