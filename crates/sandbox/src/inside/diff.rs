//! What the target wrote: the upper folders against what was there before.
//!
//! The target may change the tree while it is walked. Every step opens below the upper's own descriptor
//! without following links, so the worst outcome is a missing or stale line, never a path outside.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, OFlags, Stat};
use sha2::{Digest as _, Sha256};

use super::files::{Stamp, open_below};
use super::root::Volume;
use crate::sys::mounts;
use crate::wire::Written;

/// Most lines of one answer; more is an error, not a shortened truth.
const MOST_PATHS: usize = 500_000;
/// Longest file that is hashed or compared.
const MOST_BYTES: u64 = 64 << 20;

pub const CREATED: u8 = 0;
pub const CHANGED: u8 = 1;
pub const DELETED: u8 = 2;

/// What the supervisor did itself, which is not the target's writing.
#[derive(Default)]
pub struct Planted {
    pub files: BTreeMap<PathBuf, Stamp>,
    pub folders: BTreeSet<PathBuf>,
    pub removed: BTreeSet<PathBuf>,
}

/// All differences, sorted by path.
pub fn writes(volumes: &[Volume], planted: &Planted) -> io::Result<Vec<Written>> {
    let mut found = Vec::new();
    for volume in volumes {
        let mut walk = Walk {
            volume,
            planted,
            found: &mut found,
        };
        walk.folder(Path::new("/"))?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

struct Walk<'a> {
    volume: &'a Volume,
    planted: &'a Planted,
    found: &'a mut Vec<Written>,
}

impl Walk<'_> {
    /// Walks without recursion: the target chooses the depth.
    fn folder(&mut self, start: &Path) -> io::Result<()> {
        let mut todo = vec![start.to_path_buf()];
        while let Some(folder) = todo.pop() {
            let opened = open_below(
                self.volume.upper.as_fd(),
                &folder,
                OFlags::RDONLY | OFlags::DIRECTORY,
                0,
            );
            // Gone since it was listed, or its path is longer than the kernel takes: its own line says
            // that it was written.
            let Ok(fd) = opened else { continue };
            for entry in Dir::read_from(&fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let path = folder.join(OsStr::from_bytes(name));
                let Ok(stat) =
                    rustix::fs::statat(&fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                else {
                    continue;
                };
                self.entry(fd.as_fd(), &path, &stat)?;
                if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                    todo.push(path);
                }
                if self.found.len() > MOST_PATHS {
                    return Err(io::Error::from_raw_os_error(libc::EOVERFLOW));
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, _folder: BorrowedFd<'_>, path: &Path, stat: &Stat) -> io::Result<()> {
        let inside = self
            .volume
            .inside
            .join(path.strip_prefix("/").unwrap_or(path));
        let relative = inside.strip_prefix("/").unwrap_or(&inside);
        let format = stat.st_mode & libc::S_IFMT;
        // The mount point of another place: its content is that place's volume, itself it is nobody's.
        let ours = self
            .volume
            .ours
            .iter()
            .any(|other| other.starts_with(relative));
        if format == libc::S_IFDIR && (ours || self.planted.folders.contains(&inside)) {
            return Ok(());
        }
        if self.planted.files.get(&inside) == Some(&Stamp::of(stat)) {
            return Ok(());
        }
        let before = self.before(path);
        if self.is_whiteout(path, stat) {
            if let Some((_, old)) = before
                && !self.planted.removed.contains(&inside)
            {
                self.push(&inside, DELETED, &old, None, 0);
            }
            return Ok(());
        }
        let (size, sha256) = self.content(self.volume.upper.as_fd(), path, stat);
        let change = match &before {
            None => CREATED,
            Some((lower, old)) => {
                let same_kind = old.st_mode & libc::S_IFMT == format;
                let same_mode = old.st_mode & 0o7777 == stat.st_mode & 0o7777;
                if format == libc::S_IFDIR && same_kind && !self.is_opaque(path) {
                    return Ok(());
                }
                // Opening a file for writing copies it up without changing it.
                let same_content =
                    sha256.is_some() && self.content(lower.as_fd(), path, old).1 == sha256;
                if same_kind && same_mode && same_content {
                    return Ok(());
                }
                CHANGED
            }
        };
        self.push(&inside, change, stat, sha256, size);
        Ok(())
    }

    fn push(&mut self, inside: &Path, change: u8, stat: &Stat, sha256: Option<String>, size: u64) {
        let kind = match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => 0,
            libc::S_IFDIR => 1,
            libc::S_IFLNK => 2,
            _ => 3,
        };
        self.found.push(Written {
            path: inside.as_os_str().as_bytes().to_vec(),
            change,
            kind,
            size,
            sha256,
        });
    }

    /// The same path below the upper: which lower holds it, and what it is there.
    fn before(&self, path: &Path) -> Option<(&std::os::fd::OwnedFd, Stat)> {
        self.volume.lower.iter().find_map(|lower| {
            let fd = open_below(lower.as_fd(), path, OFlags::PATH | OFlags::NOFOLLOW, 0).ok();
            let stat = match fd {
                Some(fd) => rustix::fs::fstat(&fd).ok()?,
                // `open_below` refuses a link as last component too; ask its folder.
                None => {
                    let above = open_below(
                        lower.as_fd(),
                        path.parent()?,
                        OFlags::PATH | OFlags::DIRECTORY,
                        0,
                    )
                    .ok()?;
                    rustix::fs::statat(&above, path.file_name()?, AtFlags::SYMLINK_NOFOLLOW).ok()?
                }
            };
            Some((lower, stat))
        })
    }

    /// overlayfs marks a deleted path by a character device 0:0, or in newer kernels by an attribute.
    fn is_whiteout(&self, path: &Path, stat: &Stat) -> bool {
        if self.volume.lower.is_empty() {
            return false;
        }
        if stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == 0 {
            return true;
        }
        stat.st_mode & libc::S_IFMT == libc::S_IFREG
            && stat.st_size == 0
            && self.attribute(path, "user.overlay.whiteout").is_some()
    }

    fn is_opaque(&self, path: &Path) -> bool {
        self.attribute(path, "user.overlay.opaque")
            .is_some_and(|value| value == b"y")
    }

    fn attribute(&self, path: &Path, name: &str) -> Option<Vec<u8>> {
        let fd = open_below(self.volume.upper.as_fd(), path, OFlags::RDONLY, 0).ok()?;
        mounts::attribute(fd.as_fd(), name)
    }

    /// Length and digest of a regular file, or the digest of a link's text.
    fn content(&self, base: BorrowedFd<'_>, path: &Path, stat: &Stat) -> (u64, Option<String>) {
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => {
                let size = stat.st_size as u64;
                if size > MOST_BYTES {
                    return (size, None);
                }
                let file = open_below(base, path, OFlags::RDONLY | OFlags::NOFOLLOW, 0)
                    .map(std::fs::File::from);
                (size, file.and_then(hash).ok())
            }
            libc::S_IFLNK => {
                let text = path
                    .parent()
                    .zip(path.file_name())
                    .and_then(|(parent, name)| {
                        let above =
                            open_below(base, parent, OFlags::PATH | OFlags::DIRECTORY, 0).ok()?;
                        rustix::fs::readlinkat(&above, name, Vec::new()).ok()
                    });
                (0, text.map(|text| hex(&Sha256::digest(text.to_bytes()))))
            }
            _ => (0, None),
        }
    }
}

fn hash(file: std::fs::File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 64 << 10];
    // It may grow while it is read.
    let mut file = file.take(MOST_BYTES);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            got => hasher.update(&buffer[..got]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
