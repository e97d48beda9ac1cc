//! Holders of routes whose class the program derives from a library's: `class UserRouter(APIRouter)`.

use solvent_base::Name;
use solvent_ir::Const;
use solvent_models::{EntryShape, MemberId};

use crate::call::Args;
use crate::link::{ClassId, FnId, Site};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, Open, V};

impl Machine<'_> {
    /// The first of these classes of libraries whose instances hold routes.
    fn holder_among(&mut self, bases: &[Name]) -> Option<MemberId> {
        let models = self.m;
        bases.iter().find_map(|base| {
            let id = self.path_member(*base)?;
            let holds = |shape| matches!(shape, EntryShape::Application | EntryShape::Collection);
            let mut rows = models.get(id).entry_points.iter();
            rows.any(|row| holds(row.shape)).then_some(id)
        })
    }

    /// An instance of a class of holders remembers where it was made, as the library's own do.
    pub(crate) fn kept_by_holder(
        &mut self,
        frame: &Frame,
        index: u32,
        class: ClassId,
        args: &Args,
    ) -> Option<(Name, V)> {
        if self.has_receivers() || self.is_javascript() {
            return None;
        }
        let bases = self.lib_bases(class);
        let id = self.holder_among(&bases)?;
        let site = self.site(frame, index);
        let number = i64::from(site.function.0) << 32 | i64::from(site.inst);
        let number = self.w.store.konst(Const::Int(number));
        let bare = self.w.store.one(Atom::Object {
            class,
            attrs: Box::default(),
            open: Open::No,
        });
        let models = self.m;
        if self.method_of(class, self.n.init, bare).is_none() {
            self.note_holder(site, models.get(id), args);
        } else if !self.made.contains_key(&site) {
            // Its own `__init__` says what the library's is given.
            self.note_holder(site, models.get(id), &Args::default());
        }
        Some((self.n.site, number))
    }

    /// `super().__init__(prefix="/admin")` of such a class.
    pub(crate) fn made_by_holder(&mut self, bases: &[Name], attrs: &[(Name, V)], args: &Args) {
        let made = attrs.iter().find(|(n, _)| *n == self.n.site);
        let Some(number) = made.and_then(|(_, v)| self.small_int(*v)) else {
            return;
        };
        let site = Site {
            function: FnId((number >> 32) as u32),
            inst: (number & 0xffff_ffff) as u32,
        };
        if let Some(id) = self.holder_among(bases) {
            let models = self.m;
            self.note_holder(site, models.get(id), args);
        }
    }
}
