//! A patch under construction.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::FilePath;
use solvent_lang::syntax;

use crate::edit::Edits;
use crate::imports::{self, Import};
use crate::source::{File, Sources, World};
use crate::{Base, Disposition, FileEdit, NoPatch, Patch};

#[derive(Clone, Default)]
pub(crate) struct Draft {
    edits: BTreeMap<FilePath, Edits>,
    imports: BTreeMap<FilePath, BTreeSet<Import>>,
    pub notes: Vec<String>,
    pub review: Review,
}

/// Whether something was assumed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Review {
    #[default]
    NotNeeded,
    Needed,
}

impl Draft {
    pub fn edits(&mut self, file: &File) -> &mut Edits {
        self.edits.entry(file.path.clone()).or_default()
    }

    pub fn import(&mut self, file: &File, import: Import) {
        self.imports
            .entry(file.path.clone())
            .or_default()
            .insert(import);
    }

    /// Something that a reviewer should know, though nothing is assumed.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Something that is assumed.
    pub fn assume(&mut self, note: impl Into<String>) {
        self.review = Review::Needed;
        self.note(note);
    }

    pub fn finish(
        mut self,
        world: &World<'_>,
        fixer: &'static str,
        summary: String,
    ) -> Result<Patch, NoPatch> {
        for (path, wanted) in std::mem::take(&mut self.imports) {
            let file = world.file(&path)?;
            let edits = self.edits.entry(path).or_default();
            imports::add(file, &wanted, edits);
        }
        let mut files = Vec::new();
        for (path, edits) in self.edits {
            if edits.is_empty() {
                continue;
            }
            let edits = edits.finish().ok_or_else(|| NoPatch::NotFollowed {
                what: format!("two changes to `{path}` touch the same text"),
                line: 1,
            })?;
            files.push(FileEdit {
                path,
                base: Base::Existing,
                edits,
            });
        }
        let touched: Vec<String> = files.iter().map(|f| format!("`{}`", f.path)).collect();
        Ok(Patch {
            fixer,
            disposition: match self.review {
                Review::NotNeeded => Disposition::Mechanical,
                Review::Needed => Disposition::NeedsReview,
            },
            rollback: format!(
                "revert the commit; only {} changes, no data and no configuration",
                touched.join(" and ")
            ),
            files,
            summary,
            notes: self.notes,
        })
    }
}

/// Whether the patch applies and what comes out is a program.
pub(crate) fn check(patch: &Patch, sources: &Sources<'_>) -> Result<(), NoPatch> {
    for file in &patch.files {
        let unfit = |why: String| NoPatch::Unreadable {
            path: file.path.clone(),
            why,
        };
        let before = match file.base {
            Base::New => String::new(),
            Base::Existing => (sources.text)(&file.path)
                .ok_or_else(|| unfit("the file cannot be read".to_owned()))?,
        };
        let after = file
            .apply(&before)
            .map_err(|misfit| unfit(misfit.words().to_owned()))?;
        if after == before {
            return Err(unfit("the change would change nothing".to_owned()));
        }
        syntax::parse(&after).map_err(|no| {
            unfit(format!(
                "the change would not be valid Python ({}), which is a defect of the fixer",
                no.0
            ))
        })?;
    }
    Ok(())
}
