//! Values that a request is filled with, and what conditions ask of them.

use std::collections::BTreeSet;

use solvent_finding::{Carrier, Comparison, Condition, EntryPoint, Input};

/// Texts that the program itself compares an input with, or looks for in it; beginnings of `name=` first,
/// then what looks like a name.
pub(crate) fn constants(entry: &EntryPoint, input: &Input) -> Vec<String> {
    let own = entry.inputs.iter().filter(|(known, _)| known == input);
    let mut all: Vec<String> = own
        .flat_map(|(_, constants)| constants.iter())
        .filter(|text| !text.is_empty() && text.len() < 200)
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let name_like = |text: &str| {
        text.trim_end_matches('=')
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    all.sort_by_key(|text| (!text.ends_with('='), !name_like(text)));
    all
}

/// A value for which the condition holds; `None` where the input must be left out.
pub(crate) fn satisfy(condition: &Condition, entry: &EntryPoint) -> Option<String> {
    let known = || {
        entry
            .inputs
            .iter()
            .find(|(input, _)| *input == condition.input)
            .map_or_else(Vec::new, |(_, constants)| constants.clone())
    };
    let value = &condition.value;
    match condition.comparison {
        Comparison::Equals => Some(value.clone()),
        Comparison::Contains => Some(format!("a{value}a")),
        Comparison::StartsWith => Some(format!("{value}a")),
        Comparison::EndsWith => Some(format!("a{value}")),
        Comparison::Present => Some(plausible(&condition.input.name, &known())),
        Comparison::NotEquals => {
            let others: Vec<String> = known().into_iter().filter(|c| c != value).collect();
            Some(plausible(&condition.input.name, &others))
        }
        Comparison::Digits => Some("1".to_owned()),
        Comparison::Matches => Some(from_pattern(value)),
        Comparison::Absent => None,
    }
}

/// What the attacked input's own conditions ask of the payload: beginnings and ends. `None` when they leave
/// no room for one.
pub(crate) fn room(input: &Input, conditions: &[Condition]) -> Option<(Vec<String>, Vec<String>)> {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for condition in conditions.iter().filter(|c| c.input == *input) {
        match condition.comparison {
            Comparison::Equals | Comparison::Digits | Comparison::Absent => return None,
            Comparison::StartsWith => starts.push(condition.value.clone()),
            Comparison::EndsWith => ends.push(condition.value.clone()),
            // A query string's `name=` stands before the payload already.
            Comparison::Contains if input.carrier == Carrier::RawQuery => {}
            // Containing is no harm to a payload that begins with what must be contained.
            Comparison::Contains => starts.push(condition.value.clone()),
            Comparison::Matches if only_words(&condition.value) => return None,
            Comparison::NotEquals | Comparison::Present | Comparison::Matches => {}
        }
    }
    Some((starts, ends))
}

/// A plausible value by constants, then by name.
pub(crate) fn plausible(name: &str, constants: &[String]) -> String {
    if let Some(constant) = constants.iter().find(|c| !c.is_empty() && c.len() < 200) {
        return constant.clone();
    }
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["mail"]) {
        "a1@example.com"
    } else if has(&["pass", "pwd"]) {
        "Passw0rd1"
    } else if name == "id"
        || name.ends_with("_id")
        || has(&[
            "count", "page", "num", "qty", "quantity", "amount", "price", "limit", "offset",
            "size", "year", "age", "is_", "has_",
        ])
    {
        "1"
    } else if has(&["date"]) {
        "2024-01-02"
    } else if has(&["url", "link"]) {
        "http://127.0.0.1/a1"
    } else if has(&["ip", "host", "domain"]) {
        "127.0.0.1"
    } else {
        "a1"
    }
    .to_owned()
}

/// A short text for the plainest patterns; anything else gets a letter and a digit.
fn from_pattern(pattern: &str) -> String {
    let inner = pattern
        .trim_start_matches(['^', '('])
        .trim_end_matches(['$', ')']);
    if inner.starts_with("\\d") || inner.starts_with("[0-9]") {
        let count = inner
            .split_once('{')
            .and_then(|(_, rest)| rest.split(['}', ',']).next())
            .and_then(|n| n.parse::<usize>().ok())
            .unwrap_or(1);
        return "1".repeat(count.clamp(1, 64));
    }
    if inner.contains('@') {
        return "a1@example.com".to_owned();
    }
    if let Some(first) = inner.split('|').next()
        && inner.contains('|')
        && first
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    {
        return first.to_owned();
    }
    "a1".to_owned()
}

/// Whether the pattern admits nothing but letters, digits, `_` and `-`, of which no payload is
/// made. Decided for plain patterns only; anything else may leave room.
fn only_words(pattern: &str) -> bool {
    let body = pattern.trim_start_matches('^').trim_end_matches('$');
    let mut chars = body.chars().peekable();
    let mut any = false;
    let mut in_class = false;
    let mut in_count = false;
    while let Some(c) = chars.next() {
        any = true;
        match c {
            '\\' => {
                if !matches!(chars.next(), Some('d' | 'w' | '-')) {
                    return false;
                }
            }
            '[' if !in_class && chars.peek() != Some(&'^') => in_class = true,
            ']' if in_class => in_class = false,
            '{' if !in_class => in_count = true,
            '}' if in_count => in_count = false,
            ',' if in_count => {}
            '+' | '*' | '?' | '(' | ')' | '|' if !in_class => {}
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') => {}
            _ => return false,
        }
    }
    any && !in_class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_words_leaves_no_room_and_others_do() {
        for pattern in ["^\\d+$", "[a-zA-Z0-9_]{1,20}", "\\w*", "(get|set)"] {
            assert!(only_words(pattern), "{pattern}");
        }
        for pattern in [".*", "[^/]+", "\\S+", "[\\w.]+", "a b", ""] {
            assert!(!only_words(pattern), "{pattern}");
        }
    }
}
