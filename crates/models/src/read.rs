//! Files to rows. Every complaint names file, line and, where a word is misspelt, its neighbour.

use std::collections::{BTreeMap, HashMap};

use solvent_base::Problem;
use solvent_finding::Severity;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::kind::{Kind, KindSet, SourceKind};
use crate::port::Port;
use crate::row::*;
use crate::set::{MemberId, ModelSet};
use crate::suggest::hint;
use crate::toml_row::{Row, Source as File, integer};

/// Largest data file that is read, in bytes. The largest of ours has under 40 KiB.
const MAX_FILE_BYTES: usize = 1 << 20;
const KINDS_FILE: &str = "weaknesses/kinds.toml";

pub(crate) fn read(files: &[(&str, &str)], embedded: &[(&str, &str)]) -> (ModelSet, Vec<Problem>) {
    let mut set = ModelSet::default();
    let mut problems = Vec::new();
    let is_kinds = |name: &str| name == KINDS_FILE || name.ends_with("/weaknesses/kinds.toml");
    let kinds = files
        .iter()
        .chain(embedded)
        .find(|(name, _)| is_kinds(name));
    if let Some((name, text)) = kinds {
        with_table(name, text, &mut problems, |table, file| {
            read_kinds(&mut set, table, file)
        });
    }
    for (name, text) in files.iter().filter(|(name, _)| !is_kinds(name)) {
        let stem = name.rsplit('/').next().unwrap_or_default();
        with_table(name, text, &mut problems, |table, file| {
            if stem.starts_with("CWE-") {
                read_weakness(&mut set, table, file, stem);
            } else {
                read_library(&mut set, table, file);
            }
        });
    }
    set.weaknesses
        .sort_by(|a, b| weakness_number(&a.id).cmp(&weakness_number(&b.id)));
    (set, problems)
}

fn weakness_number(id: &str) -> (u32, &str) {
    (
        id.trim_start_matches("CWE-").parse().unwrap_or(u32::MAX),
        id,
    )
}

fn with_table(
    name: &str,
    text: &str,
    problems: &mut Vec<Problem>,
    read: impl FnOnce(&DeTable<'_>, &File<'_>),
) {
    let file = File::new(name, text);
    if text.len() > MAX_FILE_BYTES {
        file.complain(
            0..0,
            format!("the file is larger than {MAX_FILE_BYTES} bytes"),
        );
    } else {
        match DeTable::parse(text) {
            Ok(table) => read(table.get_ref(), &file),
            Err(error) => {
                let message = error.message().to_lowercase().replace('\n', ", ");
                file.complain(error.span().unwrap_or(0..0), message);
            }
        }
    }
    problems.extend(file.into_problems());
}

fn read_kinds(set: &mut ModelSet, table: &DeTable<'_>, file: &File<'_>) {
    let top = Row::new(table, 0..0, file, &["sink"]);
    for (table, span) in top.tables("sink") {
        let row = Row::new(
            table,
            span,
            file,
            &["name", "words", "meaning", "harmful", "harmless"],
        );
        let (name, words) = (row.required_text("name"), row.required_text("words"));
        row.required_text("meaning");
        let chars = |text: Spanned<&str>| text.get_ref().chars().collect();
        let harmful = match (row.text("harmful"), row.text("harmless")) {
            (Some(only), None) => Harmful::Only(chars(only)),
            (None, Some(but)) => Harmful::AllBut(chars(but)),
            _ => {
                row.complain(
                    row.span.clone(),
                    "a kind has either `harmful` or `harmless` characters",
                );
                continue;
            }
        };
        let (Some(name), Some(words)) = (name, words) else {
            continue;
        };
        if set.kind(name.get_ref()).is_some() {
            row.complain(name.span(), format!("kind `{name}` is listed twice"));
        } else if set.kinds.len() == 64 {
            row.complain(
                name.span(),
                "more than 64 kinds: sets of kinds are 64 bits wide",
            );
        } else {
            set.kinds.push(KindInfo {
                name: (*name.get_ref()).to_owned(),
                words: (*words.get_ref()).to_owned(),
                harmful,
            });
        }
    }
}

/// Readers shared by library and weakness files.
struct Words<'s> {
    kinds: &'s [KindInfo],
}

impl Words<'_> {
    fn kind(&self, row: &Row<'_>, word: &Spanned<&str>) -> Option<Kind> {
        let index = self
            .kinds
            .iter()
            .position(|info| info.name == *word.get_ref());
        match index.and_then(|index| u8::try_from(index).ok()) {
            Some(index) => Some(Kind(index)),
            None => {
                let known: Vec<&str> = self.kinds.iter().map(|info| info.name.as_str()).collect();
                let hint = hint(word.get_ref(), &known);
                row.complain(word.span(), format!("unknown sink kind `{word}`{hint}"));
                None
            }
        }
    }

    /// `["*"]` is every kind.
    fn kinds(&self, row: &Row<'_>, key: &str) -> KindSet {
        let words = row.texts(key);
        if words.iter().any(|word| *word.get_ref() == "*") {
            return KindSet::ALL;
        }
        words
            .iter()
            .filter_map(|word| self.kind(row, word))
            .collect()
    }
}

fn source_kind(row: &Row<'_>, word: &Spanned<&str>) -> Option<SourceKind> {
    let kind = SourceKind::parse(word.get_ref());
    if kind.is_none() {
        let known: Vec<&str> = SourceKind::ALL.iter().map(|kind| kind.word()).collect();
        let hint = hint(word.get_ref(), &known);
        row.complain(word.span(), format!("unknown source kind `{word}`{hint}"));
    }
    kind
}

/// One of a closed list of words.
fn choice<T: Copy>(row: &Row<'_>, key: &str, known: &[(&str, T)]) -> Option<T> {
    let word = row.text(key)?;
    let found = known
        .iter()
        .find(|(name, _)| name == word.get_ref())
        .map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let hint = hint(word.get_ref(), &names);
        row.complain(word.span(), format!("unknown `{key}` `{word}`{hint}"));
    }
    found
}

fn as_port(row: &Row<'_>, text: &Spanned<&str>) -> Option<Port> {
    Port::parse(text.get_ref())
        .map_err(|message| row.complain(text.span(), message))
        .ok()
}

fn port(row: &Row<'_>, key: &str) -> Option<Port> {
    as_port(row, &row.text(key)?)
}

fn ports(row: &Row<'_>, key: &str) -> Vec<Port> {
    row.texts(key)
        .iter()
        .filter_map(|text| as_port(row, text))
        .collect()
}

fn required_port(row: &Row<'_>, key: &str) -> Option<Port> {
    as_port(row, &row.required_text(key)?)
}

fn dotted_path(row: &Row<'_>, text: &Spanned<&str>) -> Option<String> {
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    if text.get_ref().split('.').all(part) {
        Some((*text.get_ref()).to_owned())
    } else {
        row.complain(text.span(), format!("`{text}` is not a dotted path"));
        None
    }
}

fn type_ref(row: &Row<'_>, key: &str) -> Option<TypeRef> {
    let text = row.text(key)?;
    let parsed = parse_type(text.get_ref());
    if parsed.is_none() {
        row.complain(
            text.span(),
            format!("`{text}` is not a type: write `a.B`, `a.B[c.D]` or a port"),
        );
    }
    parsed
}

fn parse_type(text: &str) -> Option<TypeRef> {
    if text.starts_with("receiver") || text.starts_with("arg[") {
        return Port::parse(text).ok().map(TypeRef::Same);
    }
    let (path, element) = match text.split_once('[') {
        Some((path, rest)) => (path, Some(Box::new(parse_type(rest.strip_suffix(']')?)?))),
        None => (text, None),
    };
    let good = path
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    good.then(|| TypeRef::Named {
        path: path.to_owned(),
        element,
    })
}

fn literal(value: &Spanned<DeValue<'_>>) -> Option<Literal> {
    match value.get_ref() {
        DeValue::String(text) => Some(Literal::Str(text.to_string())),
        DeValue::Boolean(flag) => Some(Literal::Bool(*flag)),
        DeValue::Integer(_) => integer(value).map(Literal::Int),
        DeValue::Array(items) if items.is_empty() => Some(Literal::None),
        _ => None,
    }
}

fn literal_key(row: &Row<'_>, key: &str) -> Option<Literal> {
    let value = row.get(key)?;
    let literal = literal(value);
    if literal.is_none() {
        row.complain(
            value.span(),
            format!("`{key}` must be a text, a whole number, `true`, `false`, or `[]` for none"),
        );
    }
    literal
}

fn truth(row: &Row<'_>, key: &str) -> Option<Truth> {
    row.flag(key)
        .map(|flag| if flag { Truth::Yes } else { Truth::No })
}

fn read_weakness(set: &mut ModelSet, table: &DeTable<'_>, file: &File<'_>, stem: &str) {
    const KNOWN: [&str; 7] = [
        "id",
        "name",
        "severity",
        "from",
        "into",
        "oracles",
        "interpreter",
    ];
    let row = Row::new(table, 0..0, file, &KNOWN);
    let words = Words { kinds: &set.kinds };
    for key in ["from", "into", "severity"] {
        if !row.has(key) {
            row.missing(key);
        }
    }
    let id = row.required_text("id");
    if let Some(id) = &id
        && stem.strip_suffix(".toml") != Some(*id.get_ref())
    {
        row.complain(
            id.span(),
            format!("`id` is `{id}` but the file is `{stem}`"),
        );
    }
    let severities = [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    let from_words = row.texts("from");
    let from = if from_words.iter().any(|word| *word.get_ref() == "*") {
        SourceKind::ALL.to_vec()
    } else {
        from_words
            .iter()
            .filter_map(|word| source_kind(&row, word))
            .collect()
    };
    let mut interpreters = Vec::new();
    for (table, span) in row.tables("interpreter") {
        let row = Row::new(table, span, file, &["program", "flag", "kind"]);
        let flags = row.texts("flag");
        let kind = row
            .required_text("kind")
            .and_then(|word| words.kind(&row, &word));
        let Some(kind) = kind else { continue };
        for program in row.texts("program") {
            for flag in &flags {
                interpreters.push(Interpreter {
                    program: (*program.get_ref()).to_owned(),
                    flag: (*flag.get_ref()).to_owned(),
                    kind,
                });
            }
        }
    }
    let name = row.required_text("name");
    let severity = choice(&row, "severity", &severities);
    let into = words.kinds(&row, "into");
    let oracles = row
        .texts("oracles")
        .iter()
        .map(|text| (*text.get_ref()).to_owned())
        .collect();

    let (Some(id), Some(name), Some(severity)) = (id, name, severity) else {
        return;
    };
    if row.is_broken() {
        return;
    }
    let id = (*id.get_ref()).to_owned();
    let page = format!("docs/weaknesses/{id}.md");
    let name = (*name.get_ref()).to_owned();
    set.weaknesses.push(Weakness {
        id,
        name,
        severity,
        from,
        into,
        oracles,
        interpreters,
        page,
    });
}

const LIBRARY_KEYS: [&str; 18] = [
    "library",
    "language",
    "about",
    "converters",
    "source",
    "sink",
    "step",
    "sanitizer",
    "guard",
    "neutral",
    "type",
    "class",
    "alias",
    "mutation",
    "callback",
    "entry_point",
    "stop",
    "login",
];

/// Rows of a file, gathered by path before they join the set.
struct Library<'s> {
    name: String,
    words: Words<'s>,
    members: Vec<Member>,
    by_path: HashMap<String, usize>,
    aliases: Vec<(String, String)>,
    /// What the route parameters of this library's entry points may contain.
    converters: BTreeMap<String, Converter>,
}

impl Library<'_> {
    /// Calls `edit` for the member of every path of the row.
    fn edit(&mut self, row: &Row<'_>, edit: impl Fn(&mut Member)) {
        let paths = row.texts("path");
        if paths.is_empty() && !row.is_broken() {
            row.missing("path");
        }
        let by_name = by_name(row);
        let paths: Vec<String> = paths
            .iter()
            .filter_map(|text| dotted_path(row, text))
            .collect();
        if row.is_broken() {
            return;
        }
        for path in paths {
            let index = *self.by_path.entry(path.clone()).or_insert_with(|| {
                self.members.push(Member {
                    path,
                    library: self.name.clone(),
                    ..Member::default()
                });
                self.members.len() - 1
            });
            let member = &mut self.members[index];
            if by_name.is_some() {
                member.by_name = by_name;
            }
            edit(member);
        }
    }
}

fn by_name(row: &Row<'_>) -> Option<ByName> {
    let arity = row.numbers("arity");
    let matches = row.flag("method_name_match");
    match (matches, arity.as_slice()) {
        (Some(true), []) => Some(ByName { min: 0, max: 255 }),
        (Some(true), [min, max]) if min <= max => Some(ByName {
            min: *min,
            max: *max,
        }),
        (_, []) => None,
        (Some(true), _) => {
            row.complain(row.span.clone(), "`arity` must be `[fewest, most]`");
            None
        }
        _ => {
            row.complain(
                row.span.clone(),
                "`arity` only belongs beside `method_name_match = true`",
            );
            None
        }
    }
}

fn read_library(set: &mut ModelSet, table: &DeTable<'_>, file: &File<'_>) {
    let top = Row::new(table, 0..0, file, &LIBRARY_KEYS);
    choice(&top, "language", &[("python", ())]);
    if !top.has("language") {
        top.missing("language");
    }
    let Some(name) = top.required_text("library") else {
        return;
    };
    let mut library = Library {
        name: (*name.get_ref()).to_owned(),
        words: Words { kinds: &set.kinds },
        members: Vec::new(),
        by_path: HashMap::new(),
        aliases: Vec::new(),
        converters: BTreeMap::new(),
    };
    library.converters = read_converters(&library.words, &top);
    type Reader = fn(&mut Library<'_>, &Row<'_>);
    let readers: [(&str, &[&str], Reader); 14] = [
        (
            "source",
            &["kind", "at", "shape", "names", "name", "input"],
            read_source,
        ),
        ("sink", &["kind", "at", "when"], read_sink),
        ("step", &["from", "to", "how", "for", "when"], read_step),
        (
            "sanitizer",
            &["at", "for", "from", "how", "when", "pattern"],
            read_sanitizer,
        ),
        (
            "guard",
            &["at", "holds_when", "for", "requires", "pattern"],
            read_guard,
        ),
        ("neutral", &["whole"], read_neutral),
        ("type", &["returns", "is"], read_type),
        ("class", &["bases"], read_class),
        ("alias", &["names"], read_alias),
        (
            "mutation",
            &["effect", "target", "keys", "value"],
            read_mutation,
        ),
        (
            "callback",
            &["function", "args", "spread", "keywords", "returns"],
            read_callback,
        ),
        ("entry_point", &ENTRY_KEYS, read_entry),
        ("stop", &[], |library, row| {
            library.edit(row, |member| member.stops = true)
        }),
        ("login", &[], |library, row| {
            library.edit(row, |member| member.requires_login = true)
        }),
    ];
    for (key, keys, reader) in readers {
        let known: Vec<&str> = ["path", "method_name_match", "arity"]
            .iter()
            .chain(keys)
            .copied()
            .collect();
        for (table, span) in top.tables(key) {
            let row = Row::new(table, span, file, &known);
            reader(&mut library, &row);
        }
    }
    let Library {
        name,
        members,
        aliases,
        ..
    } = library;
    set.libraries.extend(
        members
            .iter()
            .filter_map(|m| m.path.split('.').next())
            .map(str::to_owned),
    );
    set.libraries.insert(name);
    set.aliases.extend(aliases);
    for member in members {
        match set.by_path.get(&member.path) {
            Some(id) => merge(&mut set.members[id.0 as usize], member),
            None => {
                let id = MemberId(u32::try_from(set.members.len()).unwrap_or(u32::MAX));
                set.by_path.insert(member.path.clone(), id);
                set.members.push(member);
            }
        }
    }
}

/// Rows of a later file join those of an earlier one; single values are replaced.
fn merge(into: &mut Member, from: Member) {
    let Member {
        path: _,
        library: _,
        by_name,
        sources,
        sinks,
        steps,
        mutations,
        guards,
        callbacks,
        entry_points,
        returns,
        is,
        class,
        stops,
        requires_login,
        whole,
    } = from;
    into.by_name = by_name.or(into.by_name);
    into.sources.extend(sources);
    into.sinks.extend(sinks);
    into.steps.extend(steps);
    into.mutations.extend(mutations);
    into.guards.extend(guards);
    into.callbacks.extend(callbacks);
    into.entry_points.extend(entry_points);
    into.returns = returns.or(into.returns.take());
    into.is = is.or(into.is.take());
    into.class = class.or(into.class.take());
    into.whole |= whole;
    into.stops |= stops;
    into.requires_login |= requires_login;
}

fn read_source(library: &mut Library<'_>, row: &Row<'_>) {
    let kind = row
        .required_text("kind")
        .and_then(|word| source_kind(row, &word));
    let at = if row.has("at") {
        port(row, "at")
    } else {
        Some(Port::RETURN)
    };
    let names = row.text("names").and_then(|word| source_kind(row, &word));
    let name = port(row, "name");
    let input = row.text("input").map_or("", |text| text.into_inner());
    let shapes = [
        ("text", 0),
        ("mapping", 1),
        ("tree", 2),
        ("named", 3),
        ("of-receiver", 4),
    ];
    let Some(shape) = choice(row, "shape", &shapes) else {
        if !row.has("shape") {
            row.missing("shape");
        }
        return;
    };
    for (key, belongs, to) in [
        ("input", 0, "text"),
        ("names", 1, "mapping"),
        ("name", 3, "named"),
    ] {
        if row.has(key) && shape != belongs {
            let message = format!("`{key}` only belongs beside `shape = \"{to}\"`");
            row.complain(row.span.clone(), message);
        }
    }
    let shape = match shape {
        0 => SourceShape::Text {
            input: input.to_owned(),
        },
        1 => SourceShape::Mapping { names },
        2 => SourceShape::Tree,
        3 => match name {
            Some(name) => SourceShape::Named { name },
            None => return row.missing("name"),
        },
        _ => SourceShape::OfReceiver,
    };
    let (Some(kind), Some(at)) = (kind, at) else {
        return;
    };
    let source = Source { kind, at, shape };
    library.edit(row, |member| member.sources.push(source.clone()));
}

fn read_sink(library: &mut Library<'_>, row: &Row<'_>) {
    let kind = row
        .required_text("kind")
        .and_then(|word| library.words.kind(row, &word));
    let at = required_port(row, "at");
    let Some(when) = conditions(row) else { return };
    let (Some(kind), Some(at)) = (kind, at) else {
        return;
    };
    let sink = SinkRow { kind, at, when };
    library.edit(row, |member| member.sinks.push(sink.clone()));
}

/// `None` when one of them is broken: without it the row would say too much.
fn conditions(row: &Row<'_>) -> Option<Vec<When>> {
    const KNOWN: [&str; 9] = [
        "arg",
        "equals",
        "not_equals",
        "truthy",
        "contains_any",
        "contains_none",
        "is",
        "absent",
        "default",
    ];
    let mut when = Vec::new();
    for (table, span) in row.tables("when") {
        let inner = Row::new(table, span, row.source, &KNOWN);
        let condition = read_when(&inner);
        if inner.is_broken() {
            return None;
        }
        when.extend(condition);
    }
    Some(when)
}

fn read_when(row: &Row<'_>) -> Option<When> {
    let arg = required_port(row, "arg")?;
    let strings = |key: &str| {
        row.texts(key)
            .iter()
            .map(|text| (*text.get_ref()).to_owned())
            .collect()
    };
    let mut tests: Vec<Test> = Vec::new();
    tests.extend(literal_key(row, "equals").map(Test::Equals));
    tests.extend(literal_key(row, "not_equals").map(Test::NotEquals));
    tests.extend(truth(row, "truthy").map(Test::Truthy));
    if row.has("contains_any") {
        tests.push(Test::ContainsAny(strings("contains_any")));
    }
    if row.has("contains_none") {
        tests.push(Test::ContainsNone(strings("contains_none")));
    }
    tests.extend(
        choice(row, "is", &[("text", true), ("sequence", false)]).map(|is_text| {
            if is_text {
                Test::IsText
            } else {
                Test::IsSequence
            }
        }),
    );
    if row.flag("absent") == Some(true) {
        tests.push(Test::Absent);
    }
    let default = literal_key(row, "default");
    if tests.len() != 1 {
        row.complain(row.span.clone(), "a condition has exactly one test");
        return None;
    }
    tests.pop().map(|test| When { arg, test, default })
}

fn how(row: &Row<'_>, otherwise: How) -> Option<How> {
    if row.has("how") {
        choice(row, "how", &How::WORDS)
    } else {
        Some(otherwise)
    }
}

fn read_step(library: &mut Library<'_>, row: &Row<'_>) {
    let from = row.texts("from");
    if from.is_empty() {
        row.missing("from");
    }
    let from: Vec<Port> = from.iter().filter_map(|text| as_port(row, text)).collect();
    let to = if row.has("to") {
        port(row, "to")
    } else {
        Some(Port::RETURN)
    };
    let how = how(row, How::Taint);
    let clears = library.words.kinds(row, "for");
    let (Some(to), Some(how), Some(when)) = (to, how, conditions(row)) else {
        return;
    };
    library.edit(row, |member| {
        for from in &from {
            let (from, to, when) = (from.clone(), to.clone(), when.clone());
            member.steps.push(StepRow {
                from,
                to,
                how,
                clears,
                when,
                pattern: None,
            });
        }
    });
}

fn read_sanitizer(library: &mut Library<'_>, row: &Row<'_>) {
    let to = if row.has("at") {
        port(row, "at")
    } else {
        Some(Port::RETURN)
    };
    let from = if row.has("from") {
        port(row, "from")
    } else {
        Some(Port::arg(0))
    };
    let how = how(row, How::Taint);
    if !row.has("for") {
        row.missing("for");
    }
    let clears = library.words.kinds(row, "for");
    let pattern = port(row, "pattern");
    let (Some(to), Some(from), Some(how)) = (to, from, how) else {
        return;
    };
    let Some(when) = conditions(row) else { return };
    let step = StepRow {
        from,
        to,
        how,
        clears,
        when,
        pattern,
    };
    library.edit(row, |member| member.steps.push(step.clone()));
}

fn read_guard(library: &mut Library<'_>, row: &Row<'_>) {
    let at = required_port(row, "at");
    let senses = [
        ("true", GuardSense::True),
        ("false", GuardSense::False),
        ("equal", GuardSense::Equal),
        ("not-equal", GuardSense::NotEqual),
        ("returns", GuardSense::Returns),
    ];
    let holds_when = match row.get("holds_when").map(Spanned::get_ref) {
        Some(DeValue::Boolean(true)) => Some(GuardSense::True),
        Some(DeValue::Boolean(false)) => Some(GuardSense::False),
        Some(_) => choice(row, "holds_when", &senses),
        None => {
            row.missing("holds_when");
            None
        }
    };
    if !row.has("for") {
        row.missing("for");
    }
    let clears = library.words.kinds(row, "for");
    let requires = choice(row, "requires", &How::WORDS);
    let pattern = port(row, "pattern");
    let (Some(at), Some(holds_when)) = (at, holds_when) else {
        return;
    };
    let guard = Guard {
        at,
        holds_when,
        clears,
        requires,
        pattern,
    };
    library.edit(row, |member| member.guards.push(guard.clone()));
}

fn read_neutral(library: &mut Library<'_>, row: &Row<'_>) {
    let whole = row.flag("whole") == Some(true);
    library.edit(row, |member| member.whole |= whole);
}

fn read_type(library: &mut Library<'_>, row: &Row<'_>) {
    let (returns, is) = (type_ref(row, "returns"), type_ref(row, "is"));
    if returns.is_none() && is.is_none() && !row.is_broken() {
        row.missing("returns");
    }
    library.edit(row, |member| {
        if returns.is_some() {
            member.returns.clone_from(&returns);
        }
        if is.is_some() {
            member.is.clone_from(&is);
        }
    });
}

fn read_class(library: &mut Library<'_>, row: &Row<'_>) {
    let bases: Vec<String> = row
        .texts("bases")
        .iter()
        .filter_map(|text| dotted_path(row, text))
        .collect();
    library.edit(row, |member| member.class = Some(bases.clone()));
}

fn read_alias(library: &mut Library<'_>, row: &Row<'_>) {
    let target = row
        .required_text("path")
        .and_then(|text| dotted_path(row, &text));
    let names = row.texts("names");
    if names.is_empty() {
        row.missing("names");
    }
    let Some(target) = target else { return };
    for name in names {
        if let Some(name) = dotted_path(row, &name)
            && name != target
        {
            library.aliases.push((name, target.clone()));
        }
    }
}

fn read_mutation(library: &mut Library<'_>, row: &Row<'_>) {
    let effect = choice(row, "effect", &Effect::WORDS);
    if !row.has("effect") {
        row.missing("effect");
    }
    let target = if row.has("target") {
        port(row, "target")
    } else {
        Some(Port::RECEIVER)
    };
    let keys = ports(row, "keys");
    let value = port(row, "value");
    let (Some(effect), Some(target)) = (effect, target) else {
        return;
    };
    let wants_value = matches!(
        effect,
        Effect::Append
            | Effect::Insert
            | Effect::Store
            | Effect::StoreDefault
            | Effect::Extend
            | Effect::Merge
    );
    if wants_value && value.is_none() {
        return row.missing("value");
    }
    let wants_keys = matches!(
        effect,
        Effect::Insert | Effect::Store | Effect::StoreDefault
    );
    if wants_keys && keys.is_empty() {
        return row.missing("keys");
    }
    let mutation = Mutation {
        effect,
        target,
        keys,
        value,
    };
    library.edit(row, |member| member.mutations.push(mutation.clone()));
}

fn read_callback(library: &mut Library<'_>, row: &Row<'_>) {
    let function = required_port(row, "function");
    let callback = Callback {
        function: function.unwrap_or(Port::RETURN),
        args: ports(row, "args"),
        spread: port(row, "spread"),
        keywords: port(row, "keywords"),
        returns: port(row, "returns"),
    };
    library.edit(row, |member| member.callbacks.push(callback.clone()));
}

const ENTRY_KEYS: [&str; 11] = [
    "shape",
    "framework",
    "route",
    "methods",
    "default_methods",
    "handler",
    "prefix",
    "mounted",
    "method_functions",
    "bound_by",
    "syntax",
];

fn read_converters(words: &Words<'_>, row: &Row<'_>) -> BTreeMap<String, Converter> {
    let mut converters = BTreeMap::new();
    for (name, value) in row.map("converters") {
        let DeValue::Table(table) = value.get_ref() else {
            row.complain(value.span(), "a table was expected");
            continue;
        };
        let inner = Row::new(table, value.span(), row.source, &["for", "excludes"]);
        let excludes = inner
            .text("excludes")
            .map(|t| t.get_ref().chars().collect())
            .unwrap_or_default();
        let clears = words.kinds(&inner, "for");
        converters.insert(name.to_owned(), Converter { clears, excludes });
    }
    converters
}

fn read_entry(library: &mut Library<'_>, row: &Row<'_>) {
    let shapes = [
        ("decorator", EntryShape::Decorator),
        ("registrar", EntryShape::Registrar),
        ("base_class", EntryShape::BaseClass),
        ("application", EntryShape::Application),
        ("collection", EntryShape::Collection),
        ("mount", EntryShape::Mount),
        ("hook", EntryShape::Hook),
    ];
    let shape = choice(row, "shape", &shapes);
    if !row.has("shape") {
        row.missing("shape");
    }
    let Some(shape) = shape else { return };
    for (wanted, key) in [
        (matches!(shape, EntryShape::Registrar), "handler"),
        (matches!(shape, EntryShape::Registrar), "route"),
        (matches!(shape, EntryShape::Mount), "mounted"),
        (matches!(shape, EntryShape::BaseClass), "method_functions"),
    ] {
        if wanted && !row.has(key) {
            row.missing(key);
        }
    }
    let mut method_functions = BTreeMap::new();
    for (name, value) in row.map("method_functions") {
        let methods: Vec<String> = match value.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            DeValue::Array(items) => items
                .iter()
                .filter_map(|i| i.get_ref().as_str())
                .map(str::to_owned)
                .collect(),
            _ => {
                row.complain(value.span(), "a method or a list of methods was expected");
                continue;
            }
        };
        method_functions.insert(name.to_owned(), methods);
    }
    let syntaxes = [("angle", RouteSyntax::Angle), ("brace", RouteSyntax::Brace)];
    let entry = EntryRow {
        shape,
        framework: row
            .text("framework")
            .map_or_else(|| library.name.clone(), |text| (*text.get_ref()).to_owned()),
        route: port(row, "route"),
        methods: port(row, "methods"),
        default_methods: row
            .texts("default_methods")
            .iter()
            .map(|text| (*text.get_ref()).to_owned())
            .collect(),
        handler: port(row, "handler"),
        prefix: port(row, "prefix"),
        mounted: port(row, "mounted"),
        method_functions,
        bound_by: row
            .text("bound_by")
            .and_then(|text| dotted_path(row, &text)),
        syntax: choice(row, "syntax", &syntaxes).unwrap_or(RouteSyntax::Angle),
        converters: library.converters.clone(),
    };
    library.edit(row, |member| member.entry_points.push(entry.clone()));
}
