//! Modules and functions that are looked up by a name of which only parts are known.

use solvent_base::Name;
use solvent_ir::{Const, FunctionKind};

use crate::link::{FnId, Site, UnitId};
use crate::machine::{Frame, Machine};
use crate::value::{Atom, EnvId, MAX_ATOMS, Piece, V};

/// Functions that are taken for the one that is meant.
const MAX_NAMED: usize = 128;

/// A name whose unknown parts may be anything.
struct Pattern(Vec<Option<String>>);

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        let mut rest = text;
        let mut anything = false;
        for (i, part) in self.0.iter().enumerate() {
            let Some(literal) = part else {
                anything = true;
                continue;
            };
            let last = i + 1 == self.0.len();
            if last {
                return match anything {
                    true => rest.ends_with(literal.as_str()),
                    false => rest == literal,
                };
            }
            let at = match anything {
                true => rest.find(literal.as_str()),
                false => rest.starts_with(literal.as_str()).then_some(0),
            };
            let Some(at) = at else { return false };
            rest = &rest[at + literal.len()..];
            anything = false;
        }
        anything || rest.is_empty()
    }
}

impl Machine<'_> {
    /// The patterns of a value that is text; `None` where some of it is not known in any part.
    fn patterns(&self, v: V) -> Option<Vec<Pattern>> {
        let mut out = Vec::new();
        for atom in self.w.store.atoms(v) {
            let pieces = match atom {
                Atom::Text(pieces) => pieces,
                Atom::Const(Const::Str(name)) => {
                    out.push(Pattern(vec![Some(self.text(*name).to_string())]));
                    continue;
                }
                _ => return None,
            };
            let parts = pieces.iter().map(|piece| match piece {
                Piece::Lit(name) => Some(self.text(*name).to_string()),
                Piece::Data(_) => None,
            });
            out.push(Pattern(parts.collect()));
        }
        (!out.is_empty()).then_some(out)
    }

    /// The modules of the program that a name of which parts are known may mean.
    pub(super) fn modules_like(&mut self, v: V) -> V {
        let patterns = self.patterns(v).unwrap_or_default();
        let mut found = Vec::new();
        for (i, unit) in self.p.units.iter().enumerate() {
            let module = self.text(unit.module);
            // The program may lie below a folder that its own names leave out.
            let tails = module.match_indices('.').map(|(at, _)| &module[at + 1..]);
            let mut names = std::iter::once(&*module).chain(tails);
            if names.any(|name| patterns.iter().any(|p| p.fits(name))) {
                found.push(UnitId(i as u32));
            }
        }
        if found.is_empty() || found.len() > MAX_ATOMS {
            self.w.dynamic = true;
            return self.w.store.one(Atom::DynamicModule);
        }
        let mut out = V::NEVER;
        for unit in found {
            self.ensure_module(unit);
            let one = self.w.store.one(Atom::Module(unit));
            out = self.w.store.join(out, one);
        }
        out
    }

    /// Functions of modules and methods of objects that a name of which parts are known may mean. Where there
    /// are more than can be followed, all are known to be called from there.
    pub(crate) fn attributes_like(
        &mut self,
        frame: &mut Frame,
        base: V,
        name: V,
        site: Site,
    ) -> Option<V> {
        let patterns = self.patterns(name)?;
        let mut found: Vec<(Name, FnId, V)> = Vec::new();
        for atom in self.w.store.atoms_of(base) {
            let one = self.w.store.one(atom.clone());
            let functions: Vec<FnId> = match atom {
                Atom::Module(unit) => self.functions_of(Some(unit)),
                Atom::DynamicModule => self.functions_of(None),
                Atom::Object { class, .. } | Atom::Class { class, .. } => {
                    let order = self.order_of(class);
                    let own = order.iter().copied().filter_map(|base| match base {
                        crate::world::Base::Own(c) => Some(c),
                        _ => None,
                    });
                    own.flat_map(|c| self.methods_in(c))
                        .map(|(_, f)| f)
                        .collect()
                }
                _ => continue,
            };
            for f in functions {
                let name = self.p.function(f).name;
                let text = self.text(name);
                if patterns.iter().any(|p| p.fits(&text)) {
                    found.push((name, f, one));
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        let few = found.len() <= MAX_ATOMS;
        let plain = |(_, _, base): &(Name, FnId, V)| {
            let base = self.w.store.only(*base);
            matches!(base, Some(Atom::Module(_) | Atom::DynamicModule))
        };
        if !few && found.len() <= MAX_NAMED && found.iter().all(plain) {
            let functions = found.into_iter().map(|(_, f, _)| f).collect();
            return Some(self.w.store.one(Atom::OneOf(functions)));
        }
        let mut out = V::NEVER;
        for (name, f, base) in found {
            if !few {
                let what = "a call by a name that is put together".to_owned();
                self.w.escapes.entry(f).or_default().insert((site, what));
                continue;
            }
            let one = match self.w.store.only(base) {
                Some(Atom::DynamicModule) => {
                    let env = self.w.closures.get(&f).copied().unwrap_or(EnvId::EMPTY);
                    self.w.store.one(Atom::Fn { function: f, env })
                }
                _ => self.attr(frame, base, name, site),
            };
            out = self.w.store.join(out, one);
        }
        Some(match few {
            true => out,
            false => self.w.store.unknown(),
        })
    }

    /// Functions at the top of a module, or of any.
    fn functions_of(&self, unit: Option<UnitId>) -> Vec<FnId> {
        let p = self.p;
        p.functions()
            .filter(|f| unit.is_none_or(|unit| p.unit_of(*f) == unit))
            .filter(|f| {
                let function = p.function(*f);
                function.kind == FunctionKind::Def
                    && function.class.is_none()
                    && function.parent == Some(solvent_ir::FnIndex(0))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn fits(parts: &[Option<&str>], text: &str) -> bool {
        let parts = parts.iter().map(|part| part.map(str::to_owned)).collect();
        Pattern(parts).fits(text)
    }

    #[test]
    fn known_parts_stand_where_they_were_written() {
        assert!(fits(&[Some("do_"), None], "do_open"));
        assert!(fits(&[Some("do_"), None], "do_"));
        assert!(!fits(&[Some("do_"), None], "undo_open"));
        assert!(fits(&[None, Some("_open")], "do_open"));
        assert!(!fits(&[None, Some("_open")], "do_opened"));
        assert!(fits(&[Some("a."), None, Some(".b")], "a.x.b"));
        assert!(!fits(&[Some("a."), None, Some(".b")], "a.b"));
        assert!(fits(&[Some("same")], "same") && !fits(&[Some("same")], "sames"));
    }
}
