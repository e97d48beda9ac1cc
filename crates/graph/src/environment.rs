//! What the environment holds, as the deployment says: values by which branches are decided and URLs known.

use std::collections::{BTreeMap, BTreeSet};

use solvent_base::FilePath;
use solvent_ir::{Const, Language};

use crate::link::{Site, UnitId};
use crate::machine::Machine;
use crate::value::{CollKind, Ls, V};

/// Values of one variable over the services that run a file; `None` among them: it may be another one, or not
/// set.
pub type Values = BTreeSet<Option<String>>;

/// Variables by the files that see them. A file without an entry sees nothing that is known.
#[derive(Clone, Default, Debug)]
pub struct Environment {
    by_file: BTreeMap<FilePath, BTreeMap<String, Values>>,
    /// What any file may see, where it is not known which one reads.
    anywhere: BTreeMap<String, Values>,
}

impl Environment {
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Files of which something is known.
    pub fn files(&self) -> impl Iterator<Item = &FilePath> {
        self.by_file.keys()
    }

    /// Names of what every service sets for this file, so that branches may be decided by it.
    pub fn sure(&self, path: &FilePath) -> Vec<&str> {
        let known = self.by_file.get(path).into_iter().flatten();
        known
            .filter(|(_, values)| values.iter().all(Option::is_some))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    pub fn new(by_file: BTreeMap<FilePath, BTreeMap<String, Values>>) -> Self {
        let mut anywhere: BTreeMap<String, Values> = BTreeMap::new();
        for (name, values) in by_file.values().flatten() {
            let all = anywhere.entry(name.clone()).or_default();
            all.extend(values.iter().cloned());
            all.insert(None);
        }
        Self { by_file, anywhere }
    }
}

/// Functions that read the environment, with the name in their first argument.
fn reads(language: Language, path: &str) -> bool {
    match language {
        Language::Python => matches!(path, "os.getenv" | "os.environ.get"),
        Language::JavaScript => false,
        Language::Go => matches!(path, "os.Getenv"),
        Language::Java => path.ends_with("System.getenv"),
    }
}

impl Machine<'_> {
    /// The environment as a mapping, where the program has one and something is known of it.
    pub(crate) fn environment(&mut self, path: &str, site: Site) -> Option<V> {
        if self.p.environment.by_file.is_empty() {
            return None;
        }
        match (self.p.language, path) {
            (Language::Python, "os.environ") => {
                let unknown = self.w.store.unknown();
                let names = self.asked_for(site)?;
                let mut kids = Vec::new();
                for name in names {
                    if let Some(value) = self.variable(&name, site) {
                        kids.push((Const::Str(self.name(&name)), value));
                    }
                }
                Some(self.w.store.coll(CollKind::Dict, kids, unknown, Ls::NONE))
            }
            (Language::JavaScript, path) => {
                let name = path.strip_prefix("process.env.")?.to_owned();
                self.variable(&name, site)
            }
            _ => None,
        }
    }

    /// What a call that reads the environment gives, where it is known for sure.
    pub(crate) fn environment_call(
        &mut self,
        path: &str,
        name: Option<V>,
        site: Site,
    ) -> Option<V> {
        if self.p.environment.by_file.is_empty() || !reads(self.p.language, path) {
            return None;
        }
        let name = self.w.store.constant_str(name?)?;
        let name = self.text(name).to_string();
        // Where it may not be set, what the call is given for that case counts too.
        let sure = self
            .variables_of(site)?
            .get(&name)?
            .iter()
            .all(Option::is_some);
        if sure {
            self.variable(&name, site)
        } else {
            None
        }
    }

    /// Names of settings that the text speaks of: a mapping keeps only so many keys apart.
    fn asked_for(&self, site: Site) -> Option<Vec<String>> {
        let known = self.variables_of(site)?;
        let near = (site.inst != u32::MAX).then(|| self.p.function(site.function));
        let unit = self.p.unit(self.p.unit_of(site.function));
        let spoken = |functions: &mut dyn Iterator<Item = &solvent_ir::Function>| -> Vec<String> {
            let mut out = BTreeSet::new();
            for inst in functions.flat_map(|f| &f.insts) {
                if let solvent_ir::Op::Const(Const::Str(name)) = &inst.op {
                    let text = self.text(*name);
                    if known.contains_key(&*text) {
                        out.insert(text.to_string());
                    }
                }
            }
            out.into_iter().collect()
        };
        if near.is_none() {
            return Some(known.keys().cloned().collect());
        }
        let all = spoken(&mut unit.functions.iter());
        if all.len() <= crate::value::MAX_KIDS {
            return Some(all);
        }
        Some(spoken(&mut near.into_iter()))
    }

    fn variables_of(&self, site: Site) -> Option<&BTreeMap<String, Values>> {
        // `from os import environ`: the object is made where no instruction is known.
        if site.inst == u32::MAX {
            return Some(&self.p.environment.anywhere);
        }
        let path = self.p.path_of(site.function);
        self.p.environment.by_file.get(path)
    }

    fn variable(&mut self, name: &str, site: Site) -> Option<V> {
        let values = self.variables_of(site)?.get(name)?.clone();
        let mut all = Vec::new();
        for value in values {
            all.push(match value {
                Some(text) => {
                    let text = self.name(&text);
                    self.w.store.konst(Const::Str(text))
                }
                None => self.w.store.unknown(),
            });
        }
        Some(self.w.store.join_all(all))
    }
}

impl crate::link::Program {
    /// Files that each file imports, by path: what runs when it is started.
    pub fn imports(&self, names: &solvent_base::Interner) -> BTreeMap<String, Vec<String>> {
        use solvent_ir::Op;
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (index, unit) in self.units.iter().enumerate() {
            let from = UnitId(index as u32);
            let mut found: BTreeSet<String> = BTreeSet::new();
            let mut add = |target: crate::link::Target| match target {
                crate::link::Target::Unit(unit) => {
                    found.insert(self.unit(unit).path.as_str().to_owned());
                }
                crate::link::Target::Namespace(folder) => {
                    for unit in self.package(&folder) {
                        found.insert(self.unit(*unit).path.as_str().to_owned());
                    }
                }
                crate::link::Target::Library(_) => {}
            };
            for function in &unit.functions {
                for (at, inst) in function.insts.iter().enumerate() {
                    match &inst.op {
                        Op::Import {
                            module,
                            member,
                            level,
                        } => {
                            let module = names.text(*module).to_string();
                            self.imported(from, &module, *level, names, &mut add);
                            if let Some(member) = member {
                                let dot = if module.is_empty() { "" } else { "." };
                                let full = format!("{module}{dot}{}", names.text(*member));
                                self.imported(from, &full, *level, names, &mut add);
                            }
                        }
                        Op::ImportAll { module, level } => {
                            let module = names.text(*module).to_string();
                            self.imported(from, &module, *level, names, &mut add);
                        }
                        Op::Call { args, .. } if self.language == Language::JavaScript => {
                            // `require("./orders")`
                            if let Some(wanted) = required(function, at, args, names) {
                                add(self.resolve_path(from, &wanted));
                            }
                        }
                        _ => {}
                    }
                }
            }
            // Files of one package of Go or Java see each other.
            if matches!(self.language, Language::Go | Language::Java) {
                for unit in self.package_of(from) {
                    found.insert(self.unit(*unit).path.as_str().to_owned());
                }
            }
            out.insert(unit.path.as_str().to_owned(), found.into_iter().collect());
        }
        out
    }

    fn imported(
        &self,
        from: UnitId,
        module: &str,
        level: u32,
        names: &solvent_base::Interner,
        add: &mut dyn FnMut(crate::link::Target),
    ) {
        match self.language {
            Language::JavaScript => add(self.resolve_path(from, module)),
            Language::Go => add(self.resolve_package(module)),
            Language::Python => add(self.resolve(from, module, level, names)),
            Language::Java => {
                if let Some(unit) = self.class_file(module) {
                    add(crate::link::Target::Unit(unit));
                }
            }
        }
    }
}

/// The constant text that a call gets alone.
fn required(
    function: &solvent_ir::Function,
    at: usize,
    args: &[solvent_ir::Arg],
    names: &solvent_base::Interner,
) -> Option<String> {
    use solvent_ir::{Arg, Op};
    let _ = at;
    let [Arg::Positional(value)] = args else {
        return None;
    };
    match &function.insts.get(value.0 as usize)?.op {
        Op::Const(Const::Str(name)) => Some(names.text(*name).to_string()),
        _ => None,
    }
}
