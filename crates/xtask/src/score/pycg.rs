//! PyCG's micro-benchmark: the call edges of small programs, against those that its authors wrote down.
//!
//! Every edge counts, those into built-in functions too.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::call_graphs::{self, Edges, Suite};
use crate::figures::{Figures, Place};
use crate::program::{items, released, text};

pub fn run(place: &Place) -> Result<Figures, String> {
    let root = place.corpus("PyCG")?.join("micro-benchmark/snippets");
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    let suite = Suite {
        prefix: "",
        wanted: |edges| edges,
        edges,
    };
    call_graphs::score(place, &program, &root, &suite, &mut figures)?;
    Ok(figures)
}

/// Our edges, in the authors' names.
fn edges(report: &Value, _: &Path, _: &Edges) -> Edges {
    let mut lambdas: BTreeMap<String, u32> = BTreeMap::new();
    let names: Vec<String> = items(report, "/functions")
        .iter()
        .map(|function| {
            let name = theirs(text(function, "/name"));
            // The authors number them in their scope, from one.
            match name.strip_suffix("<lambda>") {
                Some(scope) => {
                    let n = lambdas.entry(scope.to_owned()).or_default();
                    *n += 1;
                    format!("{scope}<lambda{n}>")
                }
                None => name,
            }
        })
        .collect();
    call_graphs::between(report, &names)
        .chain(
            call_graphs::into_libraries(report, &names)
                .map(|(caller, callee)| (caller, callee.replace("builtins.", "<builtin>."))),
        )
        .collect()
}

/// `main:make.<locals>.inner` is `main.make.inner`; a module's own code is the module.
fn theirs(name: &str) -> String {
    name.replace("<locals>.", "")
        .trim_end_matches(':')
        .replace(':', ".")
}

#[cfg(test)]
mod tests {
    use super::theirs;

    #[test]
    fn names_are_said_as_the_authors_say_them() {
        assert_eq!(theirs("main:make.<locals>.inner"), "main.make.inner");
        assert_eq!(theirs("pkg.sub:"), "pkg.sub");
        assert_eq!(theirs("main:A.run"), "main.A.run");
    }
}
