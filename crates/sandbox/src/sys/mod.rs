//! Kernel calls without a safe wrapper elsewhere. The only unsafe code of the crate.
//!
//! Every function here is safe to call with any argument: pointers are made from Rust references that live
//! over the call, lengths are those of the referenced values, and file descriptors that the kernel returns
//! are wrapped at once, exactly once, in [`OwnedFd`].
#![expect(
    unsafe_code,
    reason = "namespaces, mounts, seccomp and descriptor passing have no safe interface in std"
)]

pub mod mounts;
pub mod process;
pub mod sockets;

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Turns the C convention (negative: look at `errno`) into a result.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_long(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

pub fn c_path(path: &Path) -> io::Result<CString> {
    c_bytes(path.as_os_str().as_bytes())
}

pub fn c_bytes(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
