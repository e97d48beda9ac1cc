//! Files to rows. Every complaint names file, line and, where a word is misspelt, its neighbour.

mod library;
mod weakness;

use solvent_base::Problem;
use solvent_finding::Severity;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::kind::{Kind, KindSet, SourceKind};
use crate::port::Port;
use crate::row::{Harmful, KindInfo, Literal, SecretNames, Shown, Truth, TypeRef};
use crate::set::ModelSet;
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
                weakness::read_weakness(&mut set, table, file, stem);
            } else {
                library::read_library(&mut set, table, file);
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
    let top = Row::new(
        table,
        0..0,
        file,
        &["sink", "use", "secret_words", "secret_parts"],
    );
    let words = |key: &str| {
        let texts = top.texts(key);
        texts.iter().map(|t| (*t.get_ref()).to_owned()).collect()
    };
    set.secrets = SecretNames {
        words: words("secret_words"),
        parts: words("secret_parts"),
    };
    let mut add = |row: &Row<'_>, name: Spanned<&str>, info: KindInfo| {
        if set.kind(name.get_ref()).is_some() {
            row.complain(name.span(), format!("kind `{name}` is listed twice"));
        } else if set.kinds.len() == 64 {
            row.complain(
                name.span(),
                "more than 64 kinds: sets of kinds are 64 bits wide",
            );
        } else {
            set.kinds.push(info);
        }
    };
    for (table, span) in top.tables("use") {
        let row = Row::new(
            table,
            span,
            file,
            &["name", "words", "meaning", "secret", "severity"],
        );
        let (name, words) = (row.required_text("name"), row.required_text("words"));
        row.required_text("meaning");
        let shown = match row.flag("secret") {
            Some(true) => Shown::Masked,
            _ => Shown::AsWritten,
        };
        let (Some(name), Some(words)) = (name, words) else {
            continue;
        };
        let info = KindInfo {
            name: (*name.get_ref()).to_owned(),
            words: (*words.get_ref()).to_owned(),
            harmful: Harmful::Only(Vec::new()),
            shown,
            numbers: row.flag("numbers") == Some(true),
            reached_only: row.flag("reached_only") == Some(true),
            severity: choice(&row, "severity", &SEVERITIES),
        };
        add(&row, name, info);
    }
    for (table, span) in top.tables("sink") {
        let row = Row::new(
            table,
            span,
            file,
            &[
                "name",
                "words",
                "meaning",
                "harmful",
                "harmless",
                "anything",
                "numbers",
                "reached_only",
                "severity",
            ],
        );
        let (name, words) = (row.required_text("name"), row.required_text("words"));
        row.required_text("meaning");
        let chars = |text: Spanned<&str>| text.get_ref().chars().collect();
        let anything = row.flag("anything") == Some(true);
        let harmful = match (row.text("harmful"), row.text("harmless"), anything) {
            (Some(only), None, false) => Harmful::Only(chars(only)),
            (None, Some(but), false) => Harmful::AllBut(chars(but)),
            (None, None, true) => Harmful::Anything,
            _ => {
                row.complain(
                    row.span.clone(),
                    "a kind has either `harmful` or `harmless` characters, or `anything = true`",
                );
                continue;
            }
        };
        let (Some(name), Some(words)) = (name, words) else {
            continue;
        };
        let info = KindInfo {
            name: (*name.get_ref()).to_owned(),
            words: (*words.get_ref()).to_owned(),
            harmful,
            shown: Shown::AsWritten,
            numbers: row.flag("numbers") == Some(true),
            reached_only: row.flag("reached_only") == Some(true),
            severity: choice(&row, "severity", &SEVERITIES),
        };
        add(&row, name, info);
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

    /// `["*"]` is every kind but those in which a number does harm; `["*by-characters"]` those of them that do harm with
    /// characters: letters and digits alone do none there, but they are a password, a role or a number of somebody
    /// else's all the same.
    fn kinds(&self, row: &Row<'_>, key: &str) -> KindSet {
        let words = row.texts(key);
        if words.iter().any(|word| *word.get_ref() == "*") {
            let numbers = self.kinds.iter().enumerate();
            let numbers = numbers
                .filter(|(_, info)| info.numbers)
                .fold(0, |set, (at, _)| set | (1 << at));
            return KindSet(KindSet::ALL.0 & !numbers);
        }
        if words.iter().any(|word| *word.get_ref() == "*by-characters") {
            let by_characters =
                |(_, info): &(usize, &KindInfo)| info.harmful != Harmful::Anything && !info.numbers;
            return self
                .kinds
                .iter()
                .enumerate()
                .filter(by_characters)
                .filter_map(|(index, _)| u8::try_from(index).ok())
                .map(Kind)
                .collect();
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
        let known: Vec<&str> = SourceKind::all().map(SourceKind::word).collect();
        let hint = hint(word.get_ref(), &known);
        row.complain(word.span(), format!("unknown source kind `{word}`{hint}"));
    }
    kind
}

const SEVERITIES: [(&str, Severity); 4] = [
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

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
    if text.get_ref().split('.').all(is_part) {
        Some((*text.get_ref()).to_owned())
    } else {
        row.complain(text.span(), format!("`{text}` is not a dotted path"));
        None
    }
}

/// A part of a dotted path. Packages of npm have slashes and hyphens in their names (`@nestjs/common`); what the
/// language itself does has angle brackets.
fn is_part(part: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "_-/@<>$#".contains(c);
    !part.is_empty() && part.chars().all(fits)
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
    path.split('.').all(is_part).then(|| TypeRef::Named {
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
