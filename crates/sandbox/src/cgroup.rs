//! Control groups, version 1 or 2, where this process may make them; nothing where it may not.
//!
//! Group folders are named `solvent-<pid>-<start>-<n>` after the supervisor, so that what a killed machine
//! left behind can be told from what is in use.

use std::fs;
use std::path::{Path, PathBuf};

use crate::wire::{Failure, GroupKind, GroupPaths, Order};

/// The groups of one sandbox.
pub struct Groups {
    made: Vec<(PathBuf, GroupKind)>,
}

impl Groups {
    /// Makes what can be made. A controller that cannot be had is left to resource limits.
    pub fn create(order: &Order) -> Self {
        let mut made = Vec::new();
        for (parent, kind) in parents() {
            sweep(&parent);
            let folder = parent.join(&order.name);
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            if set_limits(&folder, kind, order) {
                made.push((folder, kind));
            } else {
                // Just made and empty: nothing else can be in it.
                let _ = fs::remove_dir(&folder);
            }
        }
        Self { made }
    }

    /// Moves a process, and with it its later children, into every group.
    pub fn admit(&self, pid: i32) -> Result<(), Failure> {
        for (folder, _) in &self.made {
            fs::write(folder.join("cgroup.procs"), pid.to_string()).map_err(|e| {
                Failure::step(format!("enter control group `{}`", folder.display()), &e)
            })?;
        }
        Ok(())
    }

    pub fn limits_memory(&self) -> bool {
        self.made
            .iter()
            .any(|(_, kind)| matches!(kind, GroupKind::V1Memory | GroupKind::V2))
    }

    pub fn paths(&self) -> Vec<GroupPaths> {
        self.made
            .iter()
            .filter_map(|(folder, kind)| {
                Some(GroupPaths {
                    folder: folder.to_str()?.to_owned(),
                    kind: *kind,
                })
            })
            .collect()
    }

    pub fn peak_memory(&self) -> Option<u64> {
        self.made
            .iter()
            .find_map(|(folder, kind)| peak_memory(folder, *kind))
    }

    /// Removes the folders; call when no process is left in them.
    pub fn remove(&self) {
        for (folder, _) in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Largest memory use so far, in bytes.
pub fn peak_memory(folder: &Path, kind: GroupKind) -> Option<u64> {
    let file = match kind {
        GroupKind::V1Memory => "memory.max_usage_in_bytes",
        GroupKind::V2 => "memory.peak",
        GroupKind::V1Pids | GroupKind::V1Cpu => return None,
    };
    fs::read_to_string(folder.join(file))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// CPU time of everything that ever was in the group.
pub fn cpu_time(folder: &Path, kind: GroupKind) -> Option<std::time::Duration> {
    match kind {
        GroupKind::V1Cpu => {
            let text = fs::read_to_string(folder.join("cpuacct.usage")).ok()?;
            Some(std::time::Duration::from_nanos(text.trim().parse().ok()?))
        }
        GroupKind::V2 => {
            let text = fs::read_to_string(folder.join("cpu.stat")).ok()?;
            let micros = text
                .lines()
                .find_map(|line| line.strip_prefix("usage_usec "))?;
            Some(std::time::Duration::from_micros(
                micros.trim().parse().ok()?,
            ))
        }
        GroupKind::V1Pids | GroupKind::V1Memory => None,
    }
}

/// How many processes the kernel killed for want of memory.
pub fn memory_kills(folder: &Path, kind: GroupKind) -> u64 {
    let file = match kind {
        GroupKind::V1Memory => "memory.oom_control",
        GroupKind::V2 => "memory.events",
        GroupKind::V1Pids | GroupKind::V1Cpu => return 0,
    };
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix("oom_kill "))
        .find_map(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

fn set_limits(folder: &Path, kind: GroupKind, order: &Order) -> bool {
    // Process 1 of the sandbox counts too.
    let processes = order.processes.saturating_add(1).to_string();
    // Pages of the throw-away tmpfs are charged to the group.
    let memory = order
        .memory_bytes
        .saturating_add(order.disk_bytes)
        .to_string();
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).is_ok();
    match kind {
        GroupKind::V1Pids => write("pids.max", &processes),
        GroupKind::V1Memory => {
            let set = write("memory.limit_in_bytes", &memory);
            // Only where swap accounting is on; without it swap is not limited.
            let _ = write("memory.memsw.limit_in_bytes", &memory);
            set
        }
        GroupKind::V1Cpu => true,
        GroupKind::V2 => {
            let _ = write("memory.swap.max", "0");
            write("pids.max", &processes) && write("memory.max", &memory)
        }
    }
}

/// Folders in which a group may be made: below the group this process is in (version 1), or beside it,
/// at the nearest place that hands out both controllers (version 2).
fn parents() -> Vec<(PathBuf, GroupKind)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    parents_from(&mounts, &own)
        .into_iter()
        .filter_map(|(mount, path, kind)| match kind {
            GroupKind::V2 => nearest_v2(&mount, &path).map(|folder| (folder, kind)),
            _ => Some((mount.join(path.trim_start_matches('/')), kind)),
        })
        .collect()
}

fn parents_from(mounts: &str, own: &str) -> Vec<(PathBuf, String, GroupKind)> {
    let mut found: Vec<(PathBuf, String, GroupKind)> = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (root, point) = {
            let mut fields = left.split(' ').skip(3);
            (fields.next().unwrap_or("/"), fields.next().unwrap_or("/"))
        };
        let mut fields = right.split(' ');
        let kind = fields.next().unwrap_or_default();
        let options = fields.nth(1).unwrap_or_default();
        let controllers: &[(&str, GroupKind)] = match kind {
            "cgroup" => &[
                ("pids", GroupKind::V1Pids),
                ("memory", GroupKind::V1Memory),
                ("cpuacct", GroupKind::V1Cpu),
            ],
            "cgroup2" => &[("", GroupKind::V2)],
            _ => continue,
        };
        for (controller, kind) in controllers {
            if !controller.is_empty() && !options.split(',').any(|option| option == *controller) {
                continue;
            }
            let Some(path) = own_path(own, controller) else {
                continue;
            };
            // A mount may show only a part of the hierarchy; then paths start at that part.
            let path = match path.strip_prefix(root.trim_end_matches('/')) {
                Some(rest) => rest.to_owned(),
                None => continue,
            };
            if !found.iter().any(|(_, _, other)| other == kind) {
                found.push((PathBuf::from(point), path, *kind));
            }
        }
    }
    found
}

fn own_path(own: &str, controller: &str) -> Option<String> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        controllers
            .split(',')
            .any(|name| name == controller)
            .then(|| path.to_owned())
    })
}

fn nearest_v2(mount: &Path, own: &str) -> Option<PathBuf> {
    let own = mount.join(own.trim_start_matches('/'));
    own.ancestors()
        .take_while(|folder| folder.starts_with(mount))
        .find(|folder| {
            let handed =
                fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
            ["memory", "pids"]
                .iter()
                .all(|wanted| handed.split_whitespace().any(|name| name == *wanted))
        })
        .map(Path::to_path_buf)
}

/// Removes empty groups of supervisors that are gone (the launcher was killed too, so nobody else did).
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(owner_of) else {
            continue;
        };
        if start_of(owner.0) != Some(owner.1) {
            // Fails, rightly, while processes are in it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn owner_of(name: &str) -> Option<(i32, u64)> {
    let mut parts = name.strip_prefix("solvent-")?.split('-');
    let owner = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next()?.parse::<u64>().ok()?;
    parts.next().is_none().then_some(owner)
}

/// When a process was started, in clock ticks since boot: with its number, its identity on this boot.
pub fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold spaces and parentheses; fields are counted after its last one.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
32 24 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 24 0:29 /docker/abc /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn own_group_is_found_in_each_version() {
        let own = "4:memory:/a/b\n3:cpu,cpuacct:/\n8:pids:/\n0::/docker/abc/x\n";
        let found = parents_from(MOUNTS, own);
        assert_eq!(
            found,
            [
                (
                    PathBuf::from("/sys/fs/cgroup/memory"),
                    "/a/b".to_owned(),
                    GroupKind::V1Memory
                ),
                (
                    PathBuf::from("/sys/fs/cgroup/pids"),
                    "/".to_owned(),
                    GroupKind::V1Pids
                ),
                (
                    PathBuf::from("/sys/fs/cgroup/cpu"),
                    "/".to_owned(),
                    GroupKind::V1Cpu
                ),
                (
                    PathBuf::from("/sys/fs/cgroup/unified"),
                    "/x".to_owned(),
                    GroupKind::V2
                ),
            ]
        );
    }

    #[test]
    fn only_our_own_names_have_an_owner() {
        assert_eq!(owner_of("solvent-12-345-6"), Some((12, 345)));
        assert_eq!(owner_of("solvent-12-345"), None);
        assert_eq!(owner_of("solvent-12-345-6-7"), None);
        assert_eq!(owner_of("user.slice"), None);
    }

    #[test]
    fn the_nearest_folder_that_hands_out_both_controllers_is_taken() {
        let mount = tempfile::tempdir().unwrap();
        let own = mount.path().join("user.slice/app.slice/shell.scope");
        fs::create_dir_all(&own).unwrap();
        let hands = |folder: &str, what: &str| {
            fs::write(
                mount.path().join(folder).join("cgroup.subtree_control"),
                what,
            )
            .unwrap();
        };
        assert_eq!(
            nearest_v2(mount.path(), "/user.slice/app.slice/shell.scope"),
            None
        );
        hands("", "cpu memory pids\n");
        hands("user.slice", "cpu pids\n");
        assert_eq!(
            nearest_v2(mount.path(), "/user.slice/app.slice/shell.scope"),
            Some(mount.path().to_path_buf())
        );
        hands("user.slice/app.slice", "memory pids\n");
        assert_eq!(
            nearest_v2(mount.path(), "/user.slice/app.slice/shell.scope"),
            Some(mount.path().join("user.slice/app.slice"))
        );
    }

    #[test]
    fn this_process_has_a_start() {
        assert!(start_of(crate::sys::process::pid()).is_some());
        assert_eq!(start_of(-5), None);
    }
}
