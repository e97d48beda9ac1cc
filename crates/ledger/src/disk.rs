//! Every write the ledger makes, behind one trait, so that a test can fail any of them half way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// 0600.
    Private,
    /// 0644, less the umask.
    Shared,
    /// 0444: written once.
    Final,
}

impl Mode {
    fn bits(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Shared => 0o644,
            Self::Final => 0o444,
        }
    }
}

/// The writes. Each may fail half way; the ledger's promise is that what was acknowledged survives
/// any of them stopping anywhere.
pub trait Disk: Send + Sync {
    /// Makes one directory; that it exists already is fine.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Puts a whole file in place, or leaves what was there: temporary file, fdatasync, rename. The
    /// directory is not synced.
    fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()>;

    /// Appends to an open file.
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;

    fn sync(&self, file: &File) -> io::Result<()>;

    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;

    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's files.
pub struct RealDisk;

/// Names of files that a crash may leave and that never count.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Where [`Disk::put`] writes before the rename.
pub fn temporary(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    path.with_file_name(format!("{TEMPORARY}{name}"))
}

impl Disk for RealDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => match path.parent() {
                Some(parent) => self.sync_dir(parent),
                None => Ok(()),
            },
        }
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
        let temporary = temporary(path);
        // A crash may have left one, possibly read-only.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = (|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode.bits())
                .open(&temporary)?;
            if mode == Mode::Private {
                // Whatever the umask, exactly 0600.
                file.set_permissions(fs::Permissions::from_mode(mode.bits()))?;
            }
            file.write_all(bytes)?;
            file.sync_data()?;
            fs::rename(&temporary, path)
        })();
        if written.is_err() {
            // Gives the space back; the error that matters is the first one.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The whole file, refused when larger than `cap` bytes or when it is not a regular file: a copied
/// folder is hostile input, and a link or pipe in it must not be followed or waited for.
pub(crate) fn read_capped(path: &Path, cap: u64) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("over {cap} bytes"));
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a regular file",
        ));
    }
    if found.len() > cap {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    File::open(path)?.take(cap + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(too_large());
    }
    Ok(bytes)
}
