//! Reading and planting files in the target's view, without following anything the target may have laid.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};

/// What a planted file looked like when it was planted: changed means somebody else wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            size: stat.st_size as u64,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }
}

/// Opens below `root` without following any link. `O_NONBLOCK` always: a FIFO or a lease that the target
/// laid must not stop process 1.
pub fn open_below(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: u32,
) -> io::Result<OwnedFd> {
    let relative = relative(path)?;
    Ok(rustix::fs::openat2(
        root,
        &relative,
        flags
            | OFlags::CLOEXEC
            | if flags.contains(OFlags::PATH) {
                OFlags::empty()
            } else {
                OFlags::NONBLOCK
            },
        Mode::from_raw_mode(mode),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?)
}

/// An absolute inside path, relative to the root, without `.` and `..`.
fn relative(path: &Path) -> io::Result<PathBuf> {
    let mut out = PathBuf::new();
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for component in components {
        match component {
            Component::Normal(name) => out.push(name),
            _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }
    if out.as_os_str().is_empty() {
        out.push(".");
    }
    Ok(out)
}

/// Writes a file; returns what was made: missing parents, then the file, with its stamp.
pub fn plant(
    root: BorrowedFd<'_>,
    path: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<(Vec<PathBuf>, Stamp)> {
    let parent = path
        .parent()
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EISDIR))?;
    let made = make_parents(root, parent)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW;
    let fd = open_below(root, path, flags, 0o600)?;
    let stat = rustix::fs::fstat(&fd)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    rustix::fs::ftruncate(&fd, 0)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes)?;
    rustix::fs::fchmod(file.as_fd(), Mode::from_raw_mode(mode & 0o777))?;
    Ok((made, Stamp::of(&rustix::fs::fstat(file.as_fd())?)))
}

fn make_parents(root: BorrowedFd<'_>, parent: &Path) -> io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    let mut at = PathBuf::from("/");
    for component in parent.components().skip(1) {
        let next = at.join(component);
        if let Err(error) = open_below(root, &next, OFlags::PATH | OFlags::DIRECTORY, 0) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            let above = open_below(root, &at, OFlags::PATH | OFlags::DIRECTORY, 0)?;
            rustix::fs::mkdirat(&above, component.as_os_str(), Mode::from_raw_mode(0o755))?;
            made.push(next.clone());
        }
        at = next;
    }
    Ok(made)
}

pub fn remove(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    };
    let above = open_below(root, parent, OFlags::PATH | OFlags::DIRECTORY, 0)?;
    Ok(rustix::fs::unlinkat(&above, name, AtFlags::empty())?)
}

/// At most `cap` bytes of a regular file.
pub fn read(root: BorrowedFd<'_>, path: &Path, cap: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::File::from(open_below(
        root,
        path,
        OFlags::RDONLY | OFlags::NOFOLLOW,
        0,
    )?);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut bytes = Vec::with_capacity(meta.size().min(cap) as usize);
    file.take(cap).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_paths_are_absolute_and_never_climb() {
        assert_eq!(
            relative(Path::new("/a/./b")).ok(),
            Some(PathBuf::from("a/b"))
        );
        assert!(relative(Path::new("a")).is_err());
        assert!(relative(Path::new("/a/../b")).is_err());
    }
}
