//! Output folders of preparation: the one place where writes reach the host, watched so that they stay
//! within the budget.
//!
//! A plain user has no quota to set, so the file system's free space is looked at with every watch, which
//! costs one call; only when it shrank by the whole budget is the folder itself counted. What can be
//! written between two watches is the overshoot.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, OFlags};

use super::files::open_below;

/// An entry costs at least this, so that a flood of empty files counts too.
const ENTRY_BYTES: u64 = 4096;
/// Deeper or wider than this is over any budget.
const MOST_ENTRIES: u64 = 5_000_000;

/// One [`crate::Access::ReadWrite`] folder.
pub struct Output {
    folder: OwnedFd,
    /// Free bytes and entries of its file system when last counted.
    free: Option<(u64, u64)>,
    at_start: u64,
}

impl Output {
    pub fn new(folder: OwnedFd) -> Self {
        let free = free(folder.as_fd());
        let at_start = size(folder.as_fd());
        Self {
            folder,
            free,
            at_start,
        }
    }

    /// Whether it grew by more than `budget` bytes since the start.
    pub fn grew_over(&mut self, budget: u64) -> bool {
        let now = free(self.folder.as_fd());
        if let (Some(before), Some(now)) = (self.free, now)
            && before.0.saturating_sub(now.0) < budget / 2
            && before.1.saturating_sub(now.1) < budget / ENTRY_BYTES / 2
        {
            // Others may free space meanwhile: the mark rises with it, it never falls unlooked.
            self.free = Some((before.0.max(now.0), before.1.max(now.1)));
            return false;
        }
        self.free = now;
        size(self.folder.as_fd()).saturating_sub(self.at_start) > budget
    }
}

fn free(folder: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstatvfs(folder).ok()?;
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_favail))
}

/// Bytes used below a folder, hard links counted each time.
fn size(folder: BorrowedFd<'_>) -> u64 {
    let (mut total, mut entries) = (0_u64, 0_u64);
    let mut todo = vec![PathBuf::from("/")];
    while let Some(path) = todo.pop() {
        let Ok(opened) = open_below(folder, &path, OFlags::RDONLY | OFlags::DIRECTORY, 0) else {
            continue;
        };
        let Ok(list) = Dir::read_from(&opened) else {
            continue;
        };
        for entry in list.flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            total = total
                .saturating_add((stat.st_blocks as u64).saturating_mul(512))
                .saturating_add(ENTRY_BYTES);
            entries += 1;
            if entries > MOST_ENTRIES {
                return u64::MAX;
            }
            if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                use std::os::unix::ffi::OsStrExt as _;
                todo.push(path.join(std::ffi::OsStr::from_bytes(name.to_bytes())));
            }
        }
    }
    total
}
