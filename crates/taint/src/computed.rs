//! Tokens that whoever asks can compute: one that is compared with a hash of nothing but other parts of the request.
//!
//! A token is known by its name. What it is compared with is read backwards: through calls that are known to hash or to
//! write in another form, to constants that are no secret and to fields of the same request. Anything else may be a
//! secret, and ends the search: this errs to silence.

use solvent_finding::{EntryPoint, Finding, Flow, Template};
use solvent_graph::Site;
use solvent_ir::{self as ir, Arg, BinaryOp, CompareOp, Const, FormatPart, Function, Item, Op};
use solvent_models::{Judge, Weakness};

use crate::claimed::letters;
use crate::judge::View;

/// Ends of names of what only somebody who was told it can send, with everything but letters gone.
const TOKENS: [&str; 9] = [
    "token",
    "resetkey",
    "resetcode",
    "resethash",
    "activationkey",
    "activationcode",
    "confirmationkey",
    "confirmationcode",
    "otp",
];
/// Calls whose result says nothing of what they got, and is the same for everybody.
const HASHES: [&str; 11] = [
    "md5",
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "createHash",
    "crc32",
    "b64encode",
    "urlsafe_b64encode",
    "btoa",
];
/// Calls that write what they get in another form, or carry it into a hash.
const CARRYING: [&str; 24] = [
    "update",
    "digest",
    "hexdigest",
    "encode",
    "decode",
    "toString",
    "String",
    "str",
    "bytes",
    "bytearray",
    "from",
    "format",
    "concat",
    "join",
    "lower",
    "upper",
    "strip",
    "trim",
    "toLowerCase",
    "toUpperCase",
    "hex",
    "new",
    "b64decode",
    "int",
];
/// Names of hashes and of forms of text: constants that are no secret.
const WORDS: [&str; 16] = [
    "md5",
    "sha1",
    "sha-1",
    "sha224",
    "sha256",
    "sha-256",
    "sha384",
    "sha512",
    "sha-512",
    "hex",
    "base64",
    "base64url",
    "utf8",
    "utf-8",
    "ascii",
    "latin1",
];
/// Longest constant that only stands between two values.
const MAX_SEPARATOR: usize = 2;
const MAX_DEPTH: u32 = 12;

/// What a value is made of.
#[derive(Clone, Copy, Default)]
struct Made {
    of_the_request: bool,
    hashed: bool,
}

impl View<'_> {
    /// Findings of weaknesses that are judged by how a token is made.
    pub(crate) fn computed(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        self.seen_in_handlers(
            Judge::Token,
            entries,
            |_, function, value| {
                let (left, right) = self.compared(function, function.op(value))?;
                let token = self
                    .computable(function, left, right)
                    .or_else(|| self.computable(function, right, left))?;
                self.is_asked(function, value, 0).then_some(token)
            },
            |weakness, site, token, entry| self.computed_at(weakness, site, token, entry),
        )
    }

    /// The two sides of a comparison for equality.
    fn compared(&self, function: &Function, op: &Op) -> Option<(ir::Value, ir::Value)> {
        match op {
            Op::Compare {
                op: CompareOp::Eq | CompareOp::NotEq,
                left,
                right,
            } => Some((*left, *right)),
            Op::Call { callee, args } => {
                let [Arg::Positional(left), Arg::Positional(right)] = args[..] else {
                    return None;
                };
                let name = self.called(function, *callee)?;
                matches!(
                    name.as_str(),
                    "compare_digest" | "timingSafeEqual" | "safe_str_cmp"
                )
                .then_some((left, right))
            }
            _ => None,
        }
    }

    /// The token's name, where the other side is a hash of the request's own parts.
    fn computable(
        &self,
        function: &Function,
        token: ir::Value,
        other: ir::Value,
    ) -> Option<String> {
        let token = crate::told::strip(function, token);
        let name = self.sent_field(function, function.op(token))?;
        let flat = letters(&name);
        if !TOKENS.iter().any(|end| flat.ends_with(end)) || flat.contains("csrf") {
            return None;
        }
        let made = self.made(function, other, 0)?;
        (made.of_the_request && made.hashed).then_some(name)
    }

    /// What a value is made of, if nothing of it may be a secret.
    fn made(&self, function: &Function, value: ir::Value, depth: u32) -> Option<Made> {
        if depth > MAX_DEPTH {
            return None;
        }
        let value = crate::told::strip(function, value);
        let op = function.op(value);
        if self.sent_field(function, op).is_some() {
            return Some(Made {
                of_the_request: true,
                hashed: false,
            });
        }
        match op {
            Op::Const(Const::Str(text)) => self.is_open(*text).then(Made::default),
            Op::Const(Const::None | Const::Bool(_)) => Some(Made::default()),
            Op::Binary {
                op: BinaryOp::Add,
                left,
                right,
            } => self.all_made(function, &[*left, *right], depth),
            Op::Format(parts) => {
                let mut values = Vec::new();
                for part in parts {
                    match part {
                        FormatPart::Literal(text) if !self.is_open(*text) => return None,
                        FormatPart::Literal(_) => {}
                        FormatPart::Value { value, .. } => values.push(*value),
                    }
                }
                self.all_made(function, &values, depth)
            }
            Op::Call { callee, args } => {
                let name = self.called(function, *callee)?;
                let hashes = HASHES.contains(&name.as_str());
                if !hashes && !CARRYING.contains(&name.as_str()) {
                    return None;
                }
                let mut values: Vec<ir::Value> = args.iter().map(Arg::value).collect();
                // `"{}".format(x)`, `createHash("md5").update(x)`; `hashlib.md5(x)` is called on a module.
                if let Op::Attr { base, .. } = function.op(*callee)
                    && !matches!(
                        function.op(crate::told::strip(function, *base)),
                        Op::Import { .. } | Op::Global(_) | Op::Captured { .. }
                    )
                {
                    values.push(*base);
                }
                let mut made = self.all_made(function, &values, depth)?;
                made.hashed |= hashes;
                Some(made)
            }
            Op::Sequence { items, .. } => {
                let values: Option<Vec<ir::Value>> = items
                    .iter()
                    .map(|item| match item {
                        Item::One(value) => Some(*value),
                        Item::Spread(_) => None,
                    })
                    .collect();
                self.all_made(function, &values?, depth)
            }
            _ => None,
        }
    }

    fn all_made(&self, function: &Function, values: &[ir::Value], depth: u32) -> Option<Made> {
        let mut out = Made::default();
        for value in values {
            let made = self.made(function, *value, depth + 1)?;
            out.of_the_request |= made.of_the_request;
            out.hashed |= made.hashed;
        }
        Some(out)
    }

    /// Whether a constant is no secret: a word of hashes, or what stands between two values.
    fn is_open(&self, text: solvent_base::Name) -> bool {
        let text = self.tracer.names.text(text);
        WORDS.contains(&text.to_lowercase().as_str())
            || text.replace("{}", "").replace("%s", "").len() <= MAX_SEPARATOR
    }

    /// The last name of what is called.
    fn called(&self, function: &Function, callee: ir::Value) -> Option<String> {
        let name = match function.op(crate::told::strip(function, callee)) {
            Op::Attr { name, .. } | Op::Global(name) | Op::Captured { name, .. } => *name,
            Op::Import { module, member, .. } => member.unwrap_or(*module),
            _ => return None,
        };
        let text = self.tracer.names.text(name).to_string();
        Some(text.rsplit('.').next().unwrap_or_default().to_owned())
    }

    fn computed_at(
        &self,
        weakness: &Weakness,
        site: Site,
        token: &str,
        entry: &EntryPoint,
    ) -> Option<Finding> {
        let kind = weakness.into.iter().next()?;
        let info = self.models.kind_info(kind);
        let title = format!("{}: `{token}` in {}", info.words, self.place_name(site));
        let mut finding = self.found_at((weakness, info), site, title, entry, "");
        let named = entry.inputs.iter().filter(|(input, _)| input.name == token);
        finding.flows = named
            .take(solvent_finding::MAX_FLOWS)
            .map(|(input, _)| Flow {
                input: input.clone(),
                steps: finding.way.clone(),
                transforms: Vec::new(),
                conditions: Vec::new(),
                template: Template { parts: Vec::new() },
            })
            .collect();
        if !finding.flows.is_empty() {
            finding.way.clear();
        }
        Some(finding)
    }
}
