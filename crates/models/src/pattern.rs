//! What characters a regular expression lets through, for checks and clean-ups written with `re`.
//!
//! Only the simple shapes that validators use are understood (sequences of character classes and
//! literals with quantifiers, alternatives and groups of those); for anything else the answer is
//! "unknown", and the check counts for nothing.

/// Characters, as ranges and their complement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CharSet {
    ranges: Vec<(char, char)>,
    /// Letters, digits and the underscore of every script, as `\w` means for text.
    word: bool,
    negated: bool,
    /// `\S` and the like inside a class: the complement of white space.
    not_space: bool,
}

/// Longest pattern that is read, in bytes, and deepest nesting of groups.
const MAX_PATTERN: usize = 1000;
const MAX_DEPTH: u32 = 16;

impl CharSet {
    pub fn contains(&self, c: char) -> bool {
        let inside = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&c))
            || (self.word && (c.is_alphanumeric() || c == '_'))
            || (self.not_space && !c.is_whitespace());
        inside != self.negated
    }

    fn negate(mut self) -> Self {
        self.negated = !self.negated;
        self
    }
}

/// Where a match may begin and end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Anchoring {
    /// Anywhere: `re.search`.
    Search,
    /// At the start: `re.match`.
    Start,
    /// The whole text: `re.fullmatch`.
    Full,
}

/// Sets that together hold every character of any text that matches; `None` when not known. A `$`
/// lets one line break pass at the end, which is counted as not harmful.
pub fn allowed_by_match(pattern: &str, anchoring: Anchoring) -> Option<Vec<CharSet>> {
    let mut pattern = pattern;
    let mut anchoring = anchoring;
    for start in ["^", r"\A"] {
        if let Some(rest) = pattern.strip_prefix(start) {
            pattern = rest;
            if anchoring == Anchoring::Search {
                anchoring = Anchoring::Start;
            }
        }
    }
    let mut ends = anchoring == Anchoring::Full;
    if let Some(rest) = pattern
        .strip_suffix('$')
        .or_else(|| pattern.strip_suffix(r"\Z"))
        && !rest.ends_with('\\')
    {
        pattern = rest;
        ends = true;
    }
    if anchoring == Anchoring::Search || !ends {
        return None;
    }
    let mut reader = Reader::new(pattern)?;
    // With alternatives at the top, the anchors bind only to the first and the last of them.
    let sets = reader.alternatives(0, anchoring == Anchoring::Full)?;
    reader.rest.is_empty().then_some(sets)
}

/// The characters that can be left after every match of `pattern` is replaced by the empty text;
/// `None` when not known. Understood for one class with an optional quantifier: `[^\w-]+`.
pub fn left_by_removing(pattern: &str) -> Option<CharSet> {
    let mut reader = Reader::new(pattern)?;
    let set = reader.class()?;
    let quantifier = std::mem::take(&mut reader.rest);
    matches!(quantifier.as_slice(), [] | ['+'] | ['*']).then(|| set.negate())
}

struct Reader {
    /// Reversed: the next character is the last.
    rest: Vec<char>,
}

impl Reader {
    fn new(pattern: &str) -> Option<Self> {
        (pattern.len() <= MAX_PATTERN).then(|| Self {
            rest: pattern.chars().rev().collect(),
        })
    }

    fn next_is(&mut self, c: char) -> bool {
        let found = self.rest.last() == Some(&c);
        if found {
            self.rest.pop();
        }
        found
    }

    fn alternatives(&mut self, depth: u32, split: bool) -> Option<Vec<CharSet>> {
        let mut sets = Vec::new();
        loop {
            match self.rest.last() {
                None | Some(')') => return Some(sets),
                Some('|') if split => {
                    self.rest.pop();
                }
                Some('|') => return None,
                Some('(') => {
                    self.rest.pop();
                    if depth == MAX_DEPTH {
                        return None;
                    }
                    if self.next_is('?') && !self.next_is(':') {
                        return None;
                    }
                    sets.extend(self.alternatives(depth + 1, true)?);
                    if !self.next_is(')') {
                        return None;
                    }
                    self.quantifier()?;
                }
                Some(_) => {
                    sets.push(self.class()?);
                    self.quantifier()?;
                }
            }
        }
    }

    fn quantifier(&mut self) -> Option<()> {
        match self.rest.last() {
            Some('*' | '+' | '?') => {
                self.rest.pop();
            }
            Some('{') => {
                let closing = self.rest.iter().rposition(|c| *c == '}')?;
                let inside = self.rest.get(closing + 1..self.rest.len() - 1)?;
                if inside.is_empty() || !inside.iter().all(|c| c.is_ascii_digit() || *c == ',') {
                    return None;
                }
                self.rest.truncate(closing);
            }
            _ => return Some(()),
        }
        // Lazy or possessive: the same characters.
        let _ = self.next_is('?') || self.next_is('+');
        Some(())
    }

    /// One class, escape, or literal.
    fn class(&mut self) -> Option<CharSet> {
        match self.rest.pop()? {
            '[' => self.bracket(),
            '\\' => escape(self.rest.pop()?),
            '.' => Some(CharSet {
                ranges: vec![('\n', '\n')],
                negated: true,
                ..CharSet::default()
            }),
            '^' | '$' | '*' | '+' | '?' | '{' | ')' | '|' => None,
            c => Some(CharSet {
                ranges: vec![(c, c)],
                ..CharSet::default()
            }),
        }
    }

    fn bracket(&mut self) -> Option<CharSet> {
        let negated = self.next_is('^');
        let mut set = CharSet::default();
        let mut first = true;
        loop {
            let low = match self.rest.pop()? {
                ']' if !first => break,
                '\\' => {
                    let part = escape(self.rest.pop()?)?;
                    if part.negated {
                        // The complement of a class inside a class: only white space is kept apart.
                        return None;
                    }
                    set.word |= part.word;
                    set.not_space |= part.not_space;
                    match part.ranges.as_slice() {
                        [(low, high)] if low == high => *low,
                        ranges => {
                            set.ranges.extend(ranges);
                            first = false;
                            continue;
                        }
                    }
                }
                c => c,
            };
            first = false;
            let range = matches!(self.rest.as_slice(), [.., after, '-'] if *after != ']');
            if range {
                self.rest.pop();
                let high = match self.rest.pop()? {
                    '\\' => match escape(self.rest.pop()?)?.ranges.as_slice() {
                        [(c, same)] if c == same => *c,
                        _ => return None,
                    },
                    c => c,
                };
                set.ranges.push((low, high));
            } else {
                set.ranges.push((low, low));
            }
        }
        set.negated = negated;
        Some(set)
    }
}

/// The character after a backslash.
fn escape(c: char) -> Option<CharSet> {
    let none = CharSet::default();
    Some(match c {
        'w' => CharSet { word: true, ..none },
        'W' => CharSet {
            word: true,
            negated: true,
            ..none
        },
        // Digits of every script are as harmless as ours; `\w` holds them.
        'd' => CharSet {
            ranges: vec![('0', '9')],
            ..none
        },
        'D' => CharSet {
            ranges: vec![('0', '9')],
            negated: true,
            ..none
        },
        's' => CharSet {
            ranges: vec![('\t', '\r'), (' ', ' '), ('\u{a0}', '\u{a0}')],
            ..none
        },
        'S' => CharSet {
            not_space: true,
            ..none
        },
        't' => CharSet {
            ranges: vec![('\t', '\t')],
            ..none
        },
        'n' => CharSet {
            ranges: vec![('\n', '\n')],
            ..none
        },
        'r' => CharSet {
            ranges: vec![('\r', '\r')],
            ..none
        },
        c if c.is_alphanumeric() => return None,
        c => CharSet {
            ranges: vec![(c, c)],
            ..none
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, anchoring: Anchoring, c: char) -> Option<bool> {
        allowed_by_match(pattern, anchoring).map(|sets| sets.iter().any(|set| set.contains(c)))
    }

    #[test]
    fn an_anchored_class_lets_only_its_own_characters_through() {
        for pattern in [
            r"^[A-Za-z0-9_]+$",
            r"^\w{1,20}$",
            r"\A[\w-]+\Z",
            r"^(?:[a-z]+|[0-9]+)$",
        ] {
            assert_eq!(
                allows(pattern, Anchoring::Search, '\''),
                Some(false),
                "{pattern}"
            );
            assert_eq!(
                allows(pattern, Anchoring::Search, 'a'),
                Some(true),
                "{pattern}"
            );
        }
        assert_eq!(allows(r"[0-9]+\.[0-9]+", Anchoring::Full, '.'), Some(true));
        assert_eq!(allows(r"[0-9]+\.[0-9]+", Anchoring::Full, 'x'), Some(false));
        assert_eq!(allows(r".*", Anchoring::Full, '\''), Some(true));
    }

    #[test]
    fn a_check_that_does_not_bind_the_whole_text_counts_for_nothing() {
        for (pattern, anchoring) in [
            (r"[a-z]+", Anchoring::Search),
            (r"^[a-z]+", Anchoring::Search),
            (r"[a-z]+$", Anchoring::Search),
            (r"[a-z]+", Anchoring::Start),
            // Binds to the two ends separately.
            (r"^[a-z]+|[0-9]+$", Anchoring::Search),
            (r"(?=x)y", Anchoring::Full),
            (r"(a)\1", Anchoring::Full),
            (r"[a-z", Anchoring::Full),
            (r"a{x}", Anchoring::Full),
            (r"^[a-z]+\$", Anchoring::Search),
        ] {
            assert_eq!(allowed_by_match(pattern, anchoring), None, "{pattern}");
        }
        assert_eq!(allowed_by_match(&"(".repeat(500), Anchoring::Full), None);
    }

    #[test]
    fn removing_the_complement_of_a_class_leaves_the_class() {
        let left = left_by_removing(r"[^\w]").unwrap_or_default();
        assert!(left.contains('a') && !left.contains('\'') && !left.contains('/'));
        let left = left_by_removing(r"[^a-z0-9.-]+").unwrap_or_default();
        assert!(left.contains('-') && !left.contains(' '));
        let left = left_by_removing(r"\W+").unwrap_or_default();
        assert!(left.contains('Z') && !left.contains(';'));
        let left = left_by_removing("[']").unwrap_or_default();
        assert!(left.contains('"') && !left.contains('\''));
        assert_eq!(left_by_removing("--"), None);
        assert_eq!(left_by_removing(r"\.\./"), None);
    }
}
