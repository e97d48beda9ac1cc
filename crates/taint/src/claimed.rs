//! Roles that a request claims, and that decide what it may: whoever sends `role=admin` is one.
//!
//! A role is known by its name, and by where it is read: a field, header or cookie of the request. It decides where it
//! is compared with the name of a role of more rights, or is asked whether it is there at all, and nothing else is done
//! with it: what is stored or handed on is a field of a form.

use solvent_finding::{EntryPoint, Finding};
use solvent_graph::Site;
use solvent_ir::{self as ir, Arg, CompareOp, Const, Function, Op, Terminator, UnaryOp};
use solvent_models::{Judge, Weakness};

use crate::judge::View;

/// Names of a role, with everything but letters gone.
const ROLES: [&str; 16] = [
    "role",
    "userrole",
    "xrole",
    "xuserrole",
    "usertype",
    "accesslevel",
    "privilege",
    "privileges",
    "isadmin",
    "admin",
    "xadmin",
    "xisadmin",
    "isstaff",
    "issuperuser",
    "isroot",
    "group",
];
/// Roles of more rights, and how one says that one has them. Lower case.
const CLAIMS: [&str; 11] = [
    "admin",
    "administrator",
    "root",
    "superuser",
    "superadmin",
    "super_admin",
    "staff",
    "owner",
    "true",
    "1",
    "yes",
];
/// What of a request is sent by whoever asks.
const SENT: [&str; 17] = [
    "args",
    "form",
    "values",
    "cookies",
    "headers",
    "json",
    "get_json",
    "query",
    "body",
    "params",
    "get",
    "post",
    "cookie",
    "data",
    "query_params",
    "files",
    "meta",
];
/// What requests are called.
const REQUESTS: [&str; 6] = ["request", "req", "ctx", "context", "c", "r"];
/// Calls that read one of them by its name.
const READING: [&str; 8] = [
    "get",
    "header",
    "getlist",
    "getParameter",
    "getHeader",
    "get_cookie",
    "get_argument",
    "param",
];
/// Calls that only change how it is written.
const FORMS: [&str; 8] = [
    "lower",
    "upper",
    "strip",
    "toLowerCase",
    "toUpperCase",
    "trim",
    "str",
    "String",
];

impl View<'_> {
    /// Findings of weaknesses that are judged by what decides what a request may.
    pub(crate) fn claims(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        self.seen_in_handlers(
            Judge::Claim,
            entries,
            |entry, function, value| {
                // Where somebody comes to be known, nobody is yet.
                if crate::access::arrives(&entry.route) {
                    return None;
                }
                let role = self.claim(function, function.op(value))?;
                (self.only_decides(function, value, &role, 0) == Some(true)).then_some(role)
            },
            |weakness, site, role, entry| self.claimed(weakness, site, role, entry),
        )
    }

    /// The name of a role that an instruction reads of what was sent.
    fn claim(&self, function: &Function, op: &Op) -> Option<String> {
        let name = self.sent_field(function, op)?;
        ROLES.contains(&letters(&name).as_str()).then_some(name)
    }

    /// The name of the field, header or cookie that an instruction reads of what was sent.
    pub(crate) fn sent_field(&self, function: &Function, op: &Op) -> Option<String> {
        let text = |name: &solvent_base::Name| self.tracer.names.text(*name).to_string();
        let (name, of) = match op {
            Op::Index { base, key } => match function.op(*key) {
                Op::Const(Const::Str(key)) => (text(key), *base),
                _ => return None,
            },
            // `req.body.role`
            Op::Attr { base, name } => (text(name), *base),
            Op::Call { callee, args } => {
                let Op::Attr { base, name } = function.op(*callee) else {
                    return None;
                };
                if !READING.contains(&text(name).as_str()) {
                    return None;
                }
                match args.first().map(|arg| function.op(arg.value())) {
                    Some(Op::Const(Const::Str(key))) => (text(key), *base),
                    _ => return None,
                }
            }
            _ => return None,
        };
        self.was_sent(function, of, 0).then_some(name)
    }

    /// Whether a value is a part of the request that whoever asks fills.
    fn was_sent(&self, function: &Function, value: ir::Value, depth: u32) -> bool {
        let value = crate::told::strip(function, value);
        match function.op(value) {
            Op::Attr { base, name } => {
                let name = self.tracer.names.text(*name).to_lowercase();
                SENT.contains(&name.as_str()) && self.is_request(function, *base)
            }
            // `request.get_json()`, `request.form.to_dict()`
            Op::Call { callee, .. } if depth < 3 => match function.op(*callee) {
                Op::Attr { base, name } => {
                    let name = self.tracer.names.text(*name).to_string();
                    (matches!(name.as_str(), "get_json" | "json")
                        && self.is_request(function, *base))
                        || (name == "to_dict" && self.was_sent(function, *base, depth + 1))
                }
                _ => false,
            },
            // `request.getParameter("role")`
            _ => depth == 0 && self.is_request(function, value),
        }
    }

    fn is_request(&self, function: &Function, value: ir::Value) -> bool {
        let name = match function.op(crate::told::strip(function, value)) {
            Op::Param(at) => function.params.get(*at as usize).map(|p| p.name),
            Op::Global(name) | Op::Captured { name, .. } | Op::Attr { name, .. } => Some(*name),
            Op::Import { member, module, .. } => Some(member.unwrap_or(*module)),
            _ => None,
        };
        let Some(name) = name else { return false };
        let text = self.tracer.names.text(name).to_lowercase();
        let last = text.rsplit('.').next().unwrap_or_default();
        REQUESTS.contains(&last.split('·').next().unwrap_or_default())
    }

    /// Whether a value decides on its own, and nothing else is done with it; `None` where it is not used at all.
    fn only_decides(
        &self,
        function: &Function,
        value: ir::Value,
        role: &str,
        depth: u32,
    ) -> Option<bool> {
        if depth > 4 {
            return Some(false);
        }
        let mut decides = None;
        for (index, inst) in function.insts.iter().enumerate() {
            let mut used = false;
            inst.op.for_each_operand(&mut |v| used |= v == value);
            if !used {
                continue;
            }
            let result = ir::Value(index as u32);
            let this = match &inst.op {
                Op::Compare { op, left, right } => {
                    let other = if *left == value { right } else { left };
                    let claimed = matches!(op, CompareOp::Eq | CompareOp::NotEq)
                        && self.is_claim(function, *other);
                    Some(claimed && self.is_asked(function, result, 0))
                }
                Op::Refine { value: of, .. } if *of == value => {
                    self.only_decides(function, result, role, depth + 1)
                }
                // What it refines is another value.
                Op::Refine { .. } => None,
                Op::Unary {
                    op: UnaryOp::Not, ..
                } => Some(is_flag(role) && self.is_asked(function, result, 0)),
                Op::Attr { .. } => self.only_decides(function, result, role, depth + 1),
                Op::Call { callee, args } => {
                    let name = match function.op(*callee) {
                        Op::Attr { name, .. } | Op::Global(name) => Some(*name),
                        _ => None,
                    };
                    let form =
                        name.is_some_and(|name| FORMS.contains(&&*self.tracer.names.text(name)));
                    let alone = args.iter().all(|arg| matches!(arg, Arg::Positional(_)));
                    if form && alone {
                        self.only_decides(function, result, role, depth + 1)
                    } else {
                        Some(false)
                    }
                }
                Op::After { .. } => None,
                _ => Some(false),
            };
            match this {
                Some(false) => return Some(false),
                Some(true) => decides = Some(true),
                None => {}
            }
        }
        for block in &function.blocks {
            match block.terminator {
                Terminator::Branch { condition, .. } if condition == value && is_flag(role) => {
                    decides = Some(true);
                }
                _ if block.terminator.operand() == Some(value) => return Some(false),
                _ => {}
            }
        }
        decides
    }

    fn is_claim(&self, function: &Function, value: ir::Value) -> bool {
        match function.op(value) {
            Op::Const(Const::Str(text)) => {
                CLAIMS.contains(&self.tracer.names.text(*text).to_lowercase().as_str())
            }
            Op::Const(Const::Bool(true)) => true,
            _ => false,
        }
    }

    /// Whether control depends on a value.
    pub(crate) fn is_asked(&self, function: &Function, value: ir::Value, depth: u32) -> bool {
        let branches = function.blocks.iter().any(|block| {
            matches!(block.terminator, Terminator::Branch { condition, .. } if condition == value)
        });
        branches
            || (depth < 4
                && function.insts.iter().enumerate().any(|(index, inst)| {
                    let of = match &inst.op {
                        Op::Unary { operand, .. } => *operand == value,
                        Op::Phi(inputs) => inputs.iter().any(|(_, v)| *v == value),
                        _ => false,
                    };
                    of && self.is_asked(function, ir::Value(index as u32), depth + 1)
                }))
    }

    fn claimed(
        &self,
        weakness: &Weakness,
        site: Site,
        role: &str,
        entry: &EntryPoint,
    ) -> Option<Finding> {
        let kind = weakness.into.iter().next()?;
        let info = self.models.kind_info(kind);
        let title = format!("{}: `{role}` in {}", info.words, self.place_name(site));
        Some(self.found_at((weakness, info), site, title, entry, ""))
    }
}

/// A name with everything but letters gone, in lower case.
pub(crate) fn letters(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether the name asks a question that is answered by yes: `is_admin`.
fn is_flag(role: &str) -> bool {
    let role = role.to_lowercase();
    role.contains("admin") || role.starts_with("is")
}
