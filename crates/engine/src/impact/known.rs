//! What is known about one tree: its scan and who calls whom, remembered from one command to the next.
//!
//! Answers are kept whole, by a digest over everything that they rest on. Reading and lowering the files is a tenth
//! of an answer's cost, so keeping only those would save little.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use solvent_base::{Digest, Interner, System};
use solvent_graph::SystemGraph;
use solvent_protocol::view::ScanReport;

use super::inputs;
use super::stamps::Stamps;
use crate::graph::Drawn;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::scan::{self, Look, Lowered};

/// Form of what is kept; another one is another key.
const FORM: &str = "1";

/// Largest answer that is kept or read back, in bytes: ten times Home Assistant's.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

/// Bytes of all answers together; above, the oldest go.
const MAX_FOLDER_BYTES: u64 = 1 << 30;

/// The answer about one tree.
#[derive(Clone, Serialize, Deserialize)]
pub struct Known {
    pub report: ScanReport,
    /// See [`inputs::Inputs::files`].
    pub files: BTreeMap<String, String>,
    pub calls: Calls,
}

impl Known {
    /// Analyses the tree. `files` are those of its [`inputs::Inputs`].
    pub fn made(
        repo: &Repo,
        system: &dyn System,
        files: BTreeMap<String, String>,
        lowered: &mut Lowered,
        progress: &dyn Progress,
    ) -> Self {
        let mut drawn = Drawn::of(system);
        let look = &mut CallsOnly(&mut drawn);
        let scan = scan::scan_looking(repo, system, progress, lowered, Some(look));
        Self {
            report: scan.report,
            files,
            calls: Calls::of(&drawn),
        }
    }
}

/// A look at calls alone: what becomes of each function is not asked.
struct CallsOnly<'d, 's>(&'d mut Drawn<'s>);

impl Look for CallsOnly<'_, '_> {
    fn graph(&mut self, graph: &SystemGraph, names: &Interner) {
        self.0.graph(graph, names);
    }
}

/// Who calls whom.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Calls {
    /// By path: line, column and name (`module:qualname`) of each function, numbered in this order.
    pub functions: BTreeMap<String, Vec<(u32, u32, String)>>,
    /// Caller and callee.
    pub edges: Vec<(u32, u32)>,
}

impl Calls {
    fn of(drawn: &Drawn<'_>) -> Self {
        let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (id, f) in drawn.functions.iter().enumerate() {
            by_path.entry(&f.place.path).or_default().push(id);
        }
        let mut numbers = vec![0_u32; drawn.functions.len()];
        let mut next = 0;
        let mut functions = BTreeMap::new();
        for (path, ids) in by_path {
            let mut listed = Vec::with_capacity(ids.len());
            for id in ids {
                numbers[id] = next;
                next += 1;
                let f = &drawn.functions[id];
                let name = f.name.strip_suffix(':').unwrap_or(&f.name);
                listed.push((f.place.line, f.place.column, name.to_owned()));
            }
            functions.insert(path.to_owned(), listed);
        }
        let number = |id: u32| numbers.get(id as usize).copied();
        let mut edges: Vec<(u32, u32)> = drawn
            .calls
            .iter()
            .filter_map(|call| Some((number(call.caller)?, number(call.callee)?)))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        Self { functions, edges }
    }
}

/// How an answer was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Analysed,
    Remembered,
}

impl By {
    pub fn word(self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Remembered => "remembered",
        }
    }
}

/// Answers on disk. Whatever is wrong with them, they are made again.
pub struct Memory {
    folder: PathBuf,
    /// Digest over what makes answers: the models and this very program.
    maker: Digest,
    /// The answer that was read last: both ends of what is compared are often the same.
    last: RefCell<Option<(Digest, Known)>>,
}

impl Memory {
    pub fn below(cache: &Path) -> Self {
        let tool = scan::tool();
        let program = std::env::current_exe()
            .and_then(fs::metadata)
            .map(|m| {
                let made = m
                    .modified()
                    .ok()
                    .and_then(|t| t.duration_since(UNIX_EPOCH).ok());
                format!("{} {:?}", m.len(), made)
            })
            .unwrap_or_default();
        let parts = [FORM, &tool.version, &tool.models, &program];
        Self {
            folder: cache.join("answers"),
            maker: Digest::of_parts(parts.map(str::as_bytes)),
            last: RefCell::default(),
        }
    }

    fn path(&self, sort: &str, key: &[u8]) -> PathBuf {
        let name = Digest::of_parts([self.maker.as_bytes().as_slice(), sort.as_bytes(), key]);
        self.folder.join(format!("{sort}-{}", name.hex()))
    }

    fn read(path: &Path) -> Option<Vec<u8>> {
        let file = fs::File::open(path).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_ANSWER_BYTES + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        (bytes.len() as u64 <= MAX_ANSWER_BYTES).then_some(bytes)
    }

    /// The answer about a tree of git's, if that tree was looked at before.
    pub fn of_tree(&self, tree: &str) -> Option<Known> {
        let key = Self::read(&self.path("tree", tree.as_bytes()))?;
        let key = Digest::parse(std::str::from_utf8(&key).ok()?)?;
        self.of_key(&key)
    }

    fn of_key(&self, key: &Digest) -> Option<Known> {
        if let Some((last, known)) = &*self.last.borrow()
            && last == key
        {
            return Some(known.clone());
        }
        let path = self.path("answer", key.as_bytes());
        let known: Known = serde_json::from_slice(&Self::read(&path)?).ok()?;
        *self.last.borrow_mut() = Some((*key, known.clone()));
        // What is used stays.
        if let Ok(file) = fs::File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(known)
    }

    /// A cache that cannot be written costs time, nothing else.
    fn keep(&self, key: &Digest, known: &Known) {
        let Ok(bytes) = serde_json::to_vec(known) else {
            return;
        };
        if bytes.len() as u64 <= MAX_ANSWER_BYTES && fs::create_dir_all(&self.folder).is_ok() {
            self.make_room(bytes.len() as u64);
            self.write(&self.path("answer", key.as_bytes()), &bytes);
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        let written = tempfile::NamedTempFile::new_in(&self.folder).and_then(|mut file| {
            file.write_all(bytes)?;
            file.persist(path).map_err(|error| error.error)
        });
        drop(written);
    }

    fn make_room(&self, bytes: u64) {
        let Ok(listed) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = listed
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut all: u64 = bytes + files.iter().map(|(_, size, _)| size).sum::<u64>();
        for (_, size, path) in files {
            if all <= MAX_FOLDER_BYTES {
                break;
            }
            if fs::remove_file(path).is_ok() {
                all -= size;
            }
        }
    }

    /// The answer about the tree behind `system`, which is the tree of git's named `tree` where it is one.
    pub fn answer(
        &self,
        repo: &Repo,
        system: &dyn System,
        tree: Option<&str>,
        lowered: &mut Lowered,
        progress: &dyn Progress,
    ) -> (Known, By) {
        let place = self.path("stamps", repo.root.as_os_str().as_encoded_bytes());
        let text = Self::read(&place).and_then(|bytes| String::from_utf8(bytes).ok());
        let mut stamps = Stamps::parse(text.as_deref().unwrap_or_default());
        let inputs = inputs::inputs(system, &mut stamps);
        if stamps.changed && fs::create_dir_all(&self.folder).is_ok() {
            self.write(&place, stamps.to_text().as_bytes());
        }
        let whole = inputs.whole;
        let (known, by) = match self.of_key(&inputs.key) {
            Some(mut known) => {
                known.report.coverage.files_seen = inputs.files_seen;
                (known, By::Remembered)
            }
            None => {
                let known = Known::made(repo, system, inputs.files, lowered, progress);
                self.keep(&inputs.key, &known);
                (known, By::Analysed)
            }
        };
        if let Some(tree) = tree
            && whole
            && fs::create_dir_all(&self.folder).is_ok()
        {
            let path = self.path("tree", tree.as_bytes());
            self.write(&path, inputs.key.to_string().as_bytes());
        }
        (known, by)
    }
}
