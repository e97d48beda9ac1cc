//! What the answer about a tree rests on, told apart from what it does not rest on, before any of it is analysed.

use std::collections::BTreeMap;

use rayon::prelude::*;
use solvent_base::{Digest, FilePath, Problem, ProblemKind, System};

use super::stamps::Stamps;
use crate::scan;
use crate::system;

/// Stands for the bytes of a script that a program wrote on a few lines.
const MINIFIED: &str = "minified";

/// The files that an answer rests on, and a digest over everything that it rests on.
pub struct Inputs {
    /// Digests of files that are lowered or loaded as settings; in words where one could not be read.
    pub files: BTreeMap<String, String>,
    pub key: Digest,
    pub files_seen: u64,
    /// Everything that was asked for could be read: what could not may be there the next time.
    pub whole: bool,
}

/// *Promise: two trees with the same key have the same scan*, but for the number of files seen. Deployment files
/// count as what was read out of them.
/// Files whose stamps are the same as in `stamps` are not read; it is brought up to date.
pub fn inputs(system: &dyn System, stamps: &mut Stamps) -> Inputs {
    let now = system.now();
    let walk = system.walk();
    let known = &*stamps;
    let found: Vec<Option<String>> = walk
        .files
        .par_iter()
        .map(|file| match known.of(file) {
            Some(found) => found,
            None => digest(system, &file.path),
        })
        .collect();
    let is_read = |digest: &String| digest == MINIFIED || Digest::parse(digest).is_some();
    let each = || walk.files.iter().zip(&found);
    let settled = each().filter(|(_, found)| found.as_ref().is_none_or(is_read));
    stamps.keep(now, settled.map(|(file, found)| (file, found.clone())));
    let files: BTreeMap<String, String> = each()
        .filter_map(|(file, found)| Some((file.path.to_string(), found.clone()?)))
        .collect();
    let deployment = system::read(system, &walk.files);
    let mut copied_in = 0_u64;
    let mut not_modelled: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &walk.files {
        copied_in += u64::from(solvent_lang::is_copied_in(&file.path));
        if let Some(language) = scan::not_modelled(file.path.as_str()) {
            *not_modelled.entry(language).or_default() += 1;
        }
    }
    let rest = format!(
        "{deployment:?} {:?} {not_modelled:?} {copied_in}",
        walk.problems
    );
    let mut parts: Vec<&[u8]> = vec![rest.as_bytes()];
    for (path, digest) in &files {
        parts.push(path.as_bytes());
        parts.push(digest.as_bytes());
    }
    let unread = |problem: &Problem| problem.kind == ProblemKind::Unreadable;
    let whole = files.values().all(is_read) && !deployment.problems.iter().any(unread);
    Inputs {
        key: Digest::of_parts(parts),
        whole,
        files,
        files_seen: walk.files.len() as u64,
    }
}

/// `None`: nothing rests on the file's bytes.
fn digest(system: &dyn System, path: &FilePath) -> Option<String> {
    let is_code = solvent_lang::language_of(path).is_some()
        || solvent_lang::view::language_of(path, true, true).is_some();
    let is_settings = solvent_lang::settings::is_settings(path);
    let may_describe = matches!(path.extension(), Some("yaml" | "yml" | "json"));
    let may_be_script = path.extension().is_none();
    let may_be_template = solvent_lang::view::may_be_template(path);
    if !(is_code || may_be_template || is_settings || may_describe || may_be_script) {
        return None;
    }
    let cap = if is_settings {
        solvent_lang::settings::MAX_SETTINGS_BYTES
    } else {
        solvent_lang::MAX_SOURCE_BYTES.max(solvent_lang::MAX_DESCRIPTION_BYTES)
    };
    match system.read(path, cap) {
        // That it is there is counted, and nothing else.
        Ok(bytes) if solvent_lang::is_minified(path, &bytes) => Some(MINIFIED.to_owned()),
        Ok(bytes) => {
            let counts = is_code
                || is_settings
                || (may_be_template && is_template(path, &bytes))
                || (may_describe && solvent_lang::is_description(path, &bytes))
                || (may_be_script && solvent_lang::language_of_script(path, &bytes).is_some());
            counts.then(|| Digest::of(&bytes).hex())
        }
        // What cannot be read is told with its reason.
        Err(error) => (is_code || is_settings).then(|| format!("{error:?}")),
    }
}

/// Whether a page's text makes it a template in a tree of some languages.
fn is_template(path: &FilePath, bytes: &[u8]) -> bool {
    [(true, false), (false, true), (true, true)]
        .iter()
        .any(|(python, javascript)| {
            solvent_lang::view::language_in(path, bytes, *python, *javascript).is_some()
        })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use solvent_base::system::Stamp;
    use solvent_protocol::view::ScanReport;
    use solvent_testkit::Memory;

    use super::*;
    use crate::progress::Quiet;
    use crate::repo::Repo;

    const APP: &str = "import connexion\nfrom flask import Flask, render_template, request\n\nfrom settings import KEY\n\napp = Flask(__name__)\n\n\n@app.route('/a')\ndef a():\n    return render_template('page.html', q=request.args['q'])\n";

    /// Of every sort of file that a scan reads, and some of which it reads nothing.
    fn tree() -> Vec<(&'static str, &'static str)> {
        vec![
            ("app.py", APP),
            ("settings.py", "KEY = 'a'\n"),
            ("templates/page.html", "<p>{{ q | safe }}</p>\n"),
            ("run", "#!/usr/bin/env python3\nimport app\n"),
            (
                "api.yaml",
                "openapi: 3.0.0\npaths:\n  /b:\n    get:\n      operationId: app.a\n",
            ),
            (
                "compose.yaml",
                "services:\n  web:\n    build: .\n    command: flask --app app run\n    ports: ['80:5000']\n",
            ),
            ("Dockerfile", "FROM python:3\nCOPY . .\n"),
            ("conf/shop.properties", "key = value\n"),
            ("tool.rb", "puts 1\n"),
            ("broken.py", "def f(:\n"),
            ("README.md", "Words\n"),
            ("picture.svg", "<svg/>\n"),
            (".gitignore", "ignored.py\n"),
            ("ignored.py", "eval(input())\n"),
        ]
    }

    fn scanned(files: &[(&str, &str)]) -> ScanReport {
        let repo = Repo {
            root: PathBuf::from("/x"),
            revision: None,
            dirty: false,
            is_git: false,
        };
        let memory = Memory::new(files.iter().map(|(path, text)| (*path, *text)));
        let mut report = scan::scan(&repo, &memory, &Quiet).report;
        report.duration_ms = 0;
        report.coverage.files_seen = 0;
        report
    }

    fn key(files: &[(&str, &str)]) -> Digest {
        let memory = Memory::new(files.iter().map(|(path, text)| (*path, *text)));
        inputs(&memory, &mut Stamps::default()).key
    }

    #[test]
    fn trees_of_one_key_have_one_scan() {
        let whole = tree();
        let (first, report) = (key(&whole), scanned(&whole));
        assert!(!report.findings.is_empty());
        let mut same = Vec::new();
        for at in 0..whole.len() {
            let path = whole[at].0;
            let mut gone = whole.clone();
            gone.remove(at);
            let mut other = whole.clone();
            other[at].1 = "other = 1\n";
            let mut moved = whole.clone();
            let name = format!("elsewhere/{path}");
            moved[at].0 = &name;
            for (how, files) in [("gone", gone), ("other", other), ("moved", moved)] {
                if key(&files) == first {
                    assert_eq!(scanned(&files), report, "{path} is {how}");
                    same.push(format!("{path} {how}"));
                }
            }
        }
        for (path, how) in [
            ("README.md", "gone"),
            ("README.md", "other"),
            ("picture.svg", "moved"),
            ("ignored.py", "other"),
            ("tool.rb", "other"),
        ] {
            let one = format!("{path} {how}");
            assert!(same.contains(&one), "{one} is read: {same:?}");
        }
        for path in [
            "app.py",
            "settings.py",
            "templates/page.html",
            "run",
            "api.yaml",
            "compose.yaml",
            "broken.py",
        ] {
            assert!(
                !same.iter().any(|s| s.starts_with(path)),
                "{path}: {same:?}"
            );
        }
    }

    /// A tree whose files were all changed at that second, long before now.
    struct Stamped(Memory, i64);

    impl System for Stamped {
        fn walk(&self) -> solvent_base::Walk {
            let mut walk = self.0.walk();
            for file in &mut walk.files {
                file.stamp = Some(Stamp {
                    device: 1,
                    number: 1,
                    size: file.size,
                    content_changed: 0,
                    status_changed: self.1 * 1_000_000_000,
                });
            }
            walk
        }
        fn read(&self, path: &FilePath, cap: u64) -> Result<Vec<u8>, solvent_base::ReadError> {
            self.0.read(path, cap)
        }
        fn now(&self) -> solvent_base::Timestamp {
            solvent_base::Timestamp(1_000_000)
        }
        fn random(&self, out: &mut [u8]) {
            self.0.random(out);
        }
    }

    #[test]
    fn a_file_is_read_again_when_its_stamp_is_another() {
        let tree = |text, at| Stamped(Memory::new([("app.py", text), ("notes.md", "a\n")]), at);
        let mut stamps = Stamps::default();
        let first = inputs(&tree("x = 1\n", 10), &mut stamps);
        // The bytes of this one differ and its stamp does not: that it is believed shows that nothing is read.
        let same = inputs(&tree("x = 2\n", 10), &mut stamps);
        assert_eq!(same.key, first.key);
        let later = inputs(&tree("x = 2\n", 11), &mut stamps);
        assert_ne!(later.key, first.key);
        let fresh = inputs(&tree("x = 2\n", 11), &mut Stamps::default());
        assert_eq!(later.key, fresh.key);
        // Changed less than three seconds before it was read: not believed the next time.
        let mut stamps = Stamps::default();
        let recent = inputs(&tree("x = 1\n", 999), &mut stamps);
        let after = inputs(&tree("x = 2\n", 999), &mut stamps);
        assert_ne!(recent.key, after.key);
    }
}
