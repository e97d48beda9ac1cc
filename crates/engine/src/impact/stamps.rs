//! What was read of files whose stamps are the same as before: nothing of them is read again.
//!
//! As in git's index, a stamp is believed where the file had been left alone for a while when it was read: within the
//! grain of a file system's clock it may be written twice and keep its times ("racily clean"). Whatever is wrong with
//! what is kept, files are read.

use std::collections::HashMap;
use std::fmt::Write as _;

use solvent_base::system::Stamp;
use solvent_base::{FileEntry, Timestamp};

/// How long a file must have been left alone, in nanoseconds. File systems keep times by the 10 ms at worst, FAT by
/// 2 s.
const SETTLED: i64 = 3_000_000_000;

/// Stands for a file on whose bytes nothing rests.
const NOTHING: &str = "-";

/// What an answer rests on of each file, by stamp.
#[derive(Default)]
pub struct Stamps {
    known: HashMap<String, (Stamp, Option<String>)>,
    /// Whether it says something else than when it was read.
    pub changed: bool,
}

impl Stamps {
    /// What was found in the file when it had this stamp: `Some(None)` is "nothing rests on it".
    pub fn of(&self, file: &FileEntry) -> Option<Option<String>> {
        let (stamp, found) = self.known.get(file.path.as_str())?;
        (Some(*stamp) == file.stamp).then(|| found.clone())
    }

    /// Keeps what was found in the files that were walked at `walked`, and forgets all others.
    pub fn keep<'a>(
        &mut self,
        walked: Timestamp,
        found: impl Iterator<Item = (&'a FileEntry, Option<String>)>,
    ) {
        let stamped = found.filter_map(|(file, what)| Some((file, file.stamp?, what)));
        let stamped: Vec<_> = stamped.collect();
        // What git keeps has no stamps.
        if stamped.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.known);
        let walked = walked.0.saturating_mul(1_000_000);
        for (file, stamp, what) in stamped {
            let last = stamp.content_changed.max(stamp.status_changed);
            if last <= walked.saturating_sub(SETTLED) {
                self.known.insert(file.path.to_string(), (stamp, what));
            }
        }
        self.changed |= before != self.known;
    }

    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for (path, (stamp, found)) in &self.known {
            let found = found.as_deref().unwrap_or(NOTHING);
            if path.contains('\n') || found.contains(char::is_whitespace) {
                continue;
            }
            let Stamp {
                device,
                number,
                size,
                content_changed,
                status_changed,
            } = stamp;
            let _ = writeln!(
                out,
                "{device} {number} {size} {content_changed} {status_changed} {found} {path}"
            );
        }
        out
    }

    /// Lines that are none are left out.
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut parts = line.splitn(7, ' ');
            let stamp = Stamp {
                device: parts.next()?.parse().ok()?,
                number: parts.next()?.parse().ok()?,
                size: parts.next()?.parse().ok()?,
                content_changed: parts.next()?.parse().ok()?,
                status_changed: parts.next()?.parse().ok()?,
            };
            let found = parts.next()?;
            let found = (found != NOTHING).then(|| found.to_owned());
            Some((parts.next()?.to_owned(), (stamp, found)))
        };
        Self {
            known: text.lines().filter_map(line).collect(),
            changed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use solvent_base::FilePath;

    use super::*;

    fn file(path: &str, at: i64) -> FileEntry {
        let stamp = Stamp {
            device: 1,
            number: 2,
            size: 3,
            content_changed: at,
            status_changed: at,
        };
        FileEntry {
            path: FilePath::new(path).expect("a path"),
            size: 3,
            stamp: Some(stamp),
        }
    }

    #[test]
    fn a_file_that_was_left_alone_is_known_by_its_stamp() {
        let (old, new) = (file("a b.py", 1_000_000_000), file("new.py", 9_000_000_000));
        let mut stamps = Stamps::default();
        let found = [(&old, Some("ab12".to_owned())), (&new, None)];
        stamps.keep(Timestamp(10_000), found.into_iter());
        assert!(stamps.changed);
        let read = Stamps::parse(&stamps.to_text());
        for stamps in [&stamps, &read] {
            assert_eq!(stamps.of(&old), Some(Some("ab12".to_owned())));
            // Written within three seconds of the walk.
            assert_eq!(stamps.of(&new), None);
            assert_eq!(stamps.of(&file("a b.py", 1_000_000_001)), None);
        }
    }

    #[test]
    fn what_is_broken_is_left_out() {
        let read = Stamps::parse("1 2 3 4 5 - a.py\n1 2 3\nx\n1 2 3 4 5 6\n\n");
        assert_eq!(read.known.len(), 1);
        let a = file("a.py", 4);
        assert_eq!(read.of(&a), None);
    }
}
