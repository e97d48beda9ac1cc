//! Waiting until something below a folder changes.
//!
//! What changed is not told: whoever waits looks at the tree again. That way a lost notice costs time and never
//! an answer about a tree that is not there any more.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use crate::builder;

/// Nothing happened for so long: whoever writes is done. Editors write a file beside and rename it within a
/// millisecond or two.
const QUIET: Duration = Duration::from_millis(8);

/// A tree that is written without a pause is looked at so often all the same.
const LONGEST: Duration = Duration::from_millis(500);

/// Between two looks where the kernel does not tell.
const EVERY: Duration = Duration::from_secs(1);

/// Waits for changes of files and folders that a walk of the same root would enter.
pub struct Watcher {
    root: PathBuf,
    kernel: Option<Kernel>,
    why: Option<String>,
    /// What was seen last, where the kernel does not tell.
    seen: Listing,
}

/// Sizes and times of files, by path.
type Listing = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

impl Watcher {
    /// Begins to watch: what changes from here on ends the next [`Self::wait`]. Where the kernel gives no notices,
    /// for instance since too many folders are watched on this machine already, the tree is looked at every second.
    pub fn new(root: &Path) -> Self {
        let mut watcher = Self {
            root: root.to_owned(),
            kernel: None,
            why: None,
            seen: Listing::new(),
        };
        match Kernel::watching(root) {
            Ok(kernel) => watcher.kernel = Some(kernel),
            Err(error) => watcher.look_instead(&error),
        }
        watcher
    }

    /// Why changes are only seen by looking, once a second; `None`: the kernel tells of them.
    pub fn looks_because(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Returns once something changed since the last time and the tree is quiet again.
    pub fn wait(&mut self) {
        if let Some(kernel) = &self.kernel {
            // What happened meanwhile is not known: a change too much is told rather than one too few.
            if let Err(error) = kernel.wait(&self.root) {
                self.look_instead(&error);
            }
            return;
        }
        loop {
            std::thread::sleep(EVERY);
            let now = listing(&self.root);
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }

    /// Whether something changed since the last wait already, as far as the kernel tells.
    pub fn is_over(&self) -> bool {
        self.kernel.as_ref().is_some_and(|kernel| {
            let mut wanted = [PollFd::new(&kernel.notices, PollFlags::IN)];
            poll(&mut wanted, Some(&Timespec::default())).is_ok_and(|notices| notices > 0)
        })
    }

    fn look_instead(&mut self, error: &io::Error) {
        self.kernel = None;
        self.why = Some(match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::NOSPC.raw_os_error() => {
                "this machine watches as many folders as it may (fs.inotify.max_user_watches)"
                    .into()
            }
            _ => format!("the kernel gives no notices: {}", crate::words(error)),
        });
        self.seen = listing(&self.root);
    }
}

fn listing(root: &Path) -> Listing {
    let entries = builder(root).build().flatten();
    entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            Some((entry.into_path(), (about.len(), about.modified().ok())))
        })
        .collect()
}

/// Notices of the kernel about each folder (inotify(7)).
struct Kernel {
    notices: OwnedFd,
}

impl Kernel {
    fn watching(root: &Path) -> io::Result<Self> {
        let notices = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let kernel = Self { notices };
        kernel.add_folders(root)?;
        Ok(kernel)
    }

    /// Watches every folder; one that is watched already stays so.
    fn add_folders(&self, root: &Path) -> io::Result<()> {
        let about = WatchFlags::CLOSE_WRITE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        for entry in builder(root).build().flatten() {
            if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
                continue;
            }
            use rustix::io::Errno;
            match inotify::add_watch(&self.notices, entry.path(), about) {
                Ok(_) => {}
                // It went away, or may not be read: a walk says so too.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn wait(&self, root: &Path) -> io::Result<()> {
        let mut folders = self.told(None)?;
        let until = Instant::now() + LONGEST;
        while Instant::now() < until {
            match self.told(Some(QUIET)) {
                Ok(more) => folders |= more,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                Err(error) => return Err(error),
            }
        }
        if folders {
            self.add_folders(root)?;
        }
        Ok(())
    }

    /// Takes the notices that are there, waiting for the first; says whether one is about folders, or some are
    /// lost. [`io::ErrorKind::TimedOut`] when none comes in time.
    fn told(&self, within: Option<Duration>) -> io::Result<bool> {
        let within = within.map(|time| Timespec {
            tv_sec: time.as_secs() as i64,
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        loop {
            let mut wanted = [PollFd::new(&self.notices, PollFlags::IN)];
            match poll(&mut wanted, within.as_ref()) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut folders = false;
        let mut room = [MaybeUninit::<u8>::uninit(); 16 << 10];
        let mut notices = inotify::Reader::new(&self.notices, &mut room);
        loop {
            match notices.next() {
                Ok(notice) => {
                    let of_names = notice.file_name().is_some_and(|name| {
                        // What a walk leaves out may be another.
                        matches!(name.to_bytes(), b".gitignore" | b".ignore" | b"pyvenv.cfg")
                    });
                    let about = ReadFlags::ISDIR | ReadFlags::QUEUE_OVERFLOW;
                    folders |= of_names || notice.events().intersects(about);
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(folders),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;

    /// Long enough for a machine that does much else.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A thread that waits again and again, and says so each time.
    fn waiting(mut watcher: Watcher) -> Receiver<()> {
        let (say, hear) = channel();
        thread::spawn(move || {
            loop {
                watcher.wait();
                if say.send(()).is_err() {
                    return;
                }
            }
        });
        hear
    }

    /// `calm`: nothing is told for so long, then all of one change was.
    fn shows_every_change(watcher: Watcher, root: &Path, calm: Duration) {
        let heard = waiting(watcher);
        let told = |what: &str| {
            let told = heard.recv_timeout(PATIENCE);
            assert!(told.is_ok(), "{what} was not told");
            // One change may be told in two parts.
            while heard.recv_timeout(calm).is_ok() {}
        };
        fs::write(root.join("app.py"), "a = 1\n").expect("writes");
        told("a new file");
        fs::write(root.join("app.py"), "a = 22\n").expect("writes");
        told("another text");
        fs::create_dir_all(root.join("shop/deep")).expect("makes");
        told("a new folder");
        fs::write(root.join("shop/deep/b.py"), "b = 1\n").expect("writes");
        told("a file in a new folder");
        fs::rename(root.join("shop"), root.join("store")).expect("moves");
        told("a folder that moved");
        fs::write(root.join("store/deep/b.py"), "b = 22\n").expect("writes");
        told("a file in a folder that moved");
        fs::remove_dir_all(root.join("store")).expect("removes");
        told("a folder that went");
    }

    #[test]
    fn every_change_ends_the_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let watcher = Watcher::new(folder.path());
        assert_eq!(watcher.looks_because(), None);
        shows_every_change(watcher, folder.path(), 20 * QUIET);
    }

    #[test]
    fn where_the_kernel_does_not_tell_the_tree_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watcher = Watcher::new(folder.path());
        watcher.look_instead(&rustix::io::Errno::NOSPC.into());
        let why = watcher.looks_because().expect("a reason");
        assert!(why.contains("max_user_watches"), "{why}");
        shows_every_change(watcher, folder.path(), 2 * EVERY);
    }

    #[test]
    fn what_no_walk_enters_is_not_watched() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::write(root.join(".gitignore"), "out/\n").expect("writes");
        fs::create_dir_all(root.join("out")).expect("makes");
        fs::create_dir_all(root.join("node_modules/x")).expect("makes");
        let heard = waiting(Watcher::new(root));
        fs::write(root.join("out/log.py"), "a = 1\n").expect("writes");
        fs::write(root.join("node_modules/x/i.js"), "1\n").expect("writes");
        assert!(heard.recv_timeout(50 * QUIET).is_err());
        // It does hear.
        fs::write(root.join("app.py"), "a = 1\n").expect("writes");
        assert!(heard.recv_timeout(PATIENCE).is_ok());
    }
}
