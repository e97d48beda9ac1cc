//! Which weakness classes are the same one under another number.

use std::collections::BTreeSet;

/// Classes that tools use for the class on the left, from the tree of research concepts in CWE 4: children
/// and the parents that mean nothing else in practice. Every other class stands for itself alone.
const FAMILIES: [(u32, &[u32]); 3] = [
    // SQL injection; its form through an object mapper.
    (89, &[564]),
    // OS command injection; command injection, its parent.
    (78, &[77]),
    // Path traversal; relative, absolute, and the spellings between them.
    (
        22,
        &[
            23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        ],
    ),
];

/// Classes too general to say which flaw it is: improper input validation, injection, improper
/// neutralisation, external control of a file name, control of a resource, resource injection.
const GENERAL: [u32; 8] = [20, 73, 74, 99, 610, 664, 668, 707];

/// The class that stands for `number` and its relatives.
pub fn family(number: u32) -> u32 {
    FAMILIES
        .iter()
        .find(|(_, kin)| kin.contains(&number))
        .map_or(number, |(head, _)| *head)
}

/// The classes that `numbers` name, general ones left out.
pub fn families(numbers: &BTreeSet<u32>) -> BTreeSet<u32> {
    numbers
        .iter()
        .filter(|n| !GENERAL.contains(n))
        .map(|n| family(*n))
        .collect()
}

/// `CWE-89` from a number.
pub fn id(number: u32) -> String {
    format!("CWE-{number}")
}

/// The number in `CWE-89: SQL injection`, `external/cwe/cwe-089`, `CWE89`; `None` when there is none.
pub fn in_text(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let at = lower
        .match_indices("cwe")
        .filter(|(at, _)| {
            !lower[..*at]
                .chars()
                .next_back()
                .is_some_and(char::is_alphanumeric)
        })
        .find_map(|(at, _)| {
            let rest = lower[at + 3..].trim_start_matches(['-', '_', ':', ' ']);
            let digits: String = rest
                .chars()
                .take_while(char::is_ascii_digit)
                .take(6)
                .collect();
            digits.parse::<u32>().ok()
        });
    at.filter(|n| *n > 0)
}

/// The number of `89`, `CWE-89` in a field that holds nothing but weaknesses.
pub fn in_field(text: &str) -> Option<u32> {
    in_text(text).or_else(|| text.trim().parse().ok().filter(|n| *n > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_usual_tools_are_read() {
        assert_eq!(in_text("external/cwe/cwe-089"), Some(89));
        assert_eq!(in_text("CWE-78: Improper Neutralization"), Some(78));
        assert_eq!(in_text("cwe22"), Some(22));
        assert_eq!(in_text("security"), None);
        assert_eq!(in_text("acwe-5"), None);
        assert_eq!(in_field("089"), Some(89));
        assert_eq!(in_field("CWE-0"), None);
    }

    #[test]
    fn relatives_are_one_family_and_strangers_are_not() {
        assert_eq!(family(77), family(78));
        assert_eq!(family(36), family(22));
        assert_ne!(family(88), family(78), "argument injection is another flaw");
        assert_ne!(family(94), family(78));
        assert_eq!(
            families(&BTreeSet::from([22, 23, 73, 99])),
            BTreeSet::from([22])
        );
        assert!(families(&BTreeSet::from([20])).is_empty());
    }
}
