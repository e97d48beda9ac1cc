//! Arguments and the parameters that they reach.

use solvent_base::Name;
use solvent_ir::{Const, FunctionKind, ParamKind};

use super::Args;
use crate::link::FnId;
use crate::machine::Machine;
use crate::value::{Atom, CollKind, EnvId, Ls, V};

impl Machine<'_> {
    pub(crate) fn spread_keywords(&mut self, built: &mut Args, v: V) {
        let mut other = V::NEVER;
        for atom in self.w.store.atoms_of(v) {
            match atom {
                Atom::Coll {
                    kind: CollKind::Dict,
                    kids,
                    rest,
                    ..
                } => {
                    for (key, v) in &*kids {
                        if let Const::Str(name) = key {
                            if built.named.iter().all(|(n, _, _)| n != name) {
                                built.named.push((*name, *v, None));
                            }
                        } else {
                            other = self.w.store.join(other, *v);
                        }
                    }
                    other = self.w.store.join(other, rest);
                }
                atom @ Atom::Object { .. } if self.held_of(&atom).is_some() => {
                    let held = self.held_of(&atom).unwrap_or(V::NEVER);
                    self.spread_keywords(built, held);
                }
                _ => {
                    let one = self.w.store.one(atom);
                    let more = self.derive(one, &crate::label::Link::Value);
                    other = self.w.store.join(other, more);
                }
            }
        }
        if other != V::NEVER {
            let before = built.keywords.unwrap_or(V::NEVER);
            built.keywords = Some(self.w.store.join(before, other));
        }
    }

    /// What each parameter gets, and which caller's value it came from.
    pub(super) fn bind(
        &mut self,
        f: FnId,
        env: EnvId,
        receiver: Option<V>,
        args: &Args,
    ) -> (Vec<V>, Vec<(u32, u32)>) {
        let p = self.p;
        let function = p.function(f);
        let mut positional: Vec<(V, Option<u32>)> = Vec::new();
        if !self.has_receivers() {
            positional.extend(receiver.map(|v| (v, None)));
        }
        positional.extend(args.pos.iter().copied());
        // `C::m` of a method of objects is called with the object first.
        let receiver = match (receiver, positional.first()) {
            (None, Some((first, _)))
                if self.is_java()
                    && self.takes_receiver(f)
                    && !self.accepts(f, positional.len()) =>
            {
                let first = *first;
                positional.remove(0);
                Some(first)
            }
            (receiver, _) => receiver,
        };
        let mut next = 0;
        let mut used = vec![false; args.named.len()];
        let mut out = Vec::with_capacity(function.params.len());
        let mut sources = Vec::new();
        for (i, param) in function.params.iter().enumerate() {
            let mut named = || {
                let at = args.named.iter().position(|(n, _, _)| *n == param.name)?;
                used[at] = true;
                Some((args.named[at].1, args.named[at].2))
            };
            let got = match param.kind {
                ParamKind::Receiver => {
                    let this = receiver.unwrap_or_else(|| self.w.store.unknown());
                    Some((this, None))
                }
                ParamKind::Ordinary | ParamKind::PositionalOnly => {
                    if next < positional.len() {
                        next += 1;
                        Some(positional[next - 1])
                    } else {
                        named()
                    }
                }
                ParamKind::KeywordOnly => named(),
                // An array may be passed as it is.
                ParamKind::Rest
                    if self.is_java()
                        && next + 1 == positional.len()
                        && self.is_container(positional[next].0) =>
                {
                    next += 1;
                    Some(positional[next - 1])
                }
                ParamKind::Rest => {
                    let rest: Vec<(Const, V)> = positional[next.min(positional.len())..]
                        .iter()
                        .enumerate()
                        .map(|(i, (v, _))| (Const::Int(i as i64), *v))
                        .collect();
                    next = positional.len();
                    let spread = args.spread.unwrap_or(V::NEVER);
                    Some((
                        self.w.store.coll(CollKind::Tuple, rest, spread, Ls::NONE),
                        None,
                    ))
                }
                ParamKind::KeywordRest => {
                    let known: Vec<Name> = function.params.iter().map(|p| p.name).collect();
                    let kids: Vec<(Const, V)> = args
                        .named
                        .iter()
                        .filter(|(n, _, _)| !known.contains(n))
                        .map(|(n, v, _)| (Const::Str(*n), *v))
                        .collect();
                    let rest = args.keywords.unwrap_or(V::NEVER);
                    Some((
                        self.w.store.coll(CollKind::Dict, kids, rest, Ls::NONE),
                        None,
                    ))
                }
            };
            let v = match got {
                Some((v, source)) => {
                    if let Some(source) = source {
                        sources.push((i as u32, source));
                    }
                    v
                }
                None => {
                    let mut v = V::NEVER;
                    if param.kind != ParamKind::KeywordOnly
                        && let Some(spread) = args.spread
                    {
                        v = self.w.store.join(v, spread);
                    }
                    if let Some(keywords) = args.keywords {
                        v = self.w.store.join(v, keywords);
                    }
                    if let Some(default) = self.default_of(f, i as u32, env) {
                        let default = self.kept_in_default(f, param.name, default);
                        v = self.w.store.join(v, default);
                    }
                    if v != V::NEVER {
                        v
                    } else if self.is_javascript() {
                        self.w.store.none()
                    } else {
                        self.w.store.unknown()
                    }
                }
            };
            out.push(v);
        }
        (out, sources)
    }

    pub(crate) fn default_of(&mut self, f: FnId, param: u32, env: EnvId) -> Option<V> {
        // What this closure was made with, before what some other one was.
        let name = self.p.function(f).params[param as usize].name;
        let own = self
            .w
            .store
            .env(env)
            .iter()
            .find(|(c, _)| *c == (f, name))
            .map(|(_, v)| *v);
        if own.is_some() {
            return own;
        }
        match self.w.defaults.get(&(f, param)) {
            Some(v) => Some(*v),
            None => self.p.function(f).params[param as usize]
                .default
                .map(|_| self.w.store.unknown()),
        }
    }

    /// Whether calls of this function can be told from its name alone.
    pub(crate) fn fits(&self, f: FnId, args: &Args, has_receiver: bool) -> bool {
        let function = self.p.function(f);
        if function.kind != FunctionKind::Def {
            return false;
        }
        let given = args.pos.len() + usize::from(has_receiver && !self.has_receivers());
        let mut most = 0;
        let mut least = 0;
        let mut any = false;
        for param in &function.params {
            match param.kind {
                ParamKind::Ordinary | ParamKind::PositionalOnly => {
                    most += 1;
                    if param.default.is_none()
                        && args.named.iter().all(|(n, _, _)| *n != param.name)
                    {
                        least += 1;
                    }
                }
                ParamKind::Rest => any = true,
                ParamKind::KeywordOnly | ParamKind::KeywordRest | ParamKind::Receiver => {}
            }
        }
        // JavaScript takes any number of arguments; one that passes none may mean another method.
        if self.is_javascript() {
            return given > 0 || least == 0;
        }
        let spread = args.spread.is_some() || args.keywords.is_some();
        (given <= most || any) && (given >= least || spread)
    }
}
