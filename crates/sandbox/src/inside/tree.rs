//! The processes of the sandbox, read from its own `/proc`.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use crate::wire;

/// What the living processes use, beside process 1.
#[derive(Clone, Copy, Default)]
pub struct Use {
    pub cpu: Duration,
    /// Memory that is not shared with files, in bytes.
    pub memory: u64,
}

/// Numbers of all processes but process 1.
pub fn processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid > 1)
        .collect()
}

/// CPU time (with that of children they waited for) and memory of all living processes together.
pub fn use_now() -> Use {
    let mut total = Use::default();
    for pid in processes() {
        if let Some(stat) = fields(pid) {
            // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted here after the state. Linux
            // shows them in hundredths of a second on every architecture.
            let ticks: u64 = (11..15)
                .filter_map(|i| stat.get(i)?.parse::<u64>().ok())
                .sum();
            total.cpu += Duration::from_millis(ticks * 10);
        }
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/statm")) {
            let mut pages = text
                .split(' ')
                .skip(1)
                .filter_map(|text| text.parse::<u64>().ok());
            if let (Some(resident), Some(shared)) = (pages.next(), pages.next()) {
                total.memory += resident.saturating_sub(shared) * crate::sys::process::page_size();
            }
        }
    }
    total.memory += shared_segments();
    total
}

/// Bytes of System V shared memory, which belongs to no process.
fn shared_segments() -> u64 {
    let text = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    // The column before the last is what is resident (`rss`); the first line names the columns.
    text.lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().rev().nth(1)?.parse::<u64>().ok())
        .sum()
}

/// Fields of `/proc/<pid>/stat` from the state on.
fn fields(pid: i32) -> Option<Vec<String>> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(
        text.rsplit_once(')')?
            .1
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    )
}

pub fn parent(pid: i32) -> Option<i32> {
    fields(pid)?.get(1)?.parse().ok()
}

/// Arguments, at most 64 of them and 64 KiB together.
pub fn argv(pid: i32) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(format!("/proc/{pid}/cmdline")) {
        let _ = file.take(64 << 10).read_to_end(&mut bytes);
    }
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes
        .split(|byte| *byte == 0)
        .take(64)
        .map(<[u8]>::to_vec)
        .collect()
}

/// Parent first, up to the oldest below process 1.
pub fn ancestors(pid: i32) -> Vec<(i32, String, Vec<Vec<u8>>)> {
    let mut chain = Vec::new();
    let mut at = pid;
    while let Some(above) = parent(at) {
        if above <= 1 || chain.len() >= 64 {
            break;
        }
        let comm = fs::read(format!("/proc/{above}/comm")).unwrap_or_default();
        chain.push((
            above,
            String::from_utf8_lossy(&comm).trim_end().to_owned(),
            argv(above),
        ));
        at = above;
    }
    chain
}

/// Sockets in state LISTEN of this network namespace, without those in `own` (port numbers of ours).
pub fn listeners(own: &[u16]) -> Vec<(std::net::IpAddr, u16)> {
    let mut found = Vec::new();
    for file in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        found.extend(
            text.lines()
                .skip(1)
                .filter_map(listener)
                .filter(|(_, port)| !own.contains(port)),
        );
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A line of `/proc/net/tcp{,6}`: addresses are words of 32 bits in the machine's byte order.
fn listener(line: &str) -> Option<(std::net::IpAddr, u16)> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
    if state != "0A" {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<u32>> = (0..address.len() / 8)
        .map(|i| u32::from_str_radix(address.get(8 * i..8 * i + 8)?, 16).ok())
        .collect();
    let octets: Vec<u8> = words?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let ip = match octets.len() {
        4 => std::net::IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => std::net::IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some((ip, port))
}

/// What a canary event says about its process.
pub fn canary(pid: i32, name: String) -> wire::Canary {
    wire::Canary {
        name,
        argv: argv(pid),
        ancestors: ancestors(pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_kernels_table() {
        let v4 = "   0: 0101007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1";
        let v6 = "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A x";
        let established = "   2: 0100007F:1F90 0100007F:1F91 01 00000000:00000000";
        if cfg!(target_endian = "little") {
            assert_eq!(listener(v4), Some(("127.0.1.1".parse().unwrap(), 8080)));
            assert_eq!(listener(v6), Some(("::1".parse().unwrap(), 80)));
        }
        assert_eq!(listener(established), None);
        assert_eq!(listener("garbage"), None);
    }
}
