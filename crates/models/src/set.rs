//! The set of all models, and what can be asked of it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use solvent_base::{Digest, Problem};
use solvent_ir::Language;

use crate::kind::{Kind, KindSet, SourceKind};
use crate::read;
use crate::row::{EntryRow, EntryShape, KindInfo, Member, SecretNames, SourceShape, Weakness};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/files.rs"));
}

/// Index of a [`Member`] in its set; stable within one set, so it may be cached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberId(pub u32);

/// All models, checked. Cheap to ask from many threads.
#[derive(Debug, Default)]
pub struct ModelSet {
    pub(crate) members: Vec<Member>,
    pub(crate) by_path: HashMap<String, MemberId>,
    by_method: HashMap<String, Vec<MemberId>>,
    /// Names of methods that find what requests keep.
    finders: std::collections::HashSet<String>,
    /// Other name to the path under which rows are written.
    pub(crate) aliases: HashMap<String, String>,
    pub(crate) libraries: BTreeSet<String>,
    pub(crate) weaknesses: Vec<Weakness>,
    pub(crate) kinds: Vec<KindInfo>,
    pub(crate) secrets: SecretNames,
    version: Option<Digest>,
}

/// Longest chain of base classes or aliases that is followed.
const MAX_CHAIN: usize = 32;

impl ModelSet {
    /// The models that are compiled into the program.
    ///
    /// A problem in them is a defect that this crate's tests catch; rows with a problem are left out.
    pub fn builtin() -> &'static Self {
        static SET: OnceLock<ModelSet> = OnceLock::new();
        SET.get_or_init(|| Self::parse(embedded::FILES).0)
    }

    /// What there is to find and what it is called, without any library: quickly read.
    pub fn weaknesses_alone() -> &'static Self {
        static SET: OnceLock<ModelSet> = OnceLock::new();
        SET.get_or_init(|| {
            let files: Vec<(&str, &str)> = embedded::FILES
                .iter()
                .filter(|(name, _)| name.starts_with("weaknesses/"))
                .copied()
                .collect();
            Self::parse(&files).0
        })
    }

    /// The models of one language's libraries, with all weaknesses and kinds. Paths of different languages may
    /// be the same: whoever asks for a path asks the set of its language.
    pub fn of(language: Language) -> &'static Self {
        static SETS: [OnceLock<ModelSet>; 4] = [const { OnceLock::new() }; 4];
        let (slot, folder) = match language {
            Language::Python => (0, "models/python/"),
            Language::JavaScript => (1, "models/javascript/"),
            Language::Go => (2, "models/go/"),
            Language::Java => (3, "models/java/"),
        };
        SETS[slot].get_or_init(|| {
            let files: Vec<(&str, &str)> = embedded::FILES
                .iter()
                .filter(|(name, _)| !name.starts_with("models/") || name.starts_with(folder))
                .copied()
                .collect();
            Self::parse(&files).0
        })
    }

    /// Names and texts of the embedded files, in name order, to be passed to [`ModelSet::parse`]
    /// together with a user's own.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        embedded::FILES
    }

    /// Reads model and weakness files, given as name (`models/python/flask.toml`) and text. Rows with
    /// a problem are left out, the rest is kept; each problem names the file, the line and, for a
    /// misspelt word, the nearest known one. Without a `weaknesses/kinds.toml` the embedded list of
    /// kinds holds.
    pub fn parse<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)]) -> (Self, Vec<Problem>) {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(n, t)| (n.as_ref(), t.as_ref()))
            .collect();
        let (mut set, problems) = read::read(&files, embedded::FILES);
        set.mark_only_used();
        for (index, member) in set.members.iter().enumerate() {
            let finds = member
                .steps
                .iter()
                .any(|step| step.from.root == crate::port::PortRoot::Stored);
            if finds && let Some((_, method)) = member.path.rsplit_once('.') {
                set.finders.insert(method.to_owned());
            }
            if member.by_name.is_some()
                && let Some((_, method)) = member.path.rsplit_once('.')
            {
                set.by_method
                    .entry(method.to_owned())
                    .or_default()
                    .push(MemberId(index as u32));
            }
        }
        let parts = files
            .iter()
            .flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
        set.version = Some(Digest::of_parts(parts));
        (set, problems)
    }

    /// Digest of every file's name and text: two sets with the same version answer alike.
    pub fn version(&self) -> Digest {
        self.version.unwrap_or_else(|| Digest::of(b""))
    }

    /// What the models say about a dotted path, through aliases and base classes: the path of a
    /// derived class's member finds the base's row.
    pub fn member(&self, path: &str) -> Option<&Member> {
        self.member_id(path).map(|id| self.get(id))
    }

    /// See [`ModelSet::member`].
    pub fn member_id(&self, path: &str) -> Option<MemberId> {
        let path = self.canonical(path);
        if let Some(id) = self.by_path.get(&*path) {
            return Some(*id);
        }
        let (owner, name) = path.rsplit_once('.')?;
        self.attribute_id(owner, name)
            .or_else(|| self.whole_above(&path))
    }

    /// Members of which nothing is said but when a call of them is weak.
    fn mark_only_used(&mut self) {
        let only: Vec<bool> = self
            .members
            .iter()
            .map(|m| {
                let silent = m.sources.is_empty()
                    && m.sinks.is_empty()
                    && m.steps.is_empty()
                    && m.mutations.is_empty()
                    && m.guards.is_empty()
                    && m.callbacks.is_empty()
                    && m.entry_points.is_empty();
                let typed = m.returns.is_some()
                    || m.is.is_some()
                    || m.class.is_some()
                    || m.constant.is_some();
                let said = m.neutral || m.stops || m.requires_login || m.tests || m.whole;
                let above = self.whole_above(&m.path).is_some();
                !m.uses.is_empty() && silent && !typed && !said && !above
            })
            .collect();
        for (member, only) in self.members.iter_mut().zip(only) {
            member.only_used = only;
        }
    }

    /// The nearest enclosing path that is modelled as a whole.
    fn whole_above(&self, path: &str) -> Option<MemberId> {
        let mut rest = path;
        while let Some((above, _)) = rest.rsplit_once('.') {
            if let Some(id) = self.by_path.get(above)
                && self.get(*id).whole
            {
                return Some(*id);
            }
            rest = above;
        }
        None
    }

    /// The member `name` of the class or module `owner`, searched through the class's bases in
    /// depth-first order.
    pub fn attribute(&self, owner: &str, name: &str) -> Option<&Member> {
        self.attribute_id(owner, name).map(|id| self.get(id))
    }

    /// See [`ModelSet::attribute`].
    pub fn attribute_id(&self, owner: &str, name: &str) -> Option<MemberId> {
        self.ancestry(owner).into_iter().find_map(|class| {
            let path = format!("{class}.{name}");
            self.by_path.get(&*self.canonical(&path)).copied()
        })
    }

    pub fn get(&self, id: MemberId) -> &Member {
        &self.members[id.0 as usize]
    }

    /// Members that may be assumed for a method `name` called with `arguments` arguments on a
    /// receiver whose type is not known, in file order.
    pub fn methods_named(&self, name: &str, arguments: u32) -> impl Iterator<Item = &Member> {
        self.by_method
            .get(name)
            .into_iter()
            .flatten()
            .map(|id| self.get(*id))
            .filter(move |member| {
                member
                    .by_name
                    .is_some_and(|by| (by.min..=by.max).contains(&arguments))
            })
    }

    /// Whether some library's method of that name finds what requests keep under its receiver's name.
    pub fn is_finder(&self, method: &str) -> bool {
        self.finders.contains(method)
    }

    /// The path under which rows are written: `werkzeug.secure_filename` is
    /// `werkzeug.utils.secure_filename`, `posixpath.join` is `os.path.join`.
    pub fn canonical<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        let mut current = Cow::Borrowed(path);
        for _ in 0..MAX_CHAIN {
            let Some(next) = self.alias_step(&current) else {
                break;
            };
            current = Cow::Owned(next);
        }
        current
    }

    /// One alias applied to the longest aliased prefix.
    fn alias_step(&self, path: &str) -> Option<String> {
        let mut end = path.len();
        loop {
            let prefix = &path[..end];
            if let Some(target) = self.aliases.get(prefix) {
                return Some(format!("{target}{}", &path[end..]));
            }
            end = prefix.rfind('.')?;
        }
    }

    /// The class itself and its modelled bases, nearest first, canonical; just the path itself when it
    /// is not a modelled class.
    pub fn ancestry(&self, class: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut open = vec![self.canonical(class).into_owned()];
        while let Some(class) = open.pop() {
            if found.contains(&class) || found.len() >= MAX_CHAIN {
                continue;
            }
            if let Some(id) = self.by_path.get(&class)
                && let Some(bases) = &self.get(*id).class
            {
                open.extend(
                    bases
                        .iter()
                        .rev()
                        .map(|base| self.canonical(base).into_owned()),
                );
            }
            found.push(class);
        }
        found
    }

    /// Whether `class` is `base` or derives from it, as far as the models know.
    pub fn derives(&self, class: &str, base: &str) -> bool {
        let base = self.canonical(base);
        self.ancestry(class).iter().any(|class| *class == *base)
    }

    /// Whether the path names a modelled class.
    pub fn is_class(&self, path: &str) -> bool {
        self.by_path
            .get(&*self.canonical(path))
            .is_some_and(|id| self.get(*id).class.is_some())
    }

    /// Whether attributes of the class that no row is about are its keys.
    pub fn is_keyed(&self, class: &str) -> bool {
        self.ancestry(class)
            .iter()
            .filter_map(|class| self.by_path.get(class))
            .any(|id| self.get(*id).keyed)
    }

    /// All rows of one entry shape, with the member that has them, in file order.
    pub fn entry_rows(&self, shape: EntryShape) -> impl Iterator<Item = (&Member, &EntryRow)> {
        self.members.iter().flat_map(move |member| {
            let rows = member
                .entry_points
                .iter()
                .filter(move |row| row.shape == shape);
            rows.map(move |row| (member, row))
        })
    }

    /// Names of the frameworks whose entry points are known, in order.
    pub fn frameworks(&self) -> BTreeSet<&str> {
        let rows = self.members().flat_map(|member| &member.entry_points);
        rows.map(|row| row.framework.as_str()).collect()
    }

    /// All members, in file order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// Whether some model file is about the library whose first module is the path's first segment.
    /// A call into a library without one is an unmodelled call.
    pub fn knows_library(&self, path: &str) -> bool {
        let path = self.canonical(path);
        let root = path.split('.').next().unwrap_or_default();
        self.libraries.contains(root)
    }

    /// In id order.
    pub fn weaknesses(&self) -> &[Weakness] {
        &self.weaknesses
    }

    /// Weaknesses that a sink of this kind makes.
    pub fn weaknesses_into(&self, kind: Kind) -> impl Iterator<Item = &Weakness> {
        self.weaknesses
            .iter()
            .filter(move |weakness| weakness.into.contains(kind))
    }

    pub fn weakness(&self, id: &str) -> Option<&Weakness> {
        self.weaknesses.iter().find(|weakness| weakness.id == id)
    }

    /// Objects that hold what a session keeps under its keys.
    pub fn sessions(&self) -> impl Iterator<Item = &str> {
        let keeps = |m: &&Member| {
            m.sources.iter().any(|s| {
                s.kind == SourceKind::Session && matches!(s.shape, SourceShape::Mapping { .. })
            })
        };
        self.members.iter().filter(keeps).map(|m| m.path.as_str())
    }

    /// Which names speak of secrets.
    pub fn secrets(&self) -> &SecretNames {
        &self.secrets
    }

    /// Whether values that can be guessed do harm at sinks of this kind, and what requests bring does none.
    pub fn is_for_predictable(&self, kind: Kind) -> bool {
        let mut of_kind = self.weaknesses_into(kind).peekable();
        of_kind.peek().is_some() && of_kind.all(|w| w.from == [SourceKind::Predictable])
    }

    /// The sink kind of that name.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let index = self.kinds.iter().position(|info| info.name == name)?;
        u8::try_from(index).ok().map(Kind)
    }

    pub fn kind_info(&self, kind: Kind) -> &KindInfo {
        &self.kinds[kind.0 as usize]
    }

    /// Every kind of the closed list.
    /// Kinds in which a number does harm.
    pub fn of_numbers(&self) -> KindSet {
        let all = self.kinds();
        all.iter()
            .filter(|kind| self.kind_info(*kind).numbers)
            .collect()
    }

    pub fn kinds(&self) -> KindSet {
        (0..self.kinds.len())
            .filter_map(|i| u8::try_from(i).ok())
            .map(Kind)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(problems: &[Problem]) -> Vec<String> {
        let name = |p: &Problem| {
            p.path
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
        };
        problems
            .iter()
            .map(|p| format!("{}: {}", name(p), p.message))
            .collect()
    }

    fn complaints(text: &str) -> Vec<String> {
        messages(&ModelSet::parse(&[("models/python/x.toml", text)]).1)
    }

    #[test]
    fn every_embedded_file_is_read_without_a_problem() {
        let (set, problems) = ModelSet::parse(embedded::FILES);
        assert!(problems.is_empty(), "{}", messages(&problems).join("\n"));
        assert!(set.members.len() > 500, "{}", set.members.len());
        let ids: Vec<&str> = set.weaknesses.iter().map(|w| &*w.id).collect();
        assert!(ids.len() >= 10 && ids.contains(&"CWE-89"), "{ids:?}");
    }

    #[test]
    fn every_kind_that_a_weakness_names_has_a_sink_row() {
        let set = ModelSet::builtin();
        let rows: KindSet = set
            .members()
            .flat_map(|m| {
                let sinks = m.sinks.iter().map(|sink| sink.kind);
                sinks.chain(m.uses.iter().map(|one| one.kind))
            })
            .collect();
        for weakness in set.weaknesses() {
            assert!(weakness.into.minus(rows).is_empty(), "{}", weakness.id);
        }
    }

    #[test]
    fn types_aliases_and_bases_that_rows_name_are_modelled() {
        let set = ModelSet::builtin();
        let mut unknown = BTreeSet::new();
        let mut check = |path: &str| {
            if set.member_id(path).is_none() {
                unknown.insert(path.to_owned());
            }
        };
        for member in set.members() {
            member.class.iter().flatten().for_each(|base| check(base));
            for mut named in [&member.returns, &member.is].into_iter().flatten() {
                while let crate::TypeRef::Named { path, element } = named {
                    check(path);
                    let Some(inner) = element else { break };
                    named = inner;
                }
            }
            for entry in &member.entry_points {
                entry.bound_by.iter().for_each(|path| check(path));
            }
        }
        let members: BTreeSet<&str> = set
            .members()
            .flat_map(|m| {
                m.path
                    .match_indices('.')
                    .map(|(at, _)| &m.path[..at])
                    .chain([&*m.path])
            })
            .collect();
        unknown.extend(
            set.aliases
                .values()
                .filter(|to| !members.contains(&***to))
                .cloned(),
        );
        assert_eq!(unknown, BTreeSet::new());
    }

    #[test]
    fn an_alias_leads_to_the_row_also_when_it_renames_a_module() {
        let set = ModelSet::builtin();
        assert_eq!(set.canonical("posixpath.join"), "os.path.join");
        assert_eq!(set.canonical("flask.escape"), "markupsafe.escape");
        assert!(set.member("io.open").is_some_and(|m| !m.sinks.is_empty()));
        assert_eq!(set.canonical("os.pathological"), "os.pathological");
    }

    #[test]
    fn a_method_is_found_in_the_bases_of_its_class() {
        let set = ModelSet::builtin();
        let path = |owner: &str, name: &str| set.attribute(owner, name).map(|m| &*m.path);
        assert_eq!(
            path("sqlite3.Cursor", "execute"),
            Some("dbapi.Cursor.execute")
        );
        assert_eq!(
            path("flask.Request", "args"),
            Some("werkzeug.wrappers.Request.args")
        );
        assert_eq!(
            path("werkzeug.datastructures.Headers", "get"),
            Some("werkzeug.datastructures.MultiDict.get")
        );
        assert_eq!(
            path("werkzeug.datastructures.Headers", "values"),
            Some("builtins.dict.values")
        );
        assert_eq!(path("sqlite3.Cursor", "nonsense"), None);
        assert!(set.derives("flask.Blueprint", "flask.scaffold.Scaffold"));
    }

    #[test]
    fn a_whole_module_is_modelled_by_one_row_and_its_neighbours_are_not() {
        let set = ModelSet::builtin();
        assert!(
            set.member("random.Random.shuffle")
                .is_some_and(|m| m.steps.is_empty())
        );
        assert!(set.member("randomly.choice").is_none());
        assert!(set.knows_library("random.choice"));
        assert!(!set.knows_library("numpy.linalg.inv") || set.member("numpy.linalg.inv").is_none());
    }

    #[test]
    fn a_method_name_matches_only_with_its_number_of_arguments() {
        let set = ModelSet::of(Language::Python);
        let sinks = |n| {
            set.methods_named("execute", n)
                .filter(|m| !m.sinks.is_empty())
                .count()
        };
        assert_eq!((sinks(0), sinks(1), sinks(3), sinks(4)), (0, 1, 1, 0));
        assert_eq!(set.methods_named("no_such_method", 1).count(), 0);
    }

    #[test]
    fn a_misspelt_word_is_answered_with_its_line_and_its_neighbour() {
        let head = "library = \"x\"\nlanguage = \"python\"\n";
        for (row, expected) in [
            (
                "soruce = []",
                "line 3: unknown key `soruce`; did you mean `source`?",
            ),
            (
                "sink = [{ path = \"x.f\", at = \"arg[0]\", kind = \"sql-txet\" }]",
                "line 3: unknown sink kind `sql-txet`; did you mean `sql-text`?",
            ),
            (
                "source = [{ path = \"x.f\", kind = \"http-qurey\", shape = \"text\" }]",
                "line 3: unknown source kind `http-qurey`; did you mean `http-query`?",
            ),
            (
                "sink = [\n  { path = \"x.f\", att = \"arg[0]\", kind = \"sql-text\" }]",
                "line 4: unknown key `att`; did you mean `at`?",
            ),
            (
                "step = [{ path = \"x.f\", from = \"arg[0\" }]",
                "line 3: no `]` closes the argument in `0`",
            ),
            (
                "step = [{ path = \"x.f\", from = \"arg[0]\", how = \"codec:url-decod\" }]",
                "line 3: unknown `how` `codec:url-decod`; did you mean `codec:url-decode`?",
            ),
            (
                "entry_point = [{ path = \"x.f\", shape = \"decorater\" }]",
                "line 3: unknown `shape` `decorater`; did you mean `decorator`?",
            ),
            (
                "stop = [{ path = \"x..f\" }]",
                "line 3: `x..f` is not a dotted path",
            ),
            ("stop = [{ }]", "line 3: key `path` is missing"),
            (
                "stop = 3",
                "line 3: `stop` is an integer, expected a table or a list of tables",
            ),
            (
                "mutation = [{ path = \"x.f\", effect = \"append\" }]",
                "line 3: key `value` is missing",
            ),
        ] {
            let found = complaints(&format!("{head}{row}\n"));
            assert!(
                found.contains(&format!("models/python/x.toml: {expected}")),
                "{row}: {found:?}"
            );
        }
    }

    #[test]
    fn a_row_with_a_problem_is_left_out_and_its_neighbours_are_kept() {
        let text = "library = \"x\"\nlanguage = \"python\"\nsink = [\n\
            { path = \"x.f\", at = \"arg[0]\", kind = \"sql-text\", when = [{ arg = \"arg[1]\" }] },\n\
            { path = \"x.g\", at = \"arg[0]\", kind = \"sql-text\" },\n]";
        let (set, problems) = ModelSet::parse(&[("models/python/x.toml", text)]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(set.member("x.f").is_none());
        assert!(set.member("x.g").is_some());
    }

    #[test]
    fn hostile_data_gives_problems_and_no_panic() {
        for text in [
            "\u{0}".to_owned(),
            "library = [".to_owned(),
            format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
            "a".repeat(2 << 20),
            "library = \"x\"\nlanguage = \"cobol\"".to_owned(),
            "library = \"x\"\nlanguage = \"python\"\nalias = [{ path = \"a\", names = 7 }]"
                .to_owned(),
        ] {
            assert!(!complaints(&text).is_empty());
        }
        let circle = "library = \"x\"\nlanguage = \"python\"\n\
            class = [{ path = \"x.A\", bases = [\"x.B\"] }, { path = \"x.B\", bases = [\"x.A\"] }]\n\
            alias = [{ path = \"x.p\", names = [\"x.q\"] }, { path = \"x.q\", names = [\"x.p\"] }]";
        let (set, _) = ModelSet::parse(&[("models/python/x.toml", circle)]);
        assert!(set.member("x.A.nothing").is_none());
        assert!(set.member("x.p").is_none());
    }

    #[test]
    fn the_version_changes_with_one_byte() {
        let with = |text: &str| {
            ModelSet::parse(&[("models/python/x.toml", text)])
                .0
                .version()
        };
        assert_ne!(with("library = \"x\""), with("library = \"y\""));
        assert_eq!(
            ModelSet::builtin().version(),
            ModelSet::parse(embedded::FILES).0.version()
        );
    }
}
