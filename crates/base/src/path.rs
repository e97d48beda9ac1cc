//! Paths inside a repository: relative, forward slashes, never `..`.

use std::fmt;
use std::sync::Arc;

/// A file's place relative to the root that is analysed. Never absolute, so nothing that is recorded
/// carries a path of the machine.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Arc<str>);

impl FilePath {
    /// Normalises separators and drops `.` segments; `None` if the path is empty, absolute or climbs
    /// out of its root.
    pub fn new(text: &str) -> Option<Self> {
        if text.starts_with('/') || text.contains('\0') {
            return None;
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => return None,
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            None
        } else {
            Some(Self(parts.join("/").into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Text after the last dot of the last segment.
    pub fn extension(&self) -> Option<&str> {
        self.file_name()
            .rsplit_once('.')
            .map(|(_, extension)| extension)
    }

    /// Everything before the last slash, or the empty string.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_its_root() {
        assert_eq!(FilePath::new("a/../../etc/passwd"), None);
        assert_eq!(FilePath::new("/etc/passwd"), None);
        assert_eq!(
            FilePath::new("./a//b.py").map(|p| p.to_string()).as_deref(),
            Some("a/b.py")
        );
        assert_eq!(FilePath::new("."), None);
    }
}
