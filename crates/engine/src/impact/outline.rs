//! Which functions of a file a change touches, by their own text.
//!
//! The text is compared rather than the facts that are read from it: decorators, defaults and annotations stand in
//! it, and numbers of facts shift when something is put in front. A comment inside a function touches it.

use std::collections::BTreeMap;

use solvent_base::{FilePath, Interner, LineIndex, Span};
use solvent_ir::{FunctionKind, Unit};
use solvent_protocol::view::Place;

/// One function of one revision of a file.
struct Own {
    /// `module:qualname`
    name: String,
    span: Span,
    from: (u32, u32),
    to: (u32, u32),
    place: Place,
    /// Without functions inside.
    text: String,
    differs: bool,
}

/// The functions of one revision of a file, with those marked that differ from the other revision.
#[derive(Default)]
pub struct Outline {
    functions: Vec<Own>,
}

/// What became of a function.
pub struct Became<'a> {
    /// `new | changed | gone`
    pub how: &'static str,
    pub name: &'a str,
    pub place: &'a Place,
}

impl Outline {
    /// `None`: the file is not there.
    fn of(path: &FilePath, bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else {
            return Self::default();
        };
        let is_code = (solvent_lang::language_of(path).is_some()
            || solvent_lang::language_of_script(path, bytes).is_some())
            && !solvent_lang::is_minified(path, bytes);
        let text = String::from_utf8_lossy(bytes);
        let lines = LineIndex::new(&text);
        if !is_code {
            let span = Span {
                start: 0,
                end: bytes.len() as u32,
            };
            let whole = own(
                path,
                path.to_string(),
                span,
                span,
                bytes,
                Vec::new(),
                &lines,
            );
            return Self {
                functions: vec![whole],
            };
        }
        let names = Interner::new();
        let unit = solvent_lang::lower(path, bytes, &names);
        let end = bytes.len() as u32;
        let span_of = |at: usize| match unit.functions[at].kind {
            FunctionKind::Module => Span { start: 0, end },
            _ => unit.functions[at].span,
        };
        let is_own = |at: usize| unit.functions[at].kind != FunctionKind::Comprehension;
        let mut inside: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
        for at in (0..unit.functions.len()).filter(|at| is_own(*at)) {
            let mut around = unit.functions[at].parent;
            while let Some(parent) = around.filter(|p| !is_own(p.0 as usize)) {
                around = unit.functions[parent.0 as usize].parent;
            }
            if let Some(parent) = around {
                let spans = inside.entry(parent.0 as usize).or_default();
                spans.push(span_of(at));
            }
        }
        let functions = (0..unit.functions.len())
            .filter(|at| is_own(*at))
            .map(|at| {
                let inside = inside.remove(&at).unwrap_or_default();
                let name = symbol(&unit, at, &names);
                let name_span = unit.functions[at].name_span;
                own(path, name, span_of(at), name_span, bytes, inside, &lines)
            })
            .collect();
        Self { functions }
    }

    /// The name of the changed function in which a place lies; `None` where the function did not change.
    pub fn changed_at(&self, line: u32, column: u32) -> Option<&str> {
        let at = (line, column);
        let innermost = self
            .functions
            .iter()
            .filter(|f| f.from <= at && at <= f.to)
            .min_by_key(|f| f.span.end - f.span.start)?;
        innermost.differs.then_some(innermost.name.as_str())
    }
}

fn symbol(unit: &Unit, at: usize, names: &Interner) -> String {
    let module = names.text(unit.module);
    let qualname = names.text(unit.functions[at].qualname);
    if qualname.is_empty() {
        module.to_string()
    } else {
        format!("{module}:{qualname}")
    }
}

fn own(
    path: &FilePath,
    name: String,
    span: Span,
    name_span: Span,
    bytes: &[u8],
    mut inside: Vec<Span>,
    lines: &LineIndex,
) -> Own {
    let mut text = Vec::new();
    let mut at = span.start;
    inside.sort_by_key(|hole| (hole.start, hole.end));
    let piece = |from: u32, to: u32| bytes.get(from as usize..to as usize).unwrap_or_default();
    for hole in inside {
        if hole.start >= at {
            text.extend_from_slice(piece(at, hole.start));
            text.push(0);
        }
        at = at.max(hole.end);
    }
    text.extend_from_slice(piece(at, span.end));
    let text = String::from_utf8_lossy(&text);
    let text: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let position = |offset: u32| {
        let at = lines.position(offset);
        (at.line, at.column)
    };
    let from = position(span.start);
    let named = position(name_span.start);
    Own {
        name,
        span,
        from,
        to: position(span.end),
        place: Place {
            path: path.to_string(),
            line: named.0,
            column: named.1,
        },
        text: text.join("\n"),
        differs: false,
    }
}

/// Both revisions of a file; `None` for one in which it is not there.
pub fn outlines(
    path: &FilePath,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> (Outline, Outline) {
    let mut before = Outline::of(path, before);
    let mut after = Outline::of(path, after);
    // Functions without names share one: each stands for one of the same text.
    let mut texts: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, f) in before.functions.iter().enumerate().rev() {
        texts.entry((&f.name, &f.text)).or_default().push(at);
    }
    let mut same = Vec::new();
    for f in &mut after.functions {
        let other = texts.get_mut(&(f.name.as_str(), f.text.as_str()));
        match other.and_then(Vec::pop) {
            Some(at) => same.push(at),
            None => f.differs = true,
        }
    }
    drop(texts);
    for f in &mut before.functions {
        f.differs = true;
    }
    for at in same {
        before.functions[at].differs = false;
    }
    (before, after)
}

/// What became of the functions that differ.
pub fn became<'a>(before: &'a Outline, after: &'a Outline) -> Vec<Became<'a>> {
    let mut old: BTreeMap<&str, usize> = BTreeMap::new();
    for f in before.functions.iter().filter(|f| f.differs) {
        *old.entry(&f.name).or_default() += 1;
    }
    let mut out = Vec::new();
    for f in after.functions.iter().filter(|f| f.differs) {
        let how = match old.get_mut(f.name.as_str()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                "changed"
            }
            _ => "new",
        };
        out.push(Became {
            how,
            name: &f.name,
            place: &f.place,
        });
    }
    for f in before.functions.iter().filter(|f| f.differs).rev() {
        if let Some(left) = old.get_mut(f.name.as_str())
            && *left > 0
        {
            *left -= 1;
            out.push(Became {
                how: "gone",
                name: &f.name,
                place: &f.place,
            });
        }
    }
    out.sort_by_key(|b| (b.place.line, b.place.column));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, before: Option<&str>, after: Option<&str>) -> Vec<String> {
        let path = FilePath::new(path).expect("a path");
        let (before, after) = outlines(&path, before.map(str::as_bytes), after.map(str::as_bytes));
        became(&before, &after)
            .iter()
            .map(|b| format!("{} {} {}", b.how, b.name, b.place.line))
            .collect()
    }

    const FILE: &str = "import os\n\n\ndef one(a):\n    return a\n\n\nclass Two:\n    @staticmethod\n    def three(b=1):\n        def four():\n            return b\n\n        return [four() for _ in b]\n";

    #[test]
    fn a_function_that_moved_did_not_change() {
        let moved = FILE.replace(
            "import os\n",
            "# words\nimport os\n\n\ndef zero():\n    pass\n",
        );
        assert_eq!(
            told("a.py", Some(FILE), Some(&moved)),
            ["changed a 1", "new a:zero 5"]
        );
    }

    #[test]
    fn decorators_defaults_and_comprehensions_are_the_functions_own() {
        for (from, to) in [
            ("@staticmethod", "@classmethod"),
            ("b=1", "b=2"),
            ("for _ in b", "for _ in a"),
        ] {
            let changed = told("a.py", Some(FILE), Some(&FILE.replace(from, to)));
            assert_eq!(changed, ["changed a:Two.three 10"], "{to}");
        }
    }

    #[test]
    fn a_function_inside_is_not_the_text_of_the_one_around_it() {
        let changed = FILE.replace("return b", "return b + 1");
        assert_eq!(
            told("a.py", Some(FILE), Some(&changed)),
            ["changed a:Two.three.<locals>.four 11"]
        );
    }

    #[test]
    fn of_functions_without_names_the_one_that_differs_is_meant() {
        let file = "app.get('/a', (q, r) => r.send('a'));\napp.get('/b', (q, r) => r.send('b'));\n";
        let changed = file.replace("send('b')", "send(q.query.b)");
        let path = FilePath::new("a.js").expect("a path");
        let (before, after) = outlines(&path, Some(file.as_bytes()), Some(changed.as_bytes()));
        assert_eq!(became(&before, &after).len(), 1);
        assert!(after.changed_at(1, 26).is_none());
        assert!(after.changed_at(2, 26).is_some());
        assert!(before.changed_at(2, 26).is_some());
    }

    #[test]
    fn files_that_come_and_go_take_their_functions_along() {
        assert_eq!(
            told("a.py", None, Some("def f():\n    pass\n")),
            ["new a 1", "new a:f 1"]
        );
        assert_eq!(told("page.html", Some("<b>"), None), ["gone page.html 1"]);
    }
}
