//! What a program writes into files, and finds when it reads them: kept under what is known of their paths.

use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::{Member, SinkRow};

use crate::call::Args;
use crate::label::{Link, TraceKind};
use crate::library::Ports;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Ls, Piece, V};
use crate::world::Place;

/// Under this name the content of files is kept.
const FILES: &str = "<files>";

/// Calls that give a file's content, or the file to read it from.
pub(super) const OPENS: [&str; 15] = [
    "builtins.open",
    "codecs.open",
    "aiofiles.open",
    "gzip.open",
    "bz2.open",
    "lzma.open",
    "io.FileIO",
    "linecache.getline",
    "linecache.getlines",
    "pathlib.Path.open",
    "pathlib.Path.read_text",
    "pathlib.Path.read_bytes",
    "fs.readFileSync",
    "fs.readFile",
    "fs.createReadStream",
];

/// Calls that put all of a file's content there at once: which argument it is.
const WRITES: [(&str, usize); 6] = [
    ("pathlib.Path.write_text", 0),
    ("pathlib.Path.write_bytes", 0),
    ("fs.writeFileSync", 1),
    ("fs.appendFileSync", 1),
    ("fs.writeFile", 1),
    ("fs.appendFile", 1),
];

/// Letters and digits of a path that tell it from others.
const MIN_KNOWN: usize = 4;

impl Machine<'_> {
    /// What is written at once, and an upload that is saved, is kept under the parts of its path that are known.
    pub(super) fn file_written(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        sink: &SinkRow,
        ports: &Ports<'_>,
    ) {
        let at_once = WRITES.iter().find(|(path, _)| *path == member.path);
        let content = match at_once {
            Some((_, at)) => ports.args.get(*at, None),
            None => ports.receiver.filter(|_| member.path.ends_with(".save")),
        };
        let Some(content) = content.filter(|v| self.w.store.deep(*v) != Ls::NONE) else {
            return;
        };
        let content = self.derive(content, &Link::Value);
        let site = self.site(frame, index);
        let path = self.port(&mut Some(&mut *frame), index, &sink.at, ports);
        for place in path.map(|v| self.file_places(v)).unwrap_or_default() {
            frame.effects.push((place, site, content));
        }
    }

    /// The file that a call opens to write into it, with the names that its content is kept under.
    pub(super) fn opened(
        &mut self,
        frame: &mut Frame,
        index: u32,
        member: &Member,
        ports: &Ports<'_>,
        file: V,
    ) -> V {
        if !OPENS.contains(&member.path.as_str()) {
            return file;
        }
        let mut under = V::NEVER;
        for sink in &member.sinks {
            let writes = &*self.m.kind_info(sink.kind).name == "file-path-write";
            if !writes || !sink.when.iter().all(|when| self.holds(when, ports)) {
                continue;
            }
            let path = self.port(&mut Some(&mut *frame), index, &sink.at, ports);
            for place in path.map(|v| self.file_places(v)).unwrap_or_default() {
                if let Place::LibKey(_, name) = place {
                    let name = self.w.store.konst(Const::Str(name));
                    under = self.w.store.join(under, name);
                }
            }
        }
        if under == V::NEVER {
            return file;
        }
        let mut out = V::NEVER;
        for atom in self.w.store.atoms_of(file) {
            let one = match atom {
                Atom::LibObject { class, attrs, data } => {
                    let attrs = self.with_attr(&attrs, self.n.written, under, true);
                    Atom::LibObject { class, attrs, data }
                }
                other => other,
            };
            let one = self.w.store.one(one);
            out = self.w.store.join(out, one);
        }
        out
    }

    /// Names that the content of a file is kept under which is open to be written.
    fn written_under(&self, v: V) -> Vec<Name> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            let Atom::LibObject { attrs, .. } = atom else {
                continue;
            };
            if let Some((_, under)) = attrs.iter().find(|(name, _)| *name == self.n.written) {
                for known in self.w.store.constants(*under).unwrap_or_default() {
                    if let Const::Str(name) = known {
                        out.push(name);
                    }
                }
            }
        }
        out
    }

    /// A call that gets an open file and something else may write the one into the other.
    pub(crate) fn write_into_files(
        &mut self,
        frame: &mut Frame,
        index: u32,
        receiver: Option<V>,
        args: &Args,
    ) {
        if self.follow != crate::machine::Follow::Flows {
            return;
        }
        let mut all = args.all();
        all.extend(receiver);
        for at in 0..all.len() {
            let under = self.written_under(all[at]);
            if under.is_empty() {
                continue;
            }
            let mut labels = Ls::NONE;
            for (i, v) in all.iter().enumerate() {
                if i != at {
                    let deep = self.w.store.deep(*v);
                    labels = self.w.store.union(labels, deep);
                }
            }
            if labels == Ls::NONE {
                continue;
            }
            let content = self.w.store.data(labels);
            let content = self.derive(content, &Link::Value);
            let (files, site) = (self.name(FILES), self.site(frame, index));
            for name in under {
                let place = Place::LibKey(files, name);
                let written = (place, site, content);
                if !frame.effects.contains(&written) {
                    frame.effects.push(written);
                }
            }
        }
    }

    /// What was written under the path of a file that is opened.
    pub(super) fn file_read(
        &mut self,
        frame: &mut Frame,
        index: u32,
        sink: &SinkRow,
        ports: &Ports<'_>,
    ) -> V {
        if !sink.when.iter().all(|when| self.holds(when, ports)) {
            return V::NEVER;
        }
        let site = self.site(frame, index);
        let path = self.port(&mut Some(&mut *frame), index, &sink.at, ports);
        let mut out = V::NEVER;
        for place in path.map(|v| self.file_places(v)).unwrap_or_default() {
            if let Some(kept) = self.w.read(place) {
                let what = self.name("reads back the file that was saved");
                let kept = self.hop_all(kept, TraceKind::Source, site, what);
                out = self.w.store.join(out, kept);
            }
        }
        out
    }

    /// Where the content of files under a path is kept: by what of the path is known, if that says anything.
    fn file_places(&mut self, path: V) -> Vec<Place> {
        let files = self.name(FILES);
        let mut out = Vec::new();
        for atom in self.w.store.atoms_of(path) {
            let pieces = match atom {
                Atom::Const(Const::Str(text)) => vec![Piece::Lit(text)],
                Atom::Text(pieces) => pieces.to_vec(),
                // A path as an object.
                Atom::LibObject { data, .. } if data != V::NEVER => {
                    for place in self.file_places(data) {
                        if !out.contains(&place) {
                            out.push(place);
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            let text: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Lit(text) => self.text(*text).to_string(),
                    Piece::Data(_) => "*".to_owned(),
                })
                .collect();
            if text.chars().filter(|c| c.is_alphanumeric()).count() >= MIN_KNOWN {
                out.push(Place::LibKey(files, self.name(&text)));
            }
        }
        out
    }
}
