//! SWARM-CG's micro-benchmarks: the call edges of small programs in JavaScript and Java, against those that its
//! authors wrote down.
//!
//! For JavaScript they wrote down every edge between functions of the program, and some into the language: the first
//! count, the second do where they name them. For Java they wrote down the edges that a case is about ("only edges that
//! are defined by annotations"), so that edges count where their caller is one of theirs, as it does for the suite's own
//! comparison, and constructors, which they leave out, only where they name them. Parameters' types are left out of
//! names on both sides.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::call_graphs::{self, Edges, Suite};
use crate::figures::{Figures, Place};
use crate::program::{items, number, released, text};

pub fn run(place: &Place) -> Result<Figures, String> {
    let root = place.corpus("SWARM-CG")?.join("benchmarks");
    let program = released(&place.root)?;
    let mut figures = Figures::new();
    let javascript = Suite {
        prefix: "javascript_",
        wanted: |edges| edges,
        edges: of_javascript,
    };
    let folder = root.join("javascript/swarm_js");
    call_graphs::score(place, &program, &folder, &javascript, &mut figures)?;
    let java = Suite {
        prefix: "java_",
        wanted: |edges| {
            let names = edges.iter();
            names.map(|(a, b)| (plain(a), plain(b))).collect()
        },
        edges: of_java,
    };
    let folder = root.join("java/cats");
    call_graphs::score(place, &program, &folder, &java, &mut figures)?;
    Ok(figures)
}

/// What a function without a name does is done by the scope around it, unless the authors number the arrows of the
/// case, from one in their scope and whatever they are assigned to.
fn of_javascript(report: &Value, folder: &Path, wanted: &Edges) -> Edges {
    let numbered = wanted.iter().any(|(_, callee)| callee.contains("<arrow"));
    let mut arrows: BTreeMap<String, u32> = BTreeMap::new();
    let names: Vec<String> = items(report, "/functions")
        .iter()
        .map(|function| {
            let name = in_javascript(text(function, "/name"));
            if !numbered || !is_arrow(function, folder) {
                return scope_of(name);
            }
            let scope = name.rsplit_once('.').map_or("", |(scope, _)| scope);
            let n = arrows.entry(scope.to_owned()).or_default();
            *n += 1;
            format!("{scope}.<arrow{n}>")
        })
        .collect();
    let anonymous: Vec<bool> = items(report, "/functions")
        .iter()
        .map(|function| text(function, "/name").contains("<lambda>") && !numbered)
        .collect();
    let folded = |call: &&Value| {
        // Its own scope calls what it stands for.
        anonymous
            .get(number(call, "/callee") as usize)
            .is_none_or(|lambda| !lambda)
    };
    let calls = items(report, "/calls").iter().filter(folded);
    let mut out: Edges = calls
        .filter_map(|call| {
            let name = |end: &str| names.get(number(call, end) as usize).cloned();
            Some((name("/caller")?, name("/callee")?))
        })
        .collect();
    out.extend(
        call_graphs::into_libraries(report, &names)
            .flat_map(|(caller, callee)| {
                [
                    (caller.clone(), format!("<builtin>.{callee}")),
                    (caller, format!("<global>.{callee}")),
                ]
            })
            .filter(|edge| wanted.contains(edge)),
    );
    out
}

fn of_java(report: &Value, _: &Path, wanted: &Edges) -> Edges {
    let names: Vec<String> = items(report, "/functions")
        .iter()
        .map(|function| scope_of(in_java(text(function, "/name"))))
        .collect();
    let callers: Vec<&String> = wanted.iter().map(|(caller, _)| caller).collect();
    call_graphs::between(report, &names)
        .filter(|(caller, callee)| {
            let made = callee.ends_with(".<init>") || callee.ends_with(".<fields>");
            callers.contains(&caller) && caller != callee && !made
        })
        .chain(call_graphs::between(report, &names).filter(|edge| wanted.contains(edge)))
        .chain(call_graphs::into_libraries(report, &names).filter(|edge| wanted.contains(edge)))
        .collect()
}

/// `sub/main:A.<locals>.b` is `sub.main.A.b`; a module's own code is the module.
fn in_javascript(name: &str) -> String {
    name.replace("<locals>.", "")
        .trim_end_matches(':')
        .replace([':', '/'], ".")
        .replace(".[", "[")
}

/// The unit `id.Class` holds `Class.main`: `id.Class.main`.
fn in_java(name: &str) -> String {
    let name = name.replace("<locals>.", "");
    let Some((unit, function)) = name.split_once(':') else {
        return name;
    };
    match unit.rsplit_once('.') {
        Some((package, _)) => format!("{package}.{function}"),
        None => function.to_owned(),
    }
}

/// `id.Class:main(java.lang.String[])` is `id.Class.main`, `a.B$C` is `a.B.C`.
fn plain(name: &str) -> String {
    let name = name.split('(').next().unwrap_or(name);
    name.replace(['$', ':'], ".")
}

/// The function that one without a name stands in.
fn scope_of(name: String) -> String {
    match name.split_once(".<lambda>") {
        Some((scope, _)) => scope.to_owned(),
        None => name,
    }
}

/// Whether the text of a function begins as an arrow does: no word says that it is a function.
fn is_arrow(function: &Value, folder: &Path) -> bool {
    let path = folder.join(text(function, "/begins/path"));
    let source = fs::read_to_string(path).unwrap_or_default();
    let at = |part: &str| number(function, &format!("/begins/{part}")) as usize;
    let Some(line) = source.lines().nth(at("line").saturating_sub(1)) else {
        return false;
    };
    let own: String = line.chars().skip(at("column").saturating_sub(1)).collect();
    !text(function, "/name").ends_with(':')
        && own.contains("=>")
        && !own.starts_with("function")
        && !own.starts_with("async function")
}

#[cfg(test)]
mod tests {
    use super::{in_java, in_javascript, plain, scope_of};

    #[test]
    fn names_are_said_as_the_authors_say_them() {
        assert_eq!(in_javascript("sub/main:A.<locals>.b"), "sub.main.A.b");
        assert_eq!(in_javascript("main:"), "main");
        assert_eq!(in_java("id.Class:Class.main"), "id.Class.main");
        assert_eq!(in_java("Main:Main.Inner.run"), "Main.Inner.run");
        assert_eq!(plain("id.Class:main(java.lang.String[])"), "id.Class.main");
        assert_eq!(plain("a.B$C:run()"), "a.B.C.run");
        assert_eq!(scope_of("main.f.<lambda>".to_owned()), "main.f");
    }
}
