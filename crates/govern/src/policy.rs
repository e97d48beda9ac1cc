//! The rules in force: invariants, the first policy, operators' additions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr as _;

use cedar_policy::{Policy as Cedar, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use solvent_base::Digest;

const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");
const INVARIANTS: &str = include_str!("../../../policies/invariants.cedar");
const DEFAULT: &str = include_str!("../../../policies/default.cedar");

/// Largest operator file in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024;
/// Most operator files.
pub const MAX_FILES: usize = 64;
/// Most operator rules in all; a decision costs about two microseconds per rule.
pub const MAX_RULES: usize = 1000;
/// Deepest brackets in an operator file. The evaluator recurses along them.
pub const MAX_NESTING: usize = 32;
/// Most operators in one rule's text, which the evaluator may recurse along as well.
pub const MAX_CHAIN: usize = 256;

/// A checked set of rules. Parsing and validating happen once, here.
pub struct Policy {
    pub(crate) schema: Schema,
    pub(crate) rules: PolicySet,
    digest: Digest,
}

/// Why an operator's file is not in force; none of its set is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PolicyProblem {
    /// The file's name as given, or `builtin`.
    pub file: String,
    /// Lower case, no full stop.
    pub message: String,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.file, self.message)
    }
}

impl Policy {
    /// Invariants and the first policy, without operators' rules.
    pub fn builtin() -> Result<Self, Vec<PolicyProblem>> {
        Self::with_operator(&[])
    }

    /// Adds operators' rules: name and text of each file. Every rule needs an `@id` of its own and
    /// may carry `@reason` and `@pass` (what would make it pass). All is in force, or nothing.
    pub fn with_operator(files: &[(String, String)]) -> Result<Self, Vec<PolicyProblem>> {
        let problem = |file: &str, message: String| PolicyProblem {
            file: file.to_owned(),
            message,
        };
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| vec![problem("builtin", error.to_string())])?;
        let mut problems = Vec::new();
        let mut rules = PolicySet::new();
        let mut sources = vec![
            ("invariant", "builtin", INVARIANTS),
            ("default", "builtin", DEFAULT),
        ];
        if files.len() > MAX_FILES {
            return Err(vec![problem(
                "operator",
                format!("{} files are over the cap of {MAX_FILES}", files.len()),
            )]);
        }
        sources.extend(
            files
                .iter()
                .map(|(name, text)| ("operator", name.as_str(), text.as_str())),
        );
        for (origin, file, text) in sources {
            if let Err(message) = add(&mut rules, origin, file, text) {
                problems.push(problem(file, message));
            }
        }
        if rules.num_of_policies() > MAX_RULES {
            problems.push(problem("operator", format!("more than {MAX_RULES} rules")));
        }
        let checked = Validator::new(schema.clone()).validate(&rules, ValidationMode::Strict);
        for error in checked.validation_errors() {
            problems.push(problem("operator", error.to_string()));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut parts = vec![SCHEMA.as_bytes(), INVARIANTS.as_bytes(), DEFAULT.as_bytes()];
        for (name, text) in files {
            parts.push(name.as_bytes());
            parts.push(text.as_bytes());
        }
        Ok(Self {
            schema,
            rules,
            digest: Digest::of_parts(parts),
        })
    }

    /// Digest of schema, invariants, first policy and operators' files, names included.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Number of rules in force.
    pub fn len(&self) -> usize {
        self.rules.num_of_policies()
    }

    /// Never: the invariants are always there.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn add(rules: &mut PolicySet, origin: &str, file: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_FILE_BYTES {
        return Err(format!(
            "{} bytes are over the cap of {MAX_FILE_BYTES}",
            text.len()
        ));
    }
    bounded(text)?;
    let parsed = PolicySet::from_str(text).map_err(|error| error.to_string())?;
    if parsed.templates().next().is_some() {
        return Err("templates are not supported, write a rule for each case".to_owned());
    }
    let mut seen = BTreeSet::new();
    // Parsed order is by internal id; sorting by our own keeps everything downstream stable.
    let mut fresh: Vec<(String, Cedar)> = Vec::new();
    for rule in parsed.policies() {
        let id = rule.annotation("id").unwrap_or_default();
        if id.is_empty() || id.len() > 100 || id.chars().any(|c| c.is_control() || c == '/') {
            return Err(
                "every rule needs `@id(\"...\")` of 1 to 100 characters without `/`".to_owned(),
            );
        }
        if !seen.insert(id.to_owned()) {
            return Err(format!("two rules have the id `{id}`"));
        }
        let full = if origin == "operator" {
            format!("operator/{file}/{id}")
        } else {
            format!("{origin}/{id}")
        };
        fresh.push((full.clone(), rule.new_id(PolicyId::new(full))));
    }
    fresh.sort_by(|a, b| a.0.cmp(&b.0));
    for (id, rule) in fresh {
        rules
            .add(rule)
            .map_err(|_| format!("two files have the rule `{id}`"))?;
    }
    Ok(())
}

/// Refuses text that would make the parser or evaluator recurse deeply.
fn bounded(text: &str) -> Result<(), String> {
    let (mut depth, mut chain, mut branches) = (0_usize, 0_usize, 0_usize);
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        match std::mem::take(&mut word).as_str() {
            "if" => branches += 1,
            "in" | "is" | "has" | "like" => chain += 1,
            _ => {}
        }
        match c {
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|&c| c != '\n').is_some() {},
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // No expression holds a semicolon, so every one of them ends a rule.
            ';' => (depth, chain, branches) = (0, 0, 0),
            '&' | '|' | '+' | '-' | '*' | '!' | '=' | '<' | '>' | '.' => chain += 1,
            _ => {}
        }
        if depth > MAX_NESTING || branches > MAX_NESTING {
            return Err(format!("brackets or branches nest deeper than {MAX_NESTING}"));
        }
        if chain > MAX_CHAIN {
            return Err(format!("a rule has more than {MAX_CHAIN} operators, split it"));
        }
    }
    Ok(())
}
