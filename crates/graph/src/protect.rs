//! Values that a request should not choose: fields that are privileges or owners by their names, and where a page sends
//! its reader on to.

use solvent_base::Name;
use solvent_ir::{self as ir, Const, Op, Terminator};

use crate::call::Args;
use crate::label::Link;
use crate::link::ClassId;
use crate::machine::{Follow, Frame, Machine};
use crate::value::{Atom, CollKind, Ls, Piece, V};

/// Members that stand for such places.
const PROTECTED: &str = "<protected-field>";
const REFRESH: &str = "<meta-refresh>";

/// Names of fields that say what somebody may do.
const PRIVILEGES: [&str; 10] = [
    "admin",
    "is_admin",
    "isadmin",
    "is_staff",
    "is_superuser",
    "superuser",
    "role",
    "roles",
    "privilege",
    "permissions",
];

/// Names of keys that say who somebody is, or whose something is.
const OWNERS: [&str; 10] = [
    "user",
    "username",
    "user_id",
    "userid",
    "owner",
    "owner_id",
    "author",
    "author_id",
    "account_id",
    "tenant_id",
];

/// Blocks one straight after the other that are looked back through.
const MAX_STRAIGHT: u32 = 8;

impl Machine<'_> {
    /// `User(name=.., is_admin=..)`, where objects of the class are kept.
    pub(crate) fn privileges_in(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        args: &Args,
    ) {
        if self.follow != Follow::Flows {
            return;
        }
        for (name, v, source) in &args.named {
            if self.is_privilege(*name) && self.is_stored(class) {
                let chosen = match source {
                    Some(source) if self.w.store.deep(*v) == Ls::NONE => {
                        self.decided_by(frame, *source)
                    }
                    _ => *v,
                };
                self.arrives(frame, index, PROTECTED, chosen);
            }
        }
    }

    /// `user.is_admin = ..`, where objects of the class are kept.
    pub(crate) fn privilege_set(
        &mut self,
        frame: &mut Frame,
        index: u32,
        class: ClassId,
        name: Name,
        v: V,
    ) {
        if self.follow == Follow::Flows
            && self.w.store.deep(v) != Ls::NONE
            && self.is_privilege(name)
            && self.is_stored(class)
        {
            self.arrives(frame, index, PROTECTED, v);
        }
    }

    fn is_privilege(&self, name: Name) -> bool {
        PRIVILEGES.contains(&&*self.text(name))
    }

    /// Whether the class is of a library's that makes fields of whatever it is given.
    fn is_stored(&mut self, class: ClassId) -> bool {
        let Some(kind) = self.m.kind("all-fields") else {
            return false;
        };
        let init = self.n.init;
        self.lib_bases(class).into_iter().any(|base| {
            self.class_member(base, init)
                .is_some_and(|id| self.m.get(id).sinks.iter().any(|sink| sink.kind == kind))
        })
    }

    /// Who decides a value that is true on one way and false on the other.
    fn decided_by(&mut self, frame: &Frame, value: u32) -> V {
        let function = self.p.function(frame.f);
        let mut at = value;
        while let Op::Refine { value, .. } = function.op(ir::Value(at)) {
            at = value.0;
        }
        let Op::Phi(inputs) = function.op(ir::Value(at)) else {
            return V::NEVER;
        };
        let is_bool = |v: &ir::Value| {
            let v = self.w.store.constant(frame.vals[v.0 as usize]);
            matches!(v, Some(Const::Bool(_)))
        };
        if inputs.len() != 2 || !inputs.iter().all(|(_, v)| is_bool(v)) {
            return V::NEVER;
        }
        let from: Vec<u32> = inputs
            .iter()
            .map(|(block, _)| begin_of(function, block.0))
            .collect();
        let condition = function.blocks.iter().enumerate().find_map(|(i, block)| {
            let Terminator::Branch {
                condition,
                then,
                otherwise,
            } = &block.terminator
            else {
                return None;
            };
            let way = |to: u32| from.contains(&to) || from.contains(&(i as u32));
            (way(then.0) && way(otherwise.0) && then != otherwise).then_some(*condition)
        });
        condition.map_or(V::NEVER, |condition| frame.vals[condition.0 as usize])
    }

    /// `{"username": who_is_there}.update(body)`: a key that the program fills may be the request's afterwards.
    pub(crate) fn overwrites_owner(&mut self, frame: &mut Frame, index: u32, base: V, by: Ls) {
        if self.follow != Follow::Flows {
            return;
        }
        let Some(Atom::Coll {
            kind: CollKind::Dict,
            kids,
            ..
        }) = self.w.store.only(base).cloned()
        else {
            return;
        };
        for (key, v) in &*kids {
            let Const::Str(name) = key else { continue };
            if !OWNERS.contains(&&*self.text(*name)) || self.w.store.constant(*v).is_some() {
                continue;
            }
            let given = self.w.store.link_set(by, &Link::Key(*name));
            let given = self.w.store.data(given);
            self.arrives(frame, index, PROTECTED, given);
        }
    }

    /// A text that is a page's order to go on to what stands next in it.
    pub(crate) fn sends_on(&mut self, frame: &mut Frame, index: u32, all: &[Vec<Piece>]) {
        if self.follow != Follow::Flows {
            return;
        }
        for pieces in all {
            for pair in pieces.windows(2) {
                if let [Piece::Lit(text), Piece::Data(labels)] = pair
                    && *labels != Ls::NONE
                    && is_refresh(&self.text(*text))
                {
                    let to = self.w.store.data(*labels);
                    self.arrives(frame, index, REFRESH, to);
                }
            }
        }
    }
}

/// The first of the blocks that lead straight to one.
fn begin_of(function: &ir::Function, block: u32) -> u32 {
    let mut at = block;
    for _ in 0..MAX_STRAIGHT {
        let mut before =
            function
                .blocks
                .iter()
                .enumerate()
                .filter(|(_, data)| match &data.terminator {
                    Terminator::Jump(to) => to.0 == at,
                    Terminator::Branch {
                        then, otherwise, ..
                    } => then.0 == at || otherwise.0 == at,
                    _ => false,
                });
        match (before.next(), before.next()) {
            (Some((from, data)), None) if matches!(data.terminator, Terminator::Jump(_)) => {
                at = from as u32;
            }
            _ => break,
        }
    }
    at
}

/// Whether a text ends where a page that sends its reader on says where to (HTML, 4.2.5.3).
fn is_refresh(text: &str) -> bool {
    let Some(start) = text.rfind('<') else {
        return false;
    };
    let tag = text[start..].to_lowercase();
    let end = tag.trim_end_matches(['"', '\'', ' ']);
    tag.starts_with("<meta") && tag.contains("refresh") && end.ends_with("url=")
}

#[cfg(test)]
mod tests {
    use super::is_refresh;

    #[test]
    fn a_page_says_where_it_sends_its_reader() {
        assert!(is_refresh(
            "<head><META http-equiv=\"refresh\" content=\"0; url="
        ));
        assert!(!is_refresh(
            "<meta http-equiv=\"refresh\" content=\"0; url=/home/"
        ));
        assert!(!is_refresh("<a href=\"?url=") && !is_refresh("url="));
    }
}
