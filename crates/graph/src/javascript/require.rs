//! Modules by a name known only at run time: `require('./routes/' + name)`.

use crate::link::UnitId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Piece, V};
use solvent_ir::Const;

/// Modules that are taken for the one that is meant.
const MAX_MODULES: usize = 64;

impl Machine<'_> {
    /// A program that lists a folder with code of its own loads what it finds there, or has it loaded.
    pub(crate) fn lists_folder(&mut self, frame: &Frame, index: u32, folder: V) {
        let here = self.name("__dirname");
        let own = self.w.store.only(folder) == Some(&Atom::Lib(here));
        let below = |path: &str| {
            path.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        };
        let home = below(self.p.unit(frame.unit).path.as_str());
        let named = self.folders_named(folder);
        let units: Vec<UnitId> = (0..self.p.units.len() as u32)
            .map(UnitId)
            .filter(|unit| {
                let folder = below(self.p.unit(*unit).path.as_str());
                let last = folder.rsplit('/').next().unwrap_or_default();
                *unit != frame.unit
                    && ((own && folder == home) || named.iter().any(|name| name == last))
            })
            .take(MAX_MODULES)
            .collect();
        let site = self.site(frame, index);
        for unit in units {
            self.ensure_module(unit);
            let exports = self.exports_of(unit);
            self.escape(exports, site, "whatever loads the files of its folder", 0);
        }
    }

    /// What a computed `require` may give: of the modules in the folder that its text names, or of all.
    pub(super) fn required_by_name(&mut self, frame: &Frame, index: u32, name: V) -> V {
        self.w.dynamic = true;
        let folders = self.folders_named(name);
        let below = |unit: &UnitId| {
            let path = self.p.unit(*unit).path.as_str();
            let mut above = path.split('/').rev().skip(1);
            *unit != frame.unit
                && (folders.is_empty() || above.any(|part| folders.iter().any(|f| f == part)))
        };
        let mut units: Vec<UnitId> = (0..self.p.units.len() as u32)
            .map(UnitId)
            .filter(below)
            .collect();
        let rest = units.split_off(units.len().min(MAX_MODULES));
        let site = self.site(frame, index);
        let mut out = self.w.store.unknown();
        for unit in units {
            // Where nothing of the name is known, running them all from here would run modules before the ones
            // that they need are whole; their turn comes, and the next round sees what they export.
            if !folders.is_empty() {
                self.ensure_module(unit);
            }
            let one = self.exports_of(unit);
            out = self.w.store.join(out, one);
        }
        for unit in rest {
            let one = self.exports_of(unit);
            self.escape(one, site, "a module by a name known only at run time", 0);
        }
        out
    }

    /// Folders that the known parts of a path name.
    fn folders_named(&self, path: V) -> Vec<String> {
        let mut folders: Vec<String> = Vec::new();
        for atom in self.w.store.atoms_of(path) {
            let texts: Vec<String> = match &atom {
                Atom::Text(pieces) => pieces
                    .iter()
                    .filter_map(|piece| match piece {
                        Piece::Lit(text) => Some(self.text(*text).to_string()),
                        Piece::Data(_) => None,
                    })
                    .collect(),
                Atom::Const(Const::Str(text)) => vec![self.text(*text).to_string()],
                _ => Vec::new(),
            };
            for text in texts {
                let parts = text
                    .split('/')
                    .filter(|part| part.chars().any(char::is_alphanumeric));
                folders.extend(parts.map(str::to_owned));
            }
        }
        folders
    }
}
