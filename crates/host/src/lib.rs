//! The operating system behind `System`.
//!
//! It does not know what the files mean. Read [`Host`]; `walk` says which files exist for an analysis.

mod walk;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use solvent_base::{FilePath, ReadError, System, Timestamp, Walk};

/// One root folder of this machine, its clock and its randomness.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl System for Host {
    fn walk(&self) -> Walk {
        walk::walk(&self.root)
    }

    fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, ReadError> {
        let full = self.root.join(path.as_str());
        let metadata = std::fs::symlink_metadata(&full).map_err(|e| read_error(&e))?;
        if !metadata.is_file() {
            // A device or a pipe under this name could be read for ever.
            return Err(ReadError::Other("is not a regular file".to_owned()));
        }
        if metadata.len() > cap {
            return Err(ReadError::TooLarge(metadata.len()));
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        let file = File::open(&full).map_err(|e| read_error(&e))?;
        // The file may grow while it is read.
        file.take(cap + 1).read_to_end(&mut bytes).map_err(|e| read_error(&e))?;
        if bytes.len() as u64 > cap {
            return Err(ReadError::TooLarge(bytes.len() as u64));
        }
        Ok(bytes)
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| d.as_millis() as i64))
    }

    fn random(&self, out: &mut [u8]) {
        // Without randomness every later promise is void, so there is nothing to go on with.
        getrandom::fill(out).unwrap_or_else(|e| panic!("the operating system gives no randomness: {e}"));
    }
}

fn read_error(error: &std::io::Error) -> ReadError {
    if error.kind() == std::io::ErrorKind::NotFound {
        ReadError::NotFound
    } else {
        ReadError::Other(format!("cannot be read: {error}"))
    }
}
