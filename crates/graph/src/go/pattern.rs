//! Routes of Go: methods in patterns, and those that a call behind the registration says.

use solvent_ir::{Arg, Const, Op, Value};
use solvent_models::{EntryRow, EntryShape};

use crate::machine::{Frame, Machine};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

/// Instructions behind a registration that are looked at for what narrows it.
const MAX_BEHIND: usize = 64;

impl Machine<'_> {
    /// The routes of a registration without the methods and hosts in front of their paths, and the methods that they, or
    /// a call behind it, say instead of `methods`.
    pub(crate) fn patterns_go(
        &self,
        frame: &Frame,
        index: u32,
        row: &EntryRow,
        routes: Option<Vec<String>>,
        methods: Vec<String>,
    ) -> (Option<Vec<String>>, Vec<String>) {
        let routes = match routes {
            Some(routes) if self.is_go() && row.shape == EntryShape::Registrar => routes,
            other => return (other, methods),
        };
        let (said, paths): (Vec<_>, Vec<_>) = routes.iter().map(|route| pattern(route)).unzip();
        let mut said: Vec<String> = said.into_iter().flatten().collect();
        said.dedup();
        if said.is_empty() {
            said = self.narrowed_behind(frame, index);
        }
        (Some(paths), if said.is_empty() { methods } else { said })
    }

    /// The methods that a call on the result of a registration leaves: `r.HandleFunc(..).Methods("GET", "PUT")`.
    fn narrowed_behind(&self, frame: &Frame, index: u32) -> Vec<String> {
        let function = self.p.function(frame.f);
        let behind = (index as usize + 1)..function.insts.len().min(index as usize + MAX_BEHIND);
        for at in behind {
            let Op::Call { callee, args } = &function.insts[at].op else {
                continue;
            };
            let Op::Attr { base, name } = function.op(*callee) else {
                continue;
            };
            if &*self.text(*name) != "Methods" || !made_by(function, *base, index) {
                continue;
            }
            return args
                .iter()
                .filter_map(|arg| self.method_named(frame, arg))
                .collect();
        }
        Vec::new()
    }

    /// `"GET"`, or `http.MethodGet`.
    fn method_named(&self, frame: &Frame, arg: &Arg) -> Option<String> {
        let function = self.p.function(frame.f);
        let text = match function.op(arg.value()) {
            Op::Const(Const::Str(text)) => self.text(*text).to_string(),
            Op::Attr { name, .. } => self.text(*name).strip_prefix("Method")?.to_owned(),
            _ => return None,
        };
        let text = text.to_ascii_uppercase();
        METHODS.contains(&&*text).then_some(text)
    }
}

/// Whether a chain of calls begins with the call at `index`.
fn made_by(function: &solvent_ir::Function, mut value: Value, index: u32) -> bool {
    for _ in 0..8 {
        if value.0 == index {
            return true;
        }
        value = match function.op(value) {
            Op::Call { callee, .. } => *callee,
            Op::Attr { base, .. } => *base,
            Op::After { object, .. } => *object,
            Op::Refine { value, .. } => *value,
            _ => return false,
        };
    }
    false
}

/// Method and path of `GET example.com/items/{id}` (net/http, "Patterns", since Go 1.22).
fn pattern(text: &str) -> (Option<String>, String) {
    let (method, rest) = match text.split_once([' ', '\t']) {
        Some((method, rest)) if METHODS.contains(&method) => {
            (Some(method.to_owned()), rest.trim_start())
        }
        _ => (None, text),
    };
    let path = match rest.find('/') {
        Some(at) if at > 0 && rest[..at].contains('.') && !rest.contains("://") => &rest[at..],
        _ => rest,
    };
    (method, path.replace("{$}", "").replace("...}", "}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_its_method_and_host() {
        let of = |text: &str| {
            let (method, path) = pattern(text);
            (method.unwrap_or_default(), path)
        };
        assert_eq!(of("/items/{id}"), (String::new(), "/items/{id}".into()));
        assert_eq!(of("GET /items/{id}"), ("GET".into(), "/items/{id}".into()));
        assert_eq!(
            of("POST a.example/x/{rest...}"),
            ("POST".into(), "/x/{rest}".into())
        );
        assert_eq!(of("/{$}"), (String::new(), "/".into()));
        assert_eq!(of("Get /x"), (String::new(), "Get /x".into()));
        assert_eq!(of("api/x"), (String::new(), "api/x".into()));
    }
}
