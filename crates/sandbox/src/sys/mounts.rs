//! Mounts: the old call for file systems, the new ones for detached clones.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use super::{c_bytes, c_path, check, check_long};

const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;

pub const ATTR_RDONLY: u64 = 1;
pub const ATTR_NOSUID: u64 = 2;
pub const ATTR_NODEV: u64 = 4;
pub const ATTR_NOEXEC: u64 = 8;
const ATTR_IDMAP: u64 = 0x0010_0000;

/// How much below a path is cloned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Below {
    OneMount,
    Submounts,
}

/// `mount(2)` with a file system type and its options.
pub fn mount(kind: &str, target: &Path, flags: libc::c_ulong, data: &[u8]) -> io::Result<()> {
    let kind = c_bytes(kind.as_bytes())?;
    let target = c_path(target)?;
    let data = c_bytes(data)?;
    // SAFETY: all three pointers are null-terminated strings that live until the call returns.
    check(unsafe {
        libc::mount(
            kind.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr().cast(),
        )
    })?;
    Ok(())
}

/// `mount(2)` that binds or changes flags: no type, no data.
pub fn remount(source: Option<&Path>, target: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let source = source.map(c_path).transpose()?;
    let target = c_path(target)?;
    let source = source
        .as_ref()
        .map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: `source` is null, which these flags allow, or a live string; `target` is a live string.
    check(unsafe {
        libc::mount(
            source,
            target.as_ptr(),
            std::ptr::null(),
            flags,
            std::ptr::null(),
        )
    })?;
    Ok(())
}

/// Makes the current directory the root and detaches the old one.
pub fn pivot_to_current() -> io::Result<()> {
    // SAFETY: both arguments are static null-terminated strings. With "." for both, the old root is
    // stacked on the new one (pivot_root(2), notes) and is what umount2 then removes.
    unsafe {
        check_long(libc::syscall(
            libc::SYS_pivot_root,
            c".".as_ptr(),
            c".".as_ptr(),
        ))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
        check(libc::chdir(c"/".as_ptr()))?;
    }
    Ok(())
}

/// A detached copy of the mount at `path`, owned by the returned descriptor.
pub fn clone_tree(path: &Path, below: Below) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if below == Below::Submounts {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` lives over the call; the result is a fresh descriptor that nobody else owns.
    unsafe {
        let fd = check_long(libc::syscall(
            libc::SYS_open_tree,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Attaches a detached copy at `target`.
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both strings live over the call and the descriptor is borrowed.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })?;
    Ok(())
}

/// An open place in the current mount namespace, for [`restrict`].
pub fn open_place(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: `path` lives over the call; the result is a fresh descriptor that nobody else owns.
    unsafe {
        let fd = check(libc::open(
            path.as_ptr(),
            libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// `struct mount_attr` of `linux/mount.h`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Sets flags on a mount (and those below it), cuts its propagation, and maps its owners by `idmap`.
pub fn restrict(
    tree: BorrowedFd<'_>,
    below: Below,
    set: u64,
    idmap: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let attr = MountAttr {
        set: set | if idmap.is_some() { ATTR_IDMAP } else { 0 },
        clear: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: idmap.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let mut flags = libc::AT_EMPTY_PATH as libc::c_uint;
    if below == Below::Submounts {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `attr` is a `repr(C)` value of exactly the passed size and lives over the call.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })?;
    Ok(())
}

/// An extended attribute of an open file, or none when it has none; at most 256 bytes.
pub fn attribute(file: BorrowedFd<'_>, name: &str) -> Option<Vec<u8>> {
    let name = CString::new(name).ok()?;
    let mut value = vec![0_u8; 256];
    // SAFETY: the buffer is writable for its whole length and both live over the call.
    let length = unsafe {
        libc::fgetxattr(
            file.as_raw_fd(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    value.truncate(usize::try_from(length).ok()?);
    Some(value)
}
