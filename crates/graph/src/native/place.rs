//! What a program finds out about its own tree when it starts: where a file lies, which modules are beside it, what
//! is in them.
//!
//! A place of the tree is an object of the model's class `os.TreePlace`, a text that no text can be mistaken for. Only
//! folders with code in them are listed, and of their files only the ones that were read.

use std::collections::BTreeSet;

use solvent_base::Name;
use solvent_ir::Const;

use crate::call::Args;
use crate::link::UnitId;
use crate::machine::{Frame, Machine};
use crate::value::{Atom, CollKind, Ls, V};

impl Machine<'_> {
    /// Names that every module has, which say where it is.
    pub(crate) fn place_global(&mut self, unit: UnitId, name: &str) -> Option<V> {
        let path = self.p.unit(unit).path.as_str().to_owned();
        match name {
            "__file__" => Some(self.place(&path)),
            "__path__" if self.p.unit(unit).path.file_name().starts_with("__init__.") => {
                let here = self.place(folder(&path));
                Some(self.exact_list(vec![here]))
            }
            _ => None,
        }
    }

    /// Functions that say what is where in the tree, given places of it.
    pub(super) fn in_the_tree(&mut self, frame: &Frame, path: &str, args: &Args) -> Option<V> {
        let (module, _) = path.rsplit_once('.')?;
        match module {
            "os.path" | "os" | "glob" => self.files(path, args),
            "pkgutil" => self.modules_in(path, args),
            "inspect" | "builtins" => match path {
                "inspect.getmembers" | "builtins.dir" | "builtins.vars" => {
                    self.members_of(path, args)
                }
                _ if self.w.at_start.contains(&frame.f) => self.exact(path, args),
                _ => None,
            },
            _ => None,
        }
    }

    fn place(&mut self, path: &str) -> V {
        let class = self.name("os.TreePlace");
        let (key, path) = (self.name("<file>"), self.name(path));
        let path = self.w.store.konst(Const::Str(path));
        self.w.store.one(Atom::LibObject {
            class,
            attrs: Box::new([(key, path)]),
            data: V::NEVER,
        })
    }

    /// The place that a value is, from the root of the tree.
    fn placed(&self, v: V) -> Option<String> {
        let Some(Atom::LibObject { attrs, .. }) = self.w.store.only(v) else {
            return None;
        };
        let key = self.name("<file>");
        let (_, path) = attrs.iter().find(|(name, _)| *name == key)?;
        let path = self.w.store.constant_str(*path)?;
        Some(self.text(path).to_string())
    }

    fn constant_text(&self, v: V) -> Option<String> {
        let name = self.w.store.constant_str(v)?;
        Some(self.text(name).to_string())
    }

    fn str_value(&mut self, text: &str) -> V {
        let name = self.name(text);
        self.w.store.konst(Const::Str(name))
    }

    /// A list that keeps each of its elements.
    fn exact_list(&mut self, items: Vec<V>) -> V {
        let kids = items
            .into_iter()
            .enumerate()
            .map(|(i, v)| (Const::Int(i as i64), v))
            .collect();
        let wide = std::mem::replace(&mut self.w.store.wide, true);
        let list = self.w.store.coll(CollKind::List, kids, V::NEVER, Ls::NONE);
        self.w.store.wide = wide;
        list
    }

    fn exact_tuple(&mut self, items: &[V]) -> V {
        let kids = items
            .iter()
            .enumerate()
            .map(|(i, v)| (Const::Int(i as i64), *v))
            .collect();
        self.w.store.coll(CollKind::Tuple, kids, V::NEVER, Ls::NONE)
    }

    /// Parts of paths, and what lies at them.
    fn files(&mut self, path: &str, args: &Args) -> Option<V> {
        let first = args.get(0, None)?;
        let place = self.placed(first);
        let text = match &place {
            Some(place) => place.clone(),
            None => self.constant_text(first)?,
        };
        match path {
            "os.path.basename" => Some(self.str_value(last(&text))),
            "os.path.dirname" => match place {
                Some(place) => Some(self.place(folder(&place))),
                None => Some(self.str_value(folder(&text))),
            },
            "os.path.split" => {
                let head = self.place(folder(&place?));
                let tail = self.str_value(last(&text));
                Some(self.exact_tuple(&[head, tail]))
            }
            "os.path.splitext" if place.is_none() => {
                let (stem, _) = text.rsplit_once('.').filter(|(stem, end)| {
                    !end.contains('/') && !stem.is_empty() && !stem.ends_with('/')
                })?;
                let (stem, end) = text.split_at(stem.len());
                let (stem, end) = (self.str_value(stem), self.str_value(end));
                Some(self.exact_tuple(&[stem, end]))
            }
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" => place.map(|_| first),
            "os.path.join" => {
                let mut at = place?;
                if args.spread.is_some() {
                    return None;
                }
                for (v, _) in args.pos.iter().skip(1) {
                    at = join(&at, &self.constant_text(*v)?)?;
                }
                Some(self.place(&at))
            }
            "os.path.isfile" | "os.path.exists" => {
                let there = self.p.units.iter().any(|unit| unit.path.as_str() == text);
                there.then(|| self.w.store.boolean(Some(true)))
            }
            "os.listdir" => {
                let found = self.beside(&place?);
                self.names_listed(found)
            }
            "glob.glob" | "glob.iglob" => {
                let place = place?;
                let (at, wanted) = (folder(&place), last(&place));
                if at.contains(['*', '?', '[']) || wanted.contains('[') {
                    return None;
                }
                let found = self.beside(at);
                let found = found.into_iter().filter(|name| fits(wanted, name));
                let front = |name: String| match at {
                    "" => name,
                    at => format!("{at}/{name}"),
                };
                self.names_listed(found.map(front).collect())
            }
            _ => None,
        }
    }

    fn names_listed(&mut self, names: BTreeSet<String>) -> Option<V> {
        if names.is_empty() {
            return None;
        }
        let items = names.iter().map(|name| self.str_value(name)).collect();
        Some(self.exact_list(items))
    }

    /// Names of the files with code, and of the folders with such files, in a folder.
    fn beside(&self, folder: &str) -> BTreeSet<String> {
        let below = |path: &str| {
            let rest = match folder {
                "" => path,
                folder => path.strip_prefix(folder)?.strip_prefix('/')?,
            };
            rest.split('/').next().map(str::to_owned)
        };
        self.p
            .units
            .iter()
            .filter_map(|unit| below(unit.path.as_str()))
            .collect()
    }

    /// `pkgutil.iter_modules([folder], prefix)`: a finder, a name, and whether it is a package.
    fn modules_in(&mut self, path: &str, args: &Args) -> Option<V> {
        if !matches!(path, "pkgutil.iter_modules" | "pkgutil.walk_packages") {
            return None;
        }
        let (at, prefix) = (self.name("path"), self.name("prefix"));
        let folders = self.exact_items(args.get(0, Some(at))?)?;
        let prefix = match args.get(1, Some(prefix)) {
            Some(v) => self.constant_text(v)?,
            None => String::new(),
        };
        let mut items = Vec::new();
        for place in folders {
            let place = self.placed(place)?;
            for name in self.beside(&place) {
                let package = !name.ends_with(".py");
                let module = name.strip_suffix(".py").unwrap_or(&name);
                if module == "__init__" {
                    continue;
                }
                let finder = self.w.store.unknown();
                let module = self.str_value(&format!("{prefix}{module}"));
                let package = self.w.store.boolean(Some(package));
                items.push(self.exact_tuple(&[finder, module, package]));
            }
        }
        (!items.is_empty()).then(|| self.exact_list(items))
    }

    /// What a module holds: names with values, names, or a mapping of both.
    fn members_of(&mut self, path: &str, args: &Args) -> Option<V> {
        let Some(Atom::Module(unit)) = self.w.store.only(args.get(0, None)?).cloned() else {
            return None;
        };
        self.ensure_module(unit);
        let wanted = self.name("predicate");
        let wanted = match args.get(1, Some(wanted)).map(|v| self.w.store.only(v)) {
            Some(Some(Atom::Lib(name))) => Some(self.text(*name).to_string()),
            _ => None,
        };
        let mut items: Vec<(Name, V)> = Vec::new();
        for name in self.w.globals_of(unit, self.names) {
            let v = self.module_attr(unit, name);
            let fits = self.w.store.atoms(v).all(|atom| match wanted.as_deref() {
                Some("inspect.isfunction") => matches!(atom, Atom::Fn { .. }),
                Some("inspect.isclass") => matches!(atom, Atom::Class { .. }),
                _ => true,
            });
            if fits {
                items.push((name, v));
            }
        }
        if items.is_empty() {
            return None;
        }
        match path {
            "builtins.dir" => {
                let names = items.into_iter().map(|(n, _)| Const::Str(n));
                let names = names.map(|c| self.w.store.konst(c)).collect();
                Some(self.exact_list(names))
            }
            "builtins.vars" => {
                let kids = items
                    .into_iter()
                    .map(|(name, v)| (Const::Str(name), v))
                    .collect();
                let wide = std::mem::replace(&mut self.w.store.wide, true);
                let all = self.w.store.coll(CollKind::Dict, kids, V::NEVER, Ls::NONE);
                self.w.store.wide = wide;
                Some(all)
            }
            _ => {
                let mut pairs = Vec::new();
                for (name, v) in items {
                    let name = self.w.store.konst(Const::Str(name));
                    pairs.push(self.exact_tuple(&[name, v]));
                }
                Some(self.exact_list(pairs))
            }
        }
    }

    /// Functions of lists that are known to their end, each element for itself.
    fn exact(&mut self, path: &str, args: &Args) -> Option<V> {
        if !matches!(
            path,
            "builtins.sorted" | "builtins.enumerate" | "builtins.zip" | "builtins.reversed"
        ) {
            return None;
        }
        let lists: Option<Vec<Vec<V>>> =
            args.pos.iter().map(|(v, _)| self.exact_items(*v)).collect();
        let lists = lists?;
        let first = lists.first().filter(|list| !list.is_empty())?.clone();
        match (path, lists.len()) {
            ("builtins.sorted", 1) => Some(self.exact_list(first)),
            ("builtins.reversed", 1) => Some(self.exact_list(first.into_iter().rev().collect())),
            ("builtins.enumerate", 1) if args.named.is_empty() => {
                let mut items = Vec::new();
                for (i, v) in first.into_iter().enumerate() {
                    let i = self.w.store.konst(Const::Int(i as i64));
                    items.push(self.exact_tuple(&[i, v]));
                }
                Some(self.exact_list(items))
            }
            ("builtins.zip", _) => {
                let shortest = lists.iter().map(Vec::len).min()?;
                let mut items = Vec::new();
                for i in 0..shortest {
                    let row: Vec<V> = lists.iter().map(|list| list[i]).collect();
                    items.push(self.exact_tuple(&row));
                }
                Some(self.exact_list(items))
            }
            _ => None,
        }
    }

    /// `items()`, `keys()` and `values()` of a mapping that is known to its end.
    pub(super) fn pairs_of(&mut self, kids: &[(Const, V)], method: &str) -> Option<V> {
        if kids.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        for (key, v) in kids {
            let key = self.w.store.konst(key.clone());
            out.push(match method {
                "items" => self.exact_tuple(&[key, *v]),
                "keys" => key,
                "values" => *v,
                _ => return None,
            });
        }
        Some(self.exact_list(out))
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

/// `wanted` seen from a folder of the tree; `None` outside.
fn join(at: &str, wanted: &str) -> Option<String> {
    if wanted.starts_with('/') {
        return None;
    }
    crate::link::joined_path(at, wanted)
}

/// Whether a name fits a pattern of the shell with `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // The last `*`, and where in the name it ends so far.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, end)) = star {
            star = Some((at, end + 1));
            p = at + 1;
            n = end + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::{fits, join};

    #[test]
    fn names_fit_patterns_of_the_shell() {
        assert!(fits("*.py", "a.py") && fits("*", "") && fits("a?c*", "abcd"));
        assert!(fits("*a*b", "xaxbxb"));
        assert!(!fits("*.py", "a.pyc") && !fits("?", "") && !fits("a*b", "ac"));
    }

    #[test]
    fn places_stay_in_the_tree() {
        assert_eq!(join("a/b", "../c.py").as_deref(), Some("a/c.py"));
        assert_eq!(join("", "x").as_deref(), Some("x"));
        assert_eq!(join("a", "../.."), None);
        assert_eq!(join("a", "/etc"), None);
    }
}
