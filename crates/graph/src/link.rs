//! Units linked into one program: global ids, module names, imports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use solvent_base::{FilePath, Interner, Name, Span};
use solvent_finding::Symbol;
use solvent_ir::{
    Class, ClassIndex, FnIndex, Function, FunctionKind, Inst, Language, Op, Settings, Unit, Value,
};

use crate::shape::{Shape, unit_shapes};

/// A unit of one [`Program`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnitId(pub u32);

/// A function of one [`Program`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FnId(pub u32);

/// A class of one [`Program`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClassId(pub u32);

/// An instruction of one function of the program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Site {
    pub function: FnId,
    pub inst: u32,
}

/// What an import statement leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Unit(UnitId),
    /// A folder of modules without an `__init__`.
    Namespace(String),
    /// Not in the tree: a library, by dotted name.
    Library(String),
}

/// Every unit of one language in the tree, linked.
#[derive(Debug)]
pub struct Program {
    pub language: Language,
    pub units: Vec<Unit>,
    /// What the environment holds, where the deployment says.
    pub environment: crate::Environment,
    fn_base: Vec<u32>,
    class_base: Vec<u32>,
    fn_owner: Vec<UnitId>,
    class_owner: Vec<UnitId>,
    by_module: BTreeMap<String, UnitId>,
    namespaces: BTreeSet<String>,
    by_last: HashMap<String, Vec<UnitId>>,
    by_path: HashMap<String, UnitId>,
    /// Templates of pages, each with the function that it became.
    views: Vec<(UnitId, FnId)>,
    /// Files by their folder, which in Go is a package.
    by_folder: BTreeMap<String, Vec<UnitId>>,
    classes_by_name: HashMap<(String, Name), ClassId>,
    class_names: BTreeSet<String>,
    /// Folders by the name of the package that their files say they are.
    packages: HashMap<Name, String>,
    /// Full names of Java's classes at the top of files.
    class_files: HashMap<String, UnitId>,
    shapes: Vec<Shape>,
    /// Files of settings, in order of their paths.
    settings: Vec<Settings>,
}

/// What the function is called that a template becomes.
const VIEW: &str = "<view>";

impl Program {
    /// The same program, beside which these files lie.
    #[must_use]
    pub fn beside(mut self, settings: &[Settings]) -> Self {
        self.settings = settings.to_vec();
        self.settings.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }

    /// What any file of settings holds under a key.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let mut files = self.settings.iter();
        files.find_map(|file| file.values.get(key).map(String::as_str))
    }

    /// Files of settings that a program may mean by this name: the whole path, or its end.
    pub fn settings_named(&self, name: &str) -> impl Iterator<Item = &Settings> {
        let name = name
            .trim_start_matches("./")
            .trim_start_matches('/')
            .to_owned();
        self.settings.iter().filter(move |file| {
            let path = file.path.as_str();
            !name.is_empty()
                && path
                    .strip_suffix(&*name)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        })
    }

    /// Links units, all of one language; order of the input does not matter.
    pub fn new(mut units: Vec<Unit>, names: &Interner) -> Self {
        units.sort_by(|a, b| a.path.cmp(&b.path));
        let mut program = Self {
            language: units.first().map_or(Language::Python, |unit| unit.language),
            environment: crate::Environment::nothing(),
            fn_base: Vec::new(),
            class_base: Vec::new(),
            fn_owner: Vec::new(),
            class_owner: Vec::new(),
            by_module: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            by_last: HashMap::new(),
            by_path: HashMap::new(),
            views: Vec::new(),
            by_folder: BTreeMap::new(),
            classes_by_name: HashMap::new(),
            class_names: BTreeSet::new(),
            packages: HashMap::new(),
            class_files: HashMap::new(),
            shapes: Vec::new(),
            settings: Vec::new(),
            units,
        };
        for (index, unit) in program.units.iter().enumerate() {
            let id = UnitId(index as u32);
            program.fn_base.push(program.fn_owner.len() as u32);
            program.class_base.push(program.class_owner.len() as u32);
            program.fn_owner.extend(unit.functions.iter().map(|_| id));
            program.class_owner.extend(unit.classes.iter().map(|_| id));
            let module = names.text(unit.module).to_string();
            let mut rest = module.as_str();
            while let Some((parent, _)) = rest.rsplit_once('.') {
                program.namespaces.insert(parent.to_owned());
                rest = parent;
            }
            let last = module.rsplit('.').next().unwrap_or_default().to_owned();
            program.by_last.entry(last).or_default().push(id);
            program.by_module.insert(module, id);
            program.by_path.insert(unit.path.as_str().to_owned(), id);
            if let Some(function) = unit.functions.get(1)
                && *names.text(function.qualname) == *VIEW
            {
                let first = program.fn_base[index];
                program.views.push((id, FnId(first + 1)));
            }
            let folder = folder_of(&unit.path).to_owned();
            if let Some(package) = declared_package(unit, names) {
                program
                    .packages
                    .entry(package)
                    .or_insert_with(|| folder.clone());
            }
            let first = program.class_base[index];
            for (i, class) in unit.classes.iter().enumerate() {
                let key = (folder.clone(), class.name);
                let class_id = ClassId(first + i as u32);
                program.classes_by_name.entry(key).or_insert(class_id);
                let text = names.text(class.name).to_string();
                program.class_names.insert(text);
            }
            program.by_folder.entry(folder).or_default().push(id);
            if unit.language == Language::Java {
                let names_of = |unit: &Unit| -> Vec<String> {
                    let package = parent(&names.text(unit.module)).to_owned();
                    let top = unit.classes.iter().filter(|c| c.parent == FnIndex(0));
                    top.map(|c| match package.as_str() {
                        "" => names.text(c.name).to_string(),
                        package => format!("{package}.{}", names.text(c.name)),
                    })
                    .collect()
                };
                for name in names_of(unit) {
                    program.class_files.entry(name).or_insert(id);
                }
            }
        }
        program.shapes = program
            .units
            .par_iter()
            .flat_map_iter(|u| unit_shapes(u).into_iter())
            .collect();
        program
    }

    pub fn function_count(&self) -> u32 {
        self.fn_owner.len() as u32
    }

    pub fn functions(&self) -> impl Iterator<Item = FnId> {
        (0..self.function_count()).map(FnId)
    }

    pub fn class_count(&self) -> u32 {
        self.class_owner.len() as u32
    }

    pub fn function(&self, id: FnId) -> &Function {
        let unit = self.unit_of(id);
        &self.units[unit.0 as usize].functions[(id.0 - self.fn_base[unit.0 as usize]) as usize]
    }

    pub fn unit_of(&self, id: FnId) -> UnitId {
        self.fn_owner[id.0 as usize]
    }

    pub fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0 as usize]
    }

    /// Templates of pages, each with the function that it became.
    pub fn views(&self) -> &[(UnitId, FnId)] {
        &self.views
    }

    /// The template that a function belongs to.
    pub fn view_of(&self, id: FnId) -> Option<FnId> {
        let unit = self.unit_of(id);
        self.views
            .iter()
            .find(|(of, _)| *of == unit)
            .map(|(_, function)| *function)
    }

    pub fn path_of(&self, id: FnId) -> &FilePath {
        &self.unit(self.unit_of(id)).path
    }

    pub fn shape(&self, id: FnId) -> &Shape {
        &self.shapes[id.0 as usize]
    }

    pub fn fn_id(&self, unit: UnitId, index: FnIndex) -> FnId {
        FnId(self.fn_base[unit.0 as usize] + index.0)
    }

    pub fn class_id(&self, unit: UnitId, index: ClassIndex) -> ClassId {
        ClassId(self.class_base[unit.0 as usize] + index.0)
    }

    pub fn class_unit(&self, id: ClassId) -> UnitId {
        self.class_owner[id.0 as usize]
    }

    pub fn class(&self, id: ClassId) -> &Class {
        let unit = self.class_unit(id);
        &self.units[unit.0 as usize].classes[(id.0 - self.class_base[unit.0 as usize]) as usize]
    }

    /// The module body of a unit.
    pub fn body(&self, unit: UnitId) -> FnId {
        FnId(self.fn_base[unit.0 as usize])
    }

    pub fn is_body(&self, id: FnId) -> bool {
        self.function(id).kind == FunctionKind::Module
    }

    pub fn inst(&self, site: Site) -> &Inst {
        &self.function(site.function).insts[site.inst as usize]
    }

    /// Where an instruction is written. What is joined from several ways is written nowhere: it stands where the last
    /// of them gave it a value.
    pub fn span(&self, site: Site) -> Span {
        let function = self.function(site.function);
        let mut at = site.inst as usize;
        for _ in 0..8 {
            let Some(inst) = function.insts.get(at) else {
                return function.name_span;
            };
            let Op::Phi(inputs) = &inst.op else {
                return inst.span;
            };
            if inst.span != Span::default() {
                return inst.span;
            }
            let written = |v: &Value| function.insts.get(v.0 as usize).map(|i| i.span);
            let last = inputs
                .iter()
                .map(|(_, v)| *v)
                .max_by_key(|v| (written(v).map(|span| span.start), v.0));
            match last {
                Some(last) if last.0 as usize != at => at = last.0 as usize,
                _ => break,
            }
        }
        function.name_span
    }

    pub fn symbol(&self, id: FnId, names: &Interner) -> Symbol {
        Symbol {
            module: names.text(self.unit(self.unit_of(id)).module).to_string(),
            qualname: names.text(self.function(id).qualname).to_string(),
        }
    }

    /// Resolves `import module` (or the module of a `from` import) as written in `from`.
    ///
    /// Absolute names are looked for as Python does when the program is started from any folder
    /// between the file and the root; a folder that is itself a package is not such a folder, unless
    /// nothing else fits.
    pub fn resolve(&self, from: UnitId, module: &str, level: u32, names: &Interner) -> Target {
        let own = names.text(self.unit(from).module).to_string();
        let is_package = self.unit(from).path.file_name().starts_with("__init__.");
        if level > 0 {
            let mut base: Vec<&str> = own.split('.').collect();
            let drop = if is_package { level - 1 } else { level };
            base.truncate(base.len().saturating_sub(drop as usize));
            let mut full = base.join(".");
            if !module.is_empty() {
                if !full.is_empty() {
                    full.push('.');
                }
                full.push_str(module);
            }
            return self.find(&full).unwrap_or(Target::Library(full));
        }
        let mut folder = if is_package {
            own.as_str()
        } else {
            parent(&own)
        };
        let mut packaged = None;
        loop {
            let full = if folder.is_empty() {
                module.to_owned()
            } else {
                format!("{folder}.{module}")
            };
            if (full != own || folder.is_empty())
                && let Some(found) = self.find(&full)
            {
                let inside_package = self
                    .by_module
                    .get(folder)
                    .is_some_and(|u| self.unit(*u).path.file_name().starts_with("__init__."));
                if !inside_package {
                    return found;
                }
                // A package that is called like a library does not mean itself by that name.
                if !own.starts_with(&format!("{full}.")) {
                    packaged.get_or_insert(found);
                }
            }
            if folder.is_empty() {
                break;
            }
            folder = parent(folder);
        }
        // A module with its own folder as the root of imports: `src/pkg/mod.py` imported as
        // `pkg.mod` from elsewhere. Only when exactly one fits.
        let suffix = format!(".{module}");
        let last = module.rsplit('.').next().unwrap_or_default();
        if module.contains('.') {
            let mut fits = self
                .by_last
                .get(last)
                .into_iter()
                .flatten()
                .filter(|u| names.text(self.unit(**u).module).ends_with(&suffix));
            if let (Some(only), None) = (fits.next(), fits.next()) {
                return Target::Unit(*only);
            }
        }
        let top = module.split('.').next().unwrap_or_default();
        match packaged {
            Some(found) if !is_standard(top) => found,
            _ => Target::Library(module.to_owned()),
        }
    }

    /// Resolves the text of an `import` or `require` as Node and the bundlers do: relative to the file, or from
    /// a folder above it (`@/x`, `~/x` and paths from a base folder), with the extension left out, or to the
    /// folder's `index`. Packages are libraries, by name without `node:`.
    pub fn resolve_path(&self, from: UnitId, wanted: &str) -> Target {
        let own = self.unit(from).path.as_str();
        let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
        let wanted = wanted.split(['?', '!']).next().unwrap_or_default();
        let relative =
            wanted.starts_with("./") || wanted.starts_with("../") || matches!(wanted, "." | "..");
        if relative {
            let found = joined_path(folder, wanted).and_then(|path| self.file_at(&path));
            return match found {
                Some(unit) => Target::Unit(unit),
                None => Target::Library(wanted.to_owned()),
            };
        }
        let bare = wanted
            .strip_prefix("@/")
            .or_else(|| wanted.strip_prefix("~/"))
            .or_else(|| wanted.strip_prefix('/'));
        let rooted = bare.is_some();
        let bare = bare.unwrap_or(wanted);
        if rooted || (bare.contains('/') && !bare.starts_with('@')) {
            let mut above = Some(folder);
            while let Some(folder) = above {
                for inner in ["", "src", "app", "lib"] {
                    let base = joined_path(folder, inner).unwrap_or_default();
                    let found = joined_path(&base, bare).and_then(|path| self.file_at(&path));
                    if let Some(unit) = found {
                        return Target::Unit(unit);
                    }
                }
                above = (!folder.is_empty())
                    .then(|| folder.rsplit_once('/').map_or("", |(above, _)| above));
            }
        }
        Target::Library(wanted.strip_prefix("node:").unwrap_or(wanted).to_owned())
    }

    /// Resolves an import path of Go: to the folder that the end of the path names, the longest such end first.
    /// The standard library's paths are libraries.
    pub fn resolve_package(&self, path: &str) -> Target {
        const STANDARD: [&str; 24] = [
            "archive",
            "bufio",
            "bytes",
            "compress",
            "container",
            "context",
            "crypto",
            "database",
            "encoding",
            "errors",
            "fmt",
            "hash",
            "html",
            "io",
            "log",
            "math",
            "net",
            "os",
            "path",
            "reflect",
            "regexp",
            "runtime",
            "text",
            "time",
        ];
        let first = path.split('/').next().unwrap_or_default();
        if path.contains('/') && !STANDARD.contains(&first) || !is_standard_package(path) {
            let mut rest = path;
            loop {
                if self.by_folder.contains_key(rest) {
                    return Target::Namespace(rest.to_owned());
                }
                match rest.split_once('/') {
                    Some((_, after)) => rest = after,
                    None => break,
                }
            }
        }
        Target::Library(path.to_owned())
    }

    /// The files of a package.
    pub fn package(&self, folder: &str) -> &[UnitId] {
        self.by_folder.get(folder).map_or(&[], Vec::as_slice)
    }

    /// The folder of a package by the name in its files.
    pub fn package_named(&self, name: Name) -> Option<&str> {
        self.packages.get(&name).map(String::as_str)
    }

    /// The files of the package that a file belongs to.
    pub fn package_of(&self, unit: UnitId) -> &[UnitId] {
        self.package(folder_of(&self.unit(unit).path))
    }

    /// A type of the package that a file belongs to.
    pub fn class_in_package(&self, unit: UnitId, name: Name) -> Option<ClassId> {
        let folder = folder_of(&self.unit(unit).path).to_owned();
        self.classes_by_name.get(&(folder, name)).copied()
    }

    /// Whether some class of the program has this name.
    pub fn knows_class(&self, name: &str) -> bool {
        self.class_names.contains(name)
    }

    /// The unit that a path without extension names.
    fn file_at(&self, path: &str) -> Option<UnitId> {
        const ENDINGS: [&str; 9] = [
            "", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts",
        ];
        for ending in ENDINGS {
            if let Some(&unit) = self.by_path.get(&format!("{path}{ending}")) {
                return Some(unit);
            }
        }
        // `./x.js` in a source file stands for what becomes `x.js`.
        if let Some((stem, "js" | "jsx" | "mjs" | "cjs")) = path.rsplit_once('.') {
            for ending in [".ts", ".tsx", ".mts", ".cts"] {
                if let Some(&unit) = self.by_path.get(&format!("{stem}{ending}")) {
                    return Some(unit);
                }
            }
        }
        let index = if path.is_empty() {
            "index".to_owned()
        } else {
            format!("{path}/index")
        };
        ENDINGS[1..]
            .iter()
            .find_map(|ending| self.by_path.get(&format!("{index}{ending}")).copied())
    }

    /// The file with the Java class of this full name at its top.
    pub fn class_file(&self, full: &str) -> Option<UnitId> {
        self.class_files.get(full).copied()
    }

    /// A module or namespace of exactly this dotted name.
    pub fn find(&self, full: &str) -> Option<Target> {
        if let Some(unit) = self.by_module.get(full) {
            return Some(Target::Unit(*unit));
        }
        self.namespaces
            .contains(full)
            .then(|| Target::Namespace(full.to_owned()))
    }
}

/// The name in the package clause of a file of Go.
fn declared_package(unit: &Unit, names: &Interner) -> Option<Name> {
    if unit.language != Language::Go {
        return None;
    }
    let wanted = names.name("<package>");
    let body = unit.functions.first()?;
    let stored = body.insts.iter().find_map(|inst| match inst.op {
        Op::StoreName { name, value, .. } if name == wanted => Some(value),
        _ => None,
    })?;
    match body.op(stored) {
        Op::Const(solvent_ir::Const::Str(name)) => Some(*name),
        _ => None,
    }
}

fn folder_of(path: &FilePath) -> &str {
    path.as_str()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder)
}

/// Packages of Go's standard library that have one word.
fn is_standard_package(path: &str) -> bool {
    const NAMES: [&str; 20] = [
        "bufio", "bytes", "cmp", "context", "embed", "errors", "expvar", "flag", "fmt", "html",
        "io", "iter", "log", "maps", "math", "mime", "net", "os", "path", "plugin",
    ];
    const MORE: [&str; 12] = [
        "reflect", "regexp", "runtime", "slices", "sort", "strconv", "strings", "sync", "syscall",
        "testing", "time", "unicode",
    ];
    NAMES.contains(&path) || MORE.contains(&path)
}

/// `wanted` seen from `folder`; `None` above the root.
pub(crate) fn joined_path(folder: &str, wanted: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in wanted.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn parent(dotted: &str) -> &str {
    dotted.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// Top modules of the standard library that a package's own submodule often shares a name with.
fn is_standard(top: &str) -> bool {
    const NAMES: [&str; 48] = [
        "abc",
        "ast",
        "asyncio",
        "base64",
        "calendar",
        "cmd",
        "code",
        "codecs",
        "collections",
        "config",
        "copy",
        "csv",
        "datetime",
        "email",
        "enum",
        "functools",
        "glob",
        "hashlib",
        "html",
        "http",
        "io",
        "itertools",
        "json",
        "logging",
        "math",
        "operator",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "queue",
        "random",
        "re",
        "secrets",
        "select",
        "shlex",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "string",
        "subprocess",
        "sys",
        "tempfile",
        "time",
        "types",
        "typing",
        "urllib",
    ];
    NAMES.contains(&top) && top != "config"
}
