//! `weaknesses/CWE-*.toml`.

use toml::de::DeTable;

use super::{SEVERITIES, Words, choice, source_kind};
use crate::kind::SourceKind;
use crate::row::{Interpreter, Judge, Weakness};
use crate::set::ModelSet;
use crate::toml_row::{Row, Source as File};

pub(super) fn read_weakness(set: &mut ModelSet, table: &DeTable<'_>, file: &File<'_>, stem: &str) {
    const KNOWN: [&str; 13] = [
        "id",
        "name",
        "short",
        "text",
        "severity",
        "from",
        "into",
        "quiet",
        "reached_only",
        "once",
        "judged_by",
        "oracles",
        "interpreter",
    ];
    let row = Row::new(table, 0..0, file, &KNOWN);
    let words = Words { kinds: &set.kinds };
    for key in ["from", "into", "severity", "short", "text"] {
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
    let from_words = row.texts("from");
    let from = from_words
        .iter()
        .flat_map(|word| match *word.get_ref() {
            "*" => SourceKind::OF_REQUESTS.to_vec(),
            _ => source_kind(&row, word).into_iter().collect(),
        })
        .collect();
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
    let (short, text) = (row.required_text("short"), row.required_text("text"));
    let quiet = row.flag("quiet") == Some(true);
    let reached_only = row.flag("reached_only") == Some(true);
    let once = row.flag("once") == Some(true);
    let judges = [
        ("flow", Judge::Flow),
        ("access", Judge::Access),
        ("role", Judge::Role),
        ("session", Judge::Session),
        ("answer", Judge::Answer),
        ("claim", Judge::Claim),
        ("token", Judge::Token),
    ];
    let judged_by = choice(&row, "judged_by", &judges).unwrap_or(Judge::Flow);
    let severity = choice(&row, "severity", &SEVERITIES);
    let into = words.kinds(&row, "into");
    let oracles = row
        .texts("oracles")
        .iter()
        .map(|text| (*text.get_ref()).to_owned())
        .collect();

    let (Some(id), Some(name), Some(severity)) = (id, name, severity) else {
        return;
    };
    let (Some(short), Some(text)) = (short, text) else {
        return;
    };
    let (short, text) = ((*short.get_ref()).to_owned(), (*text.get_ref()).to_owned());
    if row.is_broken() {
        return;
    }
    let id = (*id.get_ref()).to_owned();
    let page = format!("docs/weaknesses/{id}.md");
    let name = (*name.get_ref()).to_owned();
    set.weaknesses.push(Weakness {
        id,
        name,
        short,
        text,
        severity,
        from,
        into,
        quiet,
        reached_only,
        once,
        judged_by,
        oracles,
        interpreters,
        page,
    });
}
