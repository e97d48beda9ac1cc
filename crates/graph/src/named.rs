//! Functions and classes that texts name: settings, tables of workers and logging are full of them, and libraries
//! import what stands there.

use std::collections::BTreeSet;

use solvent_ir::{Const, FnIndex, FunctionKind, Op};

use crate::link::{Site, Target, UnitId};
use crate::machine::Machine;

/// What is said of a function whose name stands in a text.
const TEXT: &str = "whatever reads the text that names it";

/// Packages whose users are tests: what their texts name is replaced or looked at, by tests only.
const OF_TESTS: [&str; 5] = [
    "unittest",
    "pytest",
    "django.test",
    "rest_framework.test",
    "flask_testing",
];

impl Machine<'_> {
    /// Marks what texts name as handed to what reads them: `"shop.middleware.Login"`, and all of `"shop.settings"`.
    pub(crate) fn follow_texts(&mut self) {
        if self.is_javascript() || self.has_receivers() {
            return;
        }
        let p = self.p;
        for index in 0..p.units.len() {
            let unit = UnitId(index as u32);
            if self.is_of_tests(unit) {
                continue;
            }
            let mut seen = BTreeSet::new();
            for (i, function) in p.unit(unit).functions.iter().enumerate() {
                for (inst, one) in function.insts.iter().enumerate() {
                    let Op::Const(Const::Str(text)) = one.op else {
                        continue;
                    };
                    if !seen.insert(text) {
                        continue;
                    }
                    let text = self.text(text);
                    if !is_dotted(&text) {
                        continue;
                    }
                    let site = Site {
                        function: p.fn_id(unit, FnIndex(i as u32)),
                        inst: inst as u32,
                    };
                    self.follow_text(unit, &text, site);
                }
            }
        }
    }

    fn follow_text(&mut self, from: UnitId, text: &str, site: Site) {
        if let Target::Unit(named) = self.p.resolve(from, text, 0, self.names) {
            self.escape_unit(named, site);
            return;
        }
        if let Some(v) = self.dotted(from, text) {
            self.escape(v, site, TEXT, 0);
        }
    }

    /// Whoever imports a module finds what stands at its top.
    fn escape_unit(&mut self, unit: UnitId, site: Site) {
        let p = self.p;
        for (i, function) in p.unit(unit).functions.iter().enumerate() {
            let top = function.parent == Some(FnIndex(0)) && function.class.is_none();
            if top && function.kind == FunctionKind::Def {
                let f = p.fn_id(unit, FnIndex(i as u32));
                let escapes = self.w.escapes.entry(f).or_default();
                escapes.insert((site, TEXT.to_owned()));
            }
        }
    }

    fn is_of_tests(&self, unit: UnitId) -> bool {
        let functions = &self.p.unit(unit).functions;
        functions.iter().flat_map(|f| &f.insts).any(|inst| {
            let Op::Import {
                module, level: 0, ..
            } = inst.op
            else {
                return false;
            };
            let module = self.text(module);
            OF_TESTS.iter().any(|name| {
                let rest = module.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        })
    }
}

/// Whether a text may be a name in a module: words with dots between them.
fn is_dotted(text: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.len() < 200 && text.contains('.') && text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::is_dotted;

    #[test]
    fn names_in_modules_are_words_with_dots_between() {
        assert!(is_dotted("shop.middleware.Login"));
        for text in ["shop", "3.14", "a..b", ".a", "a.b c", "index.html/x", ""] {
            assert!(!is_dotted(text), "{text}");
        }
    }
}
