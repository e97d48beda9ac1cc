//! Tables of routes as values: however many routes a list holds, and whatever it went through, none is lost.

use solvent_base::Name;

use crate::link::{Site, UnitId};
use crate::value::{Atom, Store, V};

/// An interned set of routes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableId(pub u32);

/// One thing that a table of routes lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RouteRef {
    /// What a call made, by its place, the row of its member and the route's text.
    Made { site: Site, row: u32, route: Name },
    /// What a variable of a module lists.
    Module { unit: UnitId, variable: Name },
    /// What is registered on what was made there.
    Holder(Site),
}

impl Store {
    /// A value that lists these routes.
    pub(crate) fn routes(&mut self, refs: Vec<RouteRef>) -> V {
        let id = self.table(refs);
        self.one(Atom::Routes(id))
    }

    pub(crate) fn table(&mut self, mut refs: Vec<RouteRef>) -> TableId {
        refs.sort_unstable();
        refs.dedup();
        let key: Box<[RouteRef]> = refs.into();
        if let Some(&id) = self.table_ids.get(&key) {
            return TableId(id);
        }
        let id = u32::try_from(self.tables.len()).unwrap_or(u32::MAX);
        self.tables.push(key.clone());
        self.table_ids.insert(key, id);
        TableId(id)
    }

    pub(crate) fn listed(&self, id: TableId) -> &[RouteRef] {
        self.tables.get(id.0 as usize).map_or(&[], |refs| refs)
    }

    pub(crate) fn both_tables(&mut self, a: TableId, b: TableId) -> TableId {
        let mut refs = self.listed(a).to_vec();
        refs.extend_from_slice(self.listed(b));
        self.table(refs)
    }
}
