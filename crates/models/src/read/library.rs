//! `models/<language>/<library>.toml`, one function per sort of row.

mod entry;

use std::collections::{BTreeMap, HashMap};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use entry::{ENTRY_KEYS, read_converters, read_entry, read_filling};

use super::{
    Words, as_port, choice, dotted_path, literal_key, port, ports, required_port, source_kind,
    truth, type_ref,
};
use crate::pattern::Anchoring;
use crate::port::Port;
use crate::row::*;
use crate::set::{MemberId, ModelSet};
use crate::toml_row::{Row, Source as File};

const LIBRARY_KEYS: [&str; 24] = [
    "library",
    "language",
    "about",
    "converters",
    "parameters",
    "source",
    "sink",
    "use",
    "constant",
    "step",
    "sanitizer",
    "guard",
    "view",
    "neutral",
    "type",
    "class",
    "alias",
    "mutation",
    "callback",
    "send",
    "entry_point",
    "stop",
    "login",
    "tests",
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
    filling: Option<Filling>,
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

pub(super) fn read_library(set: &mut ModelSet, table: &DeTable<'_>, file: &File<'_>) {
    let top = Row::new(table, 0..0, file, &LIBRARY_KEYS);
    let languages = ["python", "javascript", "go", "java"].map(|word| (word, ()));
    choice(&top, "language", &languages);
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
        filling: read_filling(&top),
    };
    library.converters = read_converters(&library.words, &top);
    type Reader = fn(&mut Library<'_>, &Row<'_>);
    let readers: [(&str, &[&str], Reader); 19] = [
        (
            "source",
            &[
                "kind", "at", "shape", "names", "name", "input", "clears", "when",
            ],
            read_source,
        ),
        ("sink", &["kind", "at", "when"], read_sink),
        ("use", &["kind", "when"], read_use),
        ("constant", &["value"], read_constant),
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
        (
            "view",
            &[
                "name",
                "locals",
                "request",
                "autoescape",
                "output",
                "unread",
                "macro",
                "decorates",
            ],
            read_view,
        ),
        ("neutral", &["whole"], read_neutral),
        ("type", &["returns", "is", "begins", "kept"], read_type),
        ("class", &["bases", "kept", "keyed"], read_class),
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
        ("send", &SEND_KEYS, read_send),
        ("entry_point", &ENTRY_KEYS, read_entry),
        ("stop", &[], |library, row| {
            library.edit(row, |member| member.stops = true)
        }),
        ("login", &[], |library, row| {
            library.edit(row, |member| member.requires_login = true)
        }),
        ("tests", &[], |library, row| {
            library.edit(row, |member| member.tests = true)
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
        uses,
        steps,
        mutations,
        guards,
        views,
        callbacks,
        sends,
        entry_points,
        returns,
        is,
        constant,
        class,
        begins,
        kept,
        keyed,
        stops,
        requires_login,
        tests,
        whole,
        neutral,
        only_used: _,
    } = from;
    into.by_name = by_name.or(into.by_name);
    into.sources.extend(sources);
    into.sinks.extend(sinks);
    into.uses.extend(uses);
    into.steps.extend(steps);
    into.mutations.extend(mutations);
    into.guards.extend(guards);
    into.views.extend(views);
    into.callbacks.extend(callbacks);
    into.sends.extend(sends);
    into.entry_points.extend(entry_points);
    into.returns = returns.or(into.returns.take());
    into.is = is.or(into.is.take());
    into.constant = constant.or(into.constant.take());
    into.class = class.or(into.class.take());
    into.begins = begins.or(into.begins.take());
    into.kept |= kept;
    into.whole |= whole;
    into.neutral |= neutral;
    into.keyed |= keyed;
    into.stops |= stops;
    into.requires_login |= requires_login;
    into.tests |= tests;
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
        ("fields", 5),
        ("mapping-of-trees", 6),
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
        let trees = key == "names" && shape == 6;
        if row.has(key) && shape != belongs && !trees {
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
        4 => SourceShape::OfReceiver,
        5 => SourceShape::Fields,
        _ => SourceShape::Trees { names },
    };
    let (Some(kind), Some(at), Some(when)) = (kind, at, conditions(row)) else {
        return;
    };
    let source = Source {
        kind,
        at,
        shape,
        clears: library.words.kinds(row, "clears"),
        when,
    };
    library.edit(row, |member| member.sources.push(source.clone()));
}

fn read_view(library: &mut Library<'_>, row: &Row<'_>) {
    let view = if row.has("autoescape") {
        required_port(row, "autoescape").map(|autoescape| View::Configures { autoescape })
    } else if row.has("output") {
        row.text("output").map(|output| View::Escapes {
            output: (*output.get_ref()).to_owned(),
        })
    } else if row.has("unread") {
        required_port(row, "unread").map(|at| View::Unread { at })
    } else if row.has("decorates") {
        required_port(row, "decorates").map(|name| View::Decorates { name })
    } else if row.has("macro") {
        let (name, of) = (required_port(row, "macro"), required_port(row, "name"));
        name.zip(of).map(|(name, of)| View::Calls { name, of })
    } else {
        let locals = ports(row, "locals");
        let request = row.text("request").and_then(|text| {
            Some(match text.get_ref().contains('[') {
                true => Given::At(as_port(row, &text)?),
                false => Given::Path((*text.get_ref()).to_owned()),
            })
        });
        required_port(row, "name").map(|name| View::Renders {
            name,
            locals,
            request,
        })
    };
    if let Some(view) = view {
        library.edit(row, |member| member.views.push(view.clone()));
    }
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

fn read_use(library: &mut Library<'_>, row: &Row<'_>) {
    let kind = row
        .required_text("kind")
        .and_then(|word| library.words.kind(row, &word));
    let (Some(kind), Some(when)) = (kind, conditions(row)) else {
        return;
    };
    let one = UseRow { kind, when };
    library.edit(row, |member| member.uses.push(one.clone()));
}

fn read_constant(library: &mut Library<'_>, row: &Row<'_>) {
    let value = literal_key(row, "value");
    if value.is_none() && !row.is_broken() {
        row.missing("value");
    }
    library.edit(row, |member| member.constant.clone_from(&value));
}

const SEND_KEYS: [&str; 9] = [
    "url", "base", "method", "verb", "query", "form", "json", "headers", "body",
];

fn read_send(library: &mut Library<'_>, row: &Row<'_>) {
    let Some(url) = required_port(row, "url") else {
        return;
    };
    let send = SendRow {
        url,
        base: port(row, "base"),
        method: port(row, "method"),
        verb: row
            .text("verb")
            .map_or_else(String::new, |text| text.into_inner().to_owned()),
        query: port(row, "query"),
        form: port(row, "form"),
        json: port(row, "json"),
        headers: port(row, "headers"),
        body: port(row, "body"),
    };
    library.edit(row, |member| member.sends.push(send.clone()));
}

/// `None` when one of them is broken: without it the row would say too much.
fn conditions(row: &Row<'_>) -> Option<Vec<When>> {
    const KNOWN: [&str; 15] = [
        "arg",
        "equals",
        "not_equals",
        "truthy",
        "contains_any",
        "contains_none",
        "names_none",
        "is",
        "absent",
        "default",
        "one_of",
        "begins_with",
        "names_secret",
        "exponential",
        "polynomial",
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

/// Where a match of the pattern may begin and end.
const ANCHORINGS: [(&str, Anchoring); 3] = [
    ("search", Anchoring::Search),
    ("start", Anchoring::Start),
    ("full", Anchoring::Full),
];

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
    if row.has("names_none") {
        tests.push(Test::NamesNone(strings("names_none")));
    }
    if row.has("one_of") {
        tests.push(Test::OneOf(strings("one_of")));
    }
    if row.has("begins_with") {
        tests.push(Test::BeginsWith(strings("begins_with")));
    }
    if row.flag("names_secret") == Some(true) {
        tests.push(Test::NamesSecret);
    }
    tests.extend(
        choice(row, "is", &[("text", 0), ("sequence", 1), ("constant", 2)]).map(|is| match is {
            0 => Test::IsText,
            1 => Test::IsSequence,
            _ => Test::IsConstant,
        }),
    );
    for (key, slowness) in [
        ("exponential", Slowness::Exponential),
        ("polynomial", Slowness::Polynomial),
    ] {
        tests.extend(choice(row, key, &ANCHORINGS).map(|at| Test::Backtracks(slowness, at)));
    }
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
    library.edit(row, |member| {
        member.whole |= whole;
        member.neutral = true;
    });
}

fn read_type(library: &mut Library<'_>, row: &Row<'_>) {
    let (returns, is) = (type_ref(row, "returns"), type_ref(row, "is"));
    let kept = row.flag("kept") == Some(true);
    let begins = row.text("begins").map(|text| (*text.get_ref()).to_owned());
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
        member.kept |= kept;
        if begins.is_some() {
            member.begins.clone_from(&begins);
        }
    });
}

fn read_class(library: &mut Library<'_>, row: &Row<'_>) {
    let bases: Vec<String> = row
        .texts("bases")
        .iter()
        .filter_map(|text| dotted_path(row, text))
        .collect();
    let kept = row.flag("kept") == Some(true);
    let keyed = row.flag("keyed") == Some(true);
    library.edit(row, |member| {
        member.class = Some(bases.clone());
        member.kept |= kept;
        member.keyed |= keyed;
    });
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
