//! What the sandbox shows of the host, opened while it can be: by root in the launcher, else by process 1.
//!
//! Everything is a detached clone of a mount, held by a descriptor. From here on no host path is walked
//! again, so a layer may lie below a folder that only root can enter, and no path can be exchanged.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::launch::IdMaps;
use crate::sys::mounts::{self, ATTR_NODEV, ATTR_NOSUID, ATTR_RDONLY, Below};
use crate::sys::process;
use crate::wire::{Failure, FailureKind, Order, OrderAccess};

/// System folders shown as the host has them, with a throw-away upper. They may also be links into `/usr`.
const SYSTEM: [&str; 11] = [
    "usr", "etc", "opt", "var", "nix", "bin", "sbin", "lib", "lib32", "lib64", "libx32",
];

/// Folders that start empty: the host's content is private, or none of the target's business.
const FRESH: [(&str, u32); 8] = [
    ("tmp", 0o1777),
    ("home", 0o755),
    ("root", 0o755),
    ("run", 0o755),
    ("srv", 0o755),
    ("mnt", 0o755),
    ("media", 0o755),
    ("sys", 0o555),
];

/// Folders below `/var` that start empty.
const FRESH_VAR: [(&str, u32); 8] = [
    ("tmp", 0o1777),
    ("log", 0o755),
    ("mail", 0o755),
    ("spool", 0o755),
    ("backups", 0o755),
    ("crash", 0o755),
    ("lock", 0o755),
    ("run", 0o755),
];

/// Where entries of the user who starts the sandbox are looked for and hidden.
const SHARED: [&str; 5] = ["opt", "var", "var/lib", "var/cache", "etc"];

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Everything to mount, parents before children.
pub struct Sources {
    pub places: Vec<Place>,
    /// Links at the top of the file system, such as `bin` to `usr/bin`.
    pub links: Vec<(String, PathBuf)>,
    pub devices: Vec<(&'static str, OwnedFd)>,
    pub facts: Vec<(String, String)>,
}

/// One folder or file to show.
pub struct Place {
    /// Relative to the root, normalised.
    pub inside: PathBuf,
    pub shown: Shown,
}

/// Where an overlay's content comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Layer,
    System,
    /// A system folder over which the kernel allows no overlay: its readable files are copied.
    SystemCopied,
}

/// How a place is shown.
pub enum Shown {
    /// The host's content with a throw-away upper.
    Overlay {
        tree: OwnedFd,
        mode: u32,
        origin: Origin,
    },
    /// The host's content, read-only. `locked`: it has mounts below it that this user cannot take away, so
    /// no overlay can be made over it.
    ReadOnly {
        tree: OwnedFd,
        folder: bool,
        locked: bool,
    },
    ReadWrite {
        tree: OwnedFd,
        folder: bool,
    },
    /// An empty folder.
    Fresh {
        mode: u32,
    },
}

/// Opens everything the order names. `idmaps` is given by real root only.
pub fn open(order: &Order, mut idmaps: Option<&mut IdMaps>) -> Result<Sources, Failure> {
    let mut sources = Sources {
        places: Vec::new(),
        links: Vec::new(),
        devices: Vec::new(),
        facts: Vec::new(),
    };
    for name in SYSTEM {
        open_system(&mut sources, name, idmaps.is_some())?;
    }
    for (name, mode) in FRESH {
        sources.places.push(Place {
            inside: name.into(),
            shown: Shown::Fresh { mode },
        });
    }
    for (name, mode) in FRESH_VAR {
        let is_folder =
            fs::symlink_metadata(Path::new("/var").join(name)).is_ok_and(|meta| meta.is_dir());
        if is_folder {
            sources.places.push(Place {
                inside: Path::new("var").join(name),
                shown: Shown::Fresh { mode },
            });
        }
    }
    if idmaps.is_none() {
        hide_own_entries(&mut sources);
    }
    for layer in &order.layers {
        let host = Path::new(OsStr::from_bytes(&layer.host));
        let inside = normalised(Path::new(OsStr::from_bytes(&layer.inside)), &sources.links)?;
        let shown = open_layer(
            host,
            layer.access,
            idmaps.as_deref_mut(),
            &mut sources.facts,
        )?;
        // A layer replaces what would have been there anyway, but not another layer.
        sources.places.retain(|place| {
            place.inside != inside
                || !matches!(
                    place.shown,
                    Shown::Fresh { .. }
                        | Shown::Overlay {
                            origin: Origin::System | Origin::SystemCopied,
                            ..
                        }
                )
        });
        if sources.places.iter().any(|place| place.inside == inside) {
            return Err(spec(format!("two layers at `/{}`", inside.display())));
        }
        sources.places.push(Place { inside, shown });
    }
    sources
        .places
        .sort_by_key(|place| place.inside.components().count());
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        let tree = mounts::clone_tree(&path, Below::OneMount)
            .map_err(|e| Failure::step(format!("open `{}`", path.display()), &e))?;
        // Propagation off; a device node must stay a device, so no `nodev`.
        mounts::restrict(tree.as_fd(), Below::OneMount, ATTR_NOSUID, None)
            .map_err(|e| Failure::step(format!("restrict `{}`", path.display()), &e))?;
        sources.devices.push((name, tree));
    }
    Ok(sources)
}

fn open_system(sources: &mut Sources, name: &str, as_root: bool) -> Result<(), Failure> {
    let path = Path::new("/").join(name);
    let Ok(meta) = fs::symlink_metadata(&path) else {
        return Ok(());
    };
    if meta.is_symlink() {
        let target = fs::read_link(&path)
            .map_err(|e| Failure::step(format!("read link `{}`", path.display()), &e))?;
        sources.links.push((name.to_owned(), target));
        return Ok(());
    }
    if !meta.is_dir() {
        return Ok(());
    }
    let failed = |e: &io::Error| Failure::step(format!("open `{}`", path.display()), e);
    let (tree, locked) = match mounts::clone_tree(&path, Below::OneMount) {
        Ok(tree) => (tree, false),
        // Mounts below it belong to a more privileged namespace and must stay on top of what they cover.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => (
            mounts::clone_tree(&path, Below::Submounts).map_err(|e| failed(&e))?,
            true,
        ),
        // Root in a container that may not mount.
        Err(error) if as_root && error.raw_os_error() == Some(libc::EPERM) => {
            return Err(Failure::of(FailureKind::Namespaces, "open_tree", &error));
        }
        Err(error) => return Err(failed(&error)),
    };
    let below = if locked {
        Below::Submounts
    } else {
        Below::OneMount
    };
    let read_only = if locked { ATTR_RDONLY } else { 0 };
    mounts::restrict(
        tree.as_fd(),
        below,
        ATTR_NOSUID | ATTR_NODEV | read_only,
        None,
    )
    .map_err(|e| Failure::step(format!("restrict `{}`", path.display()), &e))?;
    let shown = if locked && name == "etc" {
        Shown::Overlay {
            tree,
            mode: 0o755,
            origin: Origin::SystemCopied,
        }
    } else if locked {
        sources.facts.push((
            "system folder".to_owned(),
            format!(
                "`{}` has mounts of its own and is shown read-only",
                path.display()
            ),
        ));
        Shown::ReadOnly {
            tree,
            folder: true,
            locked: true,
        }
    } else {
        Shown::Overlay {
            tree,
            mode: 0o755,
            origin: Origin::System,
        }
    };
    sources.places.push(Place {
        inside: name.into(),
        shown,
    });
    Ok(())
}

/// A plain user's sandbox runs with that user's rights on the host's files. What that user owns in shared
/// folders is private to them unless a layer names it, so an empty folder covers it.
fn hide_own_entries(sources: &mut Sources) {
    let me = process::uid();
    for shared in SHARED {
        let Ok(entries) = fs::read_dir(Path::new("/").join(shared)) else {
            continue;
        };
        for entry in entries.flatten() {
            let inside = Path::new(shared).join(entry.file_name());
            let owned = entry
                .metadata()
                .is_ok_and(|meta| meta.uid() == me && meta.is_dir());
            if owned && !sources.places.iter().any(|place| place.inside == inside) {
                sources.places.push(Place {
                    inside,
                    shown: Shown::Fresh { mode: 0o755 },
                });
            }
        }
    }
}

fn open_layer(
    host: &Path,
    access: OrderAccess,
    idmaps: Option<&mut IdMaps>,
    facts: &mut Vec<(String, String)>,
) -> Result<Shown, Failure> {
    let failed = |e: &io::Error| Failure::of(FailureKind::Layer, host.display().to_string(), e);
    let meta = fs::metadata(host).map_err(|e| failed(&e))?;
    if !meta.is_dir() && !meta.is_file() {
        return Err(spec(format!(
            "layer `{}` is neither a folder nor a file",
            host.display()
        )));
    }
    if access == OrderAccess::Overlay && !meta.is_dir() {
        return Err(spec(format!(
            "overlay layer `{}` is not a folder",
            host.display()
        )));
    }
    // Mounts below a layer are shown only where the kernel insists.
    let (tree, below) = match mounts::clone_tree(host, Below::OneMount) {
        Ok(tree) => (tree, Below::OneMount),
        Err(error)
            if error.raw_os_error() == Some(libc::EINVAL) && access != OrderAccess::Overlay =>
        {
            (
                mounts::clone_tree(host, Below::Submounts).map_err(|e| failed(&e))?,
                Below::Submounts,
            )
        }
        Err(error) => return Err(failed(&error)),
    };
    let mut set = ATTR_NOSUID | ATTR_NODEV;
    if access == OrderAccess::ReadOnly {
        set |= ATTR_RDONLY;
    }
    // Root's own files are shown as the sandbox's. Without that (file systems that cannot map owners) the
    // layer works as far as its files are readable for everybody.
    let mapped = match idmaps {
        Some(maps) => {
            let map = maps.for_owner((meta.uid(), meta.gid()))?;
            mounts::restrict(tree.as_fd(), below, set, Some(map))
        }
        None => Err(io::ErrorKind::Unsupported.into()),
    };
    if let Err(error) = mapped {
        if error.raw_os_error().is_some() {
            facts.push((
                "layer".to_owned(),
                format!("owners of `{}` cannot be mapped ({error}); only what everybody may read is visible", host.display()),
            ));
        }
        mounts::restrict(tree.as_fd(), below, set, None).map_err(|e| failed(&e))?;
    }
    let (folder, locked) = (meta.is_dir(), below == Below::Submounts);
    Ok(match access {
        OrderAccess::Overlay => Shown::Overlay {
            tree,
            mode: meta.mode() & 0o777,
            origin: Origin::Layer,
        },
        OrderAccess::ReadOnly => Shown::ReadOnly {
            tree,
            folder,
            locked,
        },
        OrderAccess::ReadWrite => Shown::ReadWrite { tree, folder },
    })
}

/// An absolute inside path as components below the root; a leading link such as `bin` is followed.
fn normalised(path: &Path, links: &[(String, PathBuf)]) -> Result<PathBuf, Failure> {
    let mut out = PathBuf::new();
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(spec(format!(
            "layer path `{}` is not absolute",
            path.display()
        )));
    }
    for component in components {
        match component {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            _ => {
                return Err(spec(format!(
                    "layer path `{}` is not plain",
                    path.display()
                )));
            }
        }
    }
    let Some(first) = out.components().next() else {
        return Err(spec("a layer cannot replace `/`".to_owned()));
    };
    let first = first.as_os_str().to_owned();
    if ["proc", "dev", "sys", "slv"]
        .iter()
        .any(|name| first == *name)
    {
        return Err(spec(format!("layer path `{}` is reserved", path.display())));
    }
    if let Some((name, target)) = links.iter().find(|(name, _)| first == name.as_str()) {
        let rest = out.strip_prefix(name).unwrap_or(Path::new("")).to_owned();
        let target = target.strip_prefix("/").unwrap_or(target);
        return Ok(target.join(rest));
    }
    Ok(out)
}

fn spec(what: String) -> Failure {
    Failure {
        kind: FailureKind::Spec,
        what,
        errno: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_paths_are_absolute_plain_and_not_reserved() {
        let links = [("bin".to_owned(), PathBuf::from("usr/bin"))];
        let ok = |text: &str| normalised(Path::new(text), &links).ok();
        assert_eq!(ok("/app/./x"), Some(PathBuf::from("app/x")));
        assert_eq!(ok("/bin/tool"), Some(PathBuf::from("usr/bin/tool")));
        assert_eq!(ok("app"), None);
        assert_eq!(ok("/app/../etc"), None);
        assert_eq!(ok("/"), None);
        assert_eq!(ok("/proc/sys"), None);
    }
}
