//! Requests that change something and say no more than that a browser sent them.
//!
//! A browser sends a site's cookies with whatever another site makes it send, as long as that is what a form can send. So
//! it counts: a route of a method that changes something, that takes fields of a form, asks by a cookie who is there, and
//! lies in a part of the program in which nothing speaks of a token against it or of cookies that stay on their site.

use std::collections::{BTreeMap, BTreeSet};

use solvent_finding::{
    Carrier, EntryPoint, Finding, Fingerprint, Sink, SinkKind, Step, StepKind, Verdict, WeaknessId,
};
use solvent_graph::{FnId, RootKind};
use solvent_ir::{Const, Op};
use solvent_models::{Judge, Weakness};

use crate::judge::{View, severity};

/// Frameworks that ask for no token by themselves, and whose sessions are cookies.
const FRAMEWORKS: [&str; 5] = ["flask", "express", "quart", "bottle", "koa"];
/// What speaks of protection, in names and texts.
const PROTECTIONS: [&str; 7] = [
    "csrf",
    "csurf",
    "xsrf",
    "lusca",
    "seasurf",
    "samesite",
    "same_site",
];
/// What speaks of an identity that browsers do not send by themselves.
const TOKENS: [&str; 5] = ["bearer", "jwt", "token", "api_key", "apikey"];
/// What keeps somebody logged in by a cookie.
const COOKIES: [&str; 9] = [
    "session",
    "cookies",
    "set_cookie",
    "flask_login",
    "current_user",
    "passport",
    "cookie-parser",
    "client-sessions",
    "isauthenticated",
];

/// What the files of one folder speak of.
#[derive(Default)]
struct Spoken {
    protection: bool,
    cookies: bool,
}

impl View<'_> {
    /// Findings of weaknesses that are judged by what requests carry.
    pub(crate) fn forged(&self, entries: &[EntryPoint]) -> Vec<Finding> {
        let of_session = |w: &&Weakness| w.judged_by == Judge::Session;
        let weaknesses: Vec<&Weakness> =
            self.models.weaknesses().iter().filter(of_session).collect();
        if weaknesses.is_empty() {
            return Vec::new();
        }
        let mut open: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for root in self.roots {
            let RootKind::Entry(i) = root.kind else {
                continue;
            };
            let functions: BTreeSet<FnId> = root
                .summaries
                .iter()
                .map(|id| self.world.summary(*id).function)
                .collect();
            if let Some(entry) = entries.get(i)
                && self.is_forgeable(entry, &functions)
            {
                open.entry(folder(entry.location.path.as_str()))
                    .or_default()
                    .push(i);
            }
        }
        if open.is_empty() {
            return Vec::new();
        }
        let spoken = self.spoken();
        let nothing = Spoken::default();
        let of = |name: &str| spoken.get(name).unwrap_or(&nothing);
        let mut out = Vec::new();
        for (name, routes) in &open {
            // What stands at the top is about every part.
            let (own, top) = (of(name), of(""));
            if own.protection || top.protection || !(own.cookies || top.cookies) {
                continue;
            }
            let first = routes.iter().find_map(|i| entries.get(*i));
            if let Some(entry) = first {
                for weakness in &weaknesses {
                    out.extend(self.forged_finding(weakness, entry, routes.len()));
                }
            }
        }
        out
    }

    fn is_forgeable(&self, entry: &EntryPoint, functions: &BTreeSet<FnId>) -> bool {
        let changes = |m: &String| matches!(m.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        let by_token = |name: &String| {
            let name = name.to_lowercase();
            TOKENS.iter().any(|word| name.contains(word))
        };
        let sent = |carrier: Carrier| {
            entry
                .inputs
                .iter()
                .any(|(input, _)| input.carrier == carrier)
        };
        let authorization = entry.inputs.iter().any(|(input, _)| {
            input.carrier == Carrier::Header && input.name.eq_ignore_ascii_case("authorization")
        });
        FRAMEWORKS.contains(&entry.framework.as_str())
            && entry.methods.iter().any(changes)
            && sent(Carrier::Form)
            && !authorization
            && !entry.auth.iter().any(by_token)
            && !crate::access::arrives(&entry.route)
            && (!entry.auth.is_empty() || self.asks_who_is_there(functions))
    }

    /// What files speak of, by the folder at the top that they lie in.
    fn spoken(&self) -> BTreeMap<String, Spoken> {
        let mut out: BTreeMap<String, Spoken> = BTreeMap::new();
        let names = self.tracer.names;
        // A field of a page protects nothing where nobody looks at it.
        let pages: BTreeSet<u32> = self
            .graph
            .program
            .views()
            .iter()
            .map(|(unit, _)| unit.0)
            .collect();
        for (index, unit) in self.graph.program.units.iter().enumerate() {
            if pages.contains(&(index as u32)) {
                continue;
            }
            let of = out.entry(folder(unit.path.as_str())).or_default();
            let insts = unit.functions.iter().flat_map(|f| &f.insts);
            for inst in insts {
                let said = match &inst.op {
                    Op::Const(Const::Str(name)) | Op::Global(name) => vec![*name],
                    Op::Attr { name, .. } | Op::SetAttr { name, .. } => vec![*name],
                    Op::Import { module, member, .. } => {
                        std::iter::once(*module).chain(*member).collect()
                    }
                    Op::Call { args, .. } => args
                        .iter()
                        .filter_map(|arg| match arg {
                            solvent_ir::Arg::Named(name, _) => Some(*name),
                            _ => None,
                        })
                        .collect(),
                    _ => continue,
                };
                for name in said {
                    let text = names.text(name).to_lowercase();
                    of.protection |= PROTECTIONS.iter().any(|word| text.contains(word));
                    of.cookies |= COOKIES
                        .iter()
                        .any(|word| text == *word || text.ends_with(word));
                }
            }
        }
        out
    }

    fn forged_finding(
        &self,
        weakness: &Weakness,
        entry: &EntryPoint,
        routes: usize,
    ) -> Option<Finding> {
        let kind = weakness.into.iter().next()?;
        let info = self.models.kind_info(kind);
        let more = match routes.saturating_sub(1) {
            0 => String::new(),
            1 => ", and one route more".to_owned(),
            n => format!(", and {n} routes more"),
        };
        let text = String::new();
        let step = |kind: StepKind, what: String| Step {
            kind,
            location: entry.location.clone(),
            function: entry.handler.clone(),
            what,
            text: text.clone(),
        };
        Some(Finding {
            fingerprint: Fingerprint(solvent_base::Digest::of(b"")),
            weakness: WeaknessId(weakness.id.clone()),
            severity: severity(weakness, info),
            title: format!("{} answers {}{more}", info.words, entry.label()),
            sink: Sink {
                kind: SinkKind(info.name.clone()),
                callee: entry.framework.clone(),
                location: entry.location.clone(),
                function: entry.handler.clone(),
                text: text.clone(),
            },
            entry: Some(entry.clone()),
            flows: Vec::new(),
            way: vec![
                step(
                    StepKind::Source,
                    format!("answers {}{more}", entry.label()),
                ),
                step(
                    StepKind::Sink,
                    "takes fields of a form and asks by a cookie who is there; nothing speaks of a token, or of cookies that stay on their site".to_owned(),
                ),
            ],
            verdict: Verdict::Reachable {
                assumed: Vec::new(),
            },
        })
    }
}

/// The folder at the top that a file lies in; empty for those that lie there themselves.
fn folder(path: &str) -> String {
    path.split_once('/')
        .map_or_else(String::new, |(top, _)| top.to_owned())
}
