//! The rules in force: invariants, the first policy, operators' additions.

use std::fmt;
use std::str::FromStr as _;
use std::sync::LazyLock;

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
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
        let base = BASE.as_ref().map_err(Clone::clone)?;
        if files.len() > MAX_FILES {
            let message = format!("{} files are over the cap of {MAX_FILES}", files.len());
            return Err(vec![problem("operator", message)]);
        }
        let mut problems = Vec::new();
        // Rules are validated one by one, so the built-in ones need no second look.
        let mut added = PolicySet::new();
        for (name, text) in files {
            if let Err(message) = add(&mut added, &format!("operator/{name}"), text) {
                problems.push(problem(name, message));
            }
        }
        if added.num_of_policies() > MAX_RULES {
            problems.push(problem("operator", format!("more than {MAX_RULES} rules")));
        } else {
            problems.extend(invalid(&base.schema, &added, "operator"));
        }
        let mut rules = base.rules.clone();
        for rule in added.policies() {
            if let Err(error) = rules.add(rule.clone()) {
                problems.push(problem("operator", error.to_string()));
            }
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
            schema: base.schema.clone(),
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

/// What is compiled in, parsed and validated once.
struct Base {
    schema: Schema,
    rules: PolicySet,
}

static BASE: LazyLock<Result<Base, Vec<PolicyProblem>>> = LazyLock::new(|| {
    let broken = |message: String| vec![problem("builtin", message)];
    let (schema, _) =
        Schema::from_cedarschema_str(SCHEMA).map_err(|error| broken(error.to_string()))?;
    let mut rules = PolicySet::new();
    for (origin, text) in [("invariant", INVARIANTS), ("default", DEFAULT)] {
        add(&mut rules, origin, text).map_err(broken)?;
    }
    let problems = invalid(&schema, &rules, "builtin");
    if problems.is_empty() {
        Ok(Base { schema, rules })
    } else {
        Err(problems)
    }
});

fn problem(file: &str, message: String) -> PolicyProblem {
    PolicyProblem {
        file: file.to_owned(),
        message,
    }
}

/// What strict validation has against the rules.
fn invalid(schema: &Schema, rules: &PolicySet, file: &str) -> Vec<PolicyProblem> {
    Validator::new(schema.clone())
        .validate(rules, ValidationMode::Strict)
        .validation_errors()
        .map(|error| problem(file, error.to_string()))
        .collect()
}

/// Adds one file's rules as `<origin>/<id>`.
fn add(rules: &mut PolicySet, origin: &str, text: &str) -> Result<(), String> {
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
    for rule in parsed.policies() {
        let id = rule.annotation("id").unwrap_or_default();
        if id.is_empty() || id.len() > 100 || id.chars().any(|c| c.is_control() || c == '/') {
            return Err(
                "every rule needs `@id(\"...\")` of 1 to 100 characters without `/`".to_owned(),
            );
        }
        let full = PolicyId::new(format!("{origin}/{id}"));
        rules
            .add(rule.new_id(full))
            .map_err(|_| format!("two rules have the id `{id}`"))?;
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
            return Err(format!(
                "brackets or branches nest deeper than {MAX_NESTING}"
            ));
        }
        if chain > MAX_CHAIN {
            return Err(format!(
                "a rule has more than {MAX_CHAIN} operators, split it"
            ));
        }
    }
    Ok(())
}
