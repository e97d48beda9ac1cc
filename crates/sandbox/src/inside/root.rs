//! The sandbox's file system: throw-away overlays, layers, devices, `/proc`; then the old root goes away.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::INSIDE_ID;
use super::output::Output;
use super::sources::{Origin, Place, Shown, Sources};
use crate::sys::mounts::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, Below};
use crate::wire::{Failure, FailureKind, Order};

/// The canary, built from `canary/` by the build script.
static CANARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/solvent-canary"));

/// Room for lines of language sensors between two drains.
pub const SENSOR_BYTES: u64 = 16 << 20;

/// Places to build in; the host's content there is invisible to us from then on, which is why everything
/// else was opened before.
const STAGES: [&str; 4] = ["/tmp", "/var/tmp", "/mnt", "/usr"];

/// The finished root, with descriptors for what process 1 needs of it.
pub struct Root {
    /// `/` of the sandbox.
    pub root: OwnedFd,
    pub volumes: Vec<Volume>,
    pub outputs: Vec<Output>,
    /// Holds the canary program under `canary`, and the folder of planted names under `c`.
    pub control: OwnedFd,
    pub names: OwnedFd,
    pub canary: (u64, u64),
    pub canary_socket: UnixListener,
    pub sensor: OwnedFd,
}

/// One throw-away place: what was written there, and what was there before.
pub struct Volume {
    pub inside: PathBuf,
    pub upper: OwnedFd,
    /// Topmost first; empty for a folder that started empty.
    pub lower: Vec<OwnedFd>,
    /// Places mounted below, which this volume's upper does not hold.
    pub ours: Vec<PathBuf>,
}

struct Stage {
    at: PathBuf,
}

impl Stage {
    fn path(&self, rest: &str) -> PathBuf {
        self.at.join(rest)
    }

    fn numbered(&self, kind: &str, number: usize) -> PathBuf {
        self.at.join(kind).join(number.to_string())
    }
}

/// Builds and enters the new root.
pub fn build(order: &Order, sources: &mut Sources) -> Result<Root, Failure> {
    mounts::remount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE)
        .map_err(|e| Failure::step("make mounts private", &e))?;
    let at = STAGES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_dir())
        .ok_or_else(|| {
            Failure::step("find a folder to build in", &io::ErrorKind::NotFound.into())
        })?;
    let stage = Stage { at };
    // One inode for every 4 KiB, as tmpfs itself would choose for all memory.
    let inodes = (order.disk_bytes / 4096).max(4096);
    tmpfs(
        &stage.at,
        &format!("size={},nr_inodes={inodes},mode=0755", order.disk_bytes),
    )?;
    for name in ["low", "skel", "up", "work", "root", "control", "empty"] {
        folder(&stage.path(name), 0o755)?;
    }
    tmpfs(&stage.path("root"), "size=1m,nr_inodes=4096,mode=0755")?;
    let control = build_control(&stage)?;

    for (i, place) in sources.places.iter().enumerate() {
        attach_source(&stage, i, place)?;
        if matches!(
            place.shown,
            Shown::Overlay {
                origin: Origin::SystemCopied,
                ..
            }
        ) {
            copy_readable(&stage, i)?;
        }
    }
    plant_etc(&stage, order, sources)?;
    mount_points(&stage, sources)?;
    let mut volumes = Vec::new();
    for i in 0..sources.places.len() {
        mount_place(&stage, i, &sources.places, &mut volumes)?;
    }
    for (name, target) in &sources.links {
        symlink(target, stage.path("root").join(name))
            .map_err(|e| Failure::step(format!("make link `/{name}`"), &e))?;
    }
    let mut outputs = Vec::new();
    for (i, place) in sources.places.iter().enumerate() {
        if matches!(place.shown, Shown::ReadWrite { folder: true, .. }) {
            outputs.push(Output::new(open_folder(&stage.numbered("low", i))?));
        }
    }
    build_dev(&stage, sources)?;
    build_proc(&stage)?;
    show_control(&stage)?;

    std::env::set_current_dir(stage.path("root"))
        .map_err(|e| Failure::step("enter the new root", &e))?;
    mounts::pivot_to_current().map_err(|e| Failure::step("change the root", &e))?;
    mounts::remount(
        None,
        Path::new("/"),
        libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV,
    )
    .map_err(|e| Failure::step("make the new root read-only", &e))?;
    let root = open_folder(Path::new("/"))?;
    let (control, names, canary, canary_socket, sensor) = control;
    Ok(Root {
        root,
        volumes,
        outputs,
        control,
        names,
        canary,
        canary_socket,
        sensor,
    })
}

fn attach_source(stage: &Stage, i: usize, place: &Place) -> Result<(), Failure> {
    let (tree, is_folder) = match &place.shown {
        Shown::Overlay { tree, .. } => (tree, true),
        Shown::ReadOnly { tree, folder, .. } | Shown::ReadWrite { tree, folder } => (tree, *folder),
        Shown::Fresh { .. } => return Ok(()),
    };
    let low = stage.numbered("low", i);
    if is_folder {
        folder(&low, 0o755)?;
    } else {
        fs::write(&low, b"").map_err(|e| Failure::step("make a mount point", &e))?;
    }
    mounts::attach(tree.as_fd(), &low)
        .map_err(|e| Failure::step(format!("attach `/{}`", place.inside.display()), &e))
}

/// Copies what can be read of an attached system folder into its skeleton, on a file system of its own.
fn copy_readable(stage: &Stage, i: usize) -> Result<(), Failure> {
    /// `/etc` has some 3 MB on a full desktop; more than this is left out, biggest files first to fail.
    const ROOM: &str = "size=64m,nr_inodes=65536,mode=0755";
    let (from, to) = (stage.numbered("low", i), stage.numbered("skel", i));
    folder(&to, 0o755)?;
    tmpfs(&to, ROOM)?;
    let mut todo = vec![PathBuf::new()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(from.join(&at)).into_iter().flatten().flatten() {
            let (path, Ok(meta)) = (at.join(entry.file_name()), entry.metadata()) else {
                continue;
            };
            let (source, copy) = (entry.path(), to.join(&path));
            // What cannot be read, or has no room, is not there: as for any program that may not read it.
            if meta.is_dir() {
                folder(&copy, (meta.mode() & 0o777) | 0o700)?;
                todo.push(path);
            } else if meta.is_symlink() {
                let _ = fs::read_link(&source).and_then(|target| symlink(target, &copy));
            } else if meta.is_file() {
                let _ = fs::copy(&source, &copy);
            }
        }
    }
    Ok(())
}

/// Files that every sandbox has, on top of the host's `/etc`: who the target is, and how names resolve.
fn plant_etc(stage: &Stage, order: &Order, sources: &Sources) -> Result<(), Failure> {
    let Some((i, place)) = sources
        .places
        .iter()
        .enumerate()
        .find(|(_, place)| place.inside == Path::new("etc"))
    else {
        return Ok(());
    };
    if matches!(place.shown, Shown::ReadOnly { .. }) {
        return Ok(());
    }
    let skeleton = stage.numbered("skel", i);
    folder(&skeleton, 0o755)?;
    let host = |name: &str| {
        let path = stage.numbered("low", i).join(name);
        let text = fs::metadata(&path)
            .ok()
            .filter(|meta| meta.is_file() && meta.len() < 1 << 20);
        text.and_then(|_| fs::read_to_string(path).ok())
            .unwrap_or_default()
    };
    let resolver = if order.isolated {
        super::net::NAME_SERVER
    } else {
        "127.0.0.1"
    };
    let files = [
        ("passwd", format!("solvent:x:{INSIDE_ID}:{INSIDE_ID}::/tmp:/bin/sh\n{}", host("passwd"))),
        ("group", format!("solvent:x:{INSIDE_ID}:\n{}", host("group"))),
        ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n".to_owned()),
        ("hostname", "sandbox\n".to_owned()),
        ("resolv.conf", format!("nameserver {resolver}\noptions timeout:2 attempts:2\n")),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        let path = skeleton.join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o644)))
            .map_err(|e| Failure::step(format!("write `/etc/{name}`"), &e))?;
    }
    Ok(())
}

/// Makes every place's mount point in the place it lies in: in the root, in an empty folder, or in a
/// skeleton that is laid over a layer.
fn mount_points(stage: &Stage, sources: &Sources) -> Result<(), Failure> {
    for (i, place) in sources.places.iter().enumerate() {
        let is_folder = match &place.shown {
            Shown::ReadOnly { folder, .. } | Shown::ReadWrite { folder, .. } => *folder,
            Shown::Overlay { .. } | Shown::Fresh { .. } => true,
        };
        let impossible = |why: &str| Failure {
            kind: FailureKind::Spec,
            what: format!(
                "cannot show anything at `/{}`: {why}",
                place.inside.display()
            ),
            errno: 0,
        };
        match parent_of(&sources.places, i) {
            None => make_point(&stage.path("root"), &place.inside, None, is_folder)?,
            Some(parent) => {
                let rest = place
                    .inside
                    .strip_prefix(&sources.places[parent].inside)
                    .unwrap_or(&place.inside);
                let low = match &sources.places[parent].shown {
                    Shown::Overlay {
                        origin: Origin::SystemCopied,
                        ..
                    } => stage.numbered("skel", parent),
                    _ => stage.numbered("low", parent),
                };
                match &sources.places[parent].shown {
                    Shown::Fresh { .. } => {
                        let up = stage.numbered("up", parent);
                        folder(&up, 0o755)?;
                        make_point(&up, rest, None, is_folder)?;
                    }
                    Shown::ReadWrite { .. } | Shown::ReadOnly { locked: true, .. } => {
                        if !exists(&low, rest, is_folder)
                            .map_err(|()| impossible("it lies behind a symbolic link"))?
                        {
                            return Err(impossible("it does not exist in the layer that holds it"));
                        }
                    }
                    Shown::Overlay { .. } | Shown::ReadOnly { .. } => {
                        if !exists(&low, rest, is_folder)
                            .map_err(|()| impossible("it lies behind a symbolic link"))?
                        {
                            let skeleton = stage.numbered("skel", parent);
                            folder(&skeleton, 0o755)?;
                            make_point(&skeleton, rest, Some(&low), is_folder)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a path exists below a folder with the right type; an error when a link is on the way.
fn exists(below: &Path, rest: &Path, want_folder: bool) -> Result<bool, ()> {
    let mut path = below.to_path_buf();
    let mut last_is_folder = true;
    for component in rest.components() {
        path.push(component);
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => return Err(()),
            Ok(meta) => last_is_folder = meta.is_dir(),
            Err(_) => return Ok(false),
        }
    }
    Ok(last_is_folder == want_folder)
}

fn make_point(
    base: &Path,
    rest: &Path,
    like: Option<&Path>,
    is_folder: bool,
) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::step(format!("make mount point `{}`", rest.display()), &e);
    let mut path = base.to_path_buf();
    let mut twin = like.map(Path::to_path_buf);
    let mut components = rest.components().peekable();
    while let Some(component) = components.next() {
        path.push(component);
        if let Some(twin) = &mut twin {
            twin.push(component);
        }
        if components.peek().is_none() && !is_folder {
            fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            return Ok(());
        }
        let mode = twin
            .as_ref()
            .and_then(|twin| fs::metadata(twin).ok())
            .map_or(0o755, |meta| meta.mode() & 0o777);
        folder(&path, mode | 0o700)?;
    }
    Ok(())
}

fn parent_of(places: &[Place], i: usize) -> Option<usize> {
    places
        .iter()
        .enumerate()
        .filter(|(j, other)| *j != i && places[i].inside.starts_with(&other.inside))
        .max_by_key(|(_, other)| other.inside.components().count())
        .map(|(j, _)| j)
}

fn mount_place(
    stage: &Stage,
    i: usize,
    places: &[Place],
    volumes: &mut Vec<Volume>,
) -> Result<(), Failure> {
    let place = &places[i];
    let target = stage.path("root").join(&place.inside);
    let (low, skeleton, up, work) = (
        stage.numbered("low", i),
        stage.numbered("skel", i),
        stage.numbered("up", i),
        stage.numbered("work", i),
    );
    let has_skeleton = skeleton.is_dir();
    let copied = matches!(
        place.shown,
        Shown::Overlay {
            origin: Origin::SystemCopied,
            ..
        }
    );
    let lower = if copied {
        format!("lowerdir={}", skeleton.display())
    } else if has_skeleton {
        format!("lowerdir={}:{}", skeleton.display(), low.display())
    } else {
        format!("lowerdir={}", low.display())
    };
    let failed =
        |how: &str, e: &io::Error| Failure::step(format!("{how} `/{}`", place.inside.display()), e);
    let ours = || {
        places
            .iter()
            .map(|other| other.inside.clone())
            .filter(|other| other != &place.inside && other.starts_with(&place.inside))
            .collect()
    };
    match &place.shown {
        Shown::Overlay { mode, .. } => {
            folder(&up, *mode | 0o700)?;
            folder(&work, 0o700)?;
            let options = format!(
                "{lower},upperdir={},workdir={},userxattr",
                up.display(),
                work.display()
            );
            mounts::mount(
                "overlay",
                &target,
                libc::MS_NOSUID | libc::MS_NODEV,
                options.as_bytes(),
            )
            .map_err(|e| failed("lay an overlay over", &e))?;
            let mut lower = Vec::new();
            if has_skeleton {
                lower.push(open_folder(&skeleton)?);
            }
            if !copied {
                lower.push(open_folder(&low)?);
            }
            volumes.push(Volume {
                inside: Path::new("/").join(&place.inside),
                upper: open_folder(&up)?,
                lower,
                ours: ours(),
            });
        }
        Shown::ReadOnly { .. } if has_skeleton => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_RDONLY;
            mounts::mount(
                "overlay",
                &target,
                flags,
                format!("{lower},userxattr").as_bytes(),
            )
            .map_err(|e| failed("lay an overlay over", &e))?;
        }
        Shown::ReadOnly { tree, .. } | Shown::ReadWrite { tree, .. } => {
            mounts::remount(Some(&low), &target, libc::MS_BIND | libc::MS_REC)
                .map_err(|e| failed("show", &e))?;
            let _ = tree;
        }
        Shown::Fresh { mode } => {
            folder(&up, *mode)?;
            fs::set_permissions(&up, fs::Permissions::from_mode(*mode))
                .map_err(|e| failed("make", &e))?;
            mounts::remount(Some(&up), &target, libc::MS_BIND).map_err(|e| failed("show", &e))?;
            volumes.push(Volume {
                inside: Path::new("/").join(&place.inside),
                upper: open_folder(&up)?,
                lower: Vec::new(),
                ours: ours(),
            });
        }
    }
    Ok(())
}

fn build_dev(stage: &Stage, sources: &Sources) -> Result<(), Failure> {
    let dev = stage.path("root/dev");
    for name in ["", "pts", "shm"] {
        folder(&dev.join(name), 0o755)?;
    }
    for (name, tree) in &sources.devices {
        let point = dev.join(name);
        fs::write(&point, b"")
            .and_then(|()| mounts::attach(tree.as_fd(), &point))
            .map_err(|e| Failure::step(format!("show `/dev/{name}`"), &e))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))
            .map_err(|e| Failure::step(format!("make link `/dev/{name}`"), &e))?;
    }
    let shm = stage.path("shm");
    folder(&shm, 0o1777)?;
    fs::set_permissions(&shm, fs::Permissions::from_mode(0o1777))
        .map_err(|e| Failure::step("make `/dev/shm`", &e))?;
    mounts::remount(Some(&shm), &dev.join("shm"), libc::MS_BIND)
        .map_err(|e| Failure::step("show `/dev/shm`", &e))?;
    mounts::mount(
        "devpts",
        &dev.join("pts"),
        libc::MS_NOSUID | libc::MS_NOEXEC,
        b"newinstance,ptmxmode=0666,mode=0620",
    )
    .map_err(|e| Failure::step("mount devpts", &e))
}

fn build_proc(stage: &Stage) -> Result<(), Failure> {
    let proc = stage.path("root/proc");
    folder(&proc, 0o555)?;
    mounts::mount(
        "proc",
        &proc,
        libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
        b"",
    )
    .map_err(|e| Failure::step("mount a fresh proc", &e))?;
    // Ports below 1024 without a capability: the target's own port is the target's own port. A kernel without
    // this switch leaves such ports refused, which the target's output then says.
    let _ = fs::write(proc.join("sys/net/ipv4/ip_unprivileged_port_start"), "0");
    for name in ["sys", "bus", "fs", "irq", "acpi", "scsi"] {
        let path = proc.join(name);
        if path.is_dir() {
            mounts::remount(Some(&path), &path, libc::MS_BIND | libc::MS_REC)
                .and_then(|()| {
                    let tree = mounts::open_place(&path)?;
                    mounts::restrict(
                        tree.as_fd(),
                        Below::Submounts,
                        ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC,
                        None,
                    )
                })
                .map_err(|e| Failure::step(format!("make `/proc/{name}` read-only"), &e))?;
        }
    }
    let null = stage.path("root/dev/null");
    for name in [
        "kcore",
        "keys",
        "kmsg",
        "sched_debug",
        "sysrq-trigger",
        "timer_list",
        "kallsyms",
        "kpagecount",
        "kpageflags",
        "kpagecgroup",
    ] {
        let path = proc.join(name);
        if path.exists() {
            mounts::remount(Some(&null), &path, libc::MS_BIND)
                .map_err(|e| Failure::step(format!("hide `/proc/{name}`"), &e))?;
        }
    }
    Ok(())
}

type Control = (OwnedFd, OwnedFd, (u64, u64), UnixListener, OwnedFd);

/// The folder of canaries on a file system of its own, so that a target that fills its disk cannot stop
/// canaries and sensors.
fn build_control(stage: &Stage) -> Result<Control, Failure> {
    let at = stage.path("control");
    let room = SENSOR_BYTES + (2 << 20) + CANARY.len() as u64;
    tmpfs(&at, &format!("size={room},nr_inodes=4096,mode=0755"))?;
    let failed = |e: io::Error| Failure::step("make the canary", &e);
    let program = at.join("canary");
    fs::write(&program, CANARY)
        .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o555)))
        .map_err(failed)?;
    let meta = fs::metadata(&program).map_err(failed)?;
    // Search only: names can be used, not listed. The mount that shows it is read-only, so its owner (the
    // target) cannot change that.
    let names = at.join("c");
    folder(&names, 0o111)?;
    let socket = UnixListener::bind(names.join(".s")).map_err(failed)?;
    fs::set_permissions(names.join(".s"), fs::Permissions::from_mode(0o666)).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    fs::write(names.join("sensor"), b"").map_err(failed)?;
    let sensor = at.join("sensor");
    fs::write(&sensor, b"")
        .and_then(|()| fs::set_permissions(&sensor, fs::Permissions::from_mode(0o666)))
        .map_err(failed)?;
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&sensor)
        .map_err(failed)?;
    Ok((
        open_folder(&at)?,
        open_folder(&names)?,
        (meta.dev(), meta.ino()),
        socket,
        file.into(),
    ))
}

fn show_control(stage: &Stage) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::step("show the canary folder", &e);
    let point = stage.path("root/slv");
    folder(&point, 0o755)?;
    mounts::remount(Some(&stage.path("control/c")), &point, libc::MS_BIND).map_err(failed)?;
    let tree = mounts::open_place(&point).map_err(failed)?;
    mounts::restrict(
        tree.as_fd(),
        Below::OneMount,
        ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV,
        None,
    )
    .map_err(failed)?;
    let sensor = point.join("sensor");
    mounts::remount(Some(&stage.path("control/sensor")), &sensor, libc::MS_BIND).map_err(failed)?;
    let tree = mounts::open_place(&sensor).map_err(failed)?;
    mounts::restrict(
        tree.as_fd(),
        Below::OneMount,
        ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC,
        None,
    )
    .map_err(failed)
}

fn tmpfs(at: &Path, options: &str) -> Result<(), Failure> {
    mounts::mount(
        "tmpfs",
        at,
        libc::MS_NOSUID | libc::MS_NODEV,
        options.as_bytes(),
    )
    .map_err(|e| Failure::step(format!("mount tmpfs at `{}`", at.display()), &e))
}

fn folder(path: &Path, mode: u32) -> Result<(), Failure> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Failure::step(
            format!("make folder `{}`", path.display()),
            &error,
        )),
        _ => Ok(()),
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, Failure> {
    rustix::fs::open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Failure::step(format!("open `{}`", path.display()), &e.into()))
}
